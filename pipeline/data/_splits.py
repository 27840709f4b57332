"""Which images do what: stratified choices that depend on the labels and a key, and on nothing else."""

import dataclasses

import numpy as np
import torch
from numpy.typing import NDArray

from pipeline.data._dataset import TEST, TRAIN, Dataset
from pipeline.randomness import seeded

Labels = NDArray[np.int64]


def _permutation(length: int, *key: object) -> NDArray[np.int64]:
    return torch.randperm(length, generator=seeded("splits", *key)).numpy()


def _places(labels: Labels, *key: object) -> NDArray[np.int64]:
    """Return each image's place, from 0, in a random order of the images of its class: (N,)."""
    shuffled = _permutation(len(labels), "images", *key)
    by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]
    counts = np.bincount(labels)
    places = np.empty(len(labels), np.int64)
    places[by_class] = np.arange(len(labels)) - np.repeat(counts.cumsum() - counts, counts)
    return places


def evenly(labels: Labels, count: int, *key: object) -> NDArray[np.int64]:
    """Return ``count`` places in ``labels``, the classes as even as can be: (n,), sorted; all where there are fewer.

    Goes round the classes, in an order drawn once, and takes an image of each until there are enough; a class that
    has run out is passed over. A smaller choice is therefore contained in every larger one of the same key.
    """
    turn = _permutation(int(labels.max(initial=-1)) + 1, "classes", *key)
    order = np.lexsort((turn[labels], _places(labels, *key)))
    return np.sort(order[:count])


def hold_out(dataset: Dataset, count: int) -> Dataset:
    """Return the training images alone, ``count`` of them as test images: the official test images leave.

    The choice is ``evenly``'s, always the same for the same labels. The images that stay training images come first,
    then those held out; within each part they keep their order.

    Raises:
        ValueError: if ``count`` would leave no training image.
    """
    train = np.flatnonzero(dataset.split == TRAIN)
    if count >= len(train):
        raise ValueError(f"holdout: {count} of {len(train)} training images would leave none to train on")
    chosen = np.isin(np.arange(len(train)), evenly(dataset.labels[train], count, "holdout"))
    order = np.concatenate([train[~chosen], train[chosen]])
    return dataclasses.replace(
        dataset,
        images=dataset.images[order],
        labels=dataset.labels[order],
        split=np.repeat(np.array([TRAIN, TEST], np.int8), [len(train) - count, count]),
        masks=None if dataset.masks is None else dataset.masks[order],
        files=tuple(dataset.files[place] for place in order) if dataset.files else (),
    )


def explained(labels: Labels, split: NDArray[np.int8], count: int) -> NDArray[np.int64]:
    """Return the ids of the test images that the metrics use: (n,) int64, sorted, n the smaller of ``count`` and all.

    Args:
        labels: (N,) int64, of the whole data set.
        split: (N,) int8, TRAIN or TEST.
        count: images wanted; the classes share them as ``evenly`` does.
    """
    test = np.flatnonzero(split == TEST)
    return test[evenly(labels[test], count, "explained")]


def validation(labels: Labels, share: float, *key: object) -> NDArray[np.bool_]:
    """Return which images are held back for validation: (N,) bool, round(share * n) of a class of n images.

    Args:
        labels: (N,) int64, of the training images.
        share: share of every class, from 0 to 1.
        key: what the choice depends on besides the labels, such as the training seed.
    """
    quota = np.rint(share * np.bincount(labels)).astype(np.int64)
    return _places(labels, "validation", *key) < quota[labels]
