"""Deletion: how fast the class probability falls as the most salient pixels disappear.

Petsiuk, Das & Saenko, "RISE: Randomized Input Sampling for Explanation of Black-box Models", BMVC 2018
(arXiv:1806.07421), the section on evaluation metrics. What it is called elsewhere differs in the choices below: with
the entries of a pixel taken one by one it is pixel flipping, as Quantus has it after Bach et al., "On Pixel-Wise
Explanations for Non-Linear Classifier Decisions by Layer-Wise Relevance Propagation", PLoS ONE 10 (2015).
"""

from collections.abc import Callable
from typing import Annotated

import torch
from torch import Tensor, nn

from pipeline.bounds import Area, AtLeast, Ends, Fill, Follow, Scale, Ties, Unit
from pipeline.evaluation._curves import End, exchange_counts, exchange_curve, followed

LABEL = "Deletion AUC"
FAMILY = "perturbation"
HIGHER_IS_BETTER = False
RANGE = (0.0, 1.0)
PASSES = {
    "forward": "steps - 1 if step_size is None else"
    " (pixels_of_image * (channels if unit == 'entry' else 1) - 1) // step_size",
    "explain": "0",
}
X = "fraction of pixels"


@torch.no_grad()
def deletion(
    model: nn.Module,
    images: Tensor,
    targets: Tensor,
    saliency: Tensor,
    *,
    labels: Tensor,
    ranks: Callable[[str, str], Tensor],
    fills: Callable[[str], Tensor],
    logits: Callable[[str], Tensor],
    follow: Follow = "target",
    scale: Scale = "probability",
    unit: Unit = "pixel",
    ties: Ties = "random",
    steps: Annotated[int, AtLeast(1)] = 28,
    step_size: Annotated[int, AtLeast(1)] | None = None,
    fill: Fill = "mean",
    ends: Ends = "both",
    area: Area = "trapezoid",
) -> dict[str, Tensor]:
    """Replace pixels in decreasing order of saliency and follow what the network says of a class.

    Args:
        model: classifier in eval mode, (N, C, H, W) -> (N, K) logits.
        images: (N, C, H, W), normalised as in training.
        targets: (N,) int64, the class explained.
        saliency: (N, H, W); only its order counts, which ``ranks`` gives.
        labels: (N,) int64, the true classes.
        ranks: gives the order of a unit and a rule for ties, (N, 1 or C, H, W) int64, 0 for the most salient.
        fills: gives the replacement pixels, (N, C, H, W), of a fill's name.
        logits: gives the network's answer, (N, K), to the images ("image") and to a fill (its name).
        follow: the class explained, the one predicted for the whole image, or the true one.
        scale: its probability or its logit; of logits the score has no bounds.
        unit: what is replaced at once: a pixel with all its channels, or an entry, a single channel of a pixel.
        ties: which of equally salient pixels goes first: at random, by the image's id, or in raster order.
        steps: number of equal portions, at most H * W; of entries C * H * W.
        step_size: pixels, or entries, of a step, the last of which may be smaller; takes the place of ``steps``.
        fill: what replaces a removed pixel.
        ends: which of the two ends of the curve, nothing and all removed, enter the score.
        area: how the points that enter become the score, see ``_curves.area_under``; a constant scores its constant.

    Returns:
        "score": (N,), area under the curve; lower is better.
        "curve": (N, S), the class's probability, or logit, at the start and after each step, both ends included.
        "x": (N, S), the fraction of pixels, or entries, removed.

    Raises:
        ValueError: if there are more steps, or more pixels in a step, than pixels, or no point enters the score.
    """
    whole, gone = End(images, logits("image")), End(fills(fill), logits(fill))
    order, classes = ranks(unit, ties), followed(follow, targets, labels, logits)
    counts = exchange_counts(order[0].numel(), unit, steps, step_size)
    return exchange_curve(model, whole, gone, order, classes, counts, scale=scale, ends=ends, area=area)
