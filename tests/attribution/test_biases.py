"""What image and layers add to a logit: closed forms, the parameters' own gradients, and the sum on every network."""

import copy
import csv
import importlib

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from pipeline import loaded, weights
from pipeline.attribution import _biases
from pipeline.attribution._biases import decompose, unit_range
from pipeline.models.bayesian_mlp import bayesian_mlp
from pipeline.models.torchvision import torchvision
from pipeline.randomness import seeded

FLOAT = torch.float64


def whole(addends):
    return addends.clone()


def randomised(model):
    """Give every bias and every statistic a value of its own, so that none can be forgotten unseen."""
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.running_mean, -0.5, 0.5)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
        if isinstance(getattr(module, "bias", None), nn.Parameter):
            nn.init.uniform_(module.bias, -0.5, 0.5)
    return model.double().eval()


def summed(model, images, targets):
    """Return the logits, and what the shares sum to."""
    logits, shares = decompose(model, images, targets, whole)
    return logits, torch.stack([share.total for share in shares]).sum(0)


def assert_complete(model, images, targets):
    logits, total = summed(model, images, targets)
    assert logits.abs().min() > 1e-6
    torch.testing.assert_close(total, logits, rtol=1e-9, atol=0)


PROJECT = [
    ("simple_cnn", {}),
    ("simple_cnn_cam", {}),
    ("cifar_resnet", {"depth": 20}),
    ("cifar_resnet", {"depth": 18}),
    ("vgg_like", {}),
    ("lenet", {}),
    ("iic_mnist_cnn", {}),
    ("bayesian_mlp", {}),
    ("torchvision", {"arch": "resnet18"}),
    ("torchvision", {"arch": "squeezenet1_1"}),
    ("torchvision", {"arch": "mobilenet_v2"}),
]
GATED = [("simple_cnn_cbam", {}), ("residual_attention", {}), ("wide_attention", {})]


def project_network(name, entry):
    torch.manual_seed(5)
    build = getattr(importlib.import_module(f"pipeline.models.{name}"), name)
    return randomised(build(channels=3, classes=10, size=(32, 32), **entry))


def pictures():
    generator = torch.Generator().manual_seed(3)
    return torch.randn(2, 3, 32, 32, dtype=FLOAT, generator=generator)


@pytest.mark.parametrize(("name", "entry"), PROJECT, ids=str)
def test_on_every_piecewise_linear_network_of_the_project_the_shares_sum_to_the_logit(name, entry):
    model, images = project_network(name, entry), pictures()
    with torch.no_grad():
        predicted = model(images).argmax(1)  # another class's logit may be held at 0 by SqueezeNet's last ReLU
    assert_complete(model, images, predicted)


@pytest.mark.parametrize(("name", "entry"), GATED, ids=str)
def test_where_gates_multiply_signals_they_do_not(name, entry):
    logits, total = summed(project_network(name, entry), pictures(), torch.tensor([0, 7]))
    assert ((total - logits).abs() > 1e-4 * logits.abs()).all()


@pytest.mark.real_data
def test_on_squeezenet_with_its_own_weights_and_photographs_the_shares_sum_to_the_logit(real_data):
    root = real_data / "imagenet_val1300"
    rows = list(csv.DictReader((root / "labels_boxes.csv").read_text(encoding="utf-8").splitlines()))[::650]
    mean, std = (torch.tensor(loaded.IMAGENET[key], dtype=FLOAT).view(3, 1, 1) for key in ("mean", "std"))
    photographs = [Image.open(root / row["wnid"] / row["file"]).convert("RGB").resize((224, 224)) for row in rows]
    images = torch.stack([torch.from_numpy(np.array(each)).permute(2, 0, 1) / 255 for each in photographs])
    model = torchvision(channels=3, classes=1000, size=(224, 224), arch="squeezenet1_1")
    path = next((real_data / "weights").glob("squeezenet1_1_*.pth"))
    weights.fill(model, weights.read(path), path.name)
    assert_complete(model.double().eval(), (images - mean) / std, torch.tensor([int(row["label"]) for row in rows]))


def test_two_linear_layers_have_the_shares_that_algebra_gives(targets):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 5)).double()
    images = torch.randn(4, 1, 2, 3, dtype=FLOAT)
    _, shares = decompose(model, images, targets, whole)
    first, last = model[1], model[3]
    passed = (first(images.flatten(1)) > 0).double() * last.weight[targets]  # (N, 4): the way from there to the logit
    expected = [((passed @ first.weight) * images.flatten(1)).sum(1), passed @ first.bias, last.bias[targets]]
    assert [share.layer for share in shares] == [None, "1", "3"]
    assert [share.placed for share in shares] == [True, False, False]
    for share, total in zip(shares, expected, strict=True):
        torch.testing.assert_close(share.total, total, rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(share.folded.sum((1, 2, 3)), total, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("fixture", ["strided", "residual"])
def test_a_layers_share_is_its_constant_times_the_gradient_of_its_bias(fixture, request, images, targets):
    model = randomised(request.getfixturevalue(fixture))
    _, shares = decompose(model, images, targets, whole)
    assert len(shares) == 1 + sum(getattr(module, "bias", None) is not None for module in model.modules())
    for share in shares[1:]:
        layer = model.get_submodule(share.layer)
        constant = layer.bias
        if isinstance(layer, nn.BatchNorm2d):
            constant = layer(torch.zeros(1, layer.num_features, 1, 1, dtype=FLOAT)).flatten()
        for image in range(len(images)):
            logit = model(images[image : image + 1])[0, targets[image]]
            (slope,) = torch.autograd.grad(logit, layer.bias)
            torch.testing.assert_close(share.total[image], slope @ constant, rtol=1e-10, atol=1e-12)
            addends = share.folded[image].flatten(1).sum(1)
            torch.testing.assert_close(addends, slope * constant, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("norm", [nn.BatchNorm2d(4, affine=False), nn.BatchNorm2d(4, eps=0.3)])
def test_a_batch_norm_of_any_form_is_complete(norm, images, targets):
    torch.manual_seed(1)
    norm.running_mean.uniform_(-0.5, 0.5)
    norm.running_var.uniform_(0.5, 1.5)
    layers = [nn.Conv2d(3, 4, 3, bias=False), norm, nn.ReLU(), nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(4, 5)]
    assert_complete(nn.Sequential(*layers).double().eval(), images, targets)


@pytest.mark.parametrize("inplace", [False, True])
@pytest.mark.parametrize("activation", [nn.ReLU6, nn.Hardtanh])
def test_where_an_activation_saturates_its_level_is_its_share(activation, inplace, images, targets):
    torch.manual_seed(1)
    saturating = nn.Hardtanh(-0.3, 0.7, inplace) if activation is nn.Hardtanh else nn.ReLU6(inplace)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), saturating, nn.Flatten(), nn.Linear(96, 5))
    model = model.double().eval()
    model[1].weight.data.fill_(9)
    assert_complete(model, images, targets)
    _, shares = decompose(model, images, targets, whole)
    assert [share.layer for share in shares] == [None, "0", "1", "2", "4"]
    with torch.no_grad():
        values = model[1](model[0](images))
        clipped = values.clamp(saturating.min_val, saturating.max_val)
        expected = clipped * (clipped != values) * model[4].weight[targets].view(4, 4, 4, 6)
    torch.testing.assert_close(shares[3].folded, expected, rtol=1e-12, atol=1e-14)


def test_the_edge_of_saturation_counts_once():
    model = nn.Sequential(nn.ReLU6(), nn.Flatten(), nn.Linear(3, 1, bias=False)).double()
    model[2].weight.data.fill_(1)
    images = torch.tensor([6.0, 3.0, 0.0], dtype=FLOAT).view(1, 1, 1, 3)
    assert summed(model, images, torch.tensor([0])) == (torch.tensor([9.0]), torch.tensor([9.0]))


def test_what_overwrites_a_layers_output_changes_no_share(strided, images, targets):
    _, expected = decompose(randomised(strided), images, targets, whole)
    for module in strided.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = True
    _, found = decompose(strided, images, targets, whole)
    assert all(torch.equal(one.folded, other.folded) for one, other in zip(found, expected, strict=True))


def test_a_layer_that_runs_twice_has_two_shares(images, targets):
    torch.manual_seed(0)
    conv = nn.Conv2d(3, 3, 3, padding=1)
    model = nn.Sequential(conv, nn.ReLU(), conv, nn.ReLU(), nn.Flatten(), nn.Linear(144, 5)).double()
    assert_complete(model, images, targets)
    assert [share.layer for share in decompose(model, images, targets, whole)[1]] == [None, "0", "0", "5"]


def test_a_draw_from_a_posterior_is_decomposed_with_the_biases_drawn():
    model = bayesian_mlp(channels=3, classes=10, size=(32, 32)).double().eval()
    images, targets = pictures(), torch.tensor([0, 7])
    before = summed(model, images, targets)[0]
    with model.draw(seeded("test")):
        assert_complete(model, images, targets)
        assert not torch.equal(summed(model, images, targets)[0], before)


def test_a_layer_of_the_users_own_is_asked_what_it_answers_to_zeros(images, targets):
    class Shift(nn.Module):
        def __init__(self):
            super().__init__()
            self.by = nn.Parameter(torch.tensor([0.3, -2.0, 1.0]))

        def forward(self, features):
            return features * 2 + self.by[:, None, None]

    torch.manual_seed(0)
    model = nn.Sequential(Shift(), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5)).double()
    assert_complete(model, images, targets)


def test_how_many_images_are_worked_on_at_once_does_not_matter(residual, images, targets, monkeypatch):
    _, expected = decompose(randomised(residual), images, targets, whole)
    for most in (1, 300, 2**40):
        monkeypatch.setattr(_biases, "AT_ONCE", most)
        _, found = decompose(residual, images, targets, whole)
        for one, other in zip(found, expected, strict=True):
            torch.testing.assert_close(one.folded, other.folded, rtol=1e-12, atol=1e-14)
            torch.testing.assert_close(one.total, other.total, rtol=1e-12, atol=1e-14)


def test_frozen_or_not_nothing_but_the_gradients_is_computed_and_no_hook_stays(residual, images, targets):
    expected = summed(residual, images, targets)
    frozen = copy.deepcopy(residual).requires_grad_(False)
    assert all(map(torch.equal, summed(frozen, images, targets), expected))
    for model in (residual, frozen):
        assert all(parameter.grad is None for parameter in model.parameters())
        assert not any(module._forward_hooks or module._backward_hooks for module in model.modules())


def test_no_hook_stays_after_an_error(residual, images, targets):
    def fail(addends):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        decompose(residual, images, targets, fail)
    with pytest.raises(RuntimeError):
        decompose(residual, images[:, :2], targets, whole)
    assert not any(module._forward_hooks for module in residual.modules())


def test_half_precision_is_summed_in_single_precision(strided, images, targets):
    half = copy.deepcopy(strided).bfloat16()
    _, shares = decompose(half, images.bfloat16(), targets, whole)
    assert {share.total.dtype for share in shares} | {share.folded.dtype for share in shares} == {torch.float32}


def test_values_are_brought_to_the_unit_range_unless_they_differ_by_rounding_only():
    values = torch.tensor([[1.0, 3.0, 2.0], [5.0, 5.0, 5.0], [0.0, 0.0, 0.0], [1.0, 1.0 + 2e-16, 1.0]], dtype=FLOAT)
    expected = torch.tensor([[0.0, 1.0, 0.5], [0.0] * 3, [0.0] * 3, [0.0] * 3], dtype=FLOAT)
    assert torch.equal(unit_range(values, (1,)), expected)
    assert torch.equal(unit_range(values * 1e-200, (1,)), expected)
