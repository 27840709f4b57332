"""Ablation-CAM: the layer's channels, each weighed by how far the target's logit falls without it.

Desai & Ramaswamy, "Ablation-CAM: Visual Explanations for Deep Convolutional Network via Gradient-free Localization",
WACV 2020 (doi:10.1109/WACV45572.2020.9093360), the equations of the weights and of the map. The paper
divides the fall by the logit itself. That is left out here: it scales the whole map, without bound near a logit of 0,
and below 0 it would turn the map round and show what speaks against the target, although a logit's sign means nothing:
the same number added to all logits changes no probability. Where the logit is positive, the map is the paper's up to
a positive factor.
"""

import torch
from torch import Tensor, nn

from pipeline.attribution._layers import find, only, recorded, to_image_size
from pipeline.attribution._score import target_score
from pipeline.models._folded import folded

LABEL = "Ablation-CAM"
FAMILY = "cam"
REDUCE = "sum"
REQUIRES = ("target_layer",)
PASSES = {"forward": "channels + 1", "backward": "0"}
CHUNK = 32  # ablated images at a time, where fewer are explained: small batches are slow


@torch.no_grad()
def ablation_cam(model: nn.Module, images: Tensor, targets: Tensor, *, layer: str = "auto") -> Tensor:
    """Weigh the layer's channels by the fall of the target's logit when they are set to 0, add them up, cut below zero.

    One forward for each channel and none for a channel that is 0 everywhere, which weighs nothing. On a network that
    ends in global average pooling and a linear layer, a channel's weight is its mean times its weight for the target:
    CAM's map with each channel counted as strongly as it is active.

    Args:
        model: classifier in eval mode, (N, C, H, W) -> (N, K) logits.
        images: (N, C, H, W), normalised as in training.
        targets: (N,) int64, the class explained for each image.
        layer: dotted name of the layer whose feature maps are weighed; "auto" stands for the network's own choice
            and is replaced by its name before this function is called.

    Returns:
        (N, 1, H, W), at least 0, enlarged bilinearly from the layer's size.

    Raises:
        ValueError: if the layer is "auto" or unknown, or does not give exactly one tensor.
    """
    images = images.detach()
    with folded(model, find(model, layer)), recorded(model, layer) as outputs:
        whole = target_score("logit", model(images), targets)
    features = only(outputs, layer)
    weights = torch.zeros(features.shape[:2], dtype=whole.dtype, device=images.device)
    places, most = features.ne(0).flatten(2).any(2).nonzero(), max(CHUNK, len(images))
    with folded(model, find(model, layer)):
        for first in range(0, len(places), most):
            rows, channels = places[first : first + most].unbind(1)
            ablated = features[rows]
            ablated[torch.arange(len(rows), device=rows.device), channels] = 0
            logits = _continued(model, images[rows], layer, ablated)
            weights[rows, channels] = whole[rows] - target_score("logit", logits, targets[rows])
    return to_image_size((weights[..., None, None] * features).sum(1, keepdim=True).relu(), images)


def _continued(model: nn.Module, images: Tensor, layer: str, features: Tensor) -> Tensor:
    """Return the logits, (M, K), of images at whose ``layer`` the network goes on with ``features`` instead.

    What lies before the layer runs too: there is no general way into the middle of a network.
    """
    hook = find(model, layer).register_forward_hook(lambda *_: features)
    try:
        return model(images)
    finally:
        hook.remove()
