"""DeepLIFT explains the whole difference from its baseline, on every network whose pieces it knows."""

import copy

import pytest
import torch
from captum.attr import DeepLift
from torch import nn

from pipeline.attribution._baselines import baseline_images
from pipeline.attribution._secants import differences
from pipeline.attribution.deep_lift import deep_lift
from pipeline.models._branches import Multiply
from pipeline.models.cifar_resnet import cifar_resnet
from pipeline.models.lenet import lenet
from pipeline.models.residual_attention import residual_attention
from pipeline.models.simple_cnn import simple_cnn
from pipeline.models.torchvision import torchvision
from pipeline.models.vgg_like import vgg_like

MEAN, STD = torch.tensor([0.5, 0.4, 0.3]), torch.tensor([0.2, 0.25, 0.3])
SMALL = {"channels": 3, "classes": 5, "size": (32, 32)}
NETWORKS = {
    "simple_cnn": lambda: simple_cnn(**SMALL),
    "lenet": lambda: lenet(**SMALL),
    "vgg_like": lambda: vgg_like(**SMALL),
    "cifar_resnet 20": lambda: cifar_resnet(**SMALL, depth=20),
    "residual_attention": lambda: residual_attention(**SMALL),
    "resnet18": lambda: torchvision(**SMALL | {"size": (64, 64)}, arch="resnet18"),
    "squeezenet1_1": lambda: torchvision(**SMALL | {"size": (64, 64)}, arch="squeezenet1_1"),
}
CLOSED = {"rtol": 1e-12, "atol": 1e-12}


def alive(model):
    """The network in float64, with batch norms that do something, and no logit that a last ReLU holds at zero."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            for values, low, high in ((module.running_mean, -0.5, 0.5), (module.running_var, 0.5, 1.5)):
                nn.init.uniform_(values, low, high)
            nn.init.uniform_(module.bias, -0.3, 0.3)
    last = [module for module in model.modules() if isinstance(module, nn.Conv2d | nn.Linear)][-1]
    nn.init.constant_(last.bias, 1.0)
    return model.double().eval()


def explain(model, images, targets, **options):
    given = {"mean": MEAN, "std": STD, "generator": torch.Generator().manual_seed(0)}
    return deep_lift(model, images, targets, **given | options)


def change(model, images, start, targets):
    with torch.no_grad():
        return (model(images) - model(start)).gather(1, targets[:, None])[:, 0]


@pytest.mark.parametrize("name", NETWORKS)
def test_the_map_adds_up_to_the_difference_from_a_baseline_that_is_not_zero(name):
    torch.manual_seed(0)
    model, size = alive(NETWORKS[name]()), 64 if name in {"resnet18", "squeezenet1_1"} else 32
    images, start = torch.randn(3, 3, size, size).double(), torch.randn(3, 3, size, size).double()
    targets = torch.tensor([0, 4, 2])
    due = change(model, images, start, targets)
    found = differences(model, images, start, targets).sum((1, 2, 3))
    assert (due.abs() > 0).all()
    assert ((found - due).abs() <= 1e-6 * due.abs()).all(), (found, due)


@pytest.mark.parametrize("baseline", ["black", "mean", "blur", "noise"])
def test_every_baseline_is_the_one_that_its_name_says(baseline, strided, images, targets):
    found = explain(strided, images, targets, baseline=baseline, blur=0.2)
    draws = torch.Generator().manual_seed(0)
    start = baseline_images(baseline, images, mean=MEAN, std=STD, blur=0.2, generator=draws)
    due = change(strided, images, start.expand_as(images), targets)
    torch.testing.assert_close(found.sum((1, 2, 3)), due, **CLOSED)
    assert due.abs().min() > 1e-4


def adjacent(pool, width=4):
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, width, 3, padding=1), nn.ReLU(), pool, nn.Conv2d(width, 6, 3, padding=1), nn.Tanh()]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(72, 8), nn.ReLU(), nn.Linear(8, 5)).double().eval()


@pytest.mark.filterwarnings("ignore::UserWarning")  # captum speaks of its hooks
def test_without_a_max_pooling_after_a_relu_it_is_captums(images, targets):
    model, start = adjacent(nn.AvgPool2d(2)), torch.randn_like(images)
    expected = DeepLift(copy.deepcopy(model)).attribute(images, start, target=targets).detach()
    torch.testing.assert_close(differences(model, images, start, targets), expected, rtol=1e-8, atol=1e-12)


@pytest.mark.filterwarnings("ignore::UserWarning")  # captum speaks of its hooks
def test_after_a_relu_captums_max_pooling_leaves_a_gap_and_this_one_none(images, targets):
    model, start = adjacent(nn.MaxPool2d(2)), torch.randn_like(images)
    due = change(model, images, start, targets)
    theirs = DeepLift(copy.deepcopy(model)).attribute(images, start, target=targets).detach().sum((1, 2, 3))
    ours = differences(model, images, start, targets).sum((1, 2, 3))
    assert (theirs - due).abs().max() > 0.01 * due.abs().max()
    torch.testing.assert_close(ours, due, **CLOSED)


POOLS = {
    "overlapping": nn.MaxPool2d(3, stride=2, padding=1),
    "dilated": nn.MaxPool2d(2, stride=1, dilation=2),
    "ceiling": nn.MaxPool2d(4, ceil_mode=True),
    "adaptive": nn.AdaptiveMaxPool2d((2, 3)),
}


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("name", POOLS)
def test_every_max_pooling_adds_up_image_by_image(name, layout, images, targets):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(), POOLS[name], nn.Flatten(), nn.LazyLinear(5)).double()
    model(images)
    start = torch.randn_like(images[:1])
    found = differences(model, images.to(memory_format=layout), start, targets)
    due = change(model, images, start.expand_as(images), targets)
    torch.testing.assert_close(found.sum((1, 2, 3)), due, **CLOSED)


def test_a_rise_goes_to_the_images_maximum_and_a_fall_to_the_baselines():
    model = nn.Sequential(nn.MaxPool2d(2), nn.Flatten(), nn.Linear(1, 1, bias=False)).double()
    nn.init.constant_(model[2].weight, 3.0)
    images = torch.tensor([[[[5.0, 1.0], [0.0, 0.0]]], [[[1.0, 0.0], [0.0, 0.0]]]]).double()
    start = torch.tensor([[[[2.0, 3.0], [0.0, 0.0]]]]).double()
    found = differences(model, images, start, torch.tensor([0, 0]))
    expected = torch.tensor([[[[6.0, 0.0], [0.0, 0.0]]], [[[0.0, -6.0], [0.0, 0.0]]]]).double()
    torch.testing.assert_close(found, expected)


def rescale_by_hand(function, weights, heads, image, start):
    """Contributions of the inputs of heads @ function(weights @ x) from the paper's equations, one unit at a time."""
    before, after = weights @ start, weights @ image
    multipliers = (function(after) - function(before)) / (after - before)
    return (image - start) * ((heads * multipliers) @ weights)


@pytest.mark.parametrize("function", [nn.ReLU(), nn.Sigmoid(), nn.Tanh(), nn.SiLU(), nn.ReLU6(), nn.LeakyReLU(0.1)])
def test_elementwise_activations_have_the_rescale_rule(function):
    torch.manual_seed(1)
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 7, bias=False), function, nn.Linear(7, 3)).double()
    images, start = torch.randn(1, 3, 2, 2).double(), torch.randn(1, 3, 2, 2).double()
    weights, heads = model[1].weight.detach(), model[3].weight.detach()[2]
    expected = rescale_by_hand(function, weights, heads, images.flatten(), start.flatten()).view_as(images)
    torch.testing.assert_close(differences(model, images, start, torch.tensor([2])), expected, **CLOSED)


@pytest.mark.parametrize("function", [nn.ReLU(), nn.Sigmoid(), nn.GELU(), nn.LeakyReLU(0.1)])
def test_where_an_activation_is_given_what_it_was_given_on_the_baseline_its_derivative_counts(function):
    model = nn.Sequential(nn.Flatten(), nn.Linear(2, 1, bias=False), function).double()
    model[1].weight.data = torch.tensor([[1.0, 2.0]]).double()
    images, start = torch.tensor([[[[1.0, 0.5]]]]).double(), torch.tensor([[[[0.0, 1.0]]]]).double()
    place = torch.tensor(2.0).double().requires_grad_()
    (slope,) = torch.autograd.grad(function(place), place)
    expected = torch.stack([slope, -slope]).view(1, 1, 1, 2)
    torch.testing.assert_close(differences(model, images, start, torch.tensor([0])), expected, **CLOSED)


class Gated(nn.Module):
    def __init__(self):
        super().__init__()
        self.signal, self.gate, self.sigmoid = nn.Linear(4, 3), nn.Linear(4, 3), nn.Sigmoid()
        self.multiply, self.flatten = Multiply(), nn.Flatten()

    def forward(self, images):
        flat = self.flatten(images)
        return self.multiply(self.signal(flat), self.sigmoid(self.gate(flat)))


def test_a_gate_and_its_signal_share_a_product_evenly():
    torch.manual_seed(0)
    model = Gated().double()
    images, start = torch.randn(2, 1, 2, 2).double(), torch.randn(2, 1, 2, 2).double()
    targets, rows = torch.tensor([0, 2]), torch.arange(2)
    found = differences(model, images, start, targets).flatten(1)
    with torch.no_grad():
        signals, raw = (
            [layer(x.flatten(1))[rows, targets, None] for x in (images, start)] for layer in (model.signal, model.gate)
        )
        gates = [each.sigmoid() for each in raw]
        slope = (gates[0] - gates[1]) / (raw[0] - raw[1])
        by_signal = (gates[0] + gates[1]) / 2 * model.signal.weight[targets]
        by_gate = (signals[0] + signals[1]) / 2 * slope * model.gate.weight[targets]
        expected = (images - start).flatten(1) * (by_signal + by_gate)
    torch.testing.assert_close(found, expected, **CLOSED)
    torch.testing.assert_close(found.sum(1), change(model, images, start, targets), **CLOSED)


def test_a_shared_pooling_and_an_activation_in_place_do_no_harm(images, targets):
    torch.manual_seed(0)
    pool = nn.MaxPool2d(2, stride=1)
    layers = [nn.Conv2d(3, 4, 1), nn.ReLU(inplace=True), pool, nn.Conv2d(4, 4, 1), nn.ReLU(inplace=True), pool]
    model = nn.Sequential(*layers, nn.Flatten(), nn.Linear(96, 5)).double()
    start = torch.randn_like(images[:1])
    found = differences(model, images, start, targets).sum((1, 2, 3))
    torch.testing.assert_close(found, change(model, images, start.expand_as(images), targets), **CLOSED)
    assert model[1].inplace


def test_two_forwards_the_baselines_of_one_image_where_it_is_common_and_one_backward(
    counted, strided, images, targets, monkeypatch
):
    calls, grad = [], torch.autograd.grad
    monkeypatch.setattr(torch.autograd, "grad", lambda to, at, *rest: calls.append(at.shape) or grad(to, at, *rest))
    model = counted(strided)
    for baseline, first in (("black", 1), ("mean", 1), ("noise", 1), ("blur", 4)):
        model.batches.clear()
        calls.clear()
        explain(model, images, targets, baseline=baseline)
        assert model.batches == [first, 4]
        assert calls == [images.shape]


def test_where_a_maximum_is_the_baselines_in_value_and_place_the_pooling_passes_its_gradient():
    layers = [nn.Conv2d(1, 1, (1, 2), stride=(1, 2), bias=False), nn.MaxPool2d((1, 2)), nn.Flatten()]
    model = nn.Sequential(*layers).double()
    nn.init.ones_(model[0].weight)
    images, start = (torch.tensor([[[row]]], dtype=torch.float64) for row in ([1.0, 0, 0, 0], [0, 1.0, 0, 0]))
    expected = torch.tensor([[[[1.0, -1.0, 0.0, 0.0]]]], dtype=torch.float64)
    torch.testing.assert_close(differences(model, images, start, torch.tensor([0])), expected)
