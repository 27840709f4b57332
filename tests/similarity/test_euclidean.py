"""The negative Euclidean distance."""

import math

import pytest
from scipy.spatial import distance

from pipeline.similarity.euclidean import euclidean


def test_it_is_the_root_of_the_squared_differences(outputs, targets):
    expected = [-math.sqrt(each) / 8 for each in (16 + 4 + 1 + 1, 16 + 36 + 1 + 1, 16 + 4 + 49 + 1, 16 + 4 + 1 + 49)]
    assert euclidean(outputs, targets).tolist() == pytest.approx(expected, abs=1e-14)


def test_it_is_scipys_of_which_the_sign_is_changed(outputs, targets, certain, probabilities):
    expected = [-distance.euclidean(one, probabilities) for one in certain]
    assert euclidean(outputs, targets).tolist() == pytest.approx(expected, abs=1e-14)
