"""Mean and variance of maps that come one after the other, of which one is in memory at a time."""

from collections.abc import Iterable

import torch
from torch import Tensor


def moments(maps: Iterable[Tensor], dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Return mean and variance of maps of one shape, gathered map by map (Welford) in a dtype of enough digits.

    Args:
        maps: at least one.
        dtype: of the images: half-precision maps are gathered in single precision, lest the last of many round away.

    Returns:
        The mean, and the population's variance (divided by their number), never negative; of single precision at
        least.
    """
    wide = torch.promote_types(dtype, torch.float32)
    mean = deviation = torch.zeros((), dtype=wide)
    count = 0
    for count, each in enumerate(maps, 1):
        change = each.to(wide) - mean
        mean = mean + change / count
        deviation = deviation + change**2 * (count - 1) / count  # sum of squared distances from the mean so far
    return mean, deviation / count
