"""SmoothGrad, SmoothGrad-Squared and VarGrad over any base method, from the same noisy maps.

Smilkov et al., "SmoothGrad: removing noise by adding noise", 2017 (arXiv:1706.03825), section 2.2. The square is Hooker
et al., "A Benchmark for Interpretability Methods in Deep Neural Networks", NeurIPS 2019 (arXiv:1806.10758), section
4.1; the variance is Adebayo et al., "Sanity Checks for Saliency Maps", NeurIPS 2018 (arXiv:1810.03292), as the former
write it.
"""

from collections.abc import Callable, Iterator
from typing import Annotated

import torch
from torch import Tensor, nn

from pipeline.attribution._moments import moments
from pipeline.bounds import AtLeast

LABEL = "SmoothGrad"
FAMILY = "ensemble"
REDUCE = {"mean": "abs_max", "square": "sum", "variance": "sum"}
REQUIRES = ()
PASSES = {"forward": "samples * base", "backward": "samples * base"}


def parts(entry: dict) -> tuple[str, ...]:
    """Name the maps that a config entry yields."""
    return ("mean", "square", "variance")


def smoothgrad(
    model: nn.Module,
    images: Tensor,
    targets: Tensor,
    *,
    base: Callable[[nn.Module, Tensor, Tensor], Tensor],
    generator: torch.Generator,
    samples: Annotated[int, AtLeast(1)] = 50,
    noise: Annotated[float, AtLeast(0)] = 0.15,
) -> dict[str, Tensor]:
    """Take mean, mean square and variance of the maps of ``base`` over noisy copies of each image.

    The variance is the population's (divided by ``samples``). One copy of the images is in memory at a time.

    Args:
        model: classifier in eval mode, (N, C, H, W) -> (N, K) logits.
        images: (N, C, H, W), normalised as in training.
        targets: (N,) int64, the class explained for each image.
        base: the method to smooth, evaluated ``samples`` times.
        generator: source of the noise, whose standard normal draws (C, H, W) are common to all images.
        samples: noisy copies per image.
        noise: standard deviation of the noise, as a fraction of each image's own range (max - min over C, H, W).

    Returns:
        "mean": maps of the shape and unit that ``base`` gives. "square", "variance": that unit squared.
    """
    spread = noise * (images.amax((1, 2, 3), keepdim=True) - images.amin((1, 2, 3), keepdim=True))
    noisy = (images + spread * jitter for jitter in _draws(images, generator, samples))
    mean, variance = moments((base(model, each, targets) for each in noisy), images.dtype)
    maps = {"mean": mean, "square": mean**2 + variance, "variance": variance}
    return {part: values.to(images.dtype) for part, values in maps.items()}


def _draws(images: Tensor, generator: torch.Generator, samples: int) -> Iterator[Tensor]:
    """Yield standard normal (C, H, W), drawn in single precision, so that every precision sees the same noise."""
    for _ in range(samples):
        yield torch.randn(images.shape[1:], generator=generator, dtype=torch.float32).to(images)
