"""Files that are whole or not there: written beside their place, then renamed."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Give a path to write to; on leaving, rename it to ``path``, or remove it if an error was raised.

    Whenever the process ends, ``path`` holds all of the new content or what it held before.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{os.getpid()}.{path.name}")  # keeps the suffix, which some writers go by
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write(path: str | Path, text: str) -> None:
    """Write ``text`` to ``path``, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def report(output: str | Path, *, taken_over: int, computed: int, unit: str) -> None:
    """Write beside ``output`` how much of it its last job found done and how much it computed: for the summary."""
    path = Path(output).with_name(Path(output).name + ".progress.json")
    write(path, json.dumps({"taken_over": taken_over, "computed": computed, "unit": unit}))


@contextmanager
def locked(path: str | Path) -> Iterator[None]:
    """Hold the lock file ``path``: one process at a time is inside, and a killed process lets go."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
