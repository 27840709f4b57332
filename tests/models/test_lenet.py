"""LeNet-5 against the size usually cited and a computation from the formulas."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from pipeline.models.lenet import TARGET_LAYER, lenet


@pytest.mark.parametrize(("channels", "side", "expected"), [(1, 28, 61_706), (3, 32, 83_126)])
def test_the_number_of_parameters_is_the_one_usually_cited(channels, side, expected):
    model = lenet(channels=channels, classes=10, size=(side, side))
    assert sum(parameter.numel() for parameter in model.parameters()) == expected


def test_logits_follow_from_the_weights_by_the_formulas():
    torch.manual_seed(0)
    model = lenet(channels=2, classes=4, size=(13, 18)).double()
    images = torch.randn(3, 2, 13, 18, dtype=torch.float64)
    first, second, *linear = (
        (weight, bias) for weight, bias in zip(*[iter(model.state_dict().values())] * 2, strict=True)
    )
    found = F.max_pool2d(F.conv2d(F.pad(images, [2] * 4), *first).clamp(min=0), 2)
    found = F.max_pool2d(F.conv2d(found, *second).clamp(min=0), 2).flatten(1)
    for weight, bias in linear[:2]:
        found = (found @ weight.T + bias).clamp(min=0)
    torch.testing.assert_close(model(images), found @ linear[2][0].T + linear[2][1])


def test_the_target_layer_is_the_relu_before_the_last_pooling():
    model = lenet(channels=3, classes=10, size=(32, 32))
    assert isinstance(model.get_submodule(TARGET_LAYER), nn.ReLU)
    assert [type(layer) for layer in model.features[5:]] == [nn.MaxPool2d]


@pytest.mark.parametrize("size", [(11, 28), (28, 11)])
def test_refuses_images_of_which_pooling_leaves_nothing(size):
    with pytest.raises(ValueError, match=f"at least 12 pixels a side, got {size[0]} x {size[1]}"):
        lenet(channels=1, classes=10, size=size)
    assert lenet(channels=1, classes=10, size=(12, 12))(torch.zeros(1, 1, 12, 12)).shape == (1, 10)
