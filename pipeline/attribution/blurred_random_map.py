"""Control: the noise of ``random_map``, blurred.

Song, Cha & Seo, "On Pitfalls of Remove-And-Retrain: Data Processing Inequality Perspective", 2023 (arXiv:2304.13836):
blurry maps score well in removal benchmarks whatever they show (abstract), so a method must beat blurry noise too.
"""

from typing import Annotated

import torch
from torch import Tensor, nn

from pipeline.attribution._blur import gaussian_blur
from pipeline.attribution.random_map import random_map
from pipeline.bounds import Above

LABEL = "Blurred random"
FAMILY = "control"
REDUCE = "sum"
REQUIRES = ()
PASSES = {"forward": "0", "backward": "0"}


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
    return gaussian_blur(random_map(model, wide, targets, ids=ids, seed=seed), sigma).to(images.dtype)
