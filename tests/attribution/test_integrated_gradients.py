"""Integrated Gradients against closed forms, captum and the axiom of completeness."""

import functools

import pytest
import torch
from captum.attr import IntegratedGradients
from torch import nn

from pipeline.attribution.input_x_gradient import input_x_gradient
from pipeline.attribution.integrated_gradients import integrated_gradients as unbound

MEAN, STD = (torch.tensor(values, dtype=torch.float64) for values in ([0.5, 0.4, 0.3], [0.25, 0.2, 0.1]))
BLACK = torch.tensor([-2.0, -2.0, -3.0]).double().view(1, 3, 1, 1)  # (0 - mean) / std
integrated_gradients = functools.partial(unbound, mean=MEAN, std=STD)


class Cubic(nn.Module):
    """Logits a_k * sum(x ** 3), whose exact integrated gradients from b are a_k * (x ** 3 - b ** 3)."""

    a = torch.tensor([1.0, -2.0, 0.5, 3.0, -1.0], dtype=torch.float64)

    def forward(self, images):
        return (images**3).flatten(1).sum(1)[:, None] * self.a


@pytest.mark.parametrize(("baseline", "start"), [("mean", 0.0), ("black", BLACK)])
def test_exact_on_a_linear_network_with_one_step(baseline, start, images, targets):
    linear = nn.Sequential(nn.Flatten(), nn.Linear(144, 5)).double()
    expected = linear[1].weight[targets].view_as(images) * (images - start)
    found = integrated_gradients(linear, images, targets, baseline=baseline, steps=1)
    torch.testing.assert_close(found, expected.detach(), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(("baseline", "start"), [("mean", torch.zeros(())), ("black", BLACK)])
def test_error_on_a_cubic_falls_as_the_square_of_the_step(baseline, start, images, targets):
    exact = Cubic.a[targets].view(-1, 1, 1, 1) * (images**3 - start**3)
    maps = [integrated_gradients(Cubic(), images, targets, baseline=baseline, steps=n) for n in (8, 16, 32)]
    errors = [(found - exact).abs().max().item() for found in maps]
    assert errors[0] < 0.1 * exact.abs().max()
    assert errors[0] / errors[1] == pytest.approx(4, rel=1e-6)
    assert errors[1] / errors[2] == pytest.approx(4, rel=1e-6)


@pytest.mark.parametrize(("baseline", "start"), [("mean", 0.0), ("black", BLACK)])
def test_maps_add_up_to_the_change_of_the_logit(baseline, start, pooled, images, targets):
    smooth = nn.Sequential(*(nn.Tanh() if isinstance(module, nn.ReLU) else module for module in pooled))
    maps = integrated_gradients(smooth, images, targets, baseline=baseline, steps=512)
    change = (smooth(images) - smooth(torch.zeros_like(images) + start)).gather(1, targets[:, None]).squeeze(1)
    torch.testing.assert_close(maps.sum((1, 2, 3)), change.detach(), rtol=0, atol=1e-6)


@pytest.mark.parametrize(("baseline", "start"), [("mean", 0.0), ("black", BLACK)])
def test_agrees_with_captums_midpoint_rule(baseline, start, strided, images, targets):
    reference = IntegratedGradients(strided)
    expected = reference.attribute(
        images, torch.zeros_like(images) + start, targets, n_steps=8, method="riemann_middle"
    ).detach()
    found = integrated_gradients(strided, images, targets, baseline=baseline, steps=8)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)


def test_is_input_x_gradient_where_a_network_is_homogeneous(images, targets):
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 4, 3, bias=False), nn.ReLU(), nn.Flatten(), nn.Linear(96, 5, bias=False)]
    model = nn.Sequential(*layers).double()
    found = integrated_gradients(model, images, targets, steps=3)
    torch.testing.assert_close(found, input_x_gradient(model, images, targets), rtol=1e-12, atol=1e-15)


def test_an_image_of_the_baseline_has_an_empty_map(strided, images, targets):
    black = torch.zeros_like(images) + BLACK
    found = integrated_gradients(strided, black, targets, baseline="black", steps=2)
    torch.testing.assert_close(found, torch.zeros_like(images), rtol=0, atol=1e-15)
    assert not integrated_gradients(strided, 0 * images, targets, steps=2).any()


def test_evaluates_as_often_as_there_are_steps_with_one_batch_in_memory(counted, strided, images, targets):
    model = counted(strided)
    integrated_gradients(model, images, targets, steps=6)
    assert model.batches == [4] * 6


def test_the_defaults_are_32_steps_from_the_mean_colour(counted, strided, images, targets):
    model = counted(strided)
    found = integrated_gradients(model, images, targets)
    assert len(model.batches) == 32
    assert torch.equal(found, integrated_gradients(strided, images, targets, steps=32, baseline="mean"))


def test_many_steps_do_not_round_away_in_half_precision(images, targets):
    linear = nn.Sequential(nn.Flatten(), nn.Linear(144, 5)).bfloat16()
    few, many = (integrated_gradients(linear, images.bfloat16(), targets, steps=n) for n in (1, 600))
    torch.testing.assert_close(many, few, rtol=0.01, atol=0)
