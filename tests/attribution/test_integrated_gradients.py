"""Integrated Gradients against closed forms, captum and the axiom of completeness."""

import csv

import numpy as np
import pytest
import torch
from captum.attr import IntegratedGradients
from PIL import Image
from torch import nn

from pipeline import loaded, weights
from pipeline.attribution._baselines import baseline_images
from pipeline.attribution.input_x_gradient import input_x_gradient
from pipeline.attribution.integrated_gradients import integrated_gradients
from pipeline.models.torchvision import torchvision
from pipeline.randomness import seeded

MEAN, STD = (torch.tensor(values, dtype=torch.float64) for values in ([0.5, 0.4, 0.3], [0.25, 0.2, 0.1]))
BLACK = torch.tensor([-2.0, -2.0, -3.0]).double().view(1, 3, 1, 1)  # (0 - mean) / std
BASELINES = pytest.mark.parametrize("baseline", ["black", "mean", "blur", "noise"])


def run(model, images, targets, seed=0, **parameters):
    return integrated_gradients(model, images, targets, mean=MEAN, std=STD, generator=seeded(seed), **parameters)


def maps(*arguments, **parameters):
    return run(*arguments, **parameters)["maps"]


def start_of(baseline, images, blur=0.1):
    return baseline_images(baseline, images, mean=MEAN, std=STD, blur=blur, generator=seeded(0))


def smooth(model):
    return nn.Sequential(*(nn.Tanh() if isinstance(module, nn.ReLU) else module for module in model))


class Cubic(nn.Module):
    """Logits a_k * sum(x ** 3), whose exact integrated gradients from b are a_k * (x ** 3 - b ** 3)."""

    a = torch.tensor([1.0, -2.0, 0.5, 3.0, -1.0], dtype=torch.float64)

    def forward(self, images):
        return (images**3).flatten(1).sum(1)[:, None] * self.a


@BASELINES
def test_exact_on_a_linear_network_with_one_step(baseline, images, targets):
    linear = nn.Sequential(nn.Flatten(), nn.Linear(144, 5)).double()
    expected = linear[1].weight[targets].view_as(images) * (images - start_of(baseline, images))
    found = run(linear, images, targets, baseline=baseline, steps=1)
    torch.testing.assert_close(found["maps"], expected.detach(), rtol=1e-12, atol=1e-15)
    torch.testing.assert_close(found["aux_gap"], torch.zeros(4, dtype=torch.float64), rtol=0, atol=1e-12)
    torch.testing.assert_close(found["aux_change"], expected.detach().sum((1, 2, 3)))


@BASELINES
def test_error_on_a_cubic_falls_as_the_square_of_the_step(baseline, images, targets):
    exact = Cubic.a[targets].view(-1, 1, 1, 1) * (images**3 - start_of(baseline, images) ** 3)
    errors = [
        (maps(Cubic(), images, targets, baseline=baseline, steps=n) - exact).abs().max().item() for n in (8, 16, 32)
    ]
    assert errors[0] < 0.1 * exact.abs().max()
    assert errors[0] / errors[1] == pytest.approx(4, rel=1e-6)
    assert errors[1] / errors[2] == pytest.approx(4, rel=1e-6)


@BASELINES
def test_maps_add_up_to_the_change_of_the_logit(baseline, pooled, images, targets):
    found = maps(smooth(pooled), images, targets, baseline=baseline, steps=512)
    change = smooth(pooled)(images) - smooth(pooled)(start_of(baseline, images))
    change = change.gather(1, targets[:, None]).squeeze(1)
    torch.testing.assert_close(found.sum((1, 2, 3)), change.detach(), rtol=0, atol=1e-6)


@BASELINES
def test_the_gap_is_kept_with_its_sign_and_what_it_is_to_be_compared_with(baseline, strided, images, targets):
    found = run(strided, images, targets, baseline=baseline, steps=3)
    with torch.no_grad():
        after, before = (
            strided(each).expand(4, -1)[range(4), targets] for each in (images, start_of(baseline, images))
        )
    torch.testing.assert_close(found["aux_change"], after - before)
    torch.testing.assert_close(found["aux_gap"], found["maps"].sum((1, 2, 3)) - (after - before))
    assert found["aux_gap"].abs().min() > 1e-6


@BASELINES
def test_the_gap_of_a_smooth_network_falls_as_the_square_of_the_step(baseline, pooled, images, targets):
    gaps = [run(smooth(pooled), images, targets, baseline=baseline, steps=n)["aux_gap"].abs() for n in (32, 64, 128)]
    assert ((gaps[0] / gaps[1] - 4).abs() < 0.1).all()
    assert ((gaps[1] / gaps[2] - 4).abs() < 0.1).all()


def median_gap(model, images, targets, steps, **parameters):
    found = run(model, images, targets, steps=steps, **parameters)
    return (found["aux_gap"].abs() / found["aux_change"].abs()).median()


@pytest.mark.parametrize("network", ["strided", "residual"])
def test_the_median_gap_of_a_relu_network_is_smaller_at_100_steps_than_at_25(network, request):
    images = torch.randn(64, 3, 6, 8, dtype=torch.float64, generator=seeded("images"))
    model, targets = request.getfixturevalue(network), torch.arange(64) % 5
    few, many = (median_gap(model, images, targets, steps) for steps in (25, 100))
    assert many < few / 2
    assert few < 0.1


@pytest.mark.real_data
def test_the_median_gap_of_squeezenet_on_real_images_is_smaller_at_100_steps_than_at_25(real_data):
    model = torchvision(channels=3, classes=1000, size=(128, 128), arch="squeezenet1_1")
    path = sorted((real_data / "weights").glob("squeezenet1_1_*.pth"))[-1]
    weights.fill(model, weights.read(path), path.name)
    model.eval().requires_grad_(False).to(memory_format=torch.channels_last)
    images = real_images(real_data).to(memory_format=torch.channels_last)
    with torch.no_grad():
        targets = model(images).argmax(1)
    few, many = (median_gap(model, images, targets, steps) for steps in (25, 100))
    assert many < few < 0.1


def real_images(folder, count=8):
    """Return every so many images, (N, 3, 128, 128) as ImageNet's networks see them, half as large."""
    root = folder / "imagenet_val1300"
    rows = list(csv.DictReader((root / "labels_boxes.csv").read_text(encoding="utf-8").splitlines()))
    mean, std = (torch.tensor(loaded.IMAGENET[key]).view(3, 1, 1) for key in ("mean", "std"))
    pictures = (Image.open(root / row["wnid"] / row["file"]).convert("RGB") for row in rows[:: 1300 // count][:count])
    pixels = [np.array(picture.resize((128, 128), Image.BILINEAR)) for picture in pictures]
    return torch.stack([(torch.from_numpy(each).permute(2, 0, 1) / 255 - mean) / std for each in pixels])


@BASELINES
def test_agrees_with_captums_midpoint_rule(baseline, strided, images, targets):
    start = start_of(baseline, images).expand(4, -1, -1, -1)
    reference = IntegratedGradients(strided)
    expected = reference.attribute(images, start, targets, n_steps=8, method="riemann_middle").detach()
    found = maps(strided, images, targets, baseline=baseline, steps=8)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)


def test_is_input_x_gradient_where_a_network_is_homogeneous(images, targets):
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 4, 3, bias=False), nn.ReLU(), nn.Flatten(), nn.Linear(96, 5, bias=False)]
    model = nn.Sequential(*layers).double()
    found = maps(model, images, targets, steps=3)
    torch.testing.assert_close(found, input_x_gradient(model, images, targets), rtol=1e-12, atol=1e-15)


def test_an_image_of_the_baseline_has_an_empty_map_and_no_gap(strided, images, targets):
    found = run(strided, torch.zeros_like(images) + BLACK, targets, baseline="black", steps=2)
    torch.testing.assert_close(found["maps"], torch.zeros_like(images), rtol=0, atol=1e-15)
    assert (found["aux_gap"].abs() < 1e-12).all()
    found = run(strided, 0 * images, targets, steps=2)
    assert not any(array.any() for array in found.values())


@pytest.mark.parametrize(("baseline", "rows"), [("mean", 1), ("black", 1), ("noise", 1), ("blur", 4)])
def test_evaluates_as_often_as_there_are_steps_and_the_ends_once(
    baseline, rows, counted, backwards, strided, images, targets
):
    model, back = counted(strided), backwards(strided[0])
    run(model, images, targets, steps=6, baseline=baseline)
    assert model.batches == [4] * 6 + [rows, 4]
    assert back == [4] * 6


def test_the_defaults_are_32_steps_from_the_mean_colour(counted, strided, images, targets):
    model = counted(strided)
    found = maps(model, images, targets)
    assert len(model.batches) == 34
    assert torch.equal(found, maps(strided, images, targets, steps=32, baseline="mean"))
    assert torch.equal(
        maps(strided, images, targets, baseline="blur"), maps(strided, images, targets, baseline="blur", blur=0.1)
    )


def test_noise_is_that_of_the_generator_and_common_to_all_images(strided, images, targets):
    first, again, other = (maps(strided, images, targets, seed=n, baseline="noise", steps=2) for n in (0, 0, 1))
    assert torch.equal(first, again)
    assert (first != other).flatten(1).any(1).all()
    alone = maps(strided, images[2:3], targets[2:3], baseline="noise", steps=2)
    torch.testing.assert_close(first[2:3], alone, rtol=1e-12, atol=1e-15)


def test_many_steps_do_not_round_away_in_half_precision(images, targets):
    linear = nn.Sequential(nn.Flatten(), nn.Linear(144, 5)).bfloat16()
    few, many = (maps(linear, images.bfloat16(), targets, steps=n) for n in (1, 600))
    torch.testing.assert_close(many, few, rtol=0.01, atol=0)
