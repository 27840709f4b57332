"""Intervals against scipy, against the definition enumerated in full, and against the coverage that they promise."""

import itertools
import time

import numpy as np
import pytest
from scipy import stats

from pipeline.statistics import intervals
from pipeline.statistics.intervals import bootstrap, seeds_interval, wilson


@pytest.mark.parametrize("level", [0.8, 0.95])
def test_wilson_is_scipys(level):
    pairs = [(k, n) for n in (1, 2, 7, 40, 10_000) for k in {0, 1, n // 2, n - 1, n}]
    estimate, low, high = wilson(*zip(*pairs, strict=True), level=level)
    for i, (k, n) in enumerate(pairs):
        expected = stats.binomtest(k, n).proportion_ci(level, method="wilson")
        np.testing.assert_allclose([estimate[i], low[i], high[i]], [k / n, *expected], rtol=0, atol=1e-14)


def test_wilson_stays_in_bounds_and_leaves_nothing_unsaid_for_no_images():
    estimate, low, high = wilson([0, 5, 0], [5, 5, 0])
    assert low[0] == 0
    assert high[1] == 1
    assert np.isnan([estimate[2], low[2], high[2]]).all()


def test_bootstrap_of_one_seed_is_scipys():
    values = np.random.default_rng(0).exponential(size=60)
    ours = bootstrap(values[None], samples=40_000)
    theirs = stats.bootstrap((values,), np.mean, n_resamples=40_000, method="percentile", rng=1).confidence_interval
    np.testing.assert_allclose(ours, [values.mean(), *theirs], rtol=0, atol=0.01 * values.std())


@pytest.mark.parametrize("level", [0.5, 0.76, 0.95])
def test_bootstrap_of_two_seeds_has_the_quantiles_of_all_possible_resamples(level):
    values = np.array([[0.0, 1.0, 5.0], [2.0, 4.0, 9.0]])
    means = [
        values[np.ix_(seeds, images)].mean()
        for seeds in itertools.product(range(2), repeat=2)
        for images in itertools.product(range(3), repeat=3)
    ]
    estimate, low, high = bootstrap(values, samples=50_000, level=level)
    assert estimate == 3.5
    expected = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    np.testing.assert_allclose([low, high], expected, rtol=0, atol=1e-12)


def test_bootstrap_shares_its_images_among_the_points_of_a_curve():
    curves = np.random.default_rng(0).normal(size=(2, 20, 3))
    together = np.array(bootstrap(curves, samples=200))
    apart = np.stack([bootstrap(curves[..., point], samples=200) for point in range(3)], axis=1)
    np.testing.assert_allclose(together, apart, rtol=0, atol=1e-12)


def test_bootstrap_does_not_depend_on_how_many_draws_are_held_at_once(monkeypatch):
    values = np.random.default_rng(0).normal(size=(1, 50))
    whole = bootstrap(values, samples=300)
    monkeypatch.setattr(intervals, "BLOCK", 7 * 50)
    np.testing.assert_allclose(bootstrap(values, samples=300), whole, rtol=0, atol=1e-12)


def test_bootstrap_is_a_function_of_its_seed():
    values = np.random.default_rng(0).normal(size=(3, 50))
    assert bootstrap(values, seed=1) == bootstrap(values, seed=1)
    assert bootstrap(values, seed=1) != bootstrap(values, seed=2)


def test_bootstrap_of_equal_values_has_no_width():
    np.testing.assert_allclose(bootstrap(np.full((2, 9), 0.3)), 0.3, rtol=0, atol=1e-12)


def coverage(draw, interval, truth, repeats=1500):
    """Return the share of simulated data sets whose interval holds the truth."""
    generator = np.random.default_rng(0)
    held = 0
    for _ in range(repeats):
        _, low, high = interval(draw(generator))
        held += bool(low <= truth <= high)
    return held / repeats


@pytest.mark.parametrize(
    ("draw", "interval", "truth"),
    [
        (lambda g: g.gamma(2.0, size=(1, 200)), lambda v: bootstrap(v, samples=400), 2.0),
        (lambda g: g.normal(1.0, size=3), seeds_interval, 1.0),
    ],
    ids=["bootstrap", "student"],
)
def test_an_interval_covers_the_truth_as_often_as_it_says(draw, interval, truth):
    assert abs(coverage(draw, interval, truth) - 0.95) < 0.02  # 3.5 standard errors of the simulation


def test_wilson_covers_the_truth_as_often_as_it_says_on_average_over_all_truths():
    n = 50
    _, low, high = wilson(np.arange(n + 1), n)
    truths = (np.arange(2000) + 0.5) / 2000
    chances = stats.binom.pmf(np.arange(n + 1), n, truths[:, None])  # (truth, correct)
    held = (low <= truths[:, None]) & (truths[:, None] <= high)
    assert abs((chances * held).sum(1).mean() - 0.95) < 0.005


def test_two_way_bootstrap_widens_when_seeds_disagree():
    generator = np.random.default_rng(0)
    images, seeds = generator.normal(size=(1, 400)), 3 * generator.normal(size=(6, 1))
    _, low, high = bootstrap(images + seeds)
    expected = 2 * 1.96 * np.sqrt(seeds.var() / 6 + images.var() / 400)
    np.testing.assert_allclose(high - low, expected, rtol=0.06)


def test_student_interval_is_scipys():
    values = np.random.default_rng(0).normal(size=(4, 2))
    estimate, low, high = seeds_interval(values, level=0.9)
    expected = stats.t.interval(0.9, 3, loc=values.mean(0), scale=stats.sem(values, axis=0))
    np.testing.assert_allclose([estimate, low, high], [values.mean(0), *expected], rtol=0, atol=1e-14)


def test_one_retrained_network_has_no_interval():
    estimate, low, high = seeds_interval([[0.5, 0.25]])
    assert estimate.tolist() == [0.5, 0.25]
    assert np.isnan([low, high]).all()


def test_a_band_over_two_thousand_resamples_is_quick():
    curves = np.random.default_rng(0).random((1, 256, 29))
    took = []
    for _ in range(3):
        start = time.perf_counter()
        bootstrap(curves)
        took.append(time.perf_counter() - start)
    assert min(took) < 0.2
