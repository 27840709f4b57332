"""Least-first drop: how much confidence is lost while the least salient pixels disappear first.

The column "Average Drop" of Tran et al., T-Grad, ICPR 2024: its code deletes pixels into a blurred image, the least
salient first, in 224 steps, and averages the relative drops, whatever their sign, the whole image not among them. It is
neither the average drop of Chattopadhay et al., Grad-CAM++, 2018 (arXiv:1710.11063), which masks the image with its
map, nor anything new beside insertion: least salient first is the sequence of insertion read backwards, so that the
drop is 1 less insertion's mean over the probability of the whole image.
"""

from collections.abc import Callable
from typing import Annotated

import torch
from torch import Tensor, nn

from pipeline.bounds import AtLeast, Ends, Fill, Follow, Ties
from pipeline.evaluation._curves import End, exchange_counts, exchange_curve, followed, reading

LABEL = "Least-first drop"
FAMILY = "perturbation"
HIGHER_IS_BETTER = False
RANGE = (None, 1.0)
PASSES = {"forward": "steps - 1", "explain": "0"}
DETAILS = {"start": "Probability of the whole image", "left": "Mean probability after a step"}


@torch.no_grad()
def least_first_drop(
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
    ties: Ties = "random",
    steps: Annotated[int, AtLeast(1)] = 28,
    fill: Fill = "blur",
    ends: Ends = "last",
) -> dict[str, Tensor]:
    """Replace pixels in increasing order of saliency and average what share of the class's probability is lost.

    Args:
        model: classifier in eval mode, (N, C, H, W) -> (N, K) logits.
        images: (N, C, H, W), normalised as in training.
        targets: (N,) int64, the class explained.
        saliency: (N, H, W); only its order counts, which ``ranks`` gives.
        labels: (N,) int64, the true classes.
        ranks: gives the order of a unit and a rule for ties, (N, 1, H, W) int64, 0 for the most salient pixel.
        fills: gives the replacement pixels, (N, C, H, W), of a fill's name.
        logits: gives the network's answer, (N, K), to the images ("image") and to a fill (its name).
        follow: the class explained, the one predicted for the whole image, or the true one.
        ties: which of equally salient pixels goes last: one at random, by the image's id, or by raster order.
        steps: number of equal portions, at most H * W.
        fill: what replaces a removed pixel.
        ends: which of the two ends, nothing and all removed, are averaged too.

    Returns:
        "score": (N,), mean of (p0 - p) / p0 over the steps, where p0 is the class's probability on the whole image and
        p that after a step: a share, not per cent, at most 1, negative where confidence grows; lower is better. Where
        p0 is zero to the precision at hand there is nothing to lose, and the drop is 0.
        "start": (N,), p0. "left": (N,), the mean of p.

    Raises:
        ValueError: if there are more steps than pixels, or no step is averaged.
    """
    whole, gone = End(images, logits("image")), End(fills(fill), logits(fill))
    order, classes = ranks("pixel", ties), followed(follow, targets, labels, logits)
    size = order[0].numel()
    counts = exchange_counts(size, "pixel", steps, None)
    left = exchange_curve(model, whole, gone, size - 1 - order, classes, counts, ends=ends, area="mean")["score"]
    start = reading(whole.logits, classes)
    some = start >= torch.finfo(start.dtype).tiny
    drop = torch.where(some, 1 - left / start.where(some, 1), 0)
    return {"score": drop, "start": start, "left": left}
