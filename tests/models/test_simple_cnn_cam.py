"""SimpleCNN with global pooling: its size, and what it is for, an exact class activation map."""

import pytest
import torch

from pipeline.models.simple_cnn import simple_cnn
from pipeline.models.simple_cnn_cam import TARGET_LAYER, simple_cnn_cam


@pytest.mark.parametrize(("channels", "side", "expected"), [(3, 32, 94_986), (1, 28, 94_410)])
def test_the_number_of_parameters_is_that_of_the_active_network(channels, side, expected):
    model = simple_cnn_cam(channels=channels, classes=10, size=(side, side))
    assert sum(parameter.numel() for parameter in model.parameters()) == expected


def class_activation_maps(model, images, layer):
    """(N, K, h, w): the features of ``layer`` weighted with the linear layer's weights."""
    kept = []
    handle = model.get_submodule(layer).register_forward_hook(lambda _module, _inputs, output: kept.append(output))
    logits = model(images)
    handle.remove()
    return torch.einsum("kc,nchw->nkhw", model.classifier[2].weight, kept[0]), logits - model.classifier[2].bias


def test_the_map_of_the_target_layer_averages_to_the_logit_less_its_bias():
    torch.manual_seed(0)
    model = simple_cnn_cam(channels=3, classes=5, size=(24, 16)).double().eval()
    images = torch.randn(4, 3, 24, 16, dtype=torch.float64)
    maps, logits = class_activation_maps(model, images, TARGET_LAYER)
    torch.testing.assert_close(maps.mean((2, 3)), logits)
    before_pooling, _ = class_activation_maps(model, images, "features.10")
    assert ((before_pooling.mean((2, 3)) - logits).abs() > 1e-3).any()


def test_its_features_are_those_of_simple_cnn():
    shape = {"channels": 3, "classes": 10, "size": (32, 32)}
    assert str(simple_cnn_cam(**shape).features) == str(simple_cnn(**shape).features)


@pytest.mark.parametrize("size", [(7, 28), (28, 7)])
def test_refuses_images_of_which_pooling_leaves_nothing(size):
    with pytest.raises(ValueError, match=f"at least 8 pixels a side, got {size[0]} x {size[1]}"):
        simple_cnn_cam(channels=1, classes=10, size=size)
