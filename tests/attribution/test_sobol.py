"""Total Sobol indices against closed forms, scipy, and their standard error against the spread of many draws."""

import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn
from torch.nn import functional

from pipeline.attribution.sobol import _cells, sobol, total_indices

ONE = {"mean": torch.tensor([0.5]), "std": torch.tensor([0.25])}
SLOPES = torch.tensor([1.0, -2.0, 0.5, 0.0], dtype=torch.float64)
ISHIGAMI = 49 / 8 + 0.1 * math.pi**4 / 5 + 0.01 * math.pi**8 / 18 + 1 / 2  # the variance for 7 and 0.1


def additive(cells):
    return cells @ SLOPES


def product(cells):
    return cells[:, 0] * cells[:, 1]


def ishigami(cells):
    x, y, z, _ = (math.pi * (2 * cells - 1)).unbind(1)
    return x.sin() + 7 * y.sin() ** 2 + 0.1 * z**4 * x.sin()


BOTH = 0.01 * math.pi**8 * 8 / 225  # the share of the first and the third together, not yet divided
FIRST = (1 + 0.1 * math.pi**4 / 5) ** 2 / 2
CLOSED = {
    additive: SLOPES**2 / 5.25,
    product: torch.tensor([4 / 7, 4 / 7, 0, 0], dtype=torch.float64),
    ishigami: torch.tensor([FIRST + BOTH, 49 / 8, BOTH, 0], dtype=torch.float64) / ISHIGAMI,
}


class Of(nn.Module):
    """A network whose second logit is a function of the pixels; it notes the images that it sees."""

    def __init__(self, function):
        super().__init__()
        self.function, self.seen = function, []

    def forward(self, images):
        self.seen.append(images)
        values = self.function(images.flatten(1))
        return torch.stack([0 * values, values], 1)


def explain(model, samples, *, size=(2, 2), count=1, seed=0, **given):
    """Explain images of ones, for which, with the mean's 0 as fill, a masked image is the mask itself."""
    images, targets = torch.ones(count, 1, *size, dtype=torch.float64), torch.ones(count, dtype=torch.int64)
    generator = torch.Generator().manual_seed(seed)
    return sobol(model, images, targets, **ONE, generator=generator, samples=samples, **{"grid": 2, **given})


@pytest.mark.parametrize("function", CLOSED)
def test_the_indices_approach_the_closed_form(function):
    errors = [
        max((explain(Of(function), samples, seed=k)["maps"].flatten() - CLOSED[function]).abs().max() for k in range(3))
        for samples in (32, 4096)
    ]
    assert errors[1] < min(0.01, errors[0] / 5)


@pytest.mark.parametrize("function", CLOSED)
def test_the_estimate_is_scipys_on_the_same_scores(function):
    model = Of(function)
    found = explain(model, 64)["maps"].flatten()
    scores = function(torch.cat(model.seen).flatten(1)).view(6, 1, 64).numpy()
    theirs = stats.sobol_indices(func={"f_A": scores[0], "f_B": scores[1], "f_AB": scores[2:]}, n=64)
    np.testing.assert_allclose(found, theirs.total_order, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("function", CLOSED)
def test_scipys_own_draws_agree_within_the_standard_error(function):
    found = explain(Of(function), 1024)
    theirs = stats.sobol_indices(
        func=lambda x: function(torch.from_numpy(x.T)).numpy(), n=4096, dists=[stats.uniform()] * 4, rng=1
    )
    gap = found["maps"].flatten() - torch.from_numpy(theirs.total_order)
    assert (gap.abs() <= 3 * found["aux_std_error"].flatten() + 1e-12).all()


def test_the_plan_exchanges_one_column_of_two_independent_designs_at_a_time():
    model = Of(additive)
    explain(model, 16, fill="mean")
    first, second, *mixed = torch.cat(model.seen).flatten(1).view(6, 16, 4)
    for column, design in enumerate(mixed):
        expected = first.clone()
        expected[:, column] = second[:, column]
        torch.testing.assert_close(design, expected, rtol=0, atol=1e-15)
    for design in (first, second):  # a point in each sixteenth of every side
        assert torch.equal((design * 16).floor().sort(0).values, torch.arange(16.0).double()[:, None].expand(16, 4))
    assert (first != second).all()


@pytest.mark.parametrize("plan", [(2, 3), (5, 2), (8, 1)])
def test_needs_so_many_forwards_and_no_more(plan, counted):
    samples, grid = plan
    model = counted(nn.Sequential(nn.Flatten(), nn.Linear(9 * 8, 3)).double())
    explain(model, samples, size=(9, 8), count=3, grid=grid)
    assert sum(model.batches) == 3 * samples * (grid**2 + 2)
    assert max(model.batches) <= 256


@pytest.mark.parametrize(("size", "grid"), [((9, 8), 3), ((5, 7), 2), ((6, 4), 5), ((3, 3), 8)])
def test_the_cells_are_the_grid_enlarged_to_its_nearest_neighbours(size, grid):
    shape = [min(grid, length) for length in size]
    numbers = torch.arange(float(math.prod(shape))).view(1, 1, *shape)
    found = _cells(torch.zeros(1, 1, *size), grid)
    assert torch.equal(found, functional.interpolate(numbers, size=size)[0, 0].long())
    assert len(found.unique()) == math.prod(shape)


def test_a_mask_and_an_index_are_the_same_all_over_a_cell():
    model = Of(lambda pixels: pixels[:, 0] + 2 * pixels[:, -1])
    found = explain(model, 2048, size=(4, 6))
    masks = torch.cat(model.seen)
    assert torch.equal(masks, masks[:, :, ::2, ::3].repeat_interleave(2, 2).repeat_interleave(3, 3))
    for values in (found["maps"], found["aux_std_error"]):
        assert torch.equal(values, values[:, :, ::2, ::3].repeat_interleave(2, 2).repeat_interleave(3, 3))
    torch.testing.assert_close(
        found["maps"][0, 0, ::2, ::3].flatten(), torch.tensor([0.2, 0, 0, 0.8]).double(), atol=0.01, rtol=0
    )


def test_a_cell_that_looks_like_the_fill_has_no_share():
    images = torch.zeros(1, 1, 2, 2, dtype=torch.float64)
    images[0, 0, 0, 1] = -2  # black: (0 - 0.5) / 0.25
    for fill, shares in {"mean": [0, 1, 0, 0], "black": [0.8, 0, 0.2, 0]}.items():
        generator = torch.Generator().manual_seed(0)
        found = sobol(
            Of(additive), images, torch.tensor([1]), **ONE, generator=generator, samples=1024, grid=2, fill=fill
        )
        expected = torch.tensor(shares, dtype=torch.float64)
        torch.testing.assert_close(found["maps"].flatten(), expected, rtol=0, atol=0.01)
        assert torch.equal(found["maps"].flatten() == 0, expected == 0)


def test_the_standard_error_is_the_spread_of_plain_draws():
    generator, samples, repeats = torch.Generator().manual_seed(3), 128, 1000
    first, second = torch.rand(2, samples, repeats, 4, dtype=torch.float64, generator=generator)
    designs = [first, second, *(torch.where(torch.arange(4) == i, second, first) for i in range(4))]
    for function in (product, ishigami):
        scores = torch.stack([function(each.flatten(0, 1)).view(samples, repeats) for each in designs])
        found, error = total_indices(scores)
        spread = found.std(1)
        live = CLOSED[function] > 0
        torch.testing.assert_close(error.mean(1)[live], spread[live], rtol=0.1, atol=0)
        assert not error[~live].any()
        torch.testing.assert_close(found.mean(1), CLOSED[function], rtol=0, atol=0.02)


def test_draws_that_are_spread_evenly_keep_within_the_standard_error():
    draws = [explain(Of(additive), 64, seed=seed) for seed in range(20)]
    spread = torch.stack([each["maps"] for each in draws]).std(0).flatten()
    error = torch.stack([each["aux_std_error"] for each in draws]).mean(0).flatten()
    assert (spread[:3] < error[:3]).all()


def test_a_scale_and_a_shift_of_the_logits_change_nothing():
    expected = explain(Of(ishigami), 32)
    found = explain(Of(lambda cells: 5 - 3 * ishigami(cells)), 32)
    for name in expected:
        torch.testing.assert_close(found[name], expected[name], rtol=1e-10, atol=1e-13)


def test_the_probability_is_not_the_logit():
    found = explain(Of(additive), 32, score="probability")["maps"]
    expected = explain(Of(lambda cells: 10 * additive(cells).sigmoid()), 32)["maps"]  # of two classes
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)
    assert not torch.allclose(found, explain(Of(additive), 32)["maps"], rtol=1e-3)


@pytest.mark.parametrize("jitter", [0, 1e-13])
def test_a_score_that_varies_by_no_more_than_rounding_gives_zeros(jitter):
    found = explain(Of(lambda cells: 1000 + jitter * additive(cells)), 16)
    assert not any(found[part].any() for part in ("maps", "aux_std_error"))


def test_one_plan_serves_all_images_and_another_seed_gives_another():
    found = explain(Of(ishigami), 16, count=3)["maps"]
    torch.testing.assert_close(found, found[:1].expand_as(found), rtol=1e-12, atol=0)
    assert not torch.allclose(found, explain(Of(ishigami), 16, count=3, seed=1)["maps"])
