"""The probability of the class."""

import pytest

from pipeline.similarity.class_probability import class_probability


def test_it_is_the_probability_of_the_class(outputs, targets):
    assert class_probability(outputs, targets).tolist() == pytest.approx([1 / 2, 1 / 4, 1 / 8, 1 / 8], abs=1e-15)
