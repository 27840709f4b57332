"""Region perturbation: how far the class probability falls as the most salient regions go, one after another.

Samek, Binder, Montavon, Lapuschkin & Müller, "Evaluating the Visualization of What a Deep Neural Network Has Learned",
IEEE TNNLS 2017 (arXiv:1509.06321): the area over the MoRF perturbation curve (AOPC).
"""

from collections.abc import Callable, Iterator
from typing import Annotated

import torch
from torch import Tensor, nn

from pipeline.bounds import AtLeast, Fill
from pipeline.evaluation._curves import fractions, gathered, reading
from pipeline.evaluation._regions import region_ranks

LABEL = "Region perturbation"
FAMILY = "perturbation"
HIGHER_IS_BETTER = True
RANGE = (-1.0, 1.0)
PASSES = {"forward": "regions", "explain": "0"}  # or as many as there are
X = "fraction of regions"


@torch.no_grad()
def region_perturbation(
    model: nn.Module,
    images: Tensor,
    targets: Tensor,
    saliency: Tensor,
    *,
    ids: Tensor,
    fills: Callable[[str], Tensor],
    logits: Callable[[str], Tensor],
    size: Annotated[int, AtLeast(1)] = 2,
    regions: Annotated[int, AtLeast(1)] = 10,
    fill: Fill = "noise",
) -> dict[str, Tensor]:
    """Replace square regions, the most salient first, and average how much lower the probability is than at first.

    Regions are ordered by their mean saliency, which for those of full size is the order of the paper's sums; smaller
    ones at the border are put at no disadvantage. The paper draws what replaces a region from a uniform distribution;
    "noise" is normal, with the training images' mean and standard deviation.

    Args:
        model: classifier in eval mode, (N, C, H, W) -> (N, K) logits; called once on N images for each region.
        images: (N, C, H, W), normalised as in training.
        targets: (N,) int64, the class followed.
        saliency: (N, H, W).
        ids: (N,) int64, the images' places in their data set, which decide between equally salient regions.
        fills: gives the replacement pixels, (N, C, H, W), of a fill's name.
        logits: gives the network's answer to the whole images.
        size: pixels a side of a region. They start in the upper left corner; the last ones of a row or column are
            smaller where the image's side is no multiple. The paper's are 9 of 227.
        regions: how many are replaced, or all where there are fewer.
        fill: what replaces a region.

    Returns:
        "score": (N,), mean over 0, 1, ... L regions replaced of the fall in probability; higher is better.
        "curve": (N, L + 1), the probability of the target.
        "x": (N, L + 1), the fraction of the regions replaced, which is that of the pixels where all are of full size.
    """
    grid, total = _squares(images, size)
    order = region_ranks(saliency, grid, ids)[:, None]
    counts = range(min(regions, total) + 1)

    def answers() -> Iterator[Tensor]:
        yield logits("image")
        for count in counts[1:]:
            yield model(torch.where(order < count, fills(fill), images))

    curve = gathered((reading(each, targets) for each in answers()), len(counts))
    return {"score": (curve[:, :1] - curve).mean(dim=1), "curve": curve, "x": fractions(counts, total, curve)}


def _squares(images: Tensor, size: int) -> tuple[Tensor, int]:
    """Return the square that each pixel lies in, (1, H, W), numbered row by row, and how many there are."""
    down, across = (torch.arange(side, device=images.device) // size for side in images.shape[2:])
    columns = int(across[-1]) + 1
    return (down[:, None] * columns + across)[None], (int(down[-1]) + 1) * columns
