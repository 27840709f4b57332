"""Grad-CAM++: the layer's channels, each weighed by a weighted sum of its positive gradients.

Chattopadhay, Sarkar, Howlader & Balasubramanian, "Grad-CAM++: Generalized Gradient-based Visual Explanations for Deep
Convolutional Networks", WACV 2018 (arXiv:1710.11063), equation 19, where the class score is Y = exp(logit).
"""

import torch
from torch import Tensor, nn

from pipeline.attribution._layers import layer_gradient, to_image_size

LABEL = "Grad-CAM++"
FAMILY = "cam"
REDUCE = "sum"
REQUIRES = ("target_layer",)
PASSES = {"forward": "1", "backward": "1"}


def grad_cam_plus_plus(model: nn.Module, images: Tensor, targets: Tensor, *, layer: str = "auto") -> Tensor:
    """Weigh the layer's channels by a weighted sum of the logit's positive gradients, add them up, cut below zero.

    A gradient g counts alpha = g ** 2 / (2 g ** 2 + a g ** 3) times, where a is the sum of its channel's activations.
    That is 1 / (2 + a g), which no small g can spoil. The factor exp(logit), one positive number for each image, is
    left out, since it overflows. The formula is made for activations that are nowhere negative, as after a ReLU, and
    for a network that is linear in them piece by piece; for a negative channel it has a pole at a g = -2.

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
    inverse = 2 + slope * features.sum((2, 3), keepdim=True)  # of alpha
    weights = torch.where(inverse == 0, 0, slope.relu() / inverse).sum((2, 3), keepdim=True)
    return to_image_size((weights * features).sum(1, keepdim=True).relu(), images)
