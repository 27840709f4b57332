"""Deconvnet against captum, zennit and its formula written out; what it refuses: test_guided_backprop.py."""

import pytest
import torch
from captum.attr import Deconvolution
from torch import nn
from zennit.attribution import Gradient
from zennit.composites import DeconvNet

from pipeline.attribution.deconvnet import deconvnet
from pipeline.attribution.gradient import gradient

MODELS = pytest.mark.parametrize("network", ["strided", "pooled", "residual"])


@MODELS
def test_agrees_with_captum(network, request, images, targets):
    model = request.getfixturevalue(network)
    with pytest.warns(UserWarning, match="hook"):
        expected = Deconvolution(model).attribute(images.clone().requires_grad_(), target=targets)
    found = deconvnet(model, images, targets)
    assert (found != gradient(model, images, targets)).flatten(1).any(1).all()
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-16)


@MODELS
def test_agrees_with_zennit(network, request, images, targets):
    model = request.getfixturevalue(network)
    with Gradient(model, composite=DeconvNet()) as attribute:
        _, expected = attribute(images, torch.eye(5, dtype=torch.float64)[targets])
    torch.testing.assert_close(deconvnet(model, images, targets), expected, rtol=1e-12, atol=1e-16)


def test_agrees_with_its_formula_written_out(images, targets):
    torch.manual_seed(0)
    first, last = nn.Linear(144, 30).double(), nn.Linear(30, 5).double()
    slope = last.weight[targets]
    expected = (slope * (slope > 0)) @ first.weight
    found = deconvnet(nn.Sequential(nn.Flatten(), first, nn.ReLU(), last), images, targets)
    torch.testing.assert_close(found.flatten(1), expected.detach(), rtol=1e-12, atol=1e-16)


def test_needs_one_evaluation(counted, backwards, strided, images, targets):
    model, back = counted(strided), backwards(strided[0])
    deconvnet(model, images, targets)
    assert model.batches == back == [4]
