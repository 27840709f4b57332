"""The centred Gaussian against its moments and its symmetry."""

import pytest
import torch

from pipeline.attribution.centre_map import centre_map


def test_its_width_is_a_fraction_of_each_side():
    found = centre_map(None, torch.zeros(1, 3, 100, 60).double(), None, sigma=0.1)[0, 0]
    for axis, side in ((1, 100), (0, 60)):
        profile, places = found.sum(axis) / found.sum(), torch.arange(side) + 0.5
        assert (profile * places).sum() == pytest.approx(side / 2)
        assert ((profile * (places - side / 2) ** 2).sum()).sqrt() == pytest.approx(0.1 * side, rel=1e-4)


def test_it_is_a_quarter_of_the_side_unless_stated_otherwise():
    found = centre_map(None, torch.zeros(1, 1, 5, 5).double(), None)[0, 0]
    assert found[2, 2] == 1
    assert found[2, 0] == found[0, 2] == pytest.approx(torch.exp(torch.tensor(-0.5 * (0.4 / 0.25) ** 2)).item())
    assert found[0, 4] == pytest.approx((found[2, 0] * found[0, 2]).item())


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_it_is_the_same_for_every_image_and_symmetric(dtype):
    found = centre_map(None, torch.randn(3, 3, 6, 9).to(dtype), None)
    assert found.shape == (3, 1, 6, 9)
    assert found.dtype == dtype
    assert torch.equal(found, found.flip(0))
    assert torch.equal(found, found.flip(2))
    assert torch.equal(found, found.flip(3))
    found[0] = 0  # each image has a map of its own
    assert found[1].all()
