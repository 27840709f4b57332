"""SimpleCNN against its published size and a computation from the formulas."""

import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from pipeline.models.simple_cnn import TARGET_LAYER, simple_cnn


def parameters(model):
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize(("channels", "side", "expected"), [(3, 32, 2_202_122), (1, 28, 1_284_042)])
def test_the_number_of_parameters_is_the_published_one(channels, side, expected):
    assert parameters(simple_cnn(channels=channels, classes=10, size=(side, side))) == expected


def test_logits_follow_from_the_weights_by_the_formulas():
    torch.manual_seed(0)
    model = simple_cnn(channels=2, classes=4, size=(8, 19)).double()
    images = torch.randn(3, 2, 8, 19, dtype=torch.float64)
    model.train()(images + 1)  # the running statistics leave 0 and 1
    weights = model.eval().state_dict()
    found = images
    for stage in range(0, 12, 4):
        mean, variance, scale, shift = (
            weights[f"features.{stage + 1}.{part}"].view(1, -1, 1, 1)
            for part in ("running_mean", "running_var", "weight", "bias")
        )
        found = F.conv2d(found, weights[f"features.{stage}.weight"], weights[f"features.{stage}.bias"], padding=1)
        found = ((found - mean) / (variance + 1e-5).sqrt() * scale + shift).clamp(min=0)
        rows, columns = found.shape[2] // 2 * 2, found.shape[3] // 2 * 2
        found = found[:, :, :rows, :columns].unflatten(3, (-1, 2)).unflatten(2, (-1, 2)).amax((3, 5))
    hidden = (found.flatten(1) @ weights["classifier.1.weight"].T + weights["classifier.1.bias"]).clamp(min=0)
    expected = hidden @ weights["classifier.3.weight"].T + weights["classifier.3.bias"]
    torch.testing.assert_close(model(images), expected)
    assert (hidden > 0).any()


def test_the_target_layer_is_the_relu_before_the_last_pooling():
    model = simple_cnn(channels=3, classes=10, size=(32, 32))
    assert isinstance(model.get_submodule(TARGET_LAYER), torch.nn.ReLU)
    assert [type(layer) for layer in model.features[11:]] == [torch.nn.MaxPool2d]


@pytest.mark.parametrize("size", [(7, 28), (28, 7)])
def test_refuses_images_of_which_pooling_leaves_nothing(size):
    with pytest.raises(ValueError, match=f"at least 8 pixels a side, got {size[0]} x {size[1]}"):
        simple_cnn(channels=1, classes=10, size=size)
