"""ROAD: how the class fares as pixels are removed by noisy linear imputation, from either end of the order.

Rong, Leemann, Borisov, Kasneci & Kasneci, "A Consistent and Efficient Evaluation Strategy for Attribution Methods",
ICML 2022 (arXiv:2202.00449). Half of the difference between the two orders is what pytorch-grad-cam, 2022, makes one
number of it (its ``ROADCombined``).
"""

from collections.abc import Callable, Iterator
from typing import Annotated

import torch
from torch import Tensor, nn

from pipeline.bounds import Above, AtLeast, Between, Measure, Ties
from pipeline.evaluation._curves import fractions as x_axis
from pipeline.evaluation._curves import gathered, reading
from pipeline.evaluation._imputation import impute
from pipeline.randomness import per_image

LABEL = "ROAD"
FAMILY = "perturbation"
HIGHER_IS_BETTER = True
RANGE = (-0.5, 0.5)
PASSES = {"forward": "2 * len(fractions)", "explain": "0"}
X = "fraction of pixels"
DETAILS = {"morf": "ROAD, most relevant first", "lerf": "ROAD, least relevant first"}


@torch.no_grad()
def road(
    model: nn.Module,
    images: Tensor,
    targets: Tensor,
    saliency: Tensor,
    *,
    ids: Tensor,
    std: Tensor,
    ranks: Callable[..., Tensor],
    fractions: tuple[Annotated[float, Between(0, 1)], ...] = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
    measure: Measure = "probability",
    noise: Annotated[float, AtLeast(0)] = 0.01,
    tolerance: Annotated[float, Above(0)] = 1e-4,
    ties: Ties = "random",
) -> dict[str, Tensor]:
    """Remove the most salient pixels, and in their stead the least salient ones, and compare what the class is left.

    Exactly k pixels go, also where many are equally salient. The noise is that of the authors' imputer: normal,
    independent in all entries, added before images are normalised, and not cut off at black or white. One draw serves
    an image at all fractions, in both orders and for every method.

    Args:
        model: classifier in eval mode, (N, C, H, W) -> (N, K) logits.
        images: (N, C, H, W), normalised as in training.
        targets: (N,) int64, the class followed.
        saliency: (N, H, W); only its order counts, which ``ranks`` gives.
        ids: (N,) int64, the images' places in their data set, which determine the noise.
        std: (C,) standard deviations of the training images, in [0, 1] units.
        ranks: ranks("pixel", ties) -> (N, 1, H, W) int64, 0 for the most salient pixel.
        fractions: of the pixels, to be removed, in any order; each is rounded to whole pixels.
        measure: "probability" of the target; "accuracy", 1 where the network still answers with the target, else 0.
            The authors report the accuracy against the true class, which this is where the target is the label.
        noise: its standard deviation, where black is 0 and white 1.
        tolerance: of the imputation, as in ``impute``.
        ties: which of equally salient pixels counts as the more salient.

    Returns:
        "morf": (N,), mean of the measure over the fractions, the most salient pixels removed. "lerf": (N,), the least
        salient ones removed. "score": (N,), (lerf - morf) / 2.
        "curve": (N, S), the measure at each fraction, the most salient pixels removed.
        "x": (N, S), the fractions removed, rising.

    Raises:
        ValueError: if no fraction is given, or one removes all pixels.
    """
    order = ranks("pixel", ties)[:, 0]
    size = order[0].numel()
    counts = sorted({round(fraction * size) for fraction in fractions})
    if not counts or counts[-1] == size:
        raise ValueError(f"fractions must name one share or more, each of which leaves a pixel; got {fractions}")
    draws = per_image(ids, images.shape[1:], "road noise", draw=torch.randn).to(images)
    grain = draws * (noise / std).to(images).view(-1, 1, 1)
    curves = [
        gathered((_measured(model(degraded), targets, measure) for degraded in walk), len(counts))
        for walk in (
            _removals(images, grain, order, counts, tolerance),
            _removals(images, grain, size - 1 - order, counts, tolerance),
        )
    ]
    morf, lerf = (curve.mean(dim=1) for curve in curves)
    arrays = {"score": (lerf - morf) / 2, "morf": morf, "lerf": lerf, "curve": curves[0]}
    return arrays | {"x": x_axis(counts, size, curves[0])}


def _removals(images: Tensor, grain: Tensor, order: Tensor, counts: list[int], tolerance: float) -> Iterator[Tensor]:
    """Yield the images with the first of ``order`` removed, for each count: imputed, and ``grain`` added to them."""
    for count in counts:
        removed = order < count
        yield impute(images, removed, tolerance) + grain * removed[:, None]


def _measured(logits: Tensor, targets: Tensor, measure: Measure) -> Tensor:
    """Return the measure of each image, (N,), from logits (N, K)."""
    found = reading(logits, targets)
    return found if measure == "probability" else (logits.argmax(dim=1) == targets).to(found)
