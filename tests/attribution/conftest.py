"""Small networks and images, in float64, for the oracles of the attribution methods."""

import pytest
import torch
from torch import nn

import pipeline.vision  # noqa: F401  before captum, which imports torchvision


class Counted(nn.Module):
    """Passes images on to a network and notes the size of every batch."""

    def __init__(self, model):
        super().__init__()
        self.model, self.batches = model, []

    def forward(self, images):
        self.batches.append(len(images))
        return self.model(images)


@pytest.fixture
def counted():
    return Counted


@pytest.fixture
def pooled():
    """Convolutions without any change of size, then global average pooling: layer "3" is the last activation."""
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 4, 3, padding=1), nn.Tanh(), nn.Conv2d(4, 6, 3, padding=1), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 5)).double().eval()


@pytest.fixture
def strided():
    """Batch normalisation, max pooling and a flattened head: layer "5" is the last activation, 3 x 4 of 6 x 8."""
    torch.manual_seed(8)  # no image has an empty Grad-CAM map
    layers = [nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2)]
    layers += [nn.Conv2d(4, 6, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(72, 5)]
    model = nn.Sequential(*layers).double().eval()
    nn.init.uniform_(model[1].running_mean, -0.5, 0.5)
    nn.init.uniform_(model[1].running_var, 0.5, 1.5)
    return model


@pytest.fixture
def images():
    return torch.randn(4, 3, 6, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(2))


@pytest.fixture
def targets():
    return torch.tensor([0, 4, 2, 2])
