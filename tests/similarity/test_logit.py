"""The logit of the class."""

import math

import pytest

from pipeline.similarity.logit import logit


def test_it_is_the_logit_of_the_class_with_all_that_was_added(outputs, targets):
    expected = [-math.log(2), 2 - 2 * math.log(2), -1.5 - 3 * math.log(2), 7 - 3 * math.log(2)]
    assert logit(outputs, targets).tolist() == pytest.approx(expected, abs=1e-15)
