"""Augmentation of whole batches of uint8 images on their device: one gather a batch, from images padded once.

The images are padded once (Jordan 2024, "94% on CIFAR-10 in 3.29 seconds on a single GPU", arXiv:2404.00498, section
3), and what a step shows of them is drawn beforehand for a whole epoch, so that nothing waits for the CPU in between.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional


class Views(NamedTuple):
    """What is shown of which image; the leading axes are those of the batches, such as (S, B) for an epoch.

    Attributes:
        places: (..., ) int64, the images.
        corner: (..., 2) int64, row and column of the padded image where the view begins.
        mirror: (..., ) bool, whether left and right change sides.
    """

    places: Tensor
    corner: Tensor
    mirror: Tensor


def padded(images: Tensor, shift: int) -> Tensor:
    """Return uint8 images (N, C, H, W) with a black border of ``shift`` pixels, as (N, H + 2 shift, W + 2 shift, C)."""
    return functional.pad(images, [shift] * 4).permute(0, 2, 3, 1).contiguous()


def drawn(places: Tensor, shift: int, flip: bool, generator: torch.Generator) -> Views:
    """Return random views of the images at ``places``, (..., ) int64: every shift of up to ``shift`` alike likely.

    Args:
        places: the images, on the generator's device.
        shift: the largest shift along each axis, in pixels.
        flip: whether every second image, at random, is mirrored.
        generator: source of the draws.
    """
    shape, device = tuple(places.shape), places.device
    if shift:
        corner = torch.randint(2 * shift + 1, (*shape, 2), generator=generator, device=device)
    else:
        corner = torch.zeros((*shape, 2), dtype=torch.int64, device=device)
    if flip:
        return Views(places, corner, torch.rand(shape, generator=generator, device=device) < 0.5)
    return Views(places, corner, torch.zeros(shape, dtype=torch.bool, device=device))


def viewed(source: Tensor, views: Views, shift: int) -> Tensor:
    """Return a batch of views, (B, C, H, W) uint8 with its channels last in memory.

    Args:
        source: images as ``padded`` gives them.
        views: of one batch, leading axis (B,).
        shift: the one that the images were padded for.
    """
    _, high, wide, channels = source.shape
    height, width = high - 2 * shift, wide - 2 * shift
    across = torch.arange(width, device=source.device)
    across = torch.where(views.mirror[:, None], width - 1 - across, across) + views.corner[:, 1:]  # (B, W)
    down = torch.arange(height, device=source.device) + views.corner[:, :1]  # (B, H)
    rows = views.places[:, None] * high + down
    pixels = rows[:, :, None] * wide + across[:, None, :]  # (B, H, W), counted over all padded images
    batch = source.view(-1, channels).index_select(0, pixels.flatten())
    return batch.view(-1, height, width, channels).permute(0, 3, 1, 2)
