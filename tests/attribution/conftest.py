"""Small networks and images, in float64, for the oracles of the attribution methods."""

import pytest
import torch
from torch import nn
from torch.nn import functional

import pipeline.vision  # noqa: F401  before captum, which imports torchvision
from pipeline.models._branches import Add


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
def backwards():
    """A function: layer -> a list that grows by the batch's size whenever a gradient reaches the layer's output."""

    def watch(layer):
        sizes = []

        def lay(_module, _inputs, output):
            if output.requires_grad:
                output.register_hook(lambda gradient: sizes.append(len(gradient)))

        layer.register_forward_hook(lay)
        return sizes

    return watch


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


class Block(nn.Module):
    """A residual block: batch normalisation, and a sum that is a module."""

    def __init__(self, width):
        super().__init__()
        self.first, self.norm, self.inner = nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()
        self.second, self.add, self.outer = nn.Conv2d(width, width, 3, padding=1), Add(), nn.ReLU()

    def forward(self, features):
        return self.outer(self.add(self.second(self.inner(self.norm(self.first(features)))), features))


@pytest.fixture
def residual():
    """Average pooling, a residual block with batch normalisation, global pooling: layer "3.outer" is the last."""
    torch.manual_seed(3)
    layers = [nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(), nn.AvgPool2d(2), Block(6), nn.AdaptiveAvgPool2d(1)]
    model = nn.Sequential(*layers, nn.Flatten(), nn.Linear(6, 5)).double().eval()
    nn.init.uniform_(model[3].norm.running_mean, -0.5, 0.5)
    nn.init.uniform_(model[3].norm.running_var, 0.5, 1.5)
    return model


@pytest.fixture
def images():
    return torch.randn(4, 3, 6, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(2))


@pytest.fixture
def targets():
    return torch.tensor([0, 4, 2, 2])


def _at_layer(maps, size):
    """Undo the enlargement of maps (N, 1, H, W) from a layer's size (h, w): (N, 1, h, w)."""
    places = torch.eye(size[0] * size[1], dtype=maps.dtype).view(-1, 1, *size)
    enlarged = functional.interpolate(places, size=maps.shape[2:], mode="bilinear", align_corners=False)
    solved = torch.linalg.lstsq(enlarged.flatten(1).T, maps.flatten(1).T).solution
    return solved.T.view(-1, 1, *size)


@pytest.fixture
def at_layer():
    return _at_layer


def _as_peer_draws(maps):
    """Cut maps (N, 1, H, W) below zero and stretch them to [0, 1], as pytorch-grad-cam does: (N, H, W)."""
    positive = maps[:, 0].relu()
    low, high = positive.amin((1, 2), keepdim=True), positive.amax((1, 2), keepdim=True)
    return (positive - low) / (high - low)


@pytest.fixture
def as_peer_draws():
    return _as_peer_draws
