"""Enlargement against scikit-image and against weights worked by hand."""

import numpy as np
import pytest
from skimage.transform import resize as skimage_resize

from pipeline.data._resize import resize


def test_the_own_size_changes_nothing():
    images = np.random.default_rng(0).integers(0, 256, (3, 2, 8, 8), dtype=np.uint8)
    assert (resize(images, 8) == images).all()


def test_weights_of_a_doubled_row():
    images = np.array([[0, 100], [0, 100]], np.uint8)[None, None]
    assert resize(images, 4)[0, 0].tolist() == [[0, 25, 75, 100]] * 4


@pytest.mark.parametrize("size", [12, 16, 37])
def test_agrees_with_scikit_image(size):
    images = np.random.default_rng(1).integers(0, 256, (2, 3, 8, 8), dtype=np.uint8)
    expected = skimage_resize(images.astype(np.float64), (2, 3, size, size), order=1, mode="edge", anti_aliasing=False)
    exactly = resize(images, size).astype(np.float64) - expected
    assert np.abs(exactly).max() <= 0.5 + 1e-9
