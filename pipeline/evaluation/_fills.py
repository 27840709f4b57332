"""What takes the place of a removed pixel: defined in pixel space, [0, 1], and normalised once."""

from collections.abc import Callable

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from pipeline.data._pixels import denormalise, normalise
from pipeline.randomness import per_image

RISE_RADIUS = 5


def fill_pixels(name: str, images: Tensor, ids: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """Return the normalised pixels that replace removed ones, (N, C, H, W), in the images' dtype and on their device.

    Args:
        name: "mean", the channel means of the training images, 0 in normalised units; "zero", black; "blur", the image
            under a Gaussian blur (see ``blur``); "noise", independent normal values of the training images' mean and
            standard deviation, clipped to [0, 1]; "salt_and_pepper", black or white with equal chances, all channels
            of a pixel alike; "grey", 0.5; "white", 1; "minimum", the smallest normalised value of the image's own
            pixels, in all channels; "blur_15", the image under a Gaussian of 15 taps and deviation 5, whatever its
            size; "blur_rise", under the blur of RISE's own program (see ``_blur_rise``), likewise. The two random
            fills, noise and salt, are determined by the image's id.
        images: (N, C, H, W), normalised as in training.
        ids: (N,) int64, the images' places in their data set.
        mean: (C,) channel means of the training images, in [0, 1] units.
        std: (C,) their standard deviations, likewise.

    Raises:
        ValueError: if there is no such fill.
    """
    if name not in FILLS:
        raise ValueError(f"a fill is one of {', '.join(FILLS)}, got {name!r}")
    pixels = denormalise(images, mean, std)
    return normalise(FILLS[name](pixels, ids, mean, std), mean, std)


def blur(pixels: Tensor) -> Tensor:
    """Blur each channel with a Gaussian of 2r + 1 taps and standard deviation r, the border pixels repeated outwards.

    From a shorter side of 30 pixels on r = 5: nominally the blur of 11 taps and deviation 5 from which RISE starts its
    insertion (arXiv:1806.07421; its program's own is ``blur_rise``). Smaller images get a sixth of their shorter side,
    at least 1: RISE's blur would wipe them out, while one scaled down from RISE's 224 pixels would do nothing.

    Args:
        pixels: (N, C, H, W), of any size.
    """
    radius = min(max(min(pixels.shape[2:]) // 6, 1), RISE_RADIUS)
    return gaussian(pixels, radius, radius)


def gaussian(pixels: Tensor, radius: int, deviation: float) -> Tensor:
    """Blur each channel of (N, C, H, W) with a Gaussian of 2 * radius + 1 taps, the border pixels repeated outwards."""
    offsets = torch.arange(-radius, radius + 1, dtype=torch.float64)
    weights = torch.softmax(-((offsets / deviation) ** 2) / 2, dim=0).tolist()
    padded = F.pad(pixels, (radius,) * 4, mode="replicate")
    return _weigh_shifts(_weigh_shifts(padded, weights, dim=2), weights, dim=3)


def _blur_rise(pixels: Tensor, _ids: Tensor, mean: Tensor, _std: Tensor) -> Tensor:
    """Blur as the program of RISE does, whatever the images' size: 11 taps, and beyond the border the mean colour.

    Its taps are a single pixel under scipy's Gaussian of deviation 5 within 11 places, which reflects at their ends:
    nearly a box, where a Gaussian cut off after 11 taps, as of ``blur``, is a bell. In normalised units, in which it
    works, what lies beyond the border is 0.
    """
    single = np.zeros(2 * RISE_RADIUS + 1)
    single[RISE_RADIUS] = 1
    weights = gaussian_filter1d(single, RISE_RADIUS).tolist()
    centre = mean.to(pixels).view(-1, 1, 1)
    padded = F.pad(pixels - centre, (RISE_RADIUS,) * 4)
    return _weigh_shifts(_weigh_shifts(padded, weights, dim=2), weights, dim=3) + centre


def _weigh_shifts(padded: Tensor, weights: list[float], dim: int) -> Tensor:
    """Convolve along ``dim``. Not with conv2d, whose rounding depends on batch size and device (TF32)."""
    length = padded.shape[dim] - len(weights) + 1
    total = torch.zeros_like(padded.narrow(dim, 0, length))
    for start, weight in enumerate(weights):
        total += weight * padded.narrow(dim, start, length)
    return total


def _mean(pixels: Tensor, _ids: Tensor, mean: Tensor, _std: Tensor) -> Tensor:
    return mean.to(pixels).view(-1, 1, 1).expand_as(pixels)


def _noise(pixels: Tensor, ids: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    draws = per_image(ids, pixels.shape[1:], "noise fill", draw=torch.randn).to(pixels)
    return (draws * std.to(pixels).view(-1, 1, 1) + mean.to(pixels).view(-1, 1, 1)).clamp(0, 1)


def _salt_and_pepper(pixels: Tensor, ids: Tensor, _mean: Tensor, _std: Tensor) -> Tensor:
    salt = per_image(ids, (1, *pixels.shape[2:]), "salt and pepper fill") < 0.5
    return salt.to(pixels).expand_as(pixels)


def _minimum(pixels: Tensor, _ids: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    images = normalise(pixels, mean, std)
    return denormalise(images.amin((1, 2, 3), keepdim=True).expand_as(images), mean, std)


FILLS: dict[str, Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]] = {
    "mean": _mean,
    "zero": lambda pixels, *_: torch.zeros_like(pixels),
    "blur": lambda pixels, *_: blur(pixels),
    "noise": _noise,
    "salt_and_pepper": _salt_and_pepper,
    "grey": lambda pixels, *_: torch.full_like(pixels, 0.5),
    "white": lambda pixels, *_: torch.ones_like(pixels),
    "minimum": _minimum,
    "blur_15": lambda pixels, *_: gaussian(pixels, radius=7, deviation=5),
    "blur_rise": _blur_rise,
}
