"""DeepLIFT, by the rescale rule.

Shrikumar, Greenside & Kundaje, "Learning Important Features Through Propagating Activation Differences", ICML 2017
(arXiv:1704.02685), equations 1 to 3 and, for the rescale rule, section 3.5.2.
"""

from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from pipeline.attribution._baselines import baseline_images
from pipeline.attribution._secants import differences
from pipeline.bounds import Above

LABEL = "DeepLIFT"
FAMILY = "propagation"
REDUCE = "sum"
REQUIRES = ("own_activations", "adds_up")
PASSES = {"forward": "1", "backward": "1", "batch": "1"}


def deep_lift(
    model: nn.Module,
    images: Tensor,
    targets: Tensor,
    *,
    mean: Tensor,
    std: Tensor,
    generator: torch.Generator,
    baseline: Literal["black", "mean", "blur", "noise"] = "mean",
    blur: Annotated[float, Above(0)] = 0.1,
) -> Tensor:
    """Divide the target logit's difference from the baseline's among the image's differences from the baseline.

    The map adds up to that difference (summation-to-delta) exactly, but for rounding. Elementwise activations have the
    rescale rule. The paper leaves max pooling open; here a rise above the baseline's maximum goes to where the image's
    maximum is, a fall below it to where the baseline's is. It has no rule for products either; here a gate and its
    signal share a product's difference evenly, each with the mean of the other's two values.

    Args:
        model: classifier in eval mode, (N, C, H, W) -> (N, K) logits.
        images: (N, C, H, W), normalised as in training.
        targets: (N,) int64, the class explained for each image.
        mean: (C,), the channels' means over the training images, in [0, 1] units.
        std: (C,), their standard deviations.
        generator: source of the baseline "noise".
        baseline: what the image is compared with: "black", pixels of 0; "mean", the training images' mean colour;
            "blur", the image itself, blurred; "noise", uniform in [0, 1], one draw common to all images.
        blur: standard deviation of the baseline's Gaussian blur, as a fraction of the image's shorter side.

    Returns:
        (N, C, H, W), in logits.
    """
    start = baseline_images(baseline, images, mean=mean, std=std, blur=blur, generator=generator)
    return differences(model, images, start, targets)
