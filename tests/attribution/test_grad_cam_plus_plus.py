"""Grad-CAM++ against a map worked by hand, the paper's derivatives taken one by one, and a library that is off."""

from collections import OrderedDict

import pytest
import torch
from torch import nn
from torchcam.methods import GradCAMpp

from pipeline.attribution._layers import layer_gradient
from pipeline.attribution.grad_cam_plus_plus import grad_cam_plus_plus


def test_a_map_worked_by_hand():
    model = nn.Sequential(OrderedDict(layer=nn.Identity(), flat=nn.Flatten(), head=nn.Linear(8, 2, bias=False)))
    image = torch.tensor([[[[1.0, 0.0], [0.0, 1.0]], [[0.0, 2.0], [0.0, 0.0]]]])
    rows = [[1.0, 3.0, -7.0, 0.0, 0.5, 2.0, 0.0, -1.0], [0.0] * 8]
    model.head.weight.data = torch.tensor(rows)
    first = 1 / (2 + 2 * 1) + 3 / (2 + 2 * 3)  # the sum of the channel's activations is 2
    second = 0.5 / (2 + 2 * 0.5) + 2 / (2 + 2 * 2)
    expected = torch.tensor([[[[first, 2 * second], [0.0, first]]]])
    torch.testing.assert_close(grad_cam_plus_plus(model, image, torch.tensor([0]), layer="layer"), expected)
    assert not grad_cam_plus_plus(model, image, torch.tensor([1]), layer="layer").any()


def derived(head, features, target):
    """Equations 10 and 11 for one image, (1, C, h, w): the derivatives of exp(logit) by each activation, one by one."""

    def score(step, place):
        moved = features.flatten().index_add(0, place, step).view_as(features)
        return head(moved)[0, target].exp()

    first, second, third = (torch.empty(features.numel(), dtype=features.dtype) for _ in range(3))
    for place in range(features.numel()):
        step = torch.zeros(1, dtype=features.dtype, requires_grad=True)
        derivative = score(step, torch.tensor([place]))
        for order in (first, second, third):
            (derivative,) = torch.autograd.grad(derivative.sum(), step, create_graph=True)
            order[place] = derivative.item()
    first, second, third = (order.view_as(features) for order in (first, second, third))
    below = 2 * second + features.sum((2, 3), keepdim=True) * third
    alpha = torch.where(second == 0, 0, second / below)
    weights = (alpha * first.relu()).sum((2, 3), keepdim=True)
    return (weights * features).sum(1, keepdim=True).relu() / head(features)[0, target].exp()


@pytest.mark.parametrize(("network", "layer"), [("strided", 2), ("strided", 5), ("pooled", 3)])
def test_agrees_with_the_derivatives_taken_one_by_one(network, layer, images, targets, at_layer, request):
    model = request.getfixturevalue(network)
    features = model[: layer + 1](images).detach()
    found = at_layer(grad_cam_plus_plus(model, images, targets, layer=str(layer)), features.shape[2:])
    for i in range(2):
        expected = derived(model[layer + 1 :], features[i : i + 1], targets[i]).detach()
        assert expected.any()
        torch.testing.assert_close(found[i : i + 1], expected, rtol=1e-8, atol=1e-12)


def stretched(maps):
    low, high = maps.amin((1, 2), keepdim=True), maps.amax((1, 2), keepdim=True)
    return (maps - low) / (high - low)


def test_torchcam_leaves_the_denominator_out_and_is_off(strided, images, targets, at_layer):
    with GradCAMpp(strided, strided[5], input_shape=(3, 6, 8)) as extract:
        theirs = extract(targets.tolist(), strided(images))[0]
    features, slope = layer_gradient(strided, images, targets, "5")
    weights = (slope**2 * slope.relu()).sum((2, 3), keepdim=True)  # alpha = g ** 2
    torch.testing.assert_close(theirs, stretched((weights * features).sum(1).relu()), rtol=0, atol=1e-5)
    ours = stretched(at_layer(grad_cam_plus_plus(strided, images, targets, layer="5"), (3, 4))[:, 0])
    assert ((ours - theirs).abs().amax((1, 2)) > 0.03).all()


def test_small_gradients_do_not_drown(strided, images, targets, at_layer):
    strided[7].weight.data *= 1e-12
    features, slope = layer_gradient(strided, images, targets, "5")
    weights = slope.relu().sum((2, 3), keepdim=True) / 2  # g ** 2 / (2 g ** 2 + a g ** 3) tends to 1/2
    expected = (weights * features).sum(1, keepdim=True)
    assert expected.flatten(1).any(1).all()
    found = at_layer(grad_cam_plus_plus(strided, images, targets, layer="5"), (3, 4))
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=0)
