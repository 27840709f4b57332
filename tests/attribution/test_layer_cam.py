"""LayerCAM against a map worked by hand and HiResCAM where they must agree."""

from collections import OrderedDict

import torch
from torch import nn

from pipeline.attribution.hires_cam import hires_cam
from pipeline.attribution.layer_cam import layer_cam


def test_a_map_worked_by_hand():
    model = nn.Sequential(OrderedDict(layer=nn.Identity(), flat=nn.Flatten(), head=nn.Linear(8, 2, bias=False)))
    image = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]], [[1.0, 3.0], [0.0, -1.0]]]])
    model.head.weight.data = torch.tensor([[1.0, 0.5, -2.0, 1.0, -4.0, 5.0, 5.0, 9.0], [0.0] * 8])
    expected = torch.tensor([[[[1.0, 16.0], [0.0, 0.0]]]])  # 1 + 0; 1 + 15; 0 + 0; 4 - 9 is cut
    assert torch.equal(layer_cam(model, image, torch.tensor([0]), layer="layer"), expected)
    assert not layer_cam(model, image, torch.tensor([1]), layer="layer").any()


def test_is_hires_cam_where_no_gradient_is_negative_and_more_elsewhere(strided, images, targets, at_layer):
    cam, hires = (at_layer(method(strided, images, targets, layer="5"), (3, 4)) for method in (layer_cam, hires_cam))
    assert (cam > hires + 1e-3).any()
    assert (cam >= hires - 1e-12).all()
    strided[7].weight.data.abs_()
    found, expected = (method(strided, images, targets, layer="5") for method in (layer_cam, hires_cam))
    assert expected.flatten(1).any(1).all()
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=0)
