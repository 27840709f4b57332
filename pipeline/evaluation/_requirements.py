"""What a metric needs of a method or a data set to make sense; a metric lists the names of its needs in REQUIRES.

Each function is ``name(model, images, *, method, masks) -> str | None``: the reason why the metric is left out, or None
where it is not. ``model`` is the network; ``images`` a probe batch (N, C, H, W), normalised; ``method`` the function of
the method whose maps are judged, or None where the metric does not ask for ``attribute``; ``masks`` where the object
is in all images explained, (M, H, W) bool, or None where the data set does not say.
"""

import inspect
from collections.abc import Callable
from typing import Any

from torch import Tensor, nn


def draws(model: nn.Module, images: Tensor, *, method: Callable[..., Any] | None, masks: Tensor | None) -> str | None:
    """Refuse unless the method draws at random, so many times as its parameter ``samples`` says."""
    taken = inspect.signature(method).parameters if method else {}
    if "generator" not in taken:
        return "the method draws nothing at random"
    return None if "samples" in taken else "the method has no parameter samples, of how often it draws"


def marked(model: nn.Module, images: Tensor, *, method: Callable[..., Any] | None, masks: Tensor | None) -> str | None:
    """Refuse unless the object is marked in one at least of the images explained."""
    return None if masks is not None and masks.any() else "the object is marked in none of the images"
