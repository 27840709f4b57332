"""Which of the forms that a data set is handed out in lies there."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

Files = Mapping[str, Mapping[str, Any]]


def stated(files: Files, entry: Mapping[str, Any]) -> Files:
    """Return the files of a form that an entry asks for: one with ``"when": "boxes"`` only if ``boxes`` is true."""
    return {name: source for name, source in files.items() if "when" not in source or entry.get(source["when"])}


def needed(files: Files) -> list[str]:
    """Return the names of the files without which a form of a data set is not there: all but those of test images."""
    return [name for name, source in files.items() if source.get("part") != "test"]


def present(forms: Iterable[Files], folders: Iterable[Path]) -> tuple[Files, Path] | None:
    """Return the first of ``forms`` whose needed files all lie in one of ``folders``, and that folder, or None."""
    places = list(folders)
    pairs = ((files, folder) for files in forms for folder in places)
    return next((pair for pair in pairs if all((pair[1] / name).is_file() for name in needed(pair[0]))), None)
