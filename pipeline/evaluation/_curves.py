"""The walk between an image and its fill that the metrics of perturbation curves share, and what is read off it."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from pipeline.bounds import Area, Ends, Follow, Scale, Unit
from pipeline.evaluation._ranking import removal_counts

ENTERING = {"both": slice(None), "last": slice(1, None), "neither": slice(1, -1)}


class End(NamedTuple):
    """Where a walk begins or ends: pixels (N, C, H, W), and what the network answers to them, logits (N, K)."""

    pixels: Tensor
    logits: Tensor


def probabilities(logits: Tensor) -> Tensor:
    """Return the softmax of logits (N, K), in single precision at least."""
    return logits.softmax(dim=1, dtype=torch.promote_types(logits.dtype, torch.float32))


def reading(logits: Tensor, classes: Tensor, scale: Scale = "probability") -> Tensor:
    """Return the number of the classes (N,) in the network's answer (N, K), in single precision at least: (N,)."""
    if scale == "probability":
        answers = probabilities(logits)
    else:
        answers = logits.to(torch.promote_types(logits.dtype, torch.float32))
    return answers.gather(1, classes[:, None]).squeeze(1)


def followed(follow: Follow, targets: Tensor, labels: Tensor, logits: Callable[[str], Tensor]) -> Tensor:
    """Return the class that a curve follows, (N,): the one explained, predicted for the whole image, or true."""
    if follow == "predicted":
        return logits("image").argmax(dim=1)
    return targets if follow == "target" else labels


def exchange_counts(size: int, unit: Unit, steps: int, step_size: int | None) -> list[int]:
    """Return how many of ``size`` pixels, or entries, are exchanged at each point of a curve, from 0 to all of them.

    Args:
        size: pixels, or entries, of an image.
        unit: which of the two they are.
        steps: number of equal portions, up to rounding; without effect where ``step_size`` is given.
        step_size: pixels, or entries, of each step, of which the last one may be smaller; or None.

    Raises:
        ValueError: if there are more steps, or more in a step, than an image has.
    """
    name, asked = ("steps", steps) if step_size is None else ("step_size", step_size)
    if asked > size:
        things = "pixels" if unit == "pixel" else "entries"
        raise ValueError(f"{name} must be at most {size}, the number of {things} of an image, got {asked}")
    return removal_counts(size, steps) if step_size is None else [*range(0, size, step_size), size]


def walk(model: nn.Module, before: End, after: End, ranks: Tensor, counts: Sequence[int]) -> Iterator[Tensor]:
    """Turn ``before`` into ``after`` and yield what the network answers on the way, logits (N, K).

    Args:
        model: classifier in eval mode, (N, C, H, W) -> (N, K) logits; called once on N images for each count but the
            ends, none and all, whose answers are given.
        before: where the walk starts.
        after: where it ends.
        ranks: (N, 1 or C, H, W) int64, 0 for the pixel, or entry, that goes first.
        counts: after how many exchanged pixels, or entries, to stop and ask.
    """
    known = {0: before.logits, ranks[0].numel(): after.logits}
    for count in counts:
        yield known[count] if count in known else model(torch.where(ranks < count, after.pixels, before.pixels))


def exchange_curve(
    model: nn.Module,
    before: End,
    after: End,
    ranks: Tensor,
    classes: Tensor,
    counts: Sequence[int],
    *,
    scale: Scale = "probability",
    ends: Ends = "both",
    area: Area = "trapezoid",
) -> dict[str, Tensor]:
    """Turn ``before`` into ``after``, the most salient pixels first, and follow what the network says of a class.

    Args:
        model: as in ``walk``.
        before: as in ``walk``.
        after: as in ``walk``.
        ranks: as in ``walk``.
        classes: (N,) int64, the class followed.
        counts: pixels, or entries, exchanged at each of the S points, rising from none to all of them.
        scale: follow the class's probability, or its logit.
        ends: as in ``area_under``.
        area: as in ``area_under``.

    Returns:
        "curve": (N, S). "x": (N, S), the fraction that has been exchanged by then, from 0 to 1. "score": (N,), the
        area under the curve.

    Raises:
        ValueError: if no point enters the score.
    """
    answers = walk(model, before, after, ranks, counts)
    curve = gathered((reading(logits, classes, scale) for logits in answers), len(counts))
    return {"score": area_under(curve, counts, ends, area), "curve": curve, "x": fractions(counts, counts[-1], curve)}


def gathered(points: Iterable[Tensor], count: int) -> Tensor:
    """Return so many points (..., N) of curves, which come one after the other, as (..., N, count).

    Each is written where it stays. Small blocks that are kept between the large ones of the forwards leave holes which
    the next do not fit, and memory grows with the steps.

    Raises:
        ValueError: if there are not so many.
    """
    rest = iter(points)
    first = next(rest)
    curve = first[..., None].repeat(*[1] * first.dim(), count)
    for place, point in zip(range(1, count), rest, strict=True):
        curve[..., place] = point
    return curve


def fractions(counts: Sequence[int], size: int, curve: Tensor) -> Tensor:
    """Return the x axis of ``curve``, (N, S): each of S counts as a fraction of ``size``."""
    return (torch.tensor(counts).to(curve) / size).repeat(len(curve), 1)


def area_under(curve: Tensor, counts: Sequence[int], ends: Ends = "both", area: Area = "trapezoid") -> Tensor:
    """Return the height of the rectangle that covers as much as the curve, (N,): a constant curve scores its constant.

    Args:
        curve: (N, S).
        counts: S whole numbers, rising, where the points lie.
        ends: whether both end points enter, the last but not the first, or neither.
        area: "trapezoid", the area by the trapezoid rule, over the span of the points that enter; "index", the same
            as if they were equally far apart; "mean", their mean. A single point counts as it is.

    Raises:
        ValueError: if no point enters.
    """
    places, points = torch.tensor(counts[ENTERING[ends]]).to(curve), curve[:, ENTERING[ends]]
    if not len(places):
        raise ValueError(f"with {ends} of its ends, none of the {len(counts)} points of a curve enters the score")
    if area == "mean" or len(places) == 1:
        return points.mean(dim=1)
    if area == "index":
        places = torch.arange(len(places)).to(curve)
    # Whole numbers, not fractions: so the area rounds to no more than their span, and the score to no more than 1.
    return torch.trapezoid(points, places) / (places[-1] - places[0])
