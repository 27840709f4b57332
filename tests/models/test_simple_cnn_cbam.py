"""CBAM against its published size, a computation from equations 2 and 3, and what WhiteBox's ReLU does to the gate."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from pipeline.models.simple_cnn import simple_cnn
from pipeline.models.simple_cnn_cbam import TARGET_LAYER, simple_cnn_cbam

UNUSED = 1_290  # WhiteBox counts a linear layer 128 -> 10 that it never calls


def parameters(model):
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize(("channels", "side", "published"), [(3, 32, 2_206_641), (1, 28, 1_288_561)])
def test_the_number_of_parameters_is_the_published_one_less_what_is_never_used(channels, side, published):
    shape = {"channels": channels, "classes": 10, "size": (side, side)}
    assert parameters(simple_cnn_cbam(**shape, spatial_relu=True)) == published - UNUSED
    assert parameters(simple_cnn_cbam(**shape)) == published - UNUSED - 3 * 2  # less three batch norms of one channel
    assert parameters(simple_cnn_cbam(**shape, spatial_relu=True)) - parameters(simple_cnn(**shape)) == 3_229


def attended(features, weights, relu):
    """CBAM's equations 1 to 3, one image and one pooled vector at a time."""
    first, second = ((weights[f"channel.mlp.{i}.weight"], weights[f"channel.mlp.{i}.bias"]) for i in (0, 2))

    def mlp(vector):
        return (vector @ first[0].T + first[1]).clamp(min=0) @ second[0].T + second[1]

    found = []
    for image in features:
        image = image / (1 + torch.exp(-mlp(image.mean((1, 2))) - mlp(image.flatten(1).max(1)[0])))[:, None, None]
        pooled = torch.stack([image.max(0)[0], image.mean(0)])
        scores = F.conv2d(pooled[None], weights["spatial.conv.weight"], weights["spatial.conv.bias"], padding=3)[0]
        if relu:
            mean, var, scale, shift = (
                weights[f"spatial.rectify.0.{part}"] for part in ("running_mean", "running_var", "weight", "bias")
            )
            scores = ((scores - mean) / (var + 1e-5).sqrt() * scale + shift).clamp(min=0)
        found.append(image / (1 + torch.exp(-scores)))
    return torch.stack(found)


@pytest.mark.parametrize("relu", [False, True])
def test_features_follow_from_the_weights_by_the_formulas(relu):
    torch.manual_seed(0)
    model = simple_cnn_cbam(channels=2, classes=4, size=(9, 17), spatial_relu=relu).double()
    images = torch.randn(3, 2, 9, 17, dtype=torch.float64)
    model.train()(images + 1)  # the running statistics leave 0 and 1
    weights = model.eval().state_dict()
    found = images
    for stage in range(0, 15, 5):
        gates = {key.removeprefix(f"features.{stage + 1}."): value for key, value in weights.items()}
        found = F.conv2d(found, weights[f"features.{stage}.weight"], weights[f"features.{stage}.bias"], padding=1)
        norm = [weights[f"features.{stage + 2}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")]
        found = F.max_pool2d(F.batch_norm(attended(found, gates, relu), *norm).clamp(min=0), 2)
    torch.testing.assert_close(model.features(images), found)


def test_the_relu_holds_the_spatial_gate_at_one_half_or_more():
    torch.manual_seed(0)
    shape = {"channels": 3, "classes": 4, "size": (16, 16)}
    lowest = {}
    for relu in (False, True):
        model, gates = simple_cnn_cbam(**shape, spatial_relu=relu), []
        model.features[1].spatial.sigmoid.register_forward_hook(lambda *given, kept=gates: kept.append(given[-1]))
        model(torch.randn(8, 3, 16, 16))
        lowest[relu] = gates[0].min().item()
    assert lowest[True] == 0.5
    assert lowest[False] < 0.5


def test_the_target_layer_is_the_relu_before_the_last_pooling():
    model = simple_cnn_cbam(channels=3, classes=10, size=(32, 32))
    assert isinstance(model.get_submodule(TARGET_LAYER), nn.ReLU)
    assert [type(layer) for layer in model.features[14:]] == [nn.MaxPool2d]


@pytest.mark.parametrize("size", [(7, 28), (28, 7)])
def test_refuses_images_of_which_pooling_leaves_nothing(size):
    with pytest.raises(ValueError, match=f"at least 8 pixels a side, got {size[0]} x {size[1]}"):
        simple_cnn_cbam(channels=1, classes=10, size=size)
