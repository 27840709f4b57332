"""The embedded digits against scikit-learn's own."""

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import RidgeClassifier

from pipeline.data._dataset import TEST, TRAIN
from pipeline.data.digits import digits

NOWHERE = Path("no folder is needed")


def test_levels_become_bytes():
    dataset = digits(NOWHERE, size=8)
    levels = load_digits().images
    expected = {0: 0, 1: 16, 2: 32, 7: 112, 8: 128, 15: 239, 16: 255}  # level * 255 / 16 is 15.94, 31.88, 111.56, ...
    order = np.lexsort(levels.reshape(len(levels), -1).T)
    ours = np.lexsort(dataset.images.reshape(len(levels), -1).T)
    for level, byte in expected.items():
        assert (dataset.images[ours, 0][levels[order] == level] == byte).all()


def test_every_digit_is_there_once_with_its_label():
    dataset, (levels, labels) = digits(NOWHERE, size=8), load_digits(return_X_y=True)
    found = np.rint(dataset.images.reshape(-1, 64) / 255 * 16)
    theirs = sorted((*row, label) for row, label in zip(levels.tolist(), labels.tolist(), strict=True))
    assert sorted((*row, label) for row, label in zip(found.tolist(), dataset.labels.tolist(), strict=True)) == theirs


def test_the_split_is_four_to_one_and_even():
    dataset = digits(NOWHERE)
    assert dataset.split.tolist() == [TRAIN] * 1437 + [TEST] * 360
    assert np.bincount(dataset.labels[dataset.split == TEST]).tolist() == [36] * 10
    assert dataset.classes == ("0", "1", "2", "3", "4", "5", "6", "7", "8", "9")


def test_the_split_is_the_same_at_every_size_and_for_ever():
    small, large = digits(NOWHERE, size=8), digits(NOWHERE, size=24)
    assert (small.labels == large.labels).all()
    assert large.images.shape == (1797, 1, 24, 24)
    assert (large.images[:, :, 1::3, 1::3] == small.images).all()  # pixel centres coincide
    assert small.labels[-10:].tolist() == [6, 3, 7, 8, 4, 9, 4, 8, 2, 9]


def test_training_images_teach_the_test_images():
    dataset = digits(NOWHERE, size=8)
    pixels, train = dataset.images.reshape(-1, 64) / 255, dataset.split == TRAIN
    classifier = RidgeClassifier().fit(pixels[train], dataset.labels[train])
    assert classifier.score(pixels[~train], dataset.labels[~train]) > 0.9
