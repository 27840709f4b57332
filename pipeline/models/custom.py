"""A network of the user's own, from a file outside the project: ``entry: "my_nets:build"``; docs/custom_networks.md.

Its source, and all of the user's own modules that it imports, count for provenance like the project's.
"""

import importlib
import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

LABEL = "{entry}"
TARGET_LAYER = None  # the last activation that gives maps, found by trying


def custom(
    *, channels: int, classes: int, size: tuple[int, int], entry: str, arguments: dict[str, Any] | None = None
) -> nn.Module:
    """Return what the user's function gives: a network, (N, channels, H, W) normalised -> (N, classes) logits.

    Args:
        channels: of the images.
        classes: of the answer.
        size: (H, W) of the images.
        entry: "package.module:function", looked up from the working directory. The function is called with those of
            ``channels``, ``classes`` and ``size`` that its signature names.
        arguments: further keyword arguments for it.

    Raises:
        ValueError: if the module is not the file in the working directory, the function cannot be called so, or what it
            returns is no network.
    """
    name, _, function = entry.partition(":")
    with _working_directory():
        build = getattr(_imported(name), function, None)
        if not callable(build):
            raise ValueError(f"entry: {name} has no function {function!r}")
        offered: dict[str, Any] = {"channels": channels, "classes": classes, "size": size}
        given = {**_asked(build, offered), **(arguments or {})}
        try:
            inspect.signature(build).bind(**given)
        except TypeError as error:
            raise ValueError(f"entry: {entry} cannot be called with {', '.join(given)}: {error}") from None
        model = build(**given)
    if not isinstance(model, nn.Module):
        raise ValueError(f"entry: {entry} must return a torch.nn.Module; it returns {type(model).__name__}")
    return model


def _imported(name: str) -> ModuleType:
    """Return the user's module, after making sure that it is not another, installed one of its name."""
    module = importlib.import_module(name)
    file = getattr(module, "__file__", None)
    if file is None or not Path(file).resolve().is_relative_to(Path.cwd().resolve()):
        place = file or "no file"
        raise ValueError(f"entry: {name} is {place}, and not in the working directory, {Path.cwd()}; rename yours")
    return module


def _asked(build: Any, offered: dict[str, Any]) -> dict[str, Any]:  # noqa: ANN401 (a function, a class, a partial)
    return {key: value for key, value in offered.items() if key in inspect.signature(build).parameters}


@contextmanager
def _working_directory() -> Iterator[None]:
    """Have modules looked up from the working directory first, for a while."""
    here = str(Path.cwd())
    sys.path.insert(0, here)
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(here)
