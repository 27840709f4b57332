"""DeepLIFT's rule of max pooling, which the paper (arXiv:1704.02685) leaves open."""

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipeline.attribution._through import through

POOLS = (nn.MaxPool2d, nn.AdaptiveMaxPool2d)


def pooled(module: nn.MaxPool2d | nn.AdaptiveMaxPool2d, start: Tensor, features: Tensor, output: Tensor) -> Tensor:
    """Return ``output`` with the multipliers of a max pooling: they lie between 0 and 1, and nothing is left over.

    A rise above the baseline's maximum is due to where the image's maximum is, a fall below it to where the baseline's
    is, each in proportion to the difference there.

    Args:
        module: the pooling.
        start: what it was given on the baseline, (N or 1, C, H, W).
        features: what it was given, (N, C, H, W).
        output: what it gave.
    """
    before, origins = _winners(module, start)
    given = features.detach().requires_grad_()
    with torch.enable_grad():
        maxima, places = _winners(module, given)
    origins, change = origins.expand_as(places), maxima.detach() - before
    rise = change.clamp(min=0).div_(maxima.detach() - _at(start.expand_as(given), places))
    fall = change.clamp(max=0).div_(_at(given.detach(), origins) - before)
    if (rise.sum() + fall.sum()).isnan():  # 0 / 0: where the maximum is the baseline's and at its place, a derivative
        rise, fall = torch.where(rise.isnan(), (change == 0).to(rise), rise), fall.nan_to_num(0)
    return through(features, output, partial(_to_winners, maxima, given), rise, fall, origins)


def _to_winners(maxima: Tensor, given: Tensor, gradient: Tensor, rise: Tensor, fall: Tensor, origins: Tensor) -> Tensor:
    """Hand a pooling's gradient to the image's maxima and to where the baseline's are, each times its multiplier."""
    (total,) = torch.autograd.grad(maxima, given, gradient * rise)
    return total.flatten(2).scatter_add_(2, origins.flatten(2), (gradient * fall).flatten(2)).view(given.shape)


def _winners(module: nn.MaxPool2d | nn.AdaptiveMaxPool2d, given: Tensor) -> tuple[Tensor, Tensor]:
    """Return the maxima, and at which place of the map each lies."""
    if isinstance(module, nn.AdaptiveMaxPool2d):
        size: Any = module.output_size
        return functional.adaptive_max_pool2d(given, size, return_indices=True)
    window = module.kernel_size, module.stride, module.padding, module.dilation
    return functional.max_pool2d(given, *window, ceil_mode=module.ceil_mode, return_indices=True)


def _at(maps: Tensor, places: Tensor) -> Tensor:
    """Return the values of ``maps`` (N, C, H, W) at ``places`` (N, C, h, w) of the maps laid out flat."""
    found = torch.empty_like(places, dtype=maps.dtype).flatten(2)  # laid out as the maps are, which gather does not do
    return torch.gather(maps.flatten(2), 2, places.flatten(2), out=found).view(places.shape)
