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
    given, (before, origins) = features.detach(), _winners(module, start)
    places = getattr(output.grad_fn, "_saved_result1", None)  # torch keeps them for its own way back
    places = _winners(module, given)[1] if places is None else places
    change = output.detach() - before
    due = torch.where(change < 0, origins, places)
    multipliers = change.div_(_differences(given, start, due))
    if multipliers.sum().isnan():  # 0 / 0: where the maximum is the baseline's and at its place, a derivative
        multipliers = multipliers.nan_to_num(1)
    return through(features, output, partial(_to_places, module), given, multipliers, due)


def _to_places(
    module: nn.MaxPool2d | nn.AdaptiveMaxPool2d, gradient: Tensor, given: Tensor, multipliers: Tensor, places: Tensor
) -> Tensor:
    """Hand a pooling's gradient, times its multipliers, to places within the windows, with torch's own way back."""
    if isinstance(module, nn.AdaptiveMaxPool2d):
        return torch.ops.aten.adaptive_max_pool2d_backward(gradient * multipliers, given, places)
    sides = (module.kernel_size, module.stride, module.padding, module.dilation)
    window = [[side, side] if isinstance(side, int) else list(side) for side in sides]
    options = (*window, module.ceil_mode, places)
    return torch.ops.aten.max_pool2d_with_indices_backward(gradient * multipliers, given, *options)


def _winners(module: nn.MaxPool2d | nn.AdaptiveMaxPool2d, given: Tensor) -> tuple[Tensor, Tensor]:
    """Return the maxima, and at which place of the map each lies."""
    if isinstance(module, nn.AdaptiveMaxPool2d):
        size: Any = module.output_size
        return functional.adaptive_max_pool2d(given, size, return_indices=True)
    window = module.kernel_size, module.stride, module.padding, module.dilation
    return functional.max_pool2d(given, *window, ceil_mode=module.ceil_mode, return_indices=True)


def _differences(given: Tensor, start: Tensor, places: Tensor) -> Tensor:
    """Return ``given`` (N, C, H, W) less ``start`` (N or 1, C, H, W) at ``places`` (N, C, h, w) of the flat maps."""
    if not all(maps.is_contiguous(memory_format=torch.channels_last) for maps in (given, start)):
        found, before = (maps.expand_as(given).flatten(2).gather(2, places.flatten(2)) for maps in (given, start))
        return found.sub_(before).view(places.shape)
    # neighbours in memory are a place's channels: in this order, what is fetched lies close together
    wanted = places.permute(0, 2, 3, 1) * places.shape[1] + torch.arange(places.shape[1], device=places.device)
    flat = (maps.permute(0, 2, 3, 1).flatten(1).expand(len(given), -1) for maps in (given, start))
    found, before = (maps.gather(1, wanted.flatten(1)) for maps in flat)
    return found.sub_(before).view(wanted.shape).permute(0, 3, 1, 2)
