"""The negative Kullback-Leibler divergence."""

import math

import pytest
import torch
from scipy.stats import entropy

from pipeline.similarity.kullback_leibler import kullback_leibler
from pipeline.similarity.negative_cross_entropy import negative_cross_entropy


def test_it_is_the_logarithm_of_the_probability(outputs, targets):
    expected = [-math.log(2), -2 * math.log(2), -3 * math.log(2), -3 * math.log(2)]
    assert kullback_leibler(outputs, targets).tolist() == pytest.approx(expected, abs=1e-14)


def test_it_is_scipys_of_which_the_sign_is_changed(outputs, targets, certain, probabilities):
    expected = [-entropy(one, probabilities) for one in certain]
    assert kullback_leibler(outputs, targets).tolist() == pytest.approx(expected, abs=1e-14)


def test_a_certain_class_makes_it_the_negative_cross_entropy():
    torch.manual_seed(0)
    outputs, targets = 9 * torch.randn(50, 7, dtype=torch.float64), torch.arange(50) % 7
    found = kullback_leibler(outputs, targets)
    torch.testing.assert_close(found, negative_cross_entropy(outputs, targets), rtol=1e-13, atol=1e-13)
