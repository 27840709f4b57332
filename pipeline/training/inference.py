"""What a network answers to uint8 images."""

import torch
from torch import Tensor, nn

from pipeline.data._pixels import normalise


@torch.no_grad()
def logits(model: nn.Module, images: Tensor, mean: Tensor, std: Tensor, *, batch_size: int = 256) -> Tensor:
    """Return the network's logits in eval mode, (N, K), leaving its mode as found.

    Args:
        model: classifier, (N, C, H, W) normalised -> (N, K) logits.
        images: (N, C, H, W) uint8, on the network's device.
        mean: (C,) channel means in [0, 1] units.
        std: (C,) channel standard deviations in [0, 1] units.
        batch_size: images of one forward pass.
    """
    mode = model.training
    model.eval()
    try:
        return torch.cat([model(normalise(batch, mean, std)) for batch in images.split(batch_size)])
    finally:
        model.train(mode)
