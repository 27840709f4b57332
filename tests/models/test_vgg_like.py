"""IIC's CIFAR-10 network against its published sizes, the published order of its layers, and the formulas."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from pipeline.models.vgg_like import TARGET_LAYER, vgg_like


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return vgg_like(channels=3, classes=10, size=(32, 32))


def parameters(model):
    return sum(parameter.numel() for parameter in model.parameters())


def test_the_numbers_of_parameters_are_the_published_ones(model):
    running = sum(value.numel() for key, value in model.named_buffers() if "running" in key)
    assert parameters(model) == 14_991_946
    assert parameters(model) + running == 15_001_418
    assert parameters(vgg_like(channels=1, classes=10, size=(28, 28))) == 14_990_794


def test_the_order_of_the_layers_is_the_published_one(model):
    kinds = {
        nn.Conv2d: "C",
        nn.ReLU: "R",
        nn.BatchNorm2d: "B",
        nn.BatchNorm1d: "B",
        nn.MaxPool2d: "P",
        nn.Linear: "L",
        nn.Flatten: "",
    }
    leaves = [part for part in model.modules() if not list(part.children())]
    found = " ".join(kinds.get(type(part)) or str(part.p) for part in leaves if not isinstance(part, nn.Flatten))
    deep = "C R B 0.4 C R B 0.4 C R B P"
    assert found == f"C R B 0.3 C R B P C R B 0.4 C R B P {deep} {deep} {deep} 0.5 L R B 0.5 L"


def test_logits_follow_from_the_weights_by_the_formulas():
    torch.manual_seed(0)
    model = vgg_like(channels=2, classes=4, size=(9, 35)).double()
    images = torch.randn(3, 2, 9, 35, dtype=torch.float64)
    model.train()(images + 1)  # the running statistics leave 0 and 1
    weights = model.eval().state_dict()
    norm = ("running_mean", "running_var", "weight", "bias")
    found = images
    for block in range(1, 6):
        for conv in range(1, 3 if block < 3 else 4):
            name = f"features.block{block}.conv{conv}"
            found = F.conv2d(found, weights[f"{name}.0.weight"], weights[f"{name}.0.bias"], padding=1).clamp(min=0)
            found = F.batch_norm(found, *(weights[f"{name}.2.{part}"] for part in norm))
        found = F.max_pool2d(F.pad(found, (0, found.shape[3] % 2, 0, found.shape[2] % 2), value=-torch.inf), 2)
    found = (found.flatten(1) @ weights["classifier.2.weight"].T + weights["classifier.2.bias"]).clamp(min=0)
    found = F.batch_norm(found, *(weights[f"classifier.4.{part}"] for part in norm))
    torch.testing.assert_close(model(images), found @ weights["classifier.6.weight"].T + weights["classifier.6.bias"])


def test_the_target_layer_is_the_last_relu_before_the_last_pooling(model):
    relus = [name for name, part in model.features.named_modules(prefix="features") if isinstance(part, nn.ReLU)]
    assert relus[-1] == TARGET_LAYER
