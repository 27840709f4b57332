"""IROF: how far the class probability falls, relative to what it was, as the most salient superpixels go.

Rieger & Hansen, "IROF: a low resource evaluation metric for explanation methods", 2020 (arXiv:2003.08747): iterative
removal of features, the area over the curve.
"""

from collections.abc import Callable, Iterator
from typing import Annotated

import torch
from torch import Tensor, nn

from pipeline.attribution._segments import counts, segmented
from pipeline.bounds import AtLeast, Fill
from pipeline.evaluation._curves import fractions, gathered, reading
from pipeline.evaluation._regions import region_ranks

LABEL = "IROF"
FAMILY = "perturbation"
HIGHER_IS_BETTER = True
RANGE = (None, 1.0)
PASSES = {"forward": "steps - 1", "explain": "0"}
X = "fraction of regions"


@torch.no_grad()
def irof(
    model: nn.Module,
    images: Tensor,
    targets: Tensor,
    saliency: Tensor,
    *,
    ids: Tensor,
    mean: Tensor,
    std: Tensor,
    fills: Callable[[str], Tensor],
    logits: Callable[[str], Tensor],
    segments: Annotated[int, AtLeast(2)] = 50,
    steps: Annotated[int, AtLeast(1)] = 25,
    fill: Fill = "mean",
) -> dict[str, Tensor]:
    """Replace superpixels in the order of their mean saliency, and average the share of the probability that is lost.

    Images differ in their number of superpixels, so all go in ``steps`` equal portions of it, up to rounding to whole
    superpixels. With as many steps as an image has superpixels they go one by one, as in the paper. The share is not
    clamped: it is negative where the probability has risen.

    Args:
        model: classifier in eval mode, (N, C, H, W) -> (N, K) logits; called ``steps - 1`` times on N images.
        images: (N, C, H, W), normalised as in training.
        targets: (N,) int64, the class followed.
        saliency: (N, H, W).
        ids: (N,) int64, the images' places in their data set, which decide between equally salient superpixels.
        mean: (C,) channel means of the training images, in [0, 1] units.
        std: (C,) their standard deviations, likewise.
        fills: gives the replacement pixels, (N, C, H, W), of a fill's name.
        logits: gives the network's answer to the whole images and to the fill.
        segments: superpixels of an image, about, by SLIC.
        steps: number of portions.
        fill: what replaces a superpixel.

    Returns:
        "score": (N,), mean over the portions removed of 1 - f(what is left) / f(image); higher is better.
        "curve": (N, steps + 1), f(what is left) / f(image) with 0, 1, ... all portions removed. f is the probability of
        the target, that of the image being taken as no less than the rounding of its dtype.
        "x": (N, steps + 1), the fraction of the superpixels removed, which is about that of the pixels.
    """
    pieces = segmented("slic", images, segments, mean=mean, std=std)
    order, numbers = region_ranks(saliency, pieces, ids), counts(pieces)[:, None, None]

    def answers() -> Iterator[Tensor]:
        yield logits("image")
        for step in range(1, steps):
            removed = order < (numbers * step / steps).round()
            yield model(torch.where(removed[:, None], fills(fill), images))
        yield logits(fill)

    curve = gathered((reading(each, targets) for each in answers()), steps + 1)
    curve = curve / curve[:, :1].clamp(min=torch.finfo(curve.dtype).eps)
    return {"score": 1 - curve[:, 1:].mean(dim=1), "curve": curve, "x": fractions(range(steps + 1), steps, curve)}
