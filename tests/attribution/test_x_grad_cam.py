"""XGrad-CAM against a map worked by hand, its conservation, and Grad-CAM."""

from collections import OrderedDict

import pytest
import torch
from torch import nn

from pipeline.attribution._layers import layer_gradient
from pipeline.attribution.cam import cam
from pipeline.attribution.x_grad_cam import x_grad_cam


def test_a_map_worked_by_hand():
    model = nn.Sequential(OrderedDict(layer=nn.Identity(), flat=nn.Flatten(), head=nn.Linear(12, 2, bias=False)))
    image = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]], [[1.0, 0.0], [0.0, 1.0]], [[0.0, 0.0], [0.0, 0.0]]]])
    rows = [[1.0, 0.0, 3.0, 0.0, -4.0, 9.0, 9.0, 0.0, 7.0, 7.0, 7.0, 7.0], [0.0] * 12]
    model.head.weight.data = torch.tensor(rows)  # weights (1 + 9) / 10 = 1, -4 / 2 = -2, and 0 for the dead channel
    expected = torch.tensor([[[[-1.0, 2.0], [3.0, 2.0]]]])
    assert torch.equal(x_grad_cam(model, image, torch.tensor([0]), layer="layer"), expected)
    assert not x_grad_cam(model, image, torch.tensor([1]), layer="layer").any()


@pytest.mark.parametrize(("network", "layer", "size"), [("strided", "5", (3, 4)), ("residual", "1", (6, 8))])
def test_keeps_the_sum_of_gradient_times_activation(network, layer, size, images, targets, at_layer, request):
    model = request.getfixturevalue(network)
    features, slope = layer_gradient(model, images, targets, layer)
    found = at_layer(x_grad_cam(model, images, targets, layer=layer), size)
    torch.testing.assert_close(found.sum((1, 2, 3)), (slope * features).sum((1, 2, 3)), rtol=1e-10, atol=1e-14)


def test_is_cam_up_to_a_factor_where_the_network_pools_globally(pooled, images, targets):
    expected = cam(pooled, images, targets, layer="3")
    found = x_grad_cam(pooled, images, targets, layer="3")
    torch.testing.assert_close(found * 6 * 8, expected, rtol=1e-10, atol=1e-14)


def test_a_channel_that_sums_to_nothing_weighs_nothing():
    model = nn.Sequential(OrderedDict(layer=nn.Identity(), flat=nn.Flatten(), head=nn.Linear(4, 1, bias=False)))
    image = torch.tensor([[[[1.0, -1.0], [2.0, -2.0]]]])
    assert not x_grad_cam(model, image, torch.tensor([0]), layer="layer").any()
