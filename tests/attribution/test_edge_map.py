"""Edges against scipy and worked cases."""

import numpy as np
import pytest
import torch
from scipy.ndimage import sobel

from pipeline.attribution.edge_map import edge_map


@pytest.mark.parametrize("size", [(6, 8), (2, 3), (1, 1)])
def test_is_the_sum_of_scipys_sobel_magnitudes(size):
    images = torch.randn(2, 3, *size, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    planes = [np.hypot(sobel(x, 0, mode="nearest"), sobel(x, 1, mode="nearest")) for x in images.flatten(0, 1).numpy()]
    expected = np.stack(planes).reshape(2, 3, *size).sum(1)
    np.testing.assert_allclose(edge_map(None, images, None)[:, 0], expected, rtol=1e-12, atol=1e-14)


def test_a_step_is_marked_on_both_sides_and_nowhere_else():
    image = torch.zeros(1, 1, 5, 6)
    image[..., 3:] = 0.5
    expected = torch.tensor([0.0, 0.0, 2.0, 2.0, 0.0, 0.0]).expand(1, 1, 5, 6)  # four times the step
    assert torch.equal(edge_map(None, image, None), expected)
    assert torch.equal(edge_map(None, image.mT, None), expected.mT)


def test_a_ramp_gives_eight_times_its_slope():
    ramp = torch.arange(7.0).expand(1, 1, 5, 7)
    assert (edge_map(None, ramp, None)[..., 1:-1] == 8).all()


def test_opposite_edges_of_two_channels_do_not_cancel():
    image = torch.zeros(1, 2, 4, 4)
    image[:, 0, :, 2:], image[:, 1, :, 2:] = 1.0, -1.0
    assert (edge_map(None, image, None)[..., 1:3] == 8).all()


@pytest.mark.parametrize("value", [0.1, -2.7, 1e30])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
def test_an_image_of_one_colour_has_no_edge_at_all(value, dtype):
    colours = torch.tensor([value, 0.3, value / 3], dtype=dtype).view(1, 3, 1, 1)
    assert not edge_map(None, colours.expand(1, 3, 7, 5), None).any()
