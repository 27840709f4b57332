"""Where a path to an image may start: reference inputs, defined in pixel space, [0, 1]."""

from typing import Literal

import torch
from torch import Tensor

from pipeline.attribution._blur import gaussian_blur
from pipeline.data._pixels import normalise

Baseline = Literal["black", "mean", "blur", "noise"]


def baseline_images(
    name: Baseline, images: Tensor, *, mean: Tensor, std: Tensor, blur: float, generator: torch.Generator
) -> Tensor:
    """Return the baseline in normalised units: (N, C, H, W), or (1, C, H, W) where it is the same for all images.

    Args:
        name: "black", pixels of 0; "mean", the channels' means over the training images; "blur", the image itself,
            blurred; "noise", uniform in [0, 1], each pixel and channel for itself, one draw for all images.
        images: (N, C, H, W), normalised as in training.
        mean: (C,), the channels' means over the training images, in [0, 1] units.
        std: (C,), their standard deviations.
        blur: standard deviation of the Gaussian, as a fraction of the image's shorter side.
        generator: source of the noise.
    """
    images = images.detach()
    if name == "blur":  # the same in either units: the weights add up to 1. Half precision has too few digits for them
        wide = images.to(torch.promote_types(images.dtype, torch.float32))
        return gaussian_blur(wide, blur * min(images.shape[-2:])).to(images)
    if name == "mean":
        return torch.zeros_like(images[:1])
    shape = (1, *images.shape[1:])
    pixels = torch.zeros(shape) if name == "black" else torch.rand(shape, generator=generator)
    return normalise(pixels.to(images), mean, std)
