"""The cosine of the angle between probabilities and class."""

import math

import pytest
import torch
from scipy.spatial import distance

from pipeline.similarity.cosine import cosine


def test_it_is_the_probability_over_the_norm_of_all(outputs, targets):
    expected = [each / math.sqrt(22) for each in (4, 2, 1, 1)]  # in eighths: 16 + 4 + 1 + 1 = 22
    assert cosine(outputs, targets).tolist() == pytest.approx(expected, abs=1e-15)


def test_it_is_scipys(outputs, targets, certain, probabilities):
    expected = [1 - distance.cosine(probabilities, one) for one in certain]
    assert cosine(outputs, targets).tolist() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("classes", [2, 10, 1000])
def test_an_answer_without_opinion_is_as_alike_as_one_over_the_root_of_the_classes(classes):
    found = cosine(torch.zeros(1, classes, dtype=torch.float64), torch.tensor([1]))
    assert found.item() == pytest.approx(classes**-0.5, abs=1e-14)
