"""A method bound as a job binds it, and called for one batch."""

import weakref

import pytest
import torch
from torch import nn

from pipeline import explainer, loaded, plan

RUN = {"dataset": "digits", "model": "simple_cnn", "seed": 0}


class Watched(nn.Module):
    """A network that counts how many of the inputs it was shown before are still in memory."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(72, 10))
        self.network.requires_grad_(False)
        self.shown, self.kept = [], 0

    def forward(self, images):
        self.kept = max(self.kept, sum(earlier() is not None for earlier in self.shown))
        self.shown.append(weakref.ref(images))
        return self.network(images)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_memory_does_not_grow_with_the_noisy_copies(precision, finished):
    data = loaded.data(plan.path("data", finished, RUN), torch.device("cpu"), {})
    entry = {"use": "smoothgrad", "samples": 12, "base": {"use": "gradient"}}
    network, ids = Watched(), torch.arange(3)
    method = explainer.Method(entry, precision, data, {"layer": None})
    explainer.explained(method, network, ids, explainer.probe(data, ids), torch.tensor([1, 2, 0]))
    assert len(network.shown) == 12
    assert network.kept <= 1
