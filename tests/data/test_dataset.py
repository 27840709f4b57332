"""Channel statistics against numpy's own, in float64, with and without training images."""

import numpy as np
import pytest

from pipeline.data import _dataset
from pipeline.data._dataset import TEST, TRAIN, Dataset

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.integers(0, 256, (50, 3, 5, 4), dtype=np.uint8) // np.array([1, 2, 5], np.uint8)[:, None, None]


def statistics(images, split):
    labels = np.zeros(len(split), np.int64)
    return Dataset(images, labels, np.array(split, np.int8), ("a",)).statistics()


@pytest.mark.parametrize("block", [1, 7, 1024])
@pytest.mark.parametrize("split", [[TRAIN] * 30 + [TEST] * 20, [TRAIN] * 50], ids=["some", "all"])
def test_statistics_are_those_of_the_training_images(monkeypatch, split, block):
    monkeypatch.setattr(_dataset, "BLOCK", block)
    train = IMAGES[np.array(split) == TRAIN].astype(np.float64) / 255
    mean, std = statistics(IMAGES, split)
    np.testing.assert_allclose(mean, train.mean((0, 2, 3)), rtol=1e-13)
    np.testing.assert_allclose(std, train.std((0, 2, 3)), rtol=1e-12)


def test_where_there_is_no_training_image_all_images_count():
    for found, expected in zip(statistics(IMAGES, [TEST] * 50), statistics(IMAGES, [TRAIN] * 50), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_a_channel_of_one_value_has_no_deviation():
    mean, std = statistics(np.full((3, 1, 4, 4), 51, np.uint8), [TRAIN] * 3)
    assert mean[0] == pytest.approx(0.2, abs=1e-15)
    assert std[0] == pytest.approx(0, abs=1e-15)
