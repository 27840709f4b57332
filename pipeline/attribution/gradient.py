"""Gradient, the first "saliency map".

Simonyan, Vedaldi & Zisserman, "Deep Inside Convolutional Networks: Visualising Image Classification Models and
Saliency Maps", 2013 (arXiv:1312.6034), section 3, which takes the largest absolute value over the channels.
"""

from torch import Tensor, nn

from pipeline.attribution._target import target_gradient

LABEL = "Gradient"
FAMILY = "gradient"
REDUCE = "abs_max"
REQUIRES = ()
PASSES = {"forward": "1", "backward": "1"}


def gradient(model: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
    """Return the gradient of the target logit with respect to the image.

    Args:
        model: classifier in eval mode, (N, C, H, W) -> (N, K) logits.
        images: (N, C, H, W), normalised as in training.
        targets: (N,) int64, the class explained for each image.

    Returns:
        (N, C, H, W), in logits per normalised unit.
    """
    return target_gradient(model, images, targets)
