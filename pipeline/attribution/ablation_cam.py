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
PASSES = {"forward": "ceil(channels / 32) + 1", "backward": "0"}
CHUNK = 32  # ablated channels of an image at a time, where fewer images are explained: small batches are slow


@torch.no_grad()
def ablation_cam(model: nn.Module, images: Tensor, targets: Tensor, *, layer: str = "auto") -> Tensor:
    """Weigh the layer's channels by the fall of the target's logit when they are set to 0, add them up, cut below zero.

    What follows the layer runs once for each channel, but not for one that is 0 everywhere, which weighs nothing; what
    precedes it runs once for every 32 channels, or for as many as there are images. On a network that ends in global
    average pooling and a linear layer, a channel's weight is its mean times its weight for the target: CAM's map with
    each channel counted as strongly as it is active.

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
    most = max(CHUNK, len(images))
    with folded(model, find(model, layer)):
        for image, live in enumerate(features.ne(0).flatten(2).any(2)):
            places = live.nonzero()[:, 0]
            for first in range(0, len(places), most):
                channels = places[first : first + most]
                logits = _continued(model, images[image, None], layer, _ablated(features[image], channels))
                without = target_score("logit", logits, targets[image].expand(len(channels)))
                weights[image, channels] = whole[image] - without
    return to_image_size((weights[..., None, None] * features).sum(1, keepdim=True).relu(), images)


def _ablated(features: Tensor, channels: Tensor) -> Tensor:
    """Return features (C, H, W) once for each of M channels, (M, C, H, W), which is 0 there."""
    ablated = features.repeat(len(channels), 1, 1, 1)
    ablated[torch.arange(len(channels), device=channels.device), channels] = 0
    return ablated


def _continued(model: nn.Module, image: Tensor, layer: str, features: Tensor) -> Tensor:
    """Return the logits, (M, K), of one image (1, C, H, W) at whose ``layer`` the network goes on with M ``features``.

    What lies before the layer runs too, since there is no general way into the middle of a network, but for the one
    image: what goes round the layer is broadcast. A network that concatenates the two instead, or has counted its
    images before the layer, is shown the image M times.
    """
    hook = find(model, layer).register_forward_hook(lambda *_: features)
    try:
        try:
            logits = model(image)
        except RuntimeError:  # so many images here, so many there
            logits = None
        alike = logits is not None and len(logits) == len(features)
        return logits if alike else model(image.expand(len(features), -1, -1, -1))
    finally:
        hook.remove()
