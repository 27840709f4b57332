"""Which networks a method refuses, and what it says."""

import pytest
import torch
from torch import nn

from pipeline.attribution._requirements import global_average_pooling, target_layer


class Pair(nn.Module):
    def forward(self, features):
        return features, features


class First(nn.Module):
    def forward(self, pair):
        return pair[0]


class Shared(nn.Module):
    """Uses one activation twice, another one never."""

    def __init__(self):
        super().__init__()
        self.conv, self.relu, self.spare = nn.Conv2d(3, 3, 1), nn.ReLU(), nn.ReLU()

    def forward(self, images):
        return self.relu(self.conv(self.relu(images))).mean((2, 3))


def pooling(pool, channels=4, classes=5):
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, channels, 3, padding=1), nn.ReLU(), nn.Conv2d(channels, channels, 1), nn.ReLU(), *pool]
    return nn.Sequential(*layers, nn.Linear(channels, classes)).double().eval()


AVERAGE = [nn.AdaptiveAvgPool2d(1), nn.Flatten()]


@pytest.mark.parametrize("require", [target_layer, global_average_pooling])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("pool", [AVERAGE, [*AVERAGE, nn.Dropout()], [nn.AvgPool2d((6, 8)), nn.Flatten()]])
def test_a_network_with_global_average_pooling_is_accepted(require, dtype, pool, images):
    assert require(pooling(pool).to(dtype), images.to(dtype), "3") is None


@pytest.mark.parametrize("require", [target_layer, global_average_pooling])
def test_a_network_without_a_target_layer_is_refused(require, pooled, images):
    assert require(pooled, images, None) == "the network states no target layer"


@pytest.mark.parametrize("require", [target_layer, global_average_pooling])
def test_an_unknown_layer_is_refused_with_the_names_there_are(require, pooled, images):
    assert require(pooled, images, "9") == "the network has no layer '9'; it has 0, 1, 2, 3, 4, 5, 6"


@pytest.mark.parametrize("require", [target_layer, global_average_pooling])
def test_a_layer_without_feature_maps_is_refused(require, pooled, images):
    assert "'5' gives [(4, 6)] in one forward" in require(pooled, images, "5")


@pytest.mark.parametrize(("layer", "given"), [("relu", "[(4, 3, 6, 8), (4, 3, 6, 8)]"), ("spare", "no tensor")])
def test_a_layer_that_does_not_run_exactly_once_is_refused(layer, given, images):
    assert f"'{layer}' gives {given} in one forward" in target_layer(Shared().double(), images, layer)


def test_a_layer_that_gives_no_tensor_is_refused(images):
    model = nn.Sequential(nn.Conv2d(3, 2, 1), Pair(), First(), *AVERAGE, nn.Linear(2, 2)).double()
    assert "'1' gives no tensor" in target_layer(model, images, "1")
    assert target_layer(model, images, "2") is None


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_another_pooling_is_refused_by_number(dtype, images):
    model = pooling([nn.AdaptiveMaxPool2d(1), nn.Flatten()]).to(dtype)
    assert "the logits differ by" in global_average_pooling(model, images.to(dtype), "3")
    assert target_layer(model, images.to(dtype), "3") is None


def test_an_earlier_layer_with_as_many_channels_is_refused(images):
    assert "the logits differ by" in global_average_pooling(pooling(AVERAGE), images, "1")


def test_an_activation_after_the_pooling_is_refused(images):
    assert "the logits differ by" in global_average_pooling(pooling([*AVERAGE, nn.Tanh()]), images, "3")


def test_a_flattened_head_is_refused(strided, images):
    assert "does not lead from the channels of layer '5'" in global_average_pooling(strided, images, "5")


def test_a_network_without_a_linear_layer_is_refused(pooled, images):
    assert global_average_pooling(pooled[:4].append(nn.Flatten()), images, "3") == "the network has no linear layer"


def test_a_network_that_gives_nan_is_refused(pooled, images):
    nn.init.constant_(pooled[6].bias, float("nan"))
    assert "differ by nan" in global_average_pooling(pooled, images, "3")


def test_the_networks_own_errors_are_not_taken_for_a_refusal(pooled, images):
    def fail(*_):
        raise ValueError("out of order")

    pooled[6].register_forward_pre_hook(fail)
    with pytest.raises(ValueError, match="out of order"):
        target_layer(pooled, images, "3")
    assert not any(module._forward_hooks for module in pooled.modules())


def test_asking_builds_no_graph_and_leaves_no_hook(pooled, images):
    modes = []
    handle = pooled[0].register_forward_pre_hook(lambda *_: modes.append(torch.is_grad_enabled()))
    global_average_pooling(pooled, images, "3")
    handle.remove()
    assert modes
    assert not any(modes)
    assert not any(module._forward_hooks for module in pooled.modules())
    assert all(parameter.grad is None and parameter.requires_grad for parameter in pooled.parameters())
    assert not images.requires_grad
