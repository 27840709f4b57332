"""Input x gradient against a linear network, captum and its count of evaluations."""

import torch
from captum.attr import InputXGradient
from torch import nn

from pipeline.attribution.input_x_gradient import input_x_gradient


def test_maps_of_a_linear_network_add_up_to_the_logit_less_the_bias(images, targets):
    linear = nn.Sequential(nn.Flatten(), nn.Linear(144, 5)).double()
    maps = input_x_gradient(linear, images, targets)
    expected = (linear(images) - linear[1].bias).gather(1, targets[:, None]).squeeze(1)
    torch.testing.assert_close(maps.sum((1, 2, 3)), expected)
    torch.testing.assert_close(maps, images * linear[1].weight[targets].view_as(images))


def test_agrees_with_captum(strided, images, targets):
    expected = InputXGradient(strided).attribute(images.clone().requires_grad_(), target=targets).detach()
    torch.testing.assert_close(input_x_gradient(strided, images, targets), expected, rtol=1e-12, atol=1e-15)


def test_needs_one_evaluation(counted, strided, images, targets):
    model = counted(strided)
    input_x_gradient(model, images, targets)
    assert model.batches == [4]
