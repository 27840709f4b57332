"""What a network answers to uint8 images."""

import torch
from torch import Tensor, nn

from pipeline.data._pixels import normalise
from pipeline.randomness import seeded

DRAWS = 32  # of the weights, where they have a posterior


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


def probabilities(
    model: nn.Module, images: Tensor, mean: Tensor, std: Tensor, outputs: Tensor, *, batch_size: int = 256
) -> Tensor:
    """Return what the network believes of uint8 images, (N, K) float64: its predictive distribution.

    For a network that offers ``draw`` this is the mean over draws of its weights from their posterior, a Monte Carlo
    estimate of the integral (Blundell et al. 2015, arXiv:1505.05424, section 2), otherwise the softmax of ``outputs``.

    Args:
        model: classifier, (N, C, H, W) normalised -> (N, K) logits.
        images: (N, C, H, W) uint8, on the network's device.
        mean: (C,) channel means in [0, 1] units.
        std: (C,) channel standard deviations in [0, 1] units.
        outputs: (N, K), the logits of ``images``.
        batch_size: images of one forward pass.
    """
    draw = getattr(model, "draw", None)
    if draw is None:
        return outputs.double().softmax(1)
    total = torch.zeros_like(outputs, dtype=torch.float64)
    for number in range(DRAWS):
        with draw(seeded("posterior", number)):
            total += logits(model, images, mean, std, batch_size=batch_size).double().softmax(1)
    return total / DRAWS
