"""Selectivity: how fast the true class is lost as the pixels on which the explanation rests are taken one by one.

Montavon, Samek & Müller, "Methods for interpreting and understanding deep neural networks", Digital Signal Processing
73 (2018), go through the features in the order of their relevance and take the area under the curve of the network's
answer. With ``recompute`` the changed image is explained again at every step, as TooTouch's WhiteBox-Part1 does, which
forgets what it has removed, so that its curves stop where the most salient pixel is one removed already; here every
step takes pixels that are still there.
"""

from collections.abc import Callable, Iterator
from typing import Annotated

import torch
from torch import Tensor, nn

from pipeline.bounds import AtLeast, Fill, Measure, Ties
from pipeline.evaluation._curves import area_under, fractions
from pipeline.evaluation._ranking import saliency_rank
from pipeline.evaluation._recognition import recognition

LABEL = "Selectivity"
FAMILY = "perturbation"
HIGHER_IS_BETTER = False
RANGE = (0.0, 1.0)
PASSES = {
    "forward": "steps - 1 if steps * pixels == pixels_of_image else steps",
    "explain": "steps - 1 if recompute else 0",
}
X = "fraction of pixels"
DETAILS = {"accuracy": "Area under the accuracy", "probability": "Area under the label's probability"}


@torch.no_grad()
def selectivity(
    model: nn.Module,
    images: Tensor,
    targets: Tensor,
    saliency: Tensor,
    *,
    ids: Tensor,
    labels: Tensor,
    ranks: Callable[[str, str], Tensor],
    fills: Callable[[str], Tensor],
    logits: Callable[[str], Tensor],
    attribute: Callable[..., Tensor],
    pixels: Annotated[int, AtLeast(1)] = 1,
    steps: Annotated[int, AtLeast(1)] = 28,
    recompute: bool = True,
    measure: Measure = "probability",
    fill: Fill = "zero",
    ties: Ties = "random",
) -> dict[str, Tensor]:
    """Remove the most salient pixels that are still there, a few at each step, and tell how the label is recognised.

    Args:
        model: classifier in eval mode, (N, C, H, W) -> (N, K) logits.
        images: (N, C, H, W), normalised as in training.
        targets: (N,) int64, the class explained, at every step; what is followed is the label.
        saliency: (N, H, W); only its order counts, which ``ranks`` gives.
        ids: (N,) int64, the images' places in their data set.
        labels: (N,) int64, the true classes.
        ranks: gives the order of a unit and a rule for ties, (N, 1, H, W) int64, 0 for the most salient pixel.
        fills: gives the replacement pixels, (N, C, H, W), of a fill's name.
        logits: gives the network's answer, (N, K), to the images ("image") and to a fill (its name).
        attribute: the method, (model, images, targets) -> (N, H, W), with the draws of the stored maps.
        pixels: how many go at each step, with all their channels.
        steps: number of steps; they need not reach the last pixel.
        recompute: let the method explain what is left of the image before each step but the first, for which the
            stored map serves; otherwise the order of the stored map holds throughout.
        measure: what score and curve are: whether the largest logit is the label's, 0 or 1, whose mean over images is
            the accuracy; or the label's probability.
        fill: what replaces a removed pixel.
        ties: which of equally salient pixels goes first: at random, by the image's id, or in raster order.

    Returns:
        "score": (N,), area under the curve over the pixels removed, by the trapezoid rule, divided by their number;
        lower is better.
        "accuracy" and "probability": (N,), the areas of both.
        "curve": (N, steps + 1), at the start and after each step. "x": (N, steps + 1), the fraction of pixels removed.

    Raises:
        ValueError: if the steps take more pixels than an image has.
    """
    order = ranks("pixel", ties)[:, 0]
    size = order[0].numel()
    if steps * pixels > size:
        raise ValueError(f"steps * pixels must be at most {size}, the pixels of an image, got {steps} * {pixels}")
    places = saliency_rank(torch.zeros_like(saliency), ids, ties)

    def judged(shown: Tensor) -> Tensor:
        return attribute(model, shown, targets) if recompute and shown is not images else -order.double()

    def answers() -> Iterator[Tensor]:
        yield logits("image")
        for step, shown in enumerate(_emptied(images, fills(fill), judged, places, pixels, steps), start=1):
            yield logits(fill) if step * pixels == size else model(shown)

    curves = recognition(answers(), steps + 1, labels)
    counts = range(0, steps * pixels + 1, pixels)
    areas = {key: area_under(curve, counts) for key, curve in curves.items()}
    curve = curves[measure]
    return {"score": areas[measure], "curve": curve, "x": fractions(counts, size, curve)} | areas


def _emptied(
    images: Tensor, replacement: Tensor, judged: Callable[[Tensor], Tensor], places: Tensor, pixels: int, steps: int
) -> Iterator[Tensor]:
    """Yield the images without their ``pixels`` most salient pixels, then without those of the rest as well, ..."""
    shown, removed = images, torch.zeros_like(places, dtype=torch.bool)
    for _ in range(steps):
        going = _most_salient(judged(shown).masked_fill(removed, -torch.inf).flatten(1), places.flatten(1), pixels)
        removed = removed.flatten(1).scatter(1, going, True).view_as(removed)
        shown = torch.where(removed[:, None], replacement, images)
        yield shown


def _most_salient(values: Tensor, places: Tensor, count: int) -> Tensor:
    """Return where the ``count`` largest values (N, P) are, (N, count), of equal ones those of the lowest ``places``.

    Ranks would say the same; but sorting all pixels anew for the few that go would take longer than the network does.
    """
    least = values.topk(count).values[:, -1:]
    waiting = places.masked_fill(values > least, -1).masked_fill(values < least, places.shape[1])
    return waiting.topk(count, largest=False).indices
