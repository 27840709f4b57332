"""Pointing game: whether the most salient pixel lies on the object.

Zhang, Bargal, Lin, Brandt, Shen & Sclaroff, "Top-down Neural Attention by Excitation Backprop", International Journal
of Computer Vision 126 (2018) (arXiv:1608.00507).
"""

import math
from typing import Annotated

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from pipeline.bounds import Between
from pipeline.evaluation._shares import area

LABEL = "Pointing game"
FAMILY = "localisation"
HIGHER_IS_BETTER = True
RANGE = (0.0, 1.0)
REQUIRES = ("marked",)
PASSES = {"forward": "0", "explain": "0"}
COUNTS = {"score": None, "centre": None}
DETAILS = {
    "centre": "Pointing game of the image's centre",
    "area": "Share of the pixels that hit: a random map's score",
}


def pointing_game(
    model: nn.Module,
    images: Tensor,
    targets: Tensor,
    saliency: Tensor,
    *,
    masks: Tensor,
    tolerance: Annotated[float, Between(0, 1)] = 0.0,
) -> dict[str, Tensor]:
    """Return 1 where the most salient pixel hits the object, else 0; of several, the share of them that hit.

    That share is what one of them, drawn at random, is expected to score. So a constant map scores as a random one,
    where the first in raster order would favour the upper left corner, and any one of them, as in Quantus, would always
    hit.

    Args:
        model: unused, since the map alone is judged.
        images: unused.
        targets: unused.
        saliency: (N, H, W), larger is more salient.
        masks: (N, H, W) bool, where the object is.
        tolerance: how far from the object's nearest pixel a hit may lie, as a part of the image's shorter side; at 0 it
            lies on the object. The 15 pixels of 224 of TorchRay are 0.067, but for the pixels that lie 15 away exactly.

    Returns:
        "score": (N,) float64. "centre": (N,), what pointing at the image's centre scores: the mean over the two or four
        pixels around it where a side is even. "area": (N,), what a random map scores. All are 0 without an object.
    """
    hits = _near(masks, tolerance * min(masks.shape[1:]))
    top = saliency == saliency.amax((1, 2), keepdim=True)
    middle = [slice((side - 1) // 2, side // 2 + 1) for side in masks.shape[1:]]
    score = (top & hits).sum((1, 2)).double() / top.sum((1, 2))
    return {"score": score, "centre": area(hits[:, middle[0], middle[1]]), "area": area(hits)}


def _near(masks: Tensor, radius: float) -> Tensor:
    """Return which pixels have a marked one within ``radius`` pixels, (N, H, W) bool: counted exactly, row by row."""
    limit = math.floor(radius**2 + 1e-6)  # squared distances are whole: a radius of 15 less a rounding error is 15
    reach, (height, width) = math.isqrt(limit), masks.shape[1:]
    before = F.pad(masks.int(), (reach + 1, reach, reach, reach)).cumsum(2, dtype=torch.int32)
    near = torch.zeros_like(masks)
    for row in range(2 * reach + 1):
        half = math.isqrt(limit - (row - reach) ** 2)
        up_to = before[:, row : row + height]
        near |= up_to.narrow(2, reach + half + 1, width) > up_to.narrow(2, reach - half, width)
    return near
