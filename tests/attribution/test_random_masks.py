"""Random masks, and the average of masks weighed by what the network says under them."""

import itertools

import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates
from torch import nn

from pipeline.attribution import _masked
from pipeline.attribution._random_masks import AT_ONCE, random_masks, weighed_masks
from pipeline.randomness import seeded
from pipeline.similarity.class_probability import class_probability
from pipeline.similarity.cosine import cosine
from pipeline.similarity.logit import logit

SIZES = [((8, 8), 16), ((12, 9), 4), ((32, 32), 7), ((5, 30), 3), ((6, 8), 1)]


def masks(size, grid, count=20, *, probability=0.5, interpolation="bilinear", seed=0):
    given = {"grid": grid, "probability": probability, "interpolation": interpolation}
    return random_masks(size, **given, generator=seeded(seed), device=torch.device("cpu")).draw(count)


def by_the_paper(size, grid, count, order, seed=0):
    """Enlarge and cut grids of the same numbers with scipy: (count, H, W)."""
    generator, found = seeded(seed), []
    for _ in range(count):
        numbers = torch.rand(2 + grid**2, generator=generator).numpy()
        cells = (numbers[2:] < 0.5).reshape(grid, grid).astype(float)
        heights = [-(-length // grid) for length in size]
        starts = [int(number * (height + 1)) for number, height in zip(numbers[:2].astype(float), heights, strict=True)]
        axes = [
            (start + np.arange(length) + 0.5) * grid / ((grid + 1) * height) - 0.5
            for start, length, height in zip(starts, size, heights, strict=True)
        ]
        found.append(map_coordinates(cells, np.meshgrid(*axes, indexing="ij"), order=order, mode="nearest"))
    return np.stack(found)


@pytest.mark.parametrize(("size", "grid"), SIZES)
@pytest.mark.parametrize(("interpolation", "order"), [("bilinear", 1), ("nearest", 0)])
def test_masks_are_grids_enlarged_and_cut_at_random(size, grid, interpolation, order):
    found = masks(size, grid, interpolation=interpolation)
    assert (found.shape, found.dtype) == ((20, 1, 1, *size), torch.float32)
    np.testing.assert_allclose(found[:, 0, 0], by_the_paper(size, grid, 20, order), rtol=0, atol=1e-6)


@pytest.mark.parametrize(("size", "grid"), SIZES)
def test_masks_lie_in_0_to_1_and_nearest_ones_are_either(size, grid):
    grey, hard = masks(size, grid, 200), masks(size, grid, 200, interpolation="nearest")
    assert ((grey >= 0) & (grey <= 1)).all()
    assert ((hard == 0) | (hard == 1)).all()
    assert hard.any()
    assert not hard.all()


@pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
@pytest.mark.parametrize(("size", "grid"), SIZES)
def test_the_mean_of_every_pixel_is_the_probability(size, grid, interpolation):
    full = masks(size, grid, probability=1, interpolation=interpolation)  # the weights of a pixel's cells add up to 1
    torch.testing.assert_close(full, torch.ones_like(full), rtol=0, atol=1e-6)
    shown = masks(size, grid, 2000, probability=0.2, interpolation=interpolation).mean(0)
    assert (shown - 0.2).abs().max() < 5 * (0.2 * 0.8 / 2000) ** 0.5


def test_every_place_of_the_cut_is_as_likely_as_the_others():
    """Of two cells of 4 pixels, enlarged to 6 each, the border lies where the place says: 5 places."""
    rows = masks((8, 1), 2, 4000, interpolation="nearest")[:, 0, 0, :, 0]
    edges = (rows[:, 1:] != rows[:, :-1]).double().mean(0)
    expected = torch.tensor([0, 1, 1, 1, 1, 1, 0]).double() * 0.5 / 5
    assert (edges - expected).abs().max() < 5 * (0.1 * 0.9 / 4000) ** 0.5
    assert torch.equal(edges > 0, expected > 0)


def test_how_many_are_asked_for_at_a_time_makes_no_difference():
    draw = random_masks(
        (6, 8), grid=3, probability=0.5, interpolation="bilinear", generator=seeded(0), device=torch.device("cpu")
    ).draw
    assert torch.equal(torch.cat([draw(3), draw(1), draw(16)]), masks((6, 8), 3, 20))
    assert not torch.equal(masks((6, 8), 3, 20, seed=1), masks((6, 8), 3, 20))


def test_automatic_half_precision_changes_no_mask():
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = masks((6, 8), 3)
    assert torch.equal(found, masks((6, 8), 3))


class Rule(nn.Module):
    """A network whose two logits are functions of an image's pixels: (N, 1, H, W) -> (N, 2)."""

    def __init__(self, rule):
        super().__init__()
        self.rule = rule

    def forward(self, images):
        first = self.rule(images.flatten(1))
        return torch.stack([first, torch.zeros_like(first)], 1)


def every_mask(grid, ones, of):
    """Return all masks of a grid, each as often as its probability, cells being 1 with probability ones / of."""
    values = [1.0] * ones + [0.0] * (of - ones)
    found = torch.tensor(list(itertools.product(values, repeat=grid**2)), dtype=torch.float64)
    return found.view(-1, 1, 1, grid, grid)


def dealt(found):
    """Return a function, count -> the next so many of these masks."""
    left = list(found)
    return lambda count: torch.stack([left.pop(0) for _ in range(count)])


def average(model, images, targets, found, *functions):
    baseline = torch.zeros_like(images[:1])
    given = {"baseline": baseline, "draw": dealt(found), "samples": len(found), "similarities": functions}
    return weighed_masks(model, images, targets, **given)


@pytest.mark.parametrize(("grid", "ones", "of"), [(2, 1, 2), (2, 3, 4), (3, 1, 2)])
def test_all_masks_of_a_grid_give_the_conditional_mean_in_closed_form(grid, ones, of):
    probability = ones / of
    images = torch.randn(2, 1, grid, grid, dtype=torch.float64, generator=seeded("images"))
    weights = torch.randn(grid**2, dtype=torch.float64, generator=seeded("weights"))
    found = every_mask(grid, ones, of)
    each = weights * images.flatten(1)  # what a cell adds where it shows
    others = each.sum(1, keepdim=True) - each
    mean = each + probability * others
    variance = probability * (1 - probability) * ((each**2).sum(1, keepdim=True) - each**2)
    for rule, expected in ((lambda x: 3 + x @ weights, 3 + mean), (lambda x: (x @ weights) ** 2, mean**2 + variance)):
        maps, _ = average(Rule(rule), images, torch.zeros(2, dtype=torch.int64), found, logit)
        torch.testing.assert_close(maps.flatten(1) / probability, expected, rtol=0, atol=1e-12)


def naive(model, images, targets, found, function):
    """Return score times mask for every mask, one image and one mask at a time: (S, N, 1, H, W)."""
    return torch.stack(
        [
            torch.stack([function(model(mask * x[None]), t[None]) * mask for x, t in zip(images, targets, strict=True)])
            for mask in found[:, 0]
        ]
    )


def test_each_function_has_its_mean_and_its_standard_error(pooled, images, targets):
    found = torch.rand(2 * AT_ONCE + 5, 1, 1, 6, 8, dtype=torch.float64, generator=seeded(0))
    maps, error = average(pooled, images, targets, found, cosine, logit)
    assert maps.shape == error.shape == (4, 2, 6, 8)
    for place, function in enumerate((cosine, logit)):
        each = naive(pooled, images, targets, found, function)[:, :, 0].detach()
        torch.testing.assert_close(maps[:, place], each.mean(0), rtol=1e-12, atol=1e-14)
        torch.testing.assert_close(error[:, place], each.std(0) / len(each) ** 0.5, rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("chunk", [1, 9, 256, 1000])
def test_the_size_of_the_forwards_makes_no_difference_and_every_mask_is_seen_once(
    counted, pooled, images, targets, chunk, monkeypatch
):
    found = torch.rand(150, 1, 1, 6, 8, dtype=torch.float64, generator=seeded(0))
    expected = average(pooled, images, targets, found, class_probability)
    for module in ("_masked", "_random_masks"):
        monkeypatch.setattr(f"pipeline.attribution.{module}.CHUNK", chunk)
    model = counted(pooled)
    maps = average(model, images, targets, found, class_probability)
    torch.testing.assert_close(maps, expected, rtol=1e-12, atol=1e-15)
    assert sum(model.batches) == 150 * 4
    assert max(model.batches) <= max(chunk, 4)
    assert len(model.batches) <= -(-150 // max(1, chunk // 4))


def test_a_score_that_never_changes_has_the_error_of_the_masks_alone_and_full_masks_none(pooled, images, targets):
    def same(outputs, _targets):
        return torch.full_like(outputs[:, 0], 0.3)

    full = torch.ones(70, 1, 1, 6, 8, dtype=torch.float64)
    maps, error = average(pooled, images, targets, full, same)
    torch.testing.assert_close(maps, torch.full_like(maps, 0.3), rtol=1e-14, atol=0)
    assert error.max() < 1e-8
    halves = full.clone()
    halves[::2] = 0
    _, error = average(pooled, images, targets, halves, same)
    torch.testing.assert_close(error, torch.full_like(error, 0.3 * 0.5 / 69**0.5), rtol=1e-12, atol=0)


def test_no_more_masks_are_held_than_are_weighed_at_once(pooled, images, targets, monkeypatch):
    asked = []
    draw = random_masks(
        (6, 8), grid=3, probability=0.5, interpolation="bilinear", generator=seeded(0), device=torch.device("cpu")
    ).draw
    monkeypatch.setattr(_masked, "CHUNK", 8)

    def noted(count):
        asked.append(count)
        return draw(count)

    given = {"baseline": images[:1], "draw": noted, "similarities": [cosine]}
    weighed_masks(pooled, images, targets, samples=300, **given)
    assert sum(asked) == 300
    assert max(asked) == AT_ONCE
