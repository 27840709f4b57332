"""The negative Jensen-Shannon divergence, in bits."""

import math

import pytest
import torch
from scipy.spatial import distance

from pipeline.similarity.jensen_shannon import jensen_shannon


def test_it_is_what_the_entropies_give_by_hand(outputs, targets):
    # of p = 1/2: the means are 3/4 and 1/4 for the class and the rest, and so on
    half, quarter = 0.75 * math.log2(3) - 1.5, 0.625 * math.log2(5) - 2
    eighth = 0.5625 * math.log2(9) - 2.5
    assert jensen_shannon(outputs, targets).tolist() == pytest.approx([half, quarter, eighth, eighth], abs=1e-14)


def test_it_is_scipys_squared_of_which_the_sign_is_changed(outputs, targets, certain, probabilities):
    expected = [-(distance.jensenshannon(one, probabilities, base=2) ** 2) for one in certain]
    assert jensen_shannon(outputs, targets).tolist() == pytest.approx(expected, abs=1e-14)


def test_it_stays_finite_where_the_logarithm_of_the_probability_would_not():
    outputs = torch.tensor([[1e4, 0.0], [0.0, 1e4]])
    assert jensen_shannon(outputs, torch.tensor([1, 1])).tolist() == [-1, 0]
