"""Degradation, keeping: whether the most salient pixels alone suffice to recognise the image.

The keep-20 % test of Malekzadeh, "Interpretable Image Classification", 2021 (notebooks degradation-comparison):
accuracy on images of which only the 20 % most salient pixels are left, all others black.
"""

from collections.abc import Callable
from typing import Annotated

import torch
from torch import Tensor, nn

from pipeline.bounds import AtLeast, Between, Fill, Measure, Ties
from pipeline.evaluation._curves import End
from pipeline.evaluation._recognition import recognition_curve

LABEL = "Recognition from kept pixels"
FAMILY = "degradation"
HIGHER_IS_BETTER = True
RANGE = (0.0, 1.0)
PASSES = {"forward": "steps - 1 if fraction * steps % 1 == 0 else steps", "explain": "0"}
X = "fraction of pixels"
COUNTS = {"score": {"measure": "accuracy"}, "accuracy": None}
DETAILS = {"accuracy": "Accuracy on kept pixels", "probability": "Probability of the label on kept pixels"}


@torch.no_grad()
def degradation_keep(
    model: nn.Module,
    images: Tensor,
    targets: Tensor,
    saliency: Tensor,
    *,
    labels: Tensor,
    ranks: Callable[[str, str], Tensor],
    fills: Callable[[str], Tensor],
    logits: Callable[[str], Tensor],
    fraction: Annotated[float, Between(0, 1)] = 0.2,
    measure: Measure = "accuracy",
    fill: Fill = "zero",
    ties: Ties = "random",
    steps: Annotated[int, AtLeast(1)] = 10,
) -> dict[str, Tensor]:
    """Keep the most salient pixels, replace all others, and see whether the image is still classified rightly.

    Args:
        model: classifier in eval mode, (N, C, H, W) -> (N, K) logits.
        images: (N, C, H, W), normalised as in training.
        targets: (N,) int64, the class explained; unused, since the truth is asked for.
        saliency: (N, H, W); only its order counts, which ``ranks`` gives.
        labels: (N,) int64, the true classes.
        ranks: gives the order of a unit and a rule for ties, (N, 1, H, W) int64, 0 for the most salient pixel.
        fills: gives the replacement pixels, (N, C, H, W), of a fill's name.
        logits: gives the network's answer, (N, K), to the images ("image") and to a fill (its name).
        fraction: share of the pixels that is kept where the score is taken, rounded to whole pixels.
        measure: what score and curve are: whether the largest logit is the label's, 0 or 1, whose mean over images is
            the accuracy; or the label's probability.
        fill: what replaces the others.
        ties: which of equally salient pixels is kept: at random, by the image's id, or by raster order.
        steps: number of equal portions of the curve, at most H * W.

    Returns:
        "score": (N,), with the share ``fraction`` kept; higher is better.
        "accuracy" and "probability": (N,), both there.
        "curve": (N, steps + 1), with no, one, ... all portions kept. "x": (N, steps + 1), the fraction kept.

    Raises:
        ValueError: if there are more steps than pixels.
    """
    empty, whole = End(fills(fill), logits(fill)), End(images, logits("image"))
    order = ranks("pixel", ties)
    return recognition_curve(model, empty, whole, order, labels, fraction=fraction, measure=measure, steps=steps)
