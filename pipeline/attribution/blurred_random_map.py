"""Control: the noise of ``random_map``, blurred.

Song, Cha & Seo, "On Pitfalls of Remove-And-Retrain: Data Processing Inequality Perspective", 2023 (arXiv:2304.13836):
blurry maps score well in removal benchmarks whatever they show (abstract), so a method must beat blurry noise too.
"""

from typing import Annotated

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipeline.attribution.random_map import random_map
from pipeline.bounds import Above

LABEL = "Blurred random"
FAMILY = "control"
REDUCE = "sum"
REQUIRES = ()


def blurred_random_map(
    model: nn.Module,
    images: Tensor,
    targets: Tensor,
    *,
    ids: Tensor,
    seed: int = 0,
    sigma: Annotated[float, Above(0)] = 2.0,
) -> Tensor:
    """Return the noise that ``random_map`` gives for the same ``ids`` and ``seed`` after a Gaussian blur.

    Args:
        model: not used.
        images: (N, C, H, W); only the shape counts.
        targets: not used.
        ids: (N,) int64, the images' places in their data set.
        seed: another seed gives other maps.
        sigma: standard deviation of the Gaussian, in pixels.

    Returns:
        (N, 1, H, W), between 0 and 1.
    """
    wide = images.to(torch.promote_types(images.dtype, torch.float32))
    return _blur(random_map(model, wide, targets, ids=ids, seed=seed), sigma).to(images.dtype)


def _blur(maps: Tensor, sigma: float) -> Tensor:
    """Convolve (N, 1, H, W) with a Gaussian cut off at four sigma; beyond the border the border's values go on."""
    reach = int(4 * sigma + 0.5)
    offsets = torch.arange(-reach, reach + 1, dtype=maps.dtype, device=maps.device)
    kernel = torch.exp(-0.5 * (offsets / sigma) ** 2)
    kernel = kernel / kernel.sum()
    padded = functional.pad(maps, (reach, reach, reach, reach), mode="replicate")
    return functional.conv2d(functional.conv2d(padded, kernel.view(1, 1, -1, 1)), kernel.view(1, 1, 1, -1))
