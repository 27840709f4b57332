"""Guided backpropagation against captum, zennit, its formula written out, and networks on which it must refuse."""

import re

import pytest
import torch
from captum.attr import GuidedBackprop
from torch import nn
from torch.nn import functional
from zennit.attribution import Gradient
from zennit.composites import GuidedBackprop as Composite

from pipeline import plugins
from pipeline.attribution.gradient import gradient
from pipeline.attribution.guided_backprop import guided_backprop

MODELS = pytest.mark.parametrize("network", ["strided", "pooled", "residual"])


@MODELS
def test_agrees_with_captum(network, request, images, targets):
    model = request.getfixturevalue(network)
    with pytest.warns(UserWarning, match="hook"):
        expected = GuidedBackprop(model).attribute(images.clone().requires_grad_(), target=targets)
    found = guided_backprop(model, images, targets)
    assert (found != gradient(model, images, targets)).flatten(1).any(1).all()
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-16)


@MODELS
def test_agrees_with_zennit(network, request, images, targets):
    model = request.getfixturevalue(network)
    with Gradient(model, composite=Composite()) as attribute:
        _, expected = attribute(images, torch.eye(5, dtype=torch.float64)[targets])
    torch.testing.assert_close(guided_backprop(model, images, targets), expected, rtol=1e-12, atol=1e-16)


def test_agrees_with_its_formula_written_out(images, targets):
    torch.manual_seed(0)
    first, last = nn.Linear(144, 30).double(), nn.Linear(30, 5).double()
    hidden = first(images.flatten(1))
    slope = last.weight[targets]
    expected = (slope * (slope > 0) * (hidden > 0)) @ first.weight
    found = guided_backprop(nn.Sequential(nn.Flatten(), first, nn.ReLU(), last), images, targets)
    torch.testing.assert_close(found.flatten(1), expected.detach(), rtol=1e-12, atol=1e-16)


def test_where_all_weights_are_positive_it_is_the_gradient(strided, images, targets):
    for module in strided:
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.weight.data.abs_()
    assert torch.equal(guided_backprop(strided, images, targets), gradient(strided, images, targets))


def test_needs_one_evaluation(counted, backwards, strided, images, targets):
    model, back = counted(strided), backwards(strided[0])
    guided_backprop(model, images, targets)
    assert model.batches == back == [4]


class Functional(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 4, 3), nn.Linear(4, 5)

    def forward(self, images):
        return self.head(functional.relu(self.conv(images)).mean((2, 3)))


class Shared(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.relu, self.head = nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Linear(4, 5)

    def forward(self, images):
        return self.head(self.relu(self.relu(self.conv(images)) - 1).mean((2, 3)))


class Residual(nn.Module):
    """Its last activation overwrites a sum, which no module gave."""

    def __init__(self):
        super().__init__()
        self.conv, self.inner, self.outer, self.head = nn.Conv2d(3, 3, 1), nn.ReLU(), nn.ReLU(True), nn.Linear(3, 5)

    def forward(self, images):
        return self.head(self.outer(self.inner(self.conv(images)) + images).mean((2, 3)))


@pytest.mark.parametrize(
    ("network", "reason"),
    [
        (Functional, r"test_guided_backprop\.py:\d+: relu runs outside an activation module of its own"),
        (Shared, r"test_guided_backprop\.py:\d+: the activation 'relu' runs more than once"),
        (Residual, r"the activation 'outer' works in place"),
    ],
)
@pytest.mark.parametrize("name", ["guided_backprop", "deconvnet"])
def test_what_would_be_the_plain_gradient_is_refused_with_the_line_at_fault(name, network, reason, images):
    said = plugins.refusal({"use": name}, None, network().double().eval(), images)
    assert re.search(reason, said)
    assert f":{network.forward.__code__.co_firstlineno + 1}: " in said or network is Residual
