"""Augmentation of whole batches of uint8 images on their device."""

import torch
from torch import Tensor
from torch.nn import functional


def shifted(images: Tensor, pixels: int, generator: torch.Generator) -> Tensor:
    """Move each image by up to ``pixels`` along each axis, at random; what comes in from outside is black.

    Args:
        images: (N, C, H, W) uint8.
        pixels: the largest shift; 0 returns the images as they are.
        generator: CPU source of the shifts.

    Returns:
        (N, C, H, W) uint8.
    """
    if pixels == 0:
        return images
    count, _, height, width = images.shape
    corner = torch.randint(2 * pixels + 1, (count, 2), generator=generator).to(images.device)
    padded = functional.pad(images, [pixels] * 4)
    rows = corner[:, :1] + torch.arange(height, device=images.device)  # (N, H)
    columns = corner[:, 1:] + torch.arange(width, device=images.device)  # (N, W)
    image = torch.arange(count, device=images.device)[:, None, None]
    return padded[image, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def flipped(images: Tensor, generator: torch.Generator) -> Tensor:
    """Mirror each image left to right with probability 1/2: (N, C, H, W) in and out."""
    mirror = torch.rand(len(images), generator=generator).to(images.device) < 0.5
    return torch.where(mirror[:, None, None, None], images.flip(3), images)
