"""Images without the pixels that a saliency map ranks highest, or lowest: the data of ROAR and KAR."""

import torch
from torch import Tensor


def degraded(images: Tensor, ranks: Tensor, mode: str, fraction: float, mean: Tensor) -> Tensor:
    """Replace exactly round(fraction * H * W) pixels of each image by the channel means of the training images.

    Hooker et al. 2019 (arXiv:1806.10758), section 3: "roar" (remove and retrain) takes the most salient pixels,
    "kar" (keep and retrain, section 6.3) the least salient, so that ``fraction`` means the share removed in both.

    Args:
        images: (N, C, H, W) uint8.
        ranks: (N, H, W) integers, 0 for the most salient pixel.
        mode: "roar" or "kar".
        fraction: share of the pixels to replace, from 0 to 1.
        mean: (C,) channel means in [0, 1] units, rounded here to whole grey levels.

    Returns:
        (N, C, H, W) uint8.
    """
    pixels = ranks[0].numel()
    count = round(fraction * pixels)
    removed = ranks < count if mode == "roar" else ranks >= pixels - count
    fill = (mean * 255).round().to(torch.uint8).view(1, -1, 1, 1)
    return torch.where(removed[:, None], fill, images)
