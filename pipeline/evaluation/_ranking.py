"""The order in which a saliency map visits the pixels, shared by every perturbation metric."""

import torch
from torch import Tensor

from pipeline.randomness import per_image


def saliency_rank(saliency: Tensor, ids: Tensor) -> Tensor:
    """Rank each image's pixels, 0 for the most salient, all ranks distinct.

    Ranks, unlike thresholds, remove exactly k pixels even from a map that is mostly zeros. Equally salient pixels come
    in a random order of the image's own, the same for every method: raster order would favour the top of the image.

    Args:
        saliency: (N, H, W), larger is more salient, without NaN.
        ids: (N,) int64, the images' places in their data set.

    Returns:
        (N, H, W) int64 on the device of ``saliency``, a permutation of 0 .. H*W - 1 for each image, which depends on
        that image's map and id alone.
    """
    values = saliency.flatten(1) + 0.0  # -0.0 becomes 0.0: some sorts tell them apart
    visit = per_image(ids, values.shape[1:], "ties", draw=_permutation).to(values.device)
    order = values.gather(1, visit).argsort(dim=1, descending=True, stable=True)
    places = torch.arange(values.shape[1], device=values.device).expand_as(visit)
    return torch.empty_like(visit).scatter_(1, visit.gather(1, order), places).view(saliency.shape)


def _permutation(shape: tuple[int], generator: torch.Generator) -> Tensor:
    return torch.randperm(shape[0], generator=generator)


def removal_counts(pixels: int, steps: int) -> list[int]:
    """Return how many pixels are exchanged after 0, 1, ... ``steps`` equal portions: strictly rising, 0 to ``pixels``.

    Raises:
        ValueError: if there are more steps than pixels.
    """
    if steps > pixels:
        raise ValueError(f"steps must be at most {pixels}, the number of pixels of an image, got {steps}")
    return [round(step * pixels / steps) for step in range(steps + 1)]
