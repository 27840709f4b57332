"""Probabilities in the precision that the area under a curve needs."""

import pytest
import torch

from pipeline.evaluation._curves import probabilities


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_probabilities_have_single_precision_at_least(dtype):
    logits = torch.tensor([[2.0, -1.0, 0.5]], dtype=dtype)
    expected = logits.double().exp() / logits.double().exp().sum()
    found = probabilities(logits)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), expected, atol=1e-7, rtol=0)


def test_probabilities_keep_double_precision():
    logits = torch.tensor([[2.0, -1.0], [0.0, 700.0]], dtype=torch.float64)
    expected = torch.tensor([[1 / (1 + torch.e**-3), 1 / (1 + torch.e**3)], [0.0, 1.0]], dtype=torch.float64)
    torch.testing.assert_close(probabilities(logits), expected, atol=1e-15, rtol=0)
