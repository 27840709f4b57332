"""Control: the centre of the image.

Tatler, "The central fixation bias in scene viewing: Selecting an optimal viewing position independently of motor biases
and image feature distributions", Journal of Vision 2007 (doi:10.1167/7.14.4), abstract: viewers tend to look at
the middle, whatever the image shows there. A method must beat who does only that.
"""

from typing import Annotated

import torch
from torch import Tensor, nn

from pipeline.bounds import Above

LABEL = "Centre"
FAMILY = "control"
REDUCE = "sum"
REQUIRES = ()
PASSES = {"forward": "0", "backward": "0"}


def centre_map(
    model: nn.Module, images: Tensor, targets: Tensor, *, sigma: Annotated[float, Above(0)] = 0.25
) -> Tensor:
    """Return a Gaussian around the centre, the same for every image, as wide and as high as the image's shape asks.

    Args:
        model: not used.
        images: (N, C, H, W); only the shape counts.
        targets: not used.
        sigma: standard deviation, as a fraction of the image's side: of H downwards, of W across.

    Returns:
        (N, 1, H, W), at most 1, which is its height at the very centre.
    """
    height, width = (torch.exp(-0.5 * (_offsets(side) / sigma) ** 2) for side in images.shape[-2:])
    return torch.outer(height, width).to(images).expand(len(images), 1, -1, -1).clone()


def _offsets(side: int) -> Tensor:
    """Return how far each pixel's middle lies from the image's, as a fraction of the side."""
    return (2 * torch.arange(side, dtype=torch.float64) + 1 - side) / (2 * side)  # symmetric to the last bit
