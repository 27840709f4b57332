"""Blurred random maps against scipy."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from pipeline.attribution.blurred_random_map import blurred_random_map
from pipeline.attribution.random_map import random_map

IDS = torch.tensor([5, 1, 0, 900])


@pytest.mark.parametrize("sigma", [0.1, 0.7, 2.0, 3.3])
@pytest.mark.parametrize("size", [(20, 13), (3, 2), (1, 1)])
def test_is_the_noise_of_random_map_after_scipys_gaussian_filter(size, sigma, targets):
    images = torch.zeros(4, 3, *size, dtype=torch.float64)
    noise = random_map(None, images, targets, ids=IDS, seed=3)[:, 0].numpy()
    expected = np.stack([gaussian_filter(values, sigma, mode="nearest", truncate=4.0) for values in noise])
    found = blurred_random_map(None, images, targets, ids=IDS, seed=3, sigma=sigma)
    np.testing.assert_allclose(found[:, 0].numpy(), expected, rtol=0, atol=1e-12)


def test_the_default_is_a_sigma_of_two_pixels_and_seed_0(images, targets):
    found = blurred_random_map(None, images, targets, ids=IDS)
    assert torch.equal(found, blurred_random_map(None, images, targets, ids=IDS, sigma=2.0, seed=0))


def test_neighbours_are_alike_and_images_are_not():
    images = torch.zeros(2, 1, 64, 64, dtype=torch.float64)
    found = blurred_random_map(None, images, None, ids=torch.tensor([0, 1]))[:, 0]
    beside = np.corrcoef(found[:, :, 1:].flatten(), found[:, :, :-1].flatten())[0, 1]
    assert beside == pytest.approx(np.exp(-1 / 16), abs=0.02)  # exp(-d^2 / (4 sigma^2)) at d = 1
    assert abs(np.corrcoef(found[0].flatten(), found[1].flatten())[0, 1]) < 0.3
