"""Pieces that several networks share."""

from torch import nn

WIDTHS = (32, 64, 128)
SMALLEST = 2 ** len(WIDTHS)  # every stage halves the sides, and one pixel must be left


def plain_features(channels: int, size: tuple[int, int]) -> nn.Sequential:
    """Return three stages of convolution, batch norm, ReLU and max pooling: (N, C, H, W) -> (N, 128, H//8, W//8).

    Args:
        channels: of the images.
        size: (H, W) of the images.

    Raises:
        ValueError: if a side of ``size`` is shorter than 8 pixels, so that nothing would be left of it.
    """
    if min(size) < SMALLEST:
        raise ValueError(f"images must have at least {SMALLEST} pixels a side, got {size[0]} x {size[1]}")
    layers: list[nn.Module] = []
    for inputs, outputs in zip((channels, *WIDTHS), WIDTHS, strict=False):
        layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers)
