"""One answer that can be worked out by hand: probabilities 1/2, 1/4, 1/8 and 1/8, asked about its four classes."""

import pytest
import torch

PROBABILITIES = (1 / 2, 1 / 4, 1 / 8, 1 / 8)


@pytest.fixture
def outputs():
    """Logits, (4, 4), every row the same answer but for what is added to all of its logits."""
    logits = torch.tensor(PROBABILITIES, dtype=torch.float64).log()
    return logits + torch.tensor([0.0, 2.0, -1.5, 7.0], dtype=torch.float64)[:, None]


@pytest.fixture
def targets():
    return torch.arange(4)


@pytest.fixture
def certain():
    """The classes as distributions: (4, 4)."""
    return torch.eye(4, dtype=torch.float64).numpy()


@pytest.fixture
def probabilities():
    return PROBABILITIES
