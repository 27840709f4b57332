"""Pieces that several networks share."""

from collections.abc import Callable

from torch import nn

WIDTHS = (32, 64, 128)
SMALLEST = 2 ** len(WIDTHS)  # every stage halves the sides, and one pixel must be left


def plain_features(
    channels: int, size: tuple[int, int], attention: Callable[[int], nn.Module] | None = None
) -> nn.Sequential:
    """Return three stages of convolution, batch norm, ReLU and max pooling: (N, C, H, W) -> (N, 128, H//8, W//8).

    Args:
        channels: of the images.
        size: (H, W) of the images.
        attention: given a stage's width, the module to put between its convolution and its batch norm; None for none.

    Raises:
        ValueError: if a side of ``size`` is shorter than 8 pixels, so that nothing would be left of it.
    """
    at_least(SMALLEST, size)
    layers: list[nn.Module] = []
    for inputs, outputs in zip((channels, *WIDTHS), WIDTHS, strict=False):
        layers.append(nn.Conv2d(inputs, outputs, 3, padding=1))
        layers += [attention(outputs)] if attention else []
        layers += [nn.BatchNorm2d(outputs), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers)


def plain_classifier(size: tuple[int, int], classes: int) -> nn.Sequential:
    """Return the two linear layers that SimpleCNN puts upon its features: (N, 128, H//8, W//8) -> (N, classes)."""
    flat = WIDTHS[-1] * (size[0] // SMALLEST) * (size[1] // SMALLEST)
    return nn.Sequential(nn.Flatten(), nn.Linear(flat, 1024), nn.ReLU(), nn.Linear(1024, classes))


def at_least(side: int, size: tuple[int, int]) -> None:
    """Raise ValueError, in one sentence, if a side of ``size`` (H, W) is shorter than ``side`` pixels."""
    if min(size) < side:
        raise ValueError(f"images must have at least {side} pixels a side, got {size[0]} x {size[1]}")
