"""Deconvnet, as a gradient with another rule for the ReLU.

Zeiler & Fergus, "Visualizing and Understanding Convolutional Networks", ECCV 2014 (arXiv:1311.2901), section 2.1. That
it is the backward pass in all but the ReLU is shown by Simonyan, Vedaldi & Zisserman, 2013 (arXiv:1312.6034), section
4, and written as here by Springenberg et al., 2015 (arXiv:1412.6806), figure 1. The switches of the poolings are those
of the backward pass. It starts from the target's logit, and its channels are reduced as those of the gradient.
"""

from torch import Tensor, nn

from pipeline.attribution import _rectifiers
from pipeline.attribution._target import target_gradient

LABEL = "Deconvnet"
FAMILY = "gradient"
REDUCE = "abs_max"
REQUIRES = ("own_activations", "rectifiers")
PASSES = {"forward": "1", "backward": "1"}


def deconvnet(model: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
    """Return the gradient of the target logit, with every rectifier applied to the gradient in place of its input.

    At a ReLU, the gradient g goes on as g * (g > 0), whatever its input was. Other activations: see _rectifiers.py.

    Args:
        model: classifier in eval mode, (N, C, H, W) -> (N, K) logits, every activation a module of its own.
        images: (N, C, H, W), normalised as in training.
        targets: (N,) int64, the class explained for each image.

    Returns:
        (N, C, H, W), in logits per normalised unit.

    Raises:
        ValueError: if a rectifier works in place.
    """
    with _rectifiers.rectified(model, _rectifiers.deconvnet):
        return target_gradient(model, images, targets)
