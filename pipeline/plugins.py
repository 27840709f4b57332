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
        entry: ``{"use": name, <keyword parameters>}``; a nested ``base`` is bound likewise, to its first map, and the
            names that ``similarity`` of a method lists become {name: function}.
        given: what the step fills in, where the signature asks for it.
    """
    config.check_entry(entry.get("use", "entry"), layer, entry)
    function = load(layer, entry["use"])
    read_by_steps = {"use", *signatures.COMMON.get(layer, ())}
    stated = {key: v for key, v in entry.items() if key not in read_by_steps and (key, v) != ("layer", "auto")}
    if "base" in stated:
        stated["base"] = _first_map(bind(layer, stated["base"], **given))
    if layer == "attribution" and "similarity" in stated:
        stated["similarity"] = {name: load("similarity", name) for name in stated["similarity"]}
    asked = inspect.signature(function).parameters
    filled = {key: value for key, value in given.items() if key in asked and key not in stated}
    return functools.partial(function, **stated, **filled)


def network(entry: Mapping[str, Any], *, channels: int, classes: int, size: tuple[int, int]) -> nn.Module:
    """Return the untrained network of a model's entry, for images of (channels, *size) and so many classes."""
    return bind("models", entry, channels=channels, classes=classes, size=size)()


def source(entry: Mapping[str, Any], stated: Mapping[str, str]) -> Mapping[str, str]:
    """Return where the weights of a network are to be had: what its entry calls by name becomes {"url", "sha256"}.

    Args:
        entry: the model's entry.
        stated: {"name"} of weights that the network's module knows, or anything else, which stays as it is.

    Raises:
        ValueError: if the module knows no such weights.
    """
    if "name" not in stated:
        return stated
    return importlib.import_module(f"pipeline.models.{entry['use']}").named_weights(stated["name"], entry)


def guarded(model: nn.Module, images: Tensor, classes: int) -> list[str]:
    """Return what the guard has against a network, and which methods that rules out, one sentence each.

    Args:
        model: the network.
        images: a few images to try, (N, C, H, W) normalised.
        classes: of its answer.

    Raises:
        ValueError: if it rules out every method.
    """
    guard = importlib.import_module("pipeline.models._guard")  # it can stop a training, and cannot change one
    found = guard.findings(model, images, classes)
    for finding in found:
        if guard.RULES_OUT[finding.kind] is None:
            raise ValueError(f"no method can explain this network: {finding}")
    needs = {
        name: signatures.constant("attribution", name, "REQUIRES") or () for name in signatures.names("attribution")
    }
    return [f"{each}; this rules out {_those_that_need(guard.RULES_OUT[each.kind], needs)}" for each in found]


def _those_that_need(requirement: str, needs: Mapping[str, tuple[str, ...]]) -> str:
    names = [name for name, required in needs.items() if requirement in required]
    return ", ".join(names) or f"every method that needs {requirement}, of which there is none yet"


def refusal(entry: Mapping[str, Any], layer: str | None, model: nn.Module, images: Tensor) -> str | None:
    """Return why the method of ``entry``, or its base, cannot explain this network, or None if it can.

    Args:
        entry: the method's entry.
        layer: dotted name of the layer that it would look at, or None.
        model: the network, in eval mode.
        images: a few images to try, (N, C, H, W) normalised.
    """
    if reason := _refused("attribution", entry, model, images, layer):
        return reason
    return refusal(entry["base"], layer, model, images) if "base" in entry else None


def unfit(
    entry: Mapping[str, Any],
    model: nn.Module,
    images: Tensor,
    *,
    method: Mapping[str, Any] | None,
    masks: Tensor | None,
) -> str | None:
    """Return why the metric of ``entry`` can say nothing of this method or data set, or None if it can.

    Args:
        entry: the metric's entry.
        model: the network, in eval mode.
        images: a few images to try, (N, C, H, W) normalised.
        method: the entry of the method whose maps are judged, or None where the metric does not ask for ``attribute``.
        masks: where the object is in the images explained, (M, H, W) bool, or None where the data set does not say.
    """
    function = load("attribution", method["use"]) if method else None
    return _refused("evaluation", entry, model, images, method=function, masks=masks)


def _refused(layer: str, entry: Mapping[str, Any], *arguments: Any, **keywords: Any) -> str | None:
    """Return the first reason that the functions which the module's REQUIRES names have against these arguments."""
    requirements = importlib.import_module(f"pipeline.{layer}._requirements")
    names = signatures.constant(layer, entry["use"], "REQUIRES") or ()
    reasons = (getattr(requirements, name)(*arguments, **keywords) for name in names)
    return next((reason for reason in reasons if reason), None)


def _first_map(method: Callable[..., Any]) -> Callable[..., Tensor]:
    @functools.wraps(method.func if isinstance(method, functools.partial) else method)
    def first(*arguments: Any, **keywords: Any) -> Tensor:
        maps = method(*arguments, **keywords)
        return next(iter(maps.values())) if isinstance(maps, dict) else maps

    return first
