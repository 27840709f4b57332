"""Guided Grad-CAM against captum, and against the two maps that it is the product of."""

import pytest
import torch
from captum.attr import GuidedGradCam
from torch import nn

from pipeline.attribution.grad_cam import grad_cam
from pipeline.attribution.guided_backprop import guided_backprop
from pipeline.attribution.guided_grad_cam import guided_grad_cam

CASES = [("pooled", "3"), ("strided", "5"), ("strided", "4"), ("residual", "3.outer"), ("residual", "3.norm")]


@pytest.mark.parametrize(("network", "layer"), CASES)
def test_is_the_product_of_its_two_maps(network, layer, images, targets, request):
    model = request.getfixturevalue(network)
    first, second = guided_backprop(model, images, targets), grad_cam(model, images, targets, layer=layer)
    found = guided_grad_cam(model, images, targets, layer=layer)
    assert found.any()
    torch.testing.assert_close(found, first * second, rtol=1e-10, atol=1e-15)


@pytest.mark.filterwarnings("ignore:Setting backward hooks on ReLU activations:UserWarning")
@pytest.mark.parametrize(("network", "layer"), CASES)
def test_agrees_with_captum(network, layer, images, targets, request):
    model = request.getfixturevalue(network)
    reference = GuidedGradCam(model, model.get_submodule(layer))
    expected = reference.attribute(images.requires_grad_(), targets, interpolate_mode="bilinear").detach()
    found = guided_grad_cam(model, images, targets, layer=layer)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-14)


def test_a_rectifier_in_place_is_refused(strided, images, targets):
    strided[2] = nn.ReLU(inplace=True)
    with pytest.raises(ValueError, match="'2' works in place"):
        guided_grad_cam(strided, images, targets, layer="5")
    assert not any(module._forward_hooks for module in strided.modules())
