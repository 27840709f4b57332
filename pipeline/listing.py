"""What lies at the paths that a config names, told by names, sizes and times: enough to notice a change. No torch."""

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline.signatures import constant


def seen(entry: Mapping[str, Any], data_dir: str) -> dict[str, str]:
    """Return {"listing": hash} of what lies at the paths of their own that users state in a data set's entry, or {}.

    Args:
        entry: the data set's entry; LOCAL of its module names the parameters that are paths.
        data_dir: folder that holds source files; the paths are relative to the first of the module's FOLDERS in it.
    """
    stated = [entry[key] for key in constant("data", entry["use"], "LOCAL") or () if entry.get(key)]
    folder = Path(data_dir, (constant("data", entry["use"], "FOLDERS") or (entry["use"],))[0])
    return {"listing": listing(folder / path for path in stated)} if stated else {}


def listing(paths: Iterable[Path]) -> str:
    """Return a hash of the relative path, size and time of change of every file at or below ``paths``, 16 digits.

    A path where nothing lies counts as such. Links are followed, but not to folders.
    """
    found = hashlib.sha256()
    for path in paths:
        for name, status in sorted(_below(path)):
            found.update(f"{name}\0{status.st_size}\0{status.st_mtime_ns}\0".encode(errors="surrogateescape"))
        found.update(b"\n")
    return found.hexdigest()[:16]


def _below(path: Path) -> Iterator[tuple[str, os.stat_result]]:
    if path.is_file():
        yield "", path.stat()
    for folder, _, names in os.walk(path):
        for name in names:
            each = os.path.join(folder, name)
            if os.path.exists(each):  # not a link to nowhere
                yield os.path.relpath(each, path), os.stat(each)
