"""Enlarging the images of a data set."""

import numpy as np
import torch
from numpy.typing import NDArray


def resize(images: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Return (N, C, H, W) images enlarged to (N, C, size, size), bilinear between pixel centres, rounded.

    The interpolation is ``torch.nn.functional.interpolate`` in float64 with ``align_corners=False``; beyond the
    outermost pixel centres the border is repeated. An image that has the size already stays as it is.
    """
    pixels = torch.from_numpy(images).double()
    grown = torch.nn.functional.interpolate(pixels, (size, size), mode="bilinear", align_corners=False)
    return grown.round().to(torch.uint8).numpy()
