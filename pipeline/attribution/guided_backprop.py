"""Guided backpropagation.

Springenberg, Dosovitskiy, Brox & Riedmiller, "Striving for Simplicity: The All Convolutional Net", ICLR 2015 workshop
(arXiv:1412.6806), section 3.4 and figure 1. Its channels are reduced as those of the gradient.
"""

from torch import Tensor, nn

from pipeline.attribution._rectifiers import guided, rectified
from pipeline.attribution._target import target_gradient

LABEL = "Guided backpropagation"
FAMILY = "gradient"
REDUCE = "abs_max"
REQUIRES = ("own_activations", "rectifiers")
PASSES = {"forward": "1", "backward": "1"}


def guided_backprop(model: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
    """Return the gradient of the target logit, of which every rectifier passes on only what is positive.

    At a ReLU of x, the gradient g goes on as g * (g > 0) * (x > 0). Other activations: see _rectifiers.py.

    Args:
        model: classifier in eval mode, (N, C, H, W) -> (N, K) logits, every activation a module of its own.
        images: (N, C, H, W), normalised as in training.
        targets: (N,) int64, the class explained for each image.

    Returns:
        (N, C, H, W), in logits per normalised unit.

    Raises:
        ValueError: if a rectifier works in place.
    """
    with rectified(model, guided):
        return target_gradient(model, images, targets)
