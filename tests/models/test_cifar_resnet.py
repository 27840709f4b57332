"""Residual networks against their published sizes, the formulas, and the names of the pretrained weights."""

from collections import Counter

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from pipeline.models.cifar_resnet import TARGET_LAYER, cifar_resnet


def parameters(model):
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize(
    ("depth", "expected"), [(18, 11_173_962), (20, 269_722), (32, 464_154), (44, 658_586), (56, 853_018)]
)
def test_the_number_of_parameters_is_the_published_one(depth, expected):
    first = 64 if depth == 18 else 16
    assert parameters(cifar_resnet(channels=3, classes=10, size=(32, 32), depth=depth)) == expected
    assert parameters(cifar_resnet(channels=1, classes=10, size=(28, 28), depth=depth)) == expected - 2 * 9 * first


@pytest.mark.parametrize("depth", [18, 20, 32, 44, 56])
def test_the_depth_counts_the_layers_with_weights(depth):
    model = cifar_resnet(channels=3, classes=10, size=(32, 32), depth=depth)
    layers = Counter(type(layer) for name, layer in model.named_modules() if "shortcut" not in name)
    assert layers[nn.Conv2d] + layers[nn.Linear] == depth
    assert layers[nn.ReLU] == layers[nn.Conv2d]


def widened(features, channels):
    """Option A: every second row and column; the new channels, half on either side, are 0."""
    kept = features[:, :, torch.arange(0, features.shape[2], 2)][:, :, :, torch.arange(0, features.shape[3], 2)]
    zeros = torch.zeros(len(kept), channels, *kept.shape[2:], dtype=kept.dtype)
    return torch.cat([zeros, kept, zeros], 1)


@pytest.mark.parametrize(("depth", "blocks"), [(18, (2, 2, 2, 2)), (20, (3, 3, 3))])
def test_logits_follow_from_the_weights_by_the_formulas(depth, blocks):
    torch.manual_seed(0)
    model = cifar_resnet(channels=2, classes=4, size=(13, 18), depth=depth).double()
    images = torch.randn(3, 2, 13, 18, dtype=torch.float64)
    model.train()(images + 1)  # the running statistics leave 0 and 1
    weights = model.eval().state_dict()

    def normed(features, conv, norm, stride=1):
        weight = weights[f"{conv}.weight"]
        found = F.conv2d(features, weight, stride=stride, padding=weight.shape[2] // 2)
        return F.batch_norm(
            found, *(weights[f"{norm}.{part}"] for part in ("running_mean", "running_var", "weight", "bias"))
        )

    found = normed(images, "conv1", "bn1").relu()
    for stage, count in enumerate(blocks, 1):
        for block in range(count):
            name, stride = f"layer{stage}.{block}", 2 if stage > 1 and block == 0 else 1
            branch = normed(found, f"{name}.conv1", f"{name}.bn1", stride).relu()
            branch = normed(branch, f"{name}.conv2", f"{name}.bn2")
            if stride == 2 and depth == 18:
                found = normed(found, f"{name}.shortcut.0", f"{name}.shortcut.1", 2)
            elif stride == 2:
                found = widened(found, found.shape[1] // 2)
            found = (branch + found).relu()
    expected = found.mean((2, 3)) @ weights["linear.weight"].T + weights["linear.bias"]
    torch.testing.assert_close(model(images), expected)


@pytest.mark.parametrize("depth", [18, 20])
def test_the_target_layer_is_the_relu_before_the_global_pooling(depth):
    model = cifar_resnet(channels=3, classes=10, size=(32, 32), depth=depth)
    names = [name for name, _ in model.named_children()]
    assert isinstance(model.get_submodule(TARGET_LAYER), nn.ReLU)
    assert names[names.index(TARGET_LAYER) + 1 :] == ["pool", "flatten", "linear"]


def test_convolutions_begin_with_the_variance_that_keeps_rectified_signals():
    torch.manual_seed(0)
    weight = cifar_resnet(channels=3, classes=10, size=(32, 32)).get_parameter("layer4.1.conv1.weight")
    assert weight.std().item() == pytest.approx((2 / (9 * 512)) ** 0.5, rel=0.01)


@pytest.mark.real_data
@pytest.mark.parametrize("depth", [20, 56])
def test_the_pretrained_weights_fit(real_data, depth):
    (path,) = (real_data / "weights").glob(f"cifar10_resnet{depth}-*.th")
    state = torch.load(path, map_location="cpu", weights_only=True)["state_dict"]
    expected = cifar_resnet(channels=3, classes=10, size=(32, 32), depth=depth).state_dict()
    found = {key.removeprefix("module."): value.shape for key, value in state.items()}
    assert found == {key: value.shape for key, value in expected.items() if not key.endswith("num_batches_tracked")}
