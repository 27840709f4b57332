"""What the plug-ins are called and what their functions take, read from their source by ``ast``. Imports none of them.

The signature is the schema: names, bounds and choices of an entry's parameters stand in the function that it uses.
"""

import ast
import builtins
import functools
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pipeline import bounds

HERE = Path(__file__).parent
# Keyword parameters that the steps fill in themselves, and that no entry may state.
OF_IMAGES = {"generator", "ids", "labels", "masks", "mean", "std"}
GIVEN = {
    "data": {"root"},
    "models": {"channels", "classes", "size"},
    "training": {"seed", "resume", "mean", "std"},
    "attribution": OF_IMAGES | {"references", "attribute"},
    "evaluation": OF_IMAGES | {"attribute", "maps", "ranks", "fills", "logits"},
}
# Keys of an entry that the steps read, beside those that the plug-in's signature names.
COMMON = {
    "data": {"explain", "holdout", "target"},
    "models": {"datasets", "normalise", "training", "weights"},
    "attribution": {"precision", "reduce"},
    "evaluation": {"cover", "images", "protocol"},
}


class Parameter(NamedTuple):
    """A keyword parameter of a plug-in: its annotation, as a typing object, and whether it must be given."""

    annotation: Any
    needed: bool


def names(layer: str) -> list[str]:
    """Return every name ``layer`` offers: its modules, less those that start with an underscore."""
    return sorted(path.stem for path in (HERE / layer).glob("[!_]*.py"))


def parameters(layer: str, name: str) -> dict[str, Parameter]:
    """Return the keyword parameters that an entry may state of the function of module ``name`` of ``layer``."""
    arguments = _function(layer, name, name).args
    pairs = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    stated = ((a, default) for a, default in pairs if a.arg not in GIVEN.get(layer, ()))
    return {a.arg: Parameter(_annotation(a.annotation), default is None) for a, default in stated}


def defaults(layer: str, name: str) -> dict[str, str | None]:
    """Return {parameter that an entry may state: its default as the source writes it, or None where it has none}."""
    arguments = _function(layer, name, name).args
    pairs = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    found = {argument.arg: ast.unparse(default) if default else None for argument, default in pairs}
    return {key: default for key, default in found.items() if key not in GIVEN.get(layer, ())}


def assumed(layer: str, name: str) -> dict[str, Any]:
    """Return the values of the parameters that have a default."""
    return {key: ast.literal_eval(text) for key, text in defaults(layer, name).items() if text}


def docstring(layer: str, name: str) -> str:
    """Return the docstring of module ``name`` of ``layer``."""
    return ast.get_docstring(_tree(layer, name)) or ""


def asks(layer: str, entry: Mapping[str, Any], key: str) -> bool:
    """Say whether the function of ``entry``, or that of its base, takes ``key``."""
    taken = key in (argument.arg for argument in _function(layer, entry["use"], entry["use"]).args.kwonlyargs)
    return taken or ("base" in entry and asks(layer, entry["base"], key))


def constant(layer: str, name: str, key: str) -> Any:
    """Return the literal constant ``key`` of module ``name`` of ``layer``, or None where it has none."""
    for node in _tree(layer, name).body:
        if isinstance(node, ast.Assign) and [t.id for t in node.targets if isinstance(t, ast.Name)] == [key]:
            return ast.literal_eval(node.value)
    return None


def parts(entry: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the maps that a method's entry yields; a method of one map calls it ``maps``."""
    return tuple(_alone("parts", entry) or ("maps",))


def map_bounds(entry: Mapping[str, Any]) -> dict[str, list[float | None]]:
    """Return {part: [lowest, highest]} of what the maps of a method's entry can hold, None where nothing bounds them.

    The ``bounds`` of its module is given the entry with its defaults, and its similarities as {name: RANGE}.
    """
    tree = _tree("attribution", entry["use"])
    if not any(isinstance(node, ast.FunctionDef) and node.name == "bounds" for node in tree.body):
        return {part: [None, None] for part in parts(entry)}
    stated = assumed("attribution", entry["use"])
    ranges = {name: constant("similarity", name, "RANGE") for name in entry.get("similarity", ())}
    found = _alone("bounds", stated | dict(entry) | {"similarity": ranges}) or {}
    return {part: list(found.get(part, (None, None))) for part in parts(entry)}


def counted(entry: Mapping[str, Any]) -> list[str]:
    """Return the arrays of a metric's entry whose means are shares of images, as its module's COUNTS says."""
    stated = assumed("evaluation", entry["use"]) | dict(entry)
    found = constant("evaluation", entry["use"], "COUNTS") or {}
    return [array for array, needed in found.items() if needed is None or needed.items() <= stated.items()]


def addresses(name: str, entry: Mapping[str, Any]) -> list[str]:
    """Return how scores and tables call the maps of a method's entry: ``<entry>``, or ``<entry>.<part>`` for each."""
    return [name if part == "maps" else f"{name}.{part}" for part in parts(entry)]


def _alone(name: str, entry: Mapping[str, Any]) -> Any:
    """Return what function ``name`` of an entry's method says of it, run without its module; None where it has none."""
    try:
        function = _function("attribution", entry["use"], name)
    except StopIteration:
        return None
    function.returns, function.args.args[0].annotation = None, None  # they need the module's imports
    scope: dict[str, Any] = {}
    exec(compile(ast.fix_missing_locations(ast.Module([function], [])), entry["use"], "exec"), scope)
    return scope[name](entry)


@functools.cache
def _tree(layer: str, name: str) -> ast.Module:
    return ast.parse((HERE / layer / f"{name}.py").read_text(encoding="utf-8"))


def _function(layer: str, module: str, name: str) -> ast.FunctionDef:
    body = _tree(layer, module).body
    return next(node for node in body if isinstance(node, ast.FunctionDef) and node.name == name)


def _annotation(node: ast.expr | None) -> Any:
    """Return the typing object that an annotation writes; what needs an import (``Callable``, ``Tensor``) is Any."""
    known = {**vars(builtins), **vars(typing), **vars(bounds)}
    if node is None or any(isinstance(n, ast.Name) and n.id not in known for n in ast.walk(node)):
        return Any
    if any(isinstance(n, ast.Name) and n.id == "Callable" for n in ast.walk(node)):
        return Any
    return eval(compile(ast.Expression(node), "annotation", "eval"), known)


def mismatch(value: object, annotation: Any) -> str | None:
    """Return what a value should be, in words, or None if it is."""
    if annotation is Any:
        return None
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        fits = mismatch(value, arguments[0]) is None and all(value in bound for bound in arguments[1:])
        return None if fits else _words(annotation)
    if origin is typing.Literal:
        return None if value in arguments else f"one of {', '.join(map(str, arguments))}"
    if origin is dict:
        return None if isinstance(value, Mapping) and all(isinstance(key, str) for key in value) else "a mapping"
    if origin in {list, tuple}:
        items = value if isinstance(value, list | tuple) else ()
        fits = len(items) > 0 and all(mismatch(item, arguments[0]) is None for item in items)
        return None if fits else f"a list of one or more, each {_words(arguments[0])}"
    if arguments:  # a union: X | None
        return None if any(mismatch(value, choice) is None for choice in arguments) else _words(annotation)
    return None if is_plain(value, annotation) else _words(annotation)


def is_plain(value: object, annotation: Any) -> bool:
    """Say whether a value is of a plain type; true is no number, nor is NaN, infinity or what needs over 64 bits."""
    if isinstance(value, bool):
        return annotation is bool
    if isinstance(value, int | float):
        return annotation in {type(value), float} and abs(value) < 2**63
    return isinstance(value, annotation)


def _words(annotation: Any) -> str:
    if typing.get_origin(annotation) is dict:
        return "a mapping"
    if typing.get_origin(annotation) is typing.Annotated:
        kind, *bounds = typing.get_args(annotation)
        return " and ".join([_words(kind), *map(str, bounds)])
    plain = {int: "a whole number", float: "a number", bool: "true or false", str: "a text", type(None): "nothing"}
    if annotation in plain:
        return plain[annotation]
    return " or ".join(_words(choice) for choice in typing.get_args(annotation)) or str(annotation)
