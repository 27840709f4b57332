"""Where the object is, as tables of boxes and pictures of masks say: brought to the pixels of the cropped image.

A pixel belongs to the object if its centre lies, in the original picture, in a box or on a marked pixel.
"""

import csv
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.data._pictures import Size, centres

Places = NDArray[np.float64]
Mask = NDArray[np.bool_]
Boxes = tuple[Places, tuple[float, float] | None]  # (K, 4), and (W, H) of what they were drawn on; None: the file
Region = Callable[[str, Size], Mask]  # from a picture's path below its folder, and its (W, H)


def from_boxes(table: Path, column: str, files: Iterable[str], crop: Size) -> Region:
    """Return the function that gives a picture's mask, from the table that ``box_table`` reads.

    Args:
        table: path of the CSV file.
        column: its column of boxes.
        files: paths of the pictures below their folder.
        crop: shorter side after the resize, and side of the square: as for ``pipeline.data._pictures.cropped``.
    """
    found = box_table(table, column, files)

    def region(name: str, size: Size) -> Mask:
        if name not in found:
            return np.zeros((crop[1], crop[1]), np.bool_)
        boxes, drawn_on = found[name]
        width, height = drawn_on or size
        x, y = centres(size, *crop)
        return inside(boxes, x * width / size[0], y * height / size[1])

    return region


def from_masks(folder: Path, files: Iterable[str], crop: Size) -> Region:
    """Return the function that gives a picture's mask, from the PNG of the same path in ``folder``.

    Raises:
        ValueError: if there is a mask for none of the ``files``.
    """
    found = {name: path for name in files if (path := (folder / name).with_suffix(".png")).is_file()}
    if not found:
        raise ValueError(f"{folder} has no mask, a PNG of the same path, for any picture of the folder")

    def region(name: str, size: Size) -> Mask:
        if name not in found:
            return np.zeros((crop[1], crop[1]), np.bool_)
        return marked(found[name], size, *centres(size, *crop))

    return region


def inside(boxes: Places, x: Places, y: Places) -> Mask:
    """Return which of the pixels with centres at ``x`` (W,) and ``y`` (H,) lie in a box: (H, W).

    Args:
        boxes: (K, 4), the edges x0, y0, x1, y1 of each box, from the upper left corner of the upper left pixel.
        x: of each column, in the same units.
        y: of each row.
    """
    x0, y0, x1, y1 = boxes.T[:, :, None]
    return ((y0 <= y) & (y < y1)).T @ ((x0 <= x) & (x < x1))  # of truths: in the rows and the columns of some box


def marked(path: Path, size: Size, x: Places, y: Places) -> Mask:
    """Return which pixels lie on one that the picture at ``path`` marks, by any value but 0: (H, W).

    Args:
        path: a picture as large as the original; a palette counts by its indices, an alpha channel does not count.
        size: (W, H) of the original.
        x: of each column, in pixels of the original.
        y: of each row.

    Raises:
        ValueError: if it is no picture of that size.
    """
    try:
        with Image.open(path) as image:
            values = np.asarray(image.convert(image.mode.removesuffix("A")) if image.mode in ("LA", "RGBA") else image)
    except (OSError, SyntaxError) as error:
        raise ValueError(f"{path} is no picture of a mask: {error}") from error
    if values.shape[1::-1] != size:
        raise ValueError(f"{path} is {values.shape[1]} x {values.shape[0]} and its picture {size[0]} x {size[1]}")
    shown: Mask = values.reshape(*values.shape[:2], -1).astype(np.bool_).max(2)
    return shown[np.ix_(y.astype(np.int64), x.astype(np.int64))]


def box_table(table: Path, column: str, files: Iterable[str]) -> dict[str, Boxes]:
    """Return {file: its boxes, and the size of the picture that they were drawn on}.

    Args:
        table: a CSV file with the columns "file", a path below the folder or a file's bare name, and ``column``:
            boxes "x0 y0 x1 y1", several separated by ";". With the columns "width" and "height" the boxes are in pixels
            of a picture of that size, such as the one that the file was scaled down from.
        column: the column of the boxes.
        files: paths of the pictures below their folder.

    Raises:
        ValueError: if a column is missing, a box is none, a name fits several files, or no row fits any.
    """
    with table.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    if absent := [key for key in ("file", column) if not rows or key not in rows[0]]:
        raise ValueError(f"{table} has no column {absent[0]!r}")
    known = _by_name(files)
    found = {}
    for row in rows:
        fitting = known.get(row["file"], [])
        if len(fitting) > 1:
            raise ValueError(f"{table}: {row['file']} may be {fitting[0]} or {fitting[1]}; state the path")
        if fitting and (row[column] or "").strip():
            found[fitting[0]] = (_boxes(row[column], table, row["file"]), _drawn_on(row, table))
    if not found:
        raise ValueError(f"{table} has no box for any picture of the folder")
    return found


def _by_name(files: Iterable[str]) -> dict[str, list[str]]:
    """Return {path or bare name: the files that it may mean}."""
    known: dict[str, list[str]] = {}
    for file in files:
        for name in {file, file.rpartition("/")[2]}:
            known.setdefault(name, []).append(file)
    return known


def _boxes(text: str, table: Path, file: str) -> Places:
    try:
        boxes = np.array([[float(edge) for edge in box.replace(",", " ").split()] for box in text.split(";")])
    except ValueError:
        boxes = np.empty(0)
    if boxes.ndim != 2 or boxes.shape[1] != 4 or not (boxes[:, :2] < boxes[:, 2:]).all():
        raise ValueError(f"{table}: the boxes of {file} are not 'x0 y0 x1 y1; ...' with x0 < x1 and y0 < y1: {text!r}")
    return boxes


def _drawn_on(row: dict[str, str], table: Path) -> tuple[float, float] | None:
    if "width" not in row or "height" not in row:
        return None
    try:
        width, height = float(row["width"]), float(row["height"])
    except (TypeError, ValueError):
        width, height = 0.0, 0.0
    if width <= 0 or height <= 0:
        raise ValueError(f"{table}: width and height of {row['file']} are no lengths")
    return width, height
