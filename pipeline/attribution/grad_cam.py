"""Grad-CAM: the layer's channels, each weighed by its mean gradient.

Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization", ICCV 2017
(arXiv:1610.02391), equations 1 and 2.
"""

from torch import Tensor, nn

from pipeline.attribution._layers import layer_gradient, to_image_size

LABEL = "Grad-CAM"
FAMILY = "cam"
REDUCE = "sum"
REQUIRES = ("target_layer",)
PASSES = {"forward": "1", "backward": "1"}


def grad_cam(model: nn.Module, images: Tensor, targets: Tensor, *, layer: str = "auto") -> Tensor:
    """Weigh the layer's channels by the spatial mean of the logit's gradient there, add them up, cut below zero.

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
    features, slope = layer_gradient(model, images, targets, layer)
    weights = slope.mean((2, 3), keepdim=True)
    return to_image_size((weights * features).sum(1, keepdim=True).relu(), images)
