"""Turn names into functions: the file is the registration. Imports no torch until a plug-in does."""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from pipeline import config, signatures

if TYPE_CHECKING:
    from torch import Tensor, nn


def load(layer: str, name: str) -> Callable[..., Any]:
    """Return the function ``name`` of module ``pipeline.<layer>.<name>``."""
    if name not in signatures.names(layer):
        raise ValueError(f"no module of {layer} is called {name!r}; there are: {', '.join(signatures.names(layer))}")
    return getattr(importlib.import_module(f"pipeline.{layer}.{name}"), name)


def bind(layer: str, entry: Mapping[str, Any], /, **given: Any) -> Callable[..., Any]:
    """Return the function of ``entry`` with its parameters filled in, after checking them against its signature.

    Args:
        layer: the layer of the function.
        entry: ``{"use": name, <keyword parameters>}``; a nested ``base`` is bound likewise, to its first map.
        given: what the step fills in, where the signature asks for it.
    """
    config.check_entry(entry.get("use", "entry"), layer, entry)
    function = load(layer, entry["use"])
    read_by_steps = {"use", *signatures.COMMON.get(layer, ())}
    stated = {key: v for key, v in entry.items() if key not in read_by_steps and (key, v) != ("layer", "auto")}
    if "base" in stated:
        stated["base"] = _first_map(bind(layer, stated["base"], **given))
    asked = inspect.signature(function).parameters
    filled = {key: value for key, value in given.items() if key in asked and key not in stated}
    return functools.partial(function, **stated, **filled)


def network(entry: Mapping[str, Any], *, channels: int, classes: int, size: tuple[int, int]) -> nn.Module:
    """Return the untrained network of a model's entry, for images of (channels, *size) and so many classes."""
    return bind("models", entry, channels=channels, classes=classes, size=size)()


def refusal(entry: Mapping[str, Any], layer: str | None, model: nn.Module, images: Tensor) -> str | None:
    """Return why the method of ``entry``, or its base, cannot explain this network, or None if it can.

    Args:
        entry: the method's entry.
        layer: dotted name of the layer that it would look at, or None.
        model: the network, in eval mode.
        images: a few images to try, (N, C, H, W) normalised.
    """
    requirements = importlib.import_module("pipeline.attribution._requirements")
    for name in signatures.constant("attribution", entry["use"], "REQUIRES") or ():
        if reason := getattr(requirements, name)(model, images, layer):
            return reason
    return refusal(entry["base"], layer, model, images) if "base" in entry else None


def _first_map(method: Callable[..., Any]) -> Callable[..., Tensor]:
    @functools.wraps(method.func if isinstance(method, functools.partial) else method)
    def first(*arguments: Any, **keywords: Any) -> Tensor:
        maps = method(*arguments, **keywords)
        return next(iter(maps.values())) if isinstance(maps, dict) else maps

    return first
