"""Guided Grad-CAM: guided backpropagation, where Grad-CAM is.

Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization", ICCV 2017
(arXiv:1610.02391), section 3.2. Its channels are reduced as those of guided backpropagation.
"""

import torch
from torch import Tensor, nn

from pipeline.attribution._layers import only, recorded, to_image_size
from pipeline.attribution._rectifiers import guided, rectified
from pipeline.attribution._target import target_logit

LABEL = "Guided Grad-CAM"
FAMILY = "cam"
REDUCE = "abs_max"
REQUIRES = ("target_layer", "own_activations", "rectifiers")
PASSES = {"forward": "1", "backward": "2"}


def guided_grad_cam(model: nn.Module, images: Tensor, targets: Tensor, *, layer: str = "auto") -> Tensor:
    """Multiply guided backpropagation by the Grad-CAM map, enlarged: both from one forward.

    Args:
        model: classifier in eval mode, (N, C, H, W) -> (N, K) logits, every activation a module of its own.
        images: (N, C, H, W), normalised as in training.
        targets: (N,) int64, the class explained for each image.
        layer: dotted name of the layer that Grad-CAM looks at; "auto" stands for the network's own choice and is
            replaced by its name before this function is called.

    Returns:
        (N, C, H, W) signed.

    Raises:
        ValueError: if the layer is "auto" or unknown, or does not give exactly one tensor, or if a rectifier works in
            place.
    """
    images = images.detach().requires_grad_()
    calls: list[tuple[nn.Module, tuple[Tensor, ...], Tensor]] = []
    with torch.enable_grad(), rectified(model, lambda *call: calls.append(call)), recorded(model, layer) as outputs:
        total = target_logit(model, images, targets).sum()
    features = only(outputs, layer)
    (slope,) = torch.autograd.grad(total, features, retain_graph=True)
    for call in calls:  # only now: Grad-CAM weighs the channels by the plain gradient
        guided(*call)
    (gradient,) = torch.autograd.grad(total, images)
    localised = (slope.mean((2, 3), keepdim=True) * features.detach()).sum(1, keepdim=True).relu()
    return gradient * to_image_size(localised, images)
