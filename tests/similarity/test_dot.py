"""The dot product."""

import pytest
import torch

from pipeline.similarity.class_probability import class_probability
from pipeline.similarity.cosine import cosine
from pipeline.similarity.dot import dot


def test_it_is_the_sum_of_the_products(outputs, targets):
    assert dot(outputs, targets).tolist() == pytest.approx([1 / 2, 1 / 4, 1 / 8, 1 / 8], abs=1e-15)


def test_a_certain_class_makes_it_the_probability_and_the_norm_the_cosine():
    torch.manual_seed(0)
    outputs, targets = 3 * torch.randn(50, 7, dtype=torch.float64), torch.arange(50) % 7
    found = dot(outputs, targets)
    torch.testing.assert_close(found, class_probability(outputs, targets), rtol=1e-14, atol=0)
    torch.testing.assert_close(found / outputs.softmax(1).norm(dim=1), cosine(outputs, targets), rtol=1e-13, atol=0)
