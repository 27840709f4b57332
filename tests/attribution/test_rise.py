"""RISE."""

import inspect

import numpy as np
import pytest
import torch
from torch import nn

from pipeline.attribution import rise as module
from pipeline.attribution._masked import Digest
from pipeline.attribution._random_masks import RandomMasks, random_masks
from pipeline.attribution.rise import rise
from pipeline.randomness import seeded

GREY = {"mean": torch.full((3,), 0.4, dtype=torch.float64), "std": torch.full((3,), 0.2, dtype=torch.float64)}


def explain(model, images, targets, seed=0, **parameters):
    return rise(model, images, targets, **GREY, generator=seeded(seed), **parameters)


def inject(monkeypatch, masks):
    """Have the method use these masks, (S, 1, 1, H, W)."""
    left = list(masks)
    masks = RandomMasks(lambda count: torch.stack([left.pop(0) for _ in range(count)]), Digest())
    monkeypatch.setattr(module, "random_masks", lambda *_, **__: masks)


class Chance(nn.Module):
    """A network whose first class has the probability 1/2 + the sum of the pixels."""

    def forward(self, images):
        chance = 0.5 + images.flatten(1).sum(1)
        return torch.stack([chance.log(), (1 - chance).log()], 1)


@pytest.mark.parametrize("grid", [2, 3])
def test_all_masks_of_a_grid_give_the_mean_probability_when_the_pixel_shows(grid, monkeypatch):
    cells = torch.cartesian_prod(*[torch.tensor([0.0, 1.0], dtype=torch.float64)] * grid**2)
    inject(monkeypatch, cells.view(-1, 1, 1, grid, grid))
    images = 0.05 * torch.randn(3, 1, grid, grid, dtype=torch.float64, generator=seeded("images"))
    found = explain(Chance(), images, torch.tensor([0, 0, 1]), samples=len(cells))["maps"]
    shown = 0.5 + images + (images.sum((1, 2, 3), keepdim=True) - images) / 2
    shown[2] = 1 - shown[2]
    torch.testing.assert_close(found, shown, rtol=0, atol=1e-12)


@pytest.mark.parametrize("probability", [0.3, 1.0])
def test_the_map_is_the_authors_programs(probability, pooled, images, targets, monkeypatch):
    masks = torch.rand(300, 1, 1, 6, 8, dtype=torch.float64, generator=seeded(1))
    inject(monkeypatch, masks)
    found = explain(pooled, images, targets, samples=300, probability=probability)["maps"]
    for image, target, saliency in zip(images, targets, found, strict=True):
        chances = pooled(masks[:, 0] * image).softmax(1)[:, target].detach().numpy()
        expected = (chances @ masks.flatten(1).numpy()).reshape(6, 8) / 300 / probability
        np.testing.assert_allclose(saliency[0], expected, rtol=1e-12)


def test_the_settings_reach_the_masks(pooled, images, targets, monkeypatch):
    settings = {"grid": 4, "probability": 0.3, "interpolation": "nearest"}
    expected = explain(pooled, images, targets, samples=50, seed=3, **settings)
    other = explain(pooled, images, targets, samples=50, seed=4, **settings)
    assert not torch.equal(expected["maps"], other["maps"])
    masks = random_masks((6, 8), **settings, generator=seeded(3), device=torch.device("cpu")).draw(50)
    inject(monkeypatch, masks)
    found = explain(pooled, images, targets, samples=50, probability=0.3)
    for part in ("maps", "aux_std_error"):
        torch.testing.assert_close(found[part], expected[part], rtol=1e-12, atol=0)


def test_a_map_lies_between_its_bounds_and_touches_them(images):
    """A network that is certain whatever shows, of the class asked about or of another; full masks have no chance."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(144, 5)).double()
    model[1].weight.data.zero_()
    model[1].bias.data = torch.tensor([2000.0, 0, 0, 0, 0], dtype=torch.float64)
    for target, bound in zip((1, 0), module.bounds({})["maps"], strict=True):
        maps = explain(model, images, torch.full((4,), target), probability=1.0)["maps"]
        assert (maps - bound).abs().max() < 1e-12


def test_the_error_foretells_how_far_maps_of_other_seeds_lie_apart(pooled, images, targets):
    found = [explain(pooled, images, targets, seed, samples=40, grid=3) for seed in range(150)]
    maps, errors = (torch.stack([each[key] for each in found]) for key in ("maps", "aux_std_error"))
    assert errors.shape == maps.shape
    ratio = (errors**2).mean(0).mean() / maps.var(0).mean()
    assert 0.9 < ratio < 1.1


def test_the_error_falls_as_the_root_of_the_samples(pooled, images, targets):
    few, many = (explain(pooled, images, targets, samples=n, grid=3)["aux_std_error"].mean() for n in (200, 3200))
    assert 3.6 < few / many < 4.4


def test_the_parts_that_count_stand_out():
    """Of a network that looks at one quarter alone, the rest is as the mean over all masks."""
    images = torch.ones(1, 3, 8, 8, dtype=torch.float64)
    weights = torch.zeros(2, 3, 8, 8, dtype=torch.float64)
    weights[0, :, :4, :4] = 0.1
    model = nn.Sequential(nn.Flatten(), nn.Linear(192, 2)).double()
    model[1].weight.data, model[1].bias.data = weights.flatten(1), torch.zeros(2, dtype=torch.float64)
    found = explain(model, images, torch.tensor([0]), samples=2000, grid=2, interpolation="nearest")["maps"][0, 0]
    assert found[:3, :3].min() > found[5:, 5:].max() + 0.05
    assert found[:3, :3].min() > found[:3, 6:].max() + 0.05


@pytest.mark.parametrize("fill", ["black", "mean", "blur", "noise"])
def test_what_the_network_sees_lies_between_the_image_and_its_fill(fill, pooled, targets):
    images = torch.zeros(4, 3, 6, 8, dtype=torch.float64)
    images[:, 1] = 0.7
    batches = []
    pooled.register_forward_pre_hook(lambda _, inputs: batches.append(inputs[0].flatten(0, 0)))
    explain(pooled, images, targets, samples=8, fill=fill, blur=0.1)
    seen = torch.cat(batches)
    filled = seen != images[0]  # all images are the same
    assert filled.any() == (fill != "blur")  # a flat image stays as it is under a blur
    if fill in {"black", "mean"}:
        start = torch.full_like(images[0], -2.0 if fill == "black" else 0.0)
        low, high = torch.minimum(start, images[0]), torch.maximum(start, images[0])
        assert ((seen >= low - 1e-12) & (seen <= high + 1e-12)).all()
        assert torch.isclose(seen, start.expand_as(seen)).any()


def test_there_is_one_forward_for_each_masked_image_and_no_gradient(counted, pooled, backwards, images, targets):
    model, gradients = counted(pooled), backwards(pooled[6])
    explain(model, images.requires_grad_(), targets, samples=100)
    assert model.batches == [256, 144]
    assert gradients == []


@pytest.mark.parametrize(("shape", "grid"), [((8, 8), 16), ((7, 9), 5), ((9, 7), 7), ((3, 31), 7)])
def test_a_grid_need_not_fit_the_image(shape, grid):
    model = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    found = explain(model, torch.randn(2, 3, *shape), torch.tensor([0, 3]), samples=20, grid=grid)
    assert found["maps"].shape == (2, 1, *shape)
    assert (found["maps"] >= 0).all()
    assert found["aux_std_error"].isfinite().all()


def test_it_starts_from_the_papers_settings():
    defaults = {key: value.default for key, value in inspect.signature(rise).parameters.items()}
    assert (defaults["samples"], defaults["grid"], defaults["probability"]) == (4000, 7, 0.5)
    assert (defaults["interpolation"], defaults["fill"]) == ("bilinear", "mean")
