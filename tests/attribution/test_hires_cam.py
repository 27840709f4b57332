"""HiResCAM against a map worked by hand, the sums that it promises, and Grad-CAM."""

from collections import OrderedDict

import torch
from torch import nn

from pipeline.attribution.cam import cam
from pipeline.attribution.grad_cam import grad_cam
from pipeline.attribution.hires_cam import hires_cam


def linear(rows):
    model = nn.Sequential(OrderedDict(layer=nn.Identity(), flat=nn.Flatten(), head=nn.Linear(8, 2, bias=False)))
    model.head.weight.data = torch.tensor([rows, [0.0] * 8])
    return model


def test_a_map_worked_by_hand():
    image = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]], [[1.0, 0.0], [0.0, -1.0]]]])
    model = linear([1.0, 0.0, 0.0, 1.0, -4.0, 5.0, 5.0, 2.0])
    expected = torch.tensor([[[[-3.0, 0.0], [0.0, 2.0]]]])  # 1 - 4; 0 + 0; 0 + 0; 4 - 2: nothing is cut
    assert torch.equal(hires_cam(model, image, torch.tensor([0]), layer="layer"), expected)
    assert not hires_cam(model, image, torch.tensor([1]), layer="layer").any()


def test_adds_up_to_the_logit_less_the_bias_where_one_linear_layer_follows(strided, images, targets, at_layer):
    expected = (strided(images) - strided[7].bias).gather(1, targets[:, None]).squeeze(1)
    found = at_layer(hires_cam(strided, images, targets, layer="5"), (3, 4))
    assert (found < 0).any()
    torch.testing.assert_close(found.sum((1, 2, 3)), expected.detach(), rtol=1e-10, atol=1e-12)


def test_is_cam_and_grad_cam_before_its_cut_where_the_gradient_is_the_same_everywhere(pooled, images, targets):
    found = hires_cam(pooled, images, targets, layer="3")
    torch.testing.assert_close(found * 6 * 8, cam(pooled, images, targets, layer="3"), rtol=1e-10, atol=1e-15)
    expected = grad_cam(pooled, images, targets, layer="3")
    torch.testing.assert_close(found.relu(), expected, rtol=1e-10, atol=1e-15)


def test_is_not_grad_cam_where_the_gradient_differs_from_place_to_place(strided, images, targets):
    found, other = (method(strided, images, targets, layer="5") for method in (hires_cam, grad_cam))
    assert ((found.relu() - other).flatten(1).norm(dim=1) > 0.1 * other.flatten(1).norm(dim=1)).all()
