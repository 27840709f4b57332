"""Named protocols: entries of metrics with all their choices written out, as the literature made them. No torch.

workflow/protocols.yaml holds them; a metric's entry takes one by name, ``{use: deletion, protocol: rise2018}``.
"""

import functools
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from pipeline.signatures import COMMON, assumed, is_plain

FILE = Path(__file__).parent.parent / "workflow" / "protocols.yaml"
DIGITS = 6


@functools.cache
def known() -> dict[str, dict[str, Any]]:
    """Return {protocol: {"source": where it comes from, "metrics": {metric: its choices}}}."""
    return yaml.safe_load(FILE.read_text(encoding="utf-8"))


def expanded(where: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return a metric's entry with the choices of the protocol that it names, if it names one.

    Raises:
        ValueError: if it says nothing of the metric, or if the entry contradicts it.
    """
    if "protocol" not in entry:
        return dict(entry)
    name, use = entry["protocol"], entry["use"]
    stated = known()[name]["metrics"]
    if use not in stated:
        raise ValueError(f"config, {where}.protocol: {name} says nothing of {use}; it has {', '.join(sorted(stated))}")
    for key, value in choices(entry).items():
        if key in stated[use] and value != stated[use][key]:
            both = f"{name} says {stated[use][key]!r} and the entry {value!r}"
            raise ValueError(f"config, {where}.{key}: {both}; leave out one of them")
    return {**entry, **stated[use]}


def choices(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a metric's entry states of the metric itself, without what steps read."""
    return {key: value for key, value in entry.items() if key != "use" and key not in COMMON["evaluation"]}


def identity(name: str, entry: Mapping[str, Any]) -> str:
    """Return what a metric's choices are called wherever its numbers are shown: a name and six digits of their hash.

    The name is the protocol's, or that of the entry; the hash is of the metric and of all its choices, those left to
    their defaults included, so that two numbers with the same digits were measured alike.

    Args:
        name: of the entry.
        entry: expanded.
    """
    chosen = assumed("evaluation", entry["use"]) | choices(entry)
    stated = {key: float(v) if is_plain(v, float) else v for key, v in chosen.items()}  # 0 is 0.0
    said = json.dumps([entry["use"], stated], sort_keys=True)
    return f"{entry.get('protocol', name)} {hashlib.sha256(said.encode()).hexdigest()[:DIGITS]}"
