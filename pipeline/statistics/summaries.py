"""Tidy rows from arrays, each number with its interval: columns estimate, low, high and n."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from pipeline.statistics.intervals import Floats, bootstrap, seeds_interval, wilson

TOTAL = "total"


def accuracy_rows(labels: ArrayLike, predictions: ArrayLike, classes: Sequence[str]) -> pd.DataFrame:
    """Return the accuracy of each class, then of all images together (class "total"), with Wilson intervals.

    Args:
        labels: (N,) true classes, from 0 to K - 1.
        predictions: (N,) predicted classes.
        classes: K class names.

    Returns:
        K + 1 rows: class, correct, n, estimate, low, high. A class without images has nan for an accuracy.
    """
    labels = np.asarray(labels)
    right = labels == np.asarray(predictions)
    n = np.bincount(labels, minlength=len(classes))
    correct = np.bincount(labels[right], minlength=len(classes))
    n, correct = np.append(n, n.sum()), np.append(correct, correct.sum())
    return pd.DataFrame({"class": [*classes, TOTAL], "correct": correct, "n": n}).join(_columns(wilson(correct, n)))


def coverage_rows(confidence: ArrayLike, right: ArrayLike, *, points: int = 50) -> pd.DataFrame:
    """Return the accuracy of a network that answers only where it is confident, over the share that it answers.

    El-Yaniv & Wiener, "On the foundations of noise-free selective classification", JMLR 11 (2010): the risk-coverage
    curve, here with accuracy, 1 - risk. Among images of equal confidence the answered ones count as right in the
    proportion of all of them, so that their order is of no consequence.

    Args:
        confidence: (N,), larger = surer.
        right: (N,) bool, whether the answer is right.
        points: number of coverages, equally spaced; the last is 1.

    Returns:
        One row per point: coverage, confidence (the least that is answered), n (answers), estimate, low, high (Wilson).
    """
    found = pd.DataFrame({"confidence": np.asarray(confidence), "right": np.asarray(right, dtype=np.float64)})
    found["right"] = found.groupby("confidence")["right"].transform("mean")
    found = found.sort_values("confidence", ascending=False, kind="stable")
    n = np.unique(np.ceil(len(found) * np.arange(1, points + 1) / points).astype(np.int64))
    correct = np.minimum(found["right"].cumsum().to_numpy()[n - 1], n)  # rounding may exceed n by a whisker
    rows = pd.DataFrame({"coverage": n / len(found), "confidence": found["confidence"].to_numpy()[n - 1], "n": n})
    return rows.join(_columns(wilson(correct, n)))


def score_rows(scores: ArrayLike, *, ends: Sequence[float | None] = (None, None), seed: int = 0) -> pd.DataFrame:
    """Return one row, estimate, low, high and n (images), of scores (S, N): training seeds by images.

    Where each score lies at one of the ``ends`` of what it can be, the mean counts images, and the interval is
    Wilson's: resampling images that all agree would give one of no width. With several seeds, whose scores of an image
    are not independent, that holds only where all agree.

    Args:
        scores: (S, N).
        ends: the least and the most that a score can be, each None where there is no such end.
        seed: of the resampling.
    """
    scores, (low, high) = np.asarray(scores), ends
    images = scores.shape[1]
    if low is not None and high is not None and _counts(scores, low, high):
        share = wilson((scores[0] == high).sum(), images)
        return _columns([low + (high - low) * part for part in share]).assign(n=images)
    return _columns(bootstrap(scores, seed=seed)).assign(n=images)


def curve_rows(x: ArrayLike, curves: ArrayLike, *, seed: int = 0) -> pd.DataFrame:
    """Return one row, x, estimate, low, high and n (images), per point of the mean curve.

    The band is pointwise: at any one x it covers the true mean with its level, not along the whole curve at once.

    Args:
        x: (X,), the curves' places on the x axis.
        curves: (S, N, X), one curve per training seed and image.
        seed: of the resampling.
    """
    curves = np.asarray(curves)
    rows = _columns(bootstrap(curves, seed=seed)).assign(n=curves.shape[1])
    rows.insert(0, "x", np.asarray(x))
    return rows


def retraining_rows(fractions: ArrayLike, accuracies: ArrayLike) -> pd.DataFrame:
    """Return one row, fraction, estimate, low, high and n (retrained networks), per fraction.

    Args:
        fractions: (F,), the fractions of pixels that were removed.
        accuracies: (S, F), test accuracy of each retrained network.
    """
    accuracies = np.asarray(accuracies)
    rows = pd.DataFrame({"fraction": np.asarray(fractions, dtype=np.float64)})
    return rows.join(_columns(seeds_interval(accuracies))).assign(n=len(accuracies))


def _counts(scores: NDArray[Any], low: float, high: float) -> bool:
    return bool(np.isin(scores, (low, high)).all()) and (len(scores) == 1 or bool((scores == scores.flat[0]).all()))


def _columns(interval: Sequence[Floats]) -> pd.DataFrame:
    return pd.DataFrame(
        {name: np.atleast_1d(part) for name, part in zip(("estimate", "low", "high"), interval, strict=True)}
    )
