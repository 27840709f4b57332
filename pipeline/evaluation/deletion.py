"""Deletion: how fast the class probability falls as the most salient pixels disappear.

Petsiuk, Das & Saenko, "RISE: Randomized Input Sampling for Explanation of Black-box Models", BMVC 2018
(arXiv:1806.07421), section 4.2.
"""

from collections.abc import Callable
from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from pipeline.bounds import AtLeast
from pipeline.evaluation._curves import exchange_curve

LABEL = "Deletion AUC"
HIGHER_IS_BETTER = False
RANGE = (0.0, 1.0)
X = "fraction of pixels"


@torch.no_grad()
def deletion(
    model: nn.Module,
    images: Tensor,
    targets: Tensor,
    saliency: Tensor,
    *,
    ranks: Tensor,
    fills: Callable[[str], Tensor],
    steps: Annotated[int, AtLeast(1)] = 28,
    fill: Literal["mean", "zero", "blur", "noise"] = "mean",
) -> dict[str, Tensor]:
    """Replace pixels in decreasing order of saliency, in ``steps`` equal portions, and follow the probability.

    Args:
        model: classifier in eval mode, (N, C, H, W) -> (N, K) logits.
        images: (N, C, H, W), normalised as in training.
        targets: (N,) int64, the class whose probability is followed.
        saliency: (N, H, W); only its order counts, which ``ranks`` gives.
        ranks: (N, H, W) int64, 0 for the most salient pixel.
        fills: gives the replacement pixels, (N, C, H, W), of a fill's name.
        steps: number of portions, at most H * W.
        fill: what replaces a removed pixel.

    Returns:
        "score": (N,), area under the curve against the fraction removed; lower is better.
        "curve": (N, steps + 1), probability of the target with 0, 1, ... all portions removed, both ends included.
        "x": (N, steps + 1), the fraction of pixels removed.

    Raises:
        ValueError: if there are more steps than pixels.
    """
    return exchange_curve(model, images, fills(fill), targets, ranks, steps)
