"""What a network takes from outside the project: weights to begin with, and the source of a custom network.

Imports no torch, and nothing from outside: the source is read by ``ast``.
"""

import ast
import difflib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.signatures import constant

SUFFIXES = (".safetensors", ".pth", ".pt", ".th", ".bin")
PACKED = ("", ".xz", ".gz")
NAME = re.compile(r"[A-Z][A-Z0-9_]*")  # such as IMAGENET1K_V1; a file of such a name is ./IMAGENET1K_V1
ENTRY = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")


def origin(entry: Mapping[str, Any]) -> dict[str, str]:
    """Return where the weights of a model's entry come from.

    Returns:
        {"file"} or {"file", "sha256"}, {"url", "sha256"}, {"name"}, or {} where the network starts from nothing.
    """
    stated = entry.get("weights", {})
    if not isinstance(stated, str):
        return dict(stated)
    named = NAME.fullmatch(stated) and constant("models", entry["use"], "NAMED_WEIGHTS")
    return {"name": stated} if named else {"file": stated}


def pretrained(entry: Mapping[str, Any]) -> bool:
    """Say whether a network is taken as its weights make it: no seed matters then."""
    return "weights" in entry and "training" not in entry


def check(where: str, entry: Mapping[str, Any]) -> None:
    """Raise ValueError, in one sentence, unless the weights of a model's entry can be found."""
    found = origin(entry)
    place = found.get("file") or found.get("url", "").partition("?")[0]
    if place and not place.endswith(tuple(suffix + packed for suffix in SUFFIXES for packed in PACKED)):
        suffixes = f"{', '.join(SUFFIXES)}, as they are or packed as {' or '.join(PACKED[1:])}"
        raise ValueError(f"config, {where}.weights: the weights must be a file of {suffixes}; it is {place!r}")
    if "file" in found and not Path(place).is_file():
        folder = f"it is looked up from the working directory, {Path.cwd()}"
        raise ValueError(f"config, {where}.weights: there is no file {place!r}; {folder}")


def check_custom(where: str, entry: object) -> None:
    """Raise ValueError, in one sentence, unless ``entry`` names a function, class or import of a module that exists.

    Args:
        where: the entry of the config, for the message.
        entry: such as "my_nets:build" or "nets.small:build".
    """
    if not isinstance(entry, str) or not ENTRY.fullmatch(entry):
        raise ValueError(f"config, {where}.entry: it must be module:function, such as my_nets:build; it is {entry!r}")
    name, _, function = entry.partition(":")
    path = module_path(name)
    if path is None:
        wish = f"{name.replace('.', '/')}.py in the working directory, {Path.cwd()}"
        raise ValueError(f"config, {where}.entry: there is no module {name!r}; put it at {wish}")
    try:
        offered = _offered(ast.parse(path.read_text(encoding="utf-8")))
    except (SyntaxError, ValueError) as error:
        raise ValueError(f"config, {where}.entry: {path.name} is no sound Python: {error}") from None
    if function not in offered:
        close = difflib.get_close_matches(function, offered, n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        there = f"there are: {', '.join(offered) or 'none'}"
        raise ValueError(f"config, {where}.entry: {path.name} has no function {function!r}; {hint}{there}")


def module_path(module: str) -> Path | None:
    """Return the source of a module of the user's, looked up from the working directory, or None."""
    base = Path.cwd().joinpath(*module.split("."))
    return next((path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file()), None)


def _offered(tree: ast.Module) -> list[str]:
    """Return the names of functions, classes and imports at the top level of a module, the functions first."""
    made = [node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    taken = (alias for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names)
    return [*made, *(alias.asname or alias.name for alias in taken)]
