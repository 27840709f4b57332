"""Class folders: which files a tree holds, of which class and part, and what the classes are called."""

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipeline.data._dataset import TEST, TRAIN
from pipeline.data._splits import validation


class Found(NamedTuple):
    """A file of a tree: where it lies, the name of its class folder, and its part, TRAIN or TEST."""

    path: Path
    folder: str
    part: int


def tree(place: Path, share: float) -> list[Found]:
    """Return the files of a tree of class folders, training first, then by class folder, then by path.

    ``<place>/<class>/...``, of which ``share`` of each class become test images; or ``<place>/train/<class>/...``
    with ``<place>/test/<class>/...``, where ``val`` serves as ``test`` if there is no ``test``, and otherwise joins
    the training images. Every file below a class folder counts, but for hidden ones.

    Raises:
        ValueError: if there is no such folder, or no class folder in it, or no file in one of them.
    """
    if not place.is_dir():
        raise ValueError(f"{place} is no folder")
    parts = {name: place / name for name in ("train", "test", "val") if _folders(place / name)}
    if "train" not in parts:
        return _shared(_files(place), share)
    tests = [parts[name] for name in ("test", "val") if name in parts][:1]
    if not tests:
        return _shared(_files(parts["train"]), share)
    train = [found for name, part in parts.items() if part not in tests for found in _files(part)]
    files = [*train, *(found._replace(part=TEST) for part in tests for found in _files(part))]
    return sorted(files, key=lambda found: (found.part, found.folder, found.path))


def class_names(table: Path | None, folders: Iterable[str]) -> dict[str, str]:
    """Return {class folder: name of the class}, in the order of the labels.

    Args:
        table: a text file with the name of one class folder on each line; or a CSV file with a header, in which some
            column holds the names of all class folders, and the column "name", if there is one, those of the classes;
            or None: the folders in alphabetical order. It may name classes that have no folder.
        folders: the class folders that there are.

    Raises:
        ValueError: if a class folder is not in the table, a name is in it twice, or its column "index" does not
            count from 0.
    """
    there = sorted(set(folders))
    if table is None:
        return {folder: folder for folder in there}
    keys, names = _rows(table, there) if table.suffix.lower() == ".csv" else (_lines(table), None)
    if absent := sorted(set(there) - set(keys)):
        raise ValueError(f"{table} does not name the class folder {absent[0]!r}")
    if twice := sorted({key for key in keys if keys.count(key) > 1} if len(set(keys)) < len(keys) else ()):
        raise ValueError(f"{table} names the class {twice[0]!r} twice")
    return distinct(dict(zip(keys, names or keys, strict=True)))


def _folders(place: Path) -> list[Path]:
    """Return the folders in a folder, by name, less hidden ones."""
    return sorted(path for path in place.glob("[!.]*") if path.is_dir())


def _files(place: Path) -> list[Found]:
    files = []
    for folder in _folders(place):
        below = (path for path in sorted(folder.rglob("*")) if path.is_file())
        shown = [path for path in below if not any(part.startswith(".") for part in path.relative_to(folder).parts)]
        if not shown:
            raise ValueError(f"{folder} is a class without a file; take it away or put pictures into it")
        files += [Found(path, folder.name, TRAIN) for path in shown]
    if not files:
        raise ValueError(f"{place} holds no class folder")
    return files


def _shared(files: list[Found], share: float) -> list[Found]:
    """Return ``files`` with the share of each class that become test images, rounded, at the end."""
    _, labels = np.unique([found.folder for found in files], return_inverse=True)
    held_back = validation(labels, share, "image_folder")
    parts = [found._replace(part=TEST if test else TRAIN) for found, test in zip(files, held_back, strict=True)]
    return sorted(parts, key=lambda found: found.part)


def _lines(table: Path) -> list[str]:
    return [line.strip() for line in table.read_text(encoding="utf-8-sig").splitlines() if line.strip()]


def _rows(table: Path, folders: list[str]) -> tuple[list[str], list[str]]:
    """Return the column of a CSV file that holds all ``folders``, and that of the names."""
    with table.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    columns = {key: [row[key] or "" for row in rows] for key in (rows[0] if rows else ()) if key is not None}
    if "index" in columns and columns["index"] != [str(place) for place in range(len(rows))]:
        raise ValueError(f"{table}: its column 'index' does not count from 0, the first output of the network")
    fitting = [values for values in columns.values() if set(folders) <= set(values)]
    if not fitting:
        raise ValueError(f"{table} has no column that holds all the class folders, such as {folders[0]!r}")
    return fitting[0], columns.get("name", fitting[0])


def distinct(names: Mapping[str, str]) -> dict[str, str]:
    """Return names that no two classes share: ImageNet has two cranes, a bird and a machine."""
    values = list(names.values())
    shared = {name for name in values if values.count(name) > 1}
    return {key: f"{name} ({key})" if name in shared else name for key, name in names.items()}
