"""Estimates with their intervals: of a proportion, of a mean over images, of a mean over retrained networks."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Annotated

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from pipeline.bounds import AtLeast, Between

Floats = NDArray[np.float64]
Interval = tuple[Floats, Floats, Floats]  # estimate, low, high

BLOCK = 2**22  # draws held at once: 32 MiB of counts, however many images there are


def wilson(correct: ArrayLike, n: ArrayLike, *, level: Annotated[float, Between(0, 1)] = 0.95) -> Interval:
    """Return the proportion ``correct / n`` with its score interval; arrays broadcast, n = 0 gives nan.

    Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927), pages 209-212; as
    the Wilson interval of Brown, Cai & DasGupta, "Interval estimation for a binomial proportion", Statistical Science
    16 (2001). It stays within [0, 1] and is sound for few images and for proportions of 0 and 1.

    Args:
        correct: number of successes, any shape.
        n: number of trials, same shape or broadcastable.
        level: coverage of the two-sided interval.
    """
    correct, n = np.asarray(correct, dtype=np.float64), np.asarray(n, dtype=np.float64)
    z = stats.norm.ppf((1 + level) / 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        estimate = correct / n
        centre = (correct + z**2 / 2) / (n + z**2)
        half = z / (n + z**2) * np.sqrt(n * estimate * (1 - estimate) + z**2 / 4)
    return estimate, np.maximum(centre - half, 0), np.minimum(centre + half, 1)


def bootstrap(
    values: ArrayLike,
    *,
    samples: Annotated[int, AtLeast(1)] = 2000,
    level: Annotated[float, Between(0, 1)] = 0.95,
    seed: int = 0,
) -> Interval:
    """Return the mean over training seeds and images with its percentile bootstrap interval.

    Images are resampled, and so are the seeds where there are several, each independently of the other: an image that
    is drawn twice counts twice in every seed. Owen, "The pigeonhole bootstrap", Annals of Applied Statistics 1
    (2007), shows that this never understates the variance of the mean by much; with a handful of seeds their share
    of it is still a rough one. One seed gives Efron's bootstrap over images, which says nothing about retraining.

    Args:
        values: (S, N, ...), one number per training seed and image; further axes, such as the points of a curve,
            share the resampled images.
        samples: number of resamples.
        level: coverage of the two-sided interval.
        seed: of the resampling; the same seed gives the same interval.

    Returns:
        Estimate, low and high, each of the shape of ``values`` without its first two axes.
    """
    values = np.asarray(values, dtype=np.float64)
    seeds, images, *points = values.shape
    by_image = np.moveaxis(values, 1, 0).reshape(images, -1)  # (N, S * points)
    means, start = np.empty((samples, int(np.prod(points)))), 0
    given = (samples, images, seeds, seed)
    for of_images, of_seeds in _few(*given) if samples * images <= BLOCK else _resamples(*given):
        per_seed = (of_images @ by_image / images).reshape(len(of_images), seeds, -1)
        means[start : start + len(of_images)] = np.einsum("bs,bsp->bp", of_seeds / seeds, per_seed)
        start += len(of_images)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2], axis=0).reshape(2, *points)
    return values.mean((0, 1)), low, high


def _resamples(samples: int, images: int, seeds: int, seed: int) -> Iterator[tuple[Floats, Floats]]:
    """Yield how often images (B, N) and seeds (B, S) count in the resamples, so many at a time as memory allows."""
    generator = np.random.default_rng(seed)
    block = max(1, BLOCK // images)
    for start in range(0, samples, block):
        size = min(block, samples - start)
        of_images = counts(generator, size, images)
        yield of_images, counts(generator, size, seeds) if seeds > 1 else np.ones((size, 1))


@lru_cache(maxsize=4)
def _few(samples: int, images: int, seeds: int, seed: int) -> tuple[tuple[Floats, Floats], ...]:
    """Return the resamples all at once: a study has thousands of means over the same images, and drawing is slow."""
    return tuple(_resamples(samples, images, seeds, seed))


def counts(generator: np.random.Generator, samples: int, size: int) -> Floats:
    """Return how often each of ``size`` things is drawn in ``size`` draws with replacement: (samples, size)."""
    drawn = generator.integers(size, size=(samples, size)) + size * np.arange(samples)[:, None]
    return np.bincount(drawn.ravel(), minlength=samples * size).reshape(samples, size).astype(np.float64)


def seeds_interval(values: ArrayLike, *, level: Annotated[float, Between(0, 1)] = 0.95) -> Interval:
    """Return the mean over retrained networks with Student's interval; one network gives nan for low and high.

    Args:
        values: (S, ...), one number per retrained network, taken as independent and about normal. The interval may
            reach beyond what the numbers can be, such as an accuracy above 1.
        level: coverage of the two-sided interval.

    Returns:
        Estimate, low and high, each of the shape of ``values`` without its first axis.
    """
    values = np.asarray(values, dtype=np.float64)
    estimate, count = values.mean(0), len(values)
    if count == 1:
        return estimate, np.full_like(estimate, np.nan), np.full_like(estimate, np.nan)
    half = stats.t.ppf((1 + level) / 2, count - 1) * values.std(0, ddof=1) / np.sqrt(count)
    return estimate, estimate - half, estimate + half
