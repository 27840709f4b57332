"""Tidy rows from arrays, each number with its interval: columns estimate, low, high and n."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from pipeline.statistics.intervals import Interval, bootstrap, seeds_interval, wilson

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


def score_rows(scores: ArrayLike, *, counts: bool = False, seed: int = 0) -> pd.DataFrame:
    """Return one row, estimate, low, high and n (images), of scores (S, N): training seeds by images.

    Args:
        scores: (S, N).
        counts: whether each score says that its image counts, 1, or not, 0, so that the mean is a share of images. The
            interval is Wilson's then, since a bootstrap over images that all agree has no width; where there are
            several seeds, whose scores of an image are not independent, it is the wider of the two at either end.
        seed: of the resampling.
    """
    scores = np.asarray(scores, dtype=np.float64)
    seeds, images = scores.shape
    interval = wilson(scores.mean(0).sum(), images) if counts else bootstrap(scores, seed=seed)
    if counts and seeds > 1:
        estimate, low, high = bootstrap(scores, seed=seed)
        interval = estimate, np.minimum(low, interval[1]), np.maximum(high, interval[2])
    return _columns(interval).assign(n=images)


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


def _columns(interval: Interval) -> pd.DataFrame:
    return pd.DataFrame(
        {name: np.atleast_1d(part) for name, part in zip(("estimate", "low", "high"), interval, strict=True)}
    )
