"""Whether, and how surely, the network recognises the true class of images that are changed step by step."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from pipeline.bounds import Measure
from pipeline.evaluation._curves import End, exchange_counts, fractions, gathered, reading, walk


def recognition(answers: Iterable[Tensor], count: int, labels: Tensor) -> dict[str, Tensor]:
    """Return what S answers of the network say of the true class.

    Args:
        answers: S times logits (N, K).
        count: S.
        labels: (N,) int64, the true classes.

    Returns:
        "accuracy": (N, S), 1 where the largest logit is the label's, else 0: their mean over images is the accuracy.
        "probability": (N, S), of the label.
    """
    right, sure = gathered((_recognised(logits, labels) for logits in answers), count)
    return {"accuracy": right, "probability": sure}


def _recognised(logits: Tensor, labels: Tensor) -> Tensor:
    """Return whether the answer is the label, 0 or 1, and the label's probability: (2, N)."""
    sure = reading(logits, labels)
    return torch.stack([(logits.argmax(dim=1) == labels).to(sure), sure])


def recognition_curve(
    model: nn.Module,
    before: End,
    after: End,
    ranks: Tensor,
    labels: Tensor,
    *,
    fraction: float,
    measure: Measure,
    steps: int,
) -> dict[str, Tensor]:
    """Turn ``before`` into ``after``, the most salient pixels first, and tell how the true class is recognised.

    Args:
        model: as in ``_curves.walk``.
        before: as in ``_curves.walk``.
        after: as in ``_curves.walk``.
        ranks: (N, 1, H, W) int64, 0 for the pixel that goes first.
        labels: (N,) int64, the true classes.
        fraction: share of the pixels exchanged where the score is taken, up to rounding to whole pixels.
        measure: what score and curve are.
        steps: number of equal portions of the curve.

    Returns:
        "score": (N,), at ``fraction``. "curve": (N, steps + 1), from none exchanged to all, with "x", the fraction
        exchanged. "accuracy" and "probability": (N,), both at ``fraction``.

    Raises:
        ValueError: if there are more steps than pixels.
    """
    pixels = ranks[0].numel()
    counts = exchange_counts(pixels, "pixel", steps, None)
    count = round(round(fraction * pixels, 6))  # 0.7 * 45 is 31.499999999999996, but the curve stops at 31.5, rounded
    stops = sorted({count, *counts})
    found = recognition(walk(model, before, after, ranks, stops), len(stops), labels)
    curve = found[measure][:, [stops.index(each) for each in counts]]
    point = {key: values[:, stops.index(count)] for key, values in found.items()}
    return {"score": point[measure], "curve": curve, "x": fractions(counts, pixels, curve)} | point
