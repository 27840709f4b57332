"""Blurred random maps against scipy."""

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from pipeline.attribution.blurred_random_map import blurred_random_map
from pipeline.randomness import per_image

IDS = torch.tensor([5, 1, 0, 900])


@pytest.mark.parametrize("sigma", [0.1, 0.7, 2.0, 3.3])
@pytest.mark.parametrize("size", [(20, 13), (3, 2), (1, 1)])
def test_is_scipys_gaussian_filter_of_noise_that_reaches_beyond_the_image(size, sigma, targets):
    images = torch.zeros(4, 3, *size, dtype=torch.float64)
    found = blurred_random_map(None, images, targets, ids=IDS, seed=3, sigma=sigma)
    margin = math.ceil(4 * sigma) + 1
    wide = (1, size[0] + 2 * margin, size[1] + 2 * margin)
    noise = per_image(IDS, wide, "blurred_random_map", 3)[:, 0].double().numpy()
    inside = np.s_[margin : margin + size[0], margin : margin + size[1]]
    for mode in ("nearest", "wrap"):  # what is beyond the noise is out of reach
        expected = np.stack([gaussian_filter(values, sigma, mode=mode, truncate=4.0)[inside] for values in noise])
        np.testing.assert_allclose(found[:, 0].numpy(), expected, rtol=0, atol=1e-12)


def test_is_the_same_in_the_corners_as_in_the_middle():
    found = blurred_random_map(None, torch.zeros(4000, 1, 12, 12), None, ids=torch.arange(4000))[:, 0]
    variance = found.var(0)
    assert variance.max() / variance.min() < 1.3  # two of 4,000 draws' variances differ by a tenth or so
    highest = found.flatten(1).argmax(1)
    down, across = highest // 12, highest % 12
    border = (down % 11 == 0) | (across % 11 == 0)
    assert 0.2 < border.double().mean() < 0.75  # of the pixels .31; of hills cut off by the border, the tops are there


def test_the_default_is_a_sigma_of_two_pixels_and_seed_0(images, targets):
    found = blurred_random_map(None, images, targets, ids=IDS)
    assert torch.equal(found, blurred_random_map(None, images, targets, ids=IDS, sigma=2.0, seed=0))


def test_neighbours_are_alike_and_images_are_not():
    images = torch.zeros(2, 1, 64, 64, dtype=torch.float64)
    found = blurred_random_map(None, images, None, ids=torch.tensor([0, 1]))[:, 0]
    beside = np.corrcoef(found[:, :, 1:].flatten(), found[:, :, :-1].flatten())[0, 1]
    assert beside == pytest.approx(np.exp(-1 / 16), abs=0.02)  # exp(-d^2 / (4 sigma^2)) at d = 1
    assert abs(np.corrcoef(found[0].flatten(), found[1].flatten())[0, 1]) < 0.3
