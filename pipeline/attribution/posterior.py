"""Mean and standard deviation of any base method's maps over a network's posterior.

Bykov et al., "Explaining Bayesian Neural Networks", 2021 (arXiv:2108.10346), abstract: a posterior over
weights makes an explanation a distribution, of which these are the first two moments.
"""

from collections.abc import Callable, Iterator
from typing import Annotated

import torch
from torch import Tensor, nn

from pipeline.attribution._moments import moments
from pipeline.bounds import AtLeast

LABEL = "Posterior"
FAMILY = "posterior"
REDUCE = {"mean": "abs_max", "std": "sum"}
REQUIRES = ("posterior_draws",)
PASSES = {"forward": "samples * base", "backward": "samples * base"}


def parts(entry: dict) -> tuple[str, ...]:
    """Name the maps that a config entry yields."""
    return ("mean", "std")


def posterior(
    model: nn.Module,
    images: Tensor,
    targets: Tensor,
    *,
    base: Callable[[nn.Module, Tensor, Tensor], Tensor],
    generator: torch.Generator,
    samples: Annotated[int, AtLeast(1)] = 50,
) -> dict[str, Tensor]:
    """Take mean and standard deviation of the maps of ``base`` over draws of the network's weights.

    The standard deviation is the population's (divided by ``samples``). One draw is in memory at a time.

    Args:
        model: classifier in eval mode, (N, C, H, W) -> (N, K) logits, with ``draw(generator)``, a context manager in
            which its weights are one draw from their posterior.
        images: (N, C, H, W), normalised as in training.
        targets: (N,) int64, the class explained for each image.
        base: the method whose maps vary with the weights, evaluated ``samples`` times.
        generator: source of the draws, which are common to all images.
        samples: draws.

    Returns:
        "mean", "std": maps of the shape and unit that ``base`` gives.
    """
    mean, variance = moments(_drawn(model, images, targets, base, generator, samples), images.dtype)
    return {"mean": mean.to(images.dtype), "std": variance.sqrt().to(images.dtype)}


def _drawn(
    model: nn.Module,
    images: Tensor,
    targets: Tensor,
    base: Callable[[nn.Module, Tensor, Tensor], Tensor],
    generator: torch.Generator,
    samples: int,
) -> Iterator[Tensor]:
    for _ in range(samples):
        with model.draw(generator):  # type: ignore[operator]
            maps = base(model, images, targets)
        yield maps
