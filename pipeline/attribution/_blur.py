"""A Gaussian blur."""

import torch
from torch import Tensor
from torch.nn import functional


def gaussian_blur(maps: Tensor, sigma: float) -> Tensor:
    """Convolve every channel of (N, C, H, W) with a Gaussian cut off at four sigma, the border repeated outwards.

    Args:
        maps: of any size.
        sigma: standard deviation of the Gaussian, in pixels.
    """
    reach = int(4 * sigma + 0.5)
    offsets = torch.arange(-reach, reach + 1, dtype=maps.dtype, device=maps.device)
    kernel = torch.exp(-0.5 * (offsets / sigma) ** 2)
    kernel = kernel / kernel.sum()
    padded = functional.pad(maps.flatten(0, 1)[:, None], (reach, reach, reach, reach), mode="replicate")
    blurred = functional.conv2d(functional.conv2d(padded, kernel.view(1, 1, -1, 1)), kernel.view(1, 1, 1, -1))
    return blurred.view_as(maps)
