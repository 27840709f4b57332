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


def score_rows(scores: ArrayLike, *, seed: int = 0) -> pd.DataFrame:
    """Return one row, estimate, low, high and n (images), of scores (S, N): training seeds by images."""
    scores = np.asarray(scores)
    return _columns(bootstrap(scores, seed=seed)).assign(n=scores.shape[1])


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
