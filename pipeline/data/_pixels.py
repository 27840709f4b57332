"""Between pixel space, [0, 1], and the normalised units that networks see: fills and baselines pass here once."""

import torch
from torch import Tensor


def _channels(value: Tensor, like: Tensor) -> Tensor:
    return value.to(like.device, like.dtype).view(1, -1, 1, 1)


def normalise(pixels: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """Return (pixels - mean) / std per channel: (N, C, H, W); uint8 pixels count as 0 to 255, floats as 0 to 1."""
    if not pixels.is_floating_point():
        pixels = pixels.to(torch.float32) / 255
    return (pixels - _channels(mean, pixels)) / _channels(std, pixels)


def denormalise(images: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """Return the pixels in [0, 1] of normalised images (N, C, H, W): the inverse of ``normalise``."""
    return images * _channels(std, images) + _channels(mean, images)
