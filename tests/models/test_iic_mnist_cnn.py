"""IIC's MNIST network against its published size and a computation from the formulas."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from pipeline.models.iic_mnist_cnn import TARGET_LAYER, iic_mnist_cnn


@pytest.mark.parametrize(("channels", "side", "expected"), [(3, 28, 35_402), (1, 28, 34_826), (3, 32, 42_442)])
def test_the_number_of_parameters_is_the_published_one(channels, side, expected):
    model = iic_mnist_cnn(channels=channels, classes=10, size=(side, side))
    assert sum(parameter.numel() for parameter in model.parameters()) == expected


def test_logits_follow_from_the_weights_by_the_formulas():
    torch.manual_seed(0)
    model = iic_mnist_cnn(channels=2, classes=4, size=(11, 17)).double().eval()
    images = torch.randn(3, 2, 11, 17, dtype=torch.float64)
    first, second, last = zip(*[iter(model.state_dict().values())] * 2, strict=True)
    found = F.max_pool2d(F.conv2d(images, *first).clamp(min=0), 2)
    found = F.max_pool2d(F.conv2d(found, *second).clamp(min=0), 2)
    torch.testing.assert_close(model(images), found.flatten(1) @ last[0].T + last[1])


def test_dropout_of_one_half_precedes_the_linear_layer():
    torch.manual_seed(0)
    model, given = iic_mnist_cnn(channels=1, classes=10, size=(28, 28)), []
    model.classifier[2].register_forward_pre_hook(lambda _module, inputs: given.append(inputs[0]))
    images = torch.rand(16, 1, 28, 28)
    model.eval()(images)
    model.train()(images)
    kept = given[1][given[0] > 0] / given[0][given[0] > 0]
    assert kept.unique().tolist() == [0, 2]
    assert kept.mean().item() == pytest.approx(1, abs=0.03)


def test_the_target_layer_is_the_relu_before_the_last_pooling():
    model = iic_mnist_cnn(channels=3, classes=10, size=(32, 32))
    assert isinstance(model.get_submodule(TARGET_LAYER), nn.ReLU)
    assert [type(layer) for layer in model.features[5:]] == [nn.MaxPool2d]


@pytest.mark.parametrize("size", [(9, 28), (28, 9)])
def test_refuses_images_of_which_pooling_leaves_nothing(size):
    with pytest.raises(ValueError, match=f"at least 10 pixels a side, got {size[0]} x {size[1]}"):
        iic_mnist_cnn(channels=1, classes=10, size=size)
    assert iic_mnist_cnn(channels=1, classes=10, size=(10, 10))(torch.zeros(1, 1, 10, 10)).shape == (1, 10)
