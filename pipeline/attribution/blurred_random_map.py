"""Control: noise, blurred.

Song, Cha & Seo, "On Pitfalls of Remove-And-Retrain: Data Processing Inequality Perspective", 2023 (arXiv:2304.13836):
blurry maps score well in removal benchmarks whatever they show (abstract), so a method must beat blurry noise too.
"""

import math
from typing import Annotated

import torch
from torch import Tensor, nn

from pipeline.attribution._blur import gaussian_blur
from pipeline.bounds import Above
from pipeline.randomness import per_image

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
    """Return noise, uniform in [0, 1) in every pixel, after a Gaussian blur, the same everywhere in the map.

    The noise reaches beyond the image: blurred within it, with its border repeated outwards, a map would vary nine
    times as much in the corners as in the middle, and nearly all maps would have their maximum at the border.

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
    height, width = images.shape[2:]
    margin = math.ceil(4 * sigma) + 1  # the Gaussian is cut off before
    noise = per_image(ids, (1, height + 2 * margin, width + 2 * margin), "blurred_random_map", seed)
    wide = noise.to(images.device, torch.promote_types(images.dtype, torch.float32))
    return gaussian_blur(wide, sigma)[:, :, margin:-margin, margin:-margin].to(images.dtype)
