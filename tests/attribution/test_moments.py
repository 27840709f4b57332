"""Mean and variance of maps that come one after the other, against those of all maps at once."""

import pytest
import torch

from pipeline.attribution._moments import moments


@pytest.mark.parametrize("count", [1, 2, 9])
def test_they_are_those_of_all_maps_at_once(count):
    maps = torch.randn(count, 2, 1, 3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    mean, variance = moments(iter(maps), torch.float64)
    torch.testing.assert_close(mean, maps.mean(0), rtol=1e-12, atol=1e-15)
    torch.testing.assert_close(variance, maps.var(0, correction=0), rtol=1e-12, atol=1e-15)


def test_half_precision_is_gathered_in_single_precision():
    maps = torch.rand(1500, 5, generator=torch.Generator().manual_seed(0)).bfloat16()
    mean, variance = moments(maps, torch.bfloat16)
    assert mean.dtype == variance.dtype == torch.float32
    torch.testing.assert_close(mean.double(), maps.double().mean(0), rtol=1e-5, atol=0)
    torch.testing.assert_close(variance.double(), maps.double().var(0, correction=0), rtol=1e-5, atol=0)


def test_a_small_variance_beside_a_large_mean_is_kept():
    maps = 5000 + torch.rand(40, 5, generator=torch.Generator().manual_seed(0))
    variance = moments(maps, torch.float32)[1].double()
    torch.testing.assert_close(variance, maps.double().var(0, correction=0), rtol=1e-2, atol=0)
