"""The cross-entropy with its sign changed."""

import math

import pytest
from scipy.stats import entropy

from pipeline.similarity.negative_cross_entropy import negative_cross_entropy


def test_it_is_the_logarithm_of_the_probability(outputs, targets):
    expected = [-math.log(2), -2 * math.log(2), -3 * math.log(2), -3 * math.log(2)]
    assert negative_cross_entropy(outputs, targets).tolist() == pytest.approx(expected, abs=1e-14)


def test_it_is_scipys_of_which_the_sign_is_changed(outputs, targets, certain, probabilities):
    expected = [-(entropy(one) + entropy(one, probabilities)) for one in certain]
    assert negative_cross_entropy(outputs, targets).tolist() == pytest.approx(expected, abs=1e-14)
