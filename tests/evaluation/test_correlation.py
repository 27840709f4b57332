"""Spearman's rank correlation of maps: against scipy, closed forms, and where it is not defined."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pipeline.evaluation._correlation import spearman


def maps(*rows):
    return torch.tensor(rows, dtype=torch.float64)[:, None]


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ([1, 2, 3, 4], [10, 20, 30, 99], 1),
        ([1, 2, 3, 4], [9, 8, -7, -8], -1),
        ([1, 2, 3, 4, 5], [2, 1, 4, 3, 5], 1 - 6 * 4 / (5 * 24)),  # 1 - 6 sum(d ** 2) / (n (n ** 2 - 1))
        ([0, 0, 1, 1], [0, 1, 0, 1], 0),
        ([0, 0, 0, 1], [0, 0, 1, 1], 1 / math.sqrt(3)),  # Pearson's of 0, 0, 0, 1 and 0, 0, 1, 1: ranks of two values
    ],
)
def test_worked_examples(first, second, expected):
    assert spearman(maps(first), maps(second)).item() == pytest.approx(expected, abs=1e-15)


@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.integers(1, 9), st.integers(2, 50))
def test_scipy_finds_the_same_with_and_without_ties(seed, height, width, levels):
    generator = np.random.default_rng(seed)
    first, second = generator.integers(-levels, levels, (2, 3, height, width)) / 7
    found = spearman(torch.from_numpy(first), torch.from_numpy(second))
    for one, other, value in zip(first, second, found.tolist(), strict=True):
        if np.ptp(one) and np.ptp(other):
            assert value == pytest.approx(stats.spearmanr(one.ravel(), other.ravel()).statistic, abs=1e-12)
        else:
            assert value == 0


def test_a_map_agrees_with_itself_exactly_in_every_precision():
    values = torch.randn(4, 13, 17, generator=torch.Generator().manual_seed(0))
    values[0].round_()
    for dtype in (torch.float64, torch.float32, torch.bfloat16):
        assert spearman(values.to(dtype), values.to(dtype)).tolist() == [1] * 4
        assert spearman(values.to(dtype), -values.to(dtype)).tolist() == [-1] * 4


def test_minus_zero_is_zero():
    assert spearman(maps([-0.0, 0.0, 1.0, 2.0]), maps([0.0, -0.0, 1.0, 2.0])).item() == 1


@pytest.mark.parametrize("other", [[3.0, 3.0, 3.0], [1.0, 2.0, 3.0]])
def test_a_constant_map_ranks_nothing(other):
    assert spearman(maps([5.0, 5.0, 5.0]), maps(other)).item() == 0
    assert spearman(maps(other), maps([5.0, 5.0, 5.0])).item() == 0
