"""Grad-CAM against a map worked by hand, captum, and CAM."""

import copy
from collections import OrderedDict

import pytest
import torch
from captum.attr import LayerGradCam
from torch import nn
from torch.nn import functional

from pipeline.attribution.cam import cam
from pipeline.attribution.grad_cam import grad_cam


def test_a_map_worked_by_hand():
    model = nn.Sequential(OrderedDict(layer=nn.Identity(), flat=nn.Flatten(), head=nn.Linear(8, 2, bias=False)))
    image = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]], [[1.0, 0.0], [0.0, -1.0]]]])
    rows = [[1.0, 0.0, 0.0, 1.0, -4.0, 0.0, 0.0, 0.0], [0.0] * 8]  # channel means 1/2 and -1
    model.head.weight.data = torch.tensor(rows)
    expected = torch.tensor([[[[0.0, 1.0], [1.5, 3.0]]]])  # 1/2 - 1 = -1/2 is cut; 2/2 - 0; 3/2 - 0; 4/2 + 1
    assert torch.equal(grad_cam(model, image, torch.tensor([0]), layer="layer"), expected)
    assert not grad_cam(model, image, torch.tensor([1]), layer="layer").any()


@pytest.mark.parametrize(("network", "layer"), [("pooled", "3"), ("pooled", "1"), ("strided", "5"), ("strided", "3")])
def test_agrees_with_captum_enlarged(network, layer, images, targets, request):
    model = request.getfixturevalue(network)
    reference = LayerGradCam(model, model.get_submodule(layer))
    expected = reference.attribute(images, targets, relu_attributions=True)
    expected = functional.interpolate(expected, size=(6, 8), mode="bilinear", align_corners=False).detach()
    found = grad_cam(model, images, targets, layer=layer)
    assert found.flatten(1).any(1).all()
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-15)


def test_is_cam_cut_below_zero_up_to_a_factor_where_the_network_pools_globally(pooled, images, targets):
    expected = cam(pooled, images, targets, layer="3")
    assert (expected < 0).any()
    assert (expected > 0).any()
    found = grad_cam(pooled, images, targets, layer="3")
    torch.testing.assert_close(found * 6 * 8, expected.relu(), rtol=1e-10, atol=1e-15)


def test_an_operation_in_place_after_the_layer_does_not_change_the_map(strided, images, targets):
    changing = copy.deepcopy(strided)
    changing[5] = nn.ReLU(inplace=True)
    found, expected = (grad_cam(model, images, targets, layer="4") for model in (changing, strided))
    assert expected.any()
    assert torch.equal(found, expected)


def test_needs_one_evaluation(counted, strided, images, targets):
    model = counted(strided)
    grad_cam(model, images, targets, layer="model.5")
    assert model.batches == [4]


@pytest.mark.parametrize(("layer", "message"), [("auto", "still 'auto'"), ("6.x", "no layer '6.x'; it has 0, 1, 2")])
def test_a_layer_must_be_named(layer, message, strided, images, targets):
    with pytest.raises(ValueError, match=message):
        grad_cam(strided, images, targets, layer=layer)
    with pytest.raises(ValueError, match="still 'auto'"):
        grad_cam(strided, images, targets)
