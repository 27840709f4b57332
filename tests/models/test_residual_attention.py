"""Residual attention: its size, the arithmetic of its units and modules, and the sides of its masks."""

from collections import Counter

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from pipeline.models.residual_attention import TARGET_LAYER, Attention, Mask, Unit, residual_attention


def parameters(model):
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize(("depth", "expected", "published"), [(56, 29_353_162, 31.9e6), (92, 49_723_594, 51.3e6)])
def test_the_number_of_parameters_is_near_the_published_one(depth, expected, published):
    with torch.device("meta"):
        small = residual_attention(channels=3, classes=10, size=(32, 32), depth=depth)
        grey = residual_attention(channels=1, classes=10, size=(28, 28), depth=depth)
    assert parameters(small) == expected
    assert parameters(grey) == expected - 2 * 25 * 64
    # The paper's networks are for ImageNet: 1,000 classes; table 2 counts 31.9 and 51.3 millions.
    assert expected + 990 * 2049 == pytest.approx(published, rel=0.02)


@pytest.mark.parametrize(("depth", "modules"), [(56, (1, 1, 1)), (92, (1, 2, 3))])
def test_stages_have_the_attention_modules_of_table_2_and_units_of_their_own(depth, modules):
    with torch.device("meta"):
        model = residual_attention(channels=3, classes=10, size=(32, 32), depth=depth)
    for stage, expected in enumerate(modules, 1):
        kinds = Counter(type(part) for part in model.get_submodule(f"stage{stage}").children())
        assert kinds == {Unit: 1, Attention: expected}
    # Layers with weights along the trunk: stem, three in each unit (before, two of the trunk, after), linear layer.
    units = sum(modules) * 4 + 6
    assert 1 + 3 * units + 1 == depth
    masks = [mask for mask in model.modules() if isinstance(mask, Mask)]
    assert [sum(isinstance(part, Unit) for part in mask.modules()) for mask in masks] == [6] * modules[0] + [
        4
    ] * modules[1] + [2] * modules[2]
    projections = [name for name, part in model.named_modules() if name.endswith("projection")]
    assert projections == [f"stage{stage}.0.projection" for stage in (1, 2, 3, 4)]


@pytest.mark.parametrize(("inputs", "stride"), [(8, 1), (4, 1), (4, 2)])
def test_a_unit_adds_its_branch_to_its_shortcut(inputs, stride):
    torch.manual_seed(0)
    unit = Unit(inputs, 8, stride).double().eval()
    features = torch.randn(2, inputs, 5, 6, dtype=torch.float64)
    weights = unit.state_dict()
    entered = (features / (1 + 1e-5) ** 0.5).clamp(min=0)
    found = F.conv2d(entered, weights["branch.0.weight"]) / (1 + 1e-5) ** 0.5
    found = F.conv2d(found.clamp(min=0), weights["branch.3.weight"], stride=stride, padding=1) / (1 + 1e-5) ** 0.5
    found = F.conv2d(found.clamp(min=0), weights["branch.6.weight"])
    shortcut = features
    if inputs != 8:
        shortcut = F.conv2d(entered[:, :, ::stride, ::stride], weights["projection.weight"])
    torch.testing.assert_close(unit(features), found + shortcut)


@pytest.mark.parametrize("skips", [0, 1, 2])
def test_a_mask_goes_down_and_up_by_the_exact_sides(skips):
    torch.manual_seed(0)
    mask = Mask(8, skips).double().eval()
    features = torch.randn(2, 8, 13, 7, dtype=torch.float64)
    kept = [features]
    for unit in mask.down:
        kept.append(unit(F.max_pool2d(kept[-1], 2, ceil_mode=True)))
    found = mask.bottom(F.max_pool2d(kept[-1], 2, ceil_mode=True))
    assert found.shape[2:] == [(7, 4), (4, 2), (2, 1)][skips]
    for unit, skip in zip(mask.up, reversed(kept[1:]), strict=True):
        found = unit(F.interpolate(found, skip.shape[2:], mode="bilinear") + skip)
    found = F.interpolate(found, (13, 7), mode="bilinear")
    for layer in mask.answer[:2]:
        found = F.conv2d(found, layer.weight, layer.bias)
    torch.testing.assert_close(mask(features), 1 / (1 + torch.exp(-found)))


def test_attention_multiplies_the_trunk_by_one_plus_the_mask():
    torch.manual_seed(0)
    module = Attention(8, 1).double().eval()
    features = torch.randn(2, 8, 8, 8, dtype=torch.float64)
    entered = module.before(features)
    expected = module.after((1 + module.mask(entered)) * module.trunk(entered))
    torch.testing.assert_close(module(features), expected)


def test_the_target_layer_is_the_relu_before_the_global_pooling():
    with torch.device("meta"):
        model = residual_attention(channels=3, classes=10, size=(32, 32))
    names = [name for name, _ in model.named_children()]
    assert isinstance(model.get_submodule(TARGET_LAYER), nn.ReLU)
    assert names[names.index(TARGET_LAYER) + 1 :] == ["classifier"]
