"""Quality: what is wrong with a map before any metric judges it.

Metrics give a number to any map, and what they say of the same maps differs from one to the next: Tomsett et al.,
"Sanity Checks for Saliency Metrics", AAAI 2020 (arXiv:1912.01451). So a map that says nothing, to which some give a
random map's score, some the best there is and some the worst, is counted here. The gap is that of completeness:
Sundararajan, Taly & Yan, "Axiomatic Attribution for Deep Networks", ICML 2017 (arXiv:1703.01365).
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from pipeline.evaluation._completeness import balance
from pipeline.evaluation._reduce import usable

LABEL = "Degenerate maps"
FAMILY = "quality"
HIGHER_IS_BETTER = False
RANGE = (0.0, 1.0)
PASSES = {"forward": "0", "explain": "0"}
COUNTS = {"score": None, "zero": None, "constant": None, "non_finite": None}
DETAILS = {
    "zero": "Maps that are zero throughout",
    "constant": "Maps that are constant, but not zero",
    "non_finite": "Maps with a value that is not finite",
    "ties": "Pixels that share their saliency with another",
    "positive": "Positive share of the evidence",
    "negative": "Negative share of the evidence",
    "gap": "Completeness gap, relative",
}


@torch.no_grad()
def quality(
    model: nn.Module,
    images: Tensor,
    targets: Tensor,
    saliency: Tensor,
    *,
    maps: Tensor,
    logits: Callable[[str], Tensor],
) -> dict[str, Tensor]:
    """Tell which maps are degenerate, and how the others share out their evidence.

    Args:
        model: unused, since ``logits`` gives its answers.
        images: unused.
        targets: (N,) int64, the class explained for each image.
        saliency: (N, H, W), what all metrics see: all zero where a map is not finite.
        maps: (N, C or 1, H, W), the maps before the reduction, which may hold values that are not finite.
        logits: gives the network's answer, (N, K), to "image" and to "mean", the fill.

    Returns:
        "score": (N,) float64, 1 where one of the following three holds, which exclude each other, else 0.
        "non_finite": (N,), 1 where the map has a value that is not finite, else 0.
        "zero": (N,), 1 where its saliency is 0 throughout. "constant": (N,), 1 where it is one other value throughout.
        "ties": (N,), share of the pixels whose saliency another pixel has too.
        "positive", "negative": (N,), shares of the sum of the absolute values of the map, before the reduction.
        "gap": (N,), |sum - change| / (|sum| + |change|), from 0 to 1, and 0 where both are 0: the sum of the map's
        values, and the change of the target's logit from the mean fill to the image, to which the values of a method
        that is complete for this baseline add up. A map that is not finite counts as zero in the last three.
    """
    finite = maps.isfinite().flatten(1).all(1)
    values = saliency.flatten(1)
    flat = finite & (values == values[:, :1]).all(1)
    zero = flat & (values[:, 0] == 0)
    evidence = usable(maps).flatten(1).double()
    found = {"score": flat | ~finite, "zero": zero, "constant": flat & ~zero, "non_finite": ~finite}
    return {
        **{key: value.double() for key, value in found.items()},
        "ties": _tied(values),
        "positive": _part(evidence.clamp(min=0).sum(1), evidence.abs().sum(1)),
        "negative": _part(evidence.clamp(max=0).abs().sum(1), evidence.abs().sum(1)),
        "gap": balance(maps, targets, logits, "mean").share,
    }


def _tied(values: Tensor) -> Tensor:
    """Return the share of an image's values, (N, P), that occur more than once: (N,) float64."""
    ascending = values.sort(dim=1).values
    border = torch.ones_like(values[:, :1], dtype=torch.bool)
    step = torch.cat([border, ascending[:, 1:] != ascending[:, :-1], border], dim=1)
    return 1 - (step[:, 1:] & step[:, :-1]).double().mean(1)


def _part(some: Tensor, whole: Tensor) -> Tensor:
    """Return ``some`` / ``whole``, both (N,) and not negative, from 0 to 1; 0 where the whole is 0."""
    return (some / whole.where(whole > 0, 1)).clamp(max=1)
