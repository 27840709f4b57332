"""Gradient against a linear network, captum and its count of evaluations."""

import torch
from captum.attr import Saliency
from torch import nn

from pipeline.attribution.gradient import gradient


def test_gradient_of_a_linear_network_is_the_targets_row(images, targets):
    linear = nn.Sequential(nn.Flatten(), nn.Linear(144, 5)).double()
    torch.testing.assert_close(gradient(linear, images, targets), linear[1].weight[targets].view_as(images))


def test_agrees_with_captum_sign_included(strided, images, targets):
    expected = Saliency(strided).attribute(images.clone().requires_grad_(), target=targets, abs=False)
    assert (expected < 0).any()
    torch.testing.assert_close(gradient(strided, images, targets), expected, rtol=1e-12, atol=1e-15)


def test_needs_one_evaluation(counted, strided, images, targets):
    model = counted(strided)
    gradient(model, images, targets)
    assert model.batches == [4]
