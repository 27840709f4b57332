"""Input x gradient.

Shrikumar, Greenside, Shcherbina & Kundaje, "Not Just a Black Box: Learning Important Features Through Propagating
Activation Differences", 2016 (arXiv:1605.01713), the precursor that the paper compares with; as a formula in
Ancona et al., ICLR 2018 (arXiv:1711.06104), table 1. The input is the normalised one, so its zero is the training mean.
"""

from torch import Tensor, nn

from pipeline.attribution._target import target_gradient

LABEL = "Input x gradient"
FAMILY = "gradient"
REDUCE = "sum"
REQUIRES = ()
PASSES = {"forward": "1", "backward": "1"}


def input_x_gradient(model: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
    """Return the image times the gradient of the target logit: what each channel value adds, to first order.

    Args:
        model: classifier in eval mode, (N, C, H, W) -> (N, K) logits.
        images: (N, C, H, W), normalised as in training.
        targets: (N,) int64, the class explained for each image.

    Returns:
        (N, C, H, W), in logits.
    """
    return images.detach() * target_gradient(model, images, targets)
