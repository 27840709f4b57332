"""Pictures of your own: a tree of class folders, the layout of torchvision's ``ImageFolder``."""

import hashlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import numpy as np
from PIL import UnidentifiedImageError

from pipeline.bounds import Between
from pipeline.data._dataset import Dataset
from pipeline.data._folders import class_names, tree
from pipeline.data._pictures import UNREADABLE, Pixels, Size, cropped, picture, shorter_side
from pipeline.data._regions import Mask, Region, from_boxes, from_masks

LABEL = "Image folder"
FOLDERS = (".",)  # paths that an entry states lie below data_dir, unless they begin with /
LOCAL = ("folder", "classes", "boxes", "masks")  # parameters that are paths, what lies there decides about the result


def image_folder(
    root: Path,
    *,
    folder: str,
    size: Annotated[int, Between(8, 2048)] = 224,
    resize: Annotated[int, Between(8, 4096)] | None = None,
    test: Annotated[float, Between(0, 1)] = 0.2,
    classes: str | None = None,
    boxes: str | None = None,
    boxes_column: str = "boxes",
    masks: str | None = None,
    skip_unreadable: bool = False,
) -> Dataset:
    """Return the pictures below ``folder`` as RGB squares, (N, 3, size, size), with masks where they are stated.

    ``<folder>/<class>/...`` or ``<folder>/{train,test}/<class>/...``: ``pipeline.data._folders.tree``. Every form that
    Pillow reads is taken (``pipeline.data._pictures.picture``: greys, palettes, CMYK, 16 bits; transparent pictures lie
    over white; EXIF orientation is applied), resized and cropped (``pipeline.data._pictures.cropped``).

    Args:
        root: where relative paths begin.
        folder: path of the tree.
        size: height and width in pixels.
        resize: length of the shorter side before the central crop; None is 256 for each 224 of ``size``.
        test: share of each class that become test images, where the tree does not say; 1 for networks that come
            trained, 0 with ``holdout``.
        classes: path of a text or CSV file that names all classes in the order of a network's outputs
            (``pipeline.data._folders.class_names``), so that a few folders fit a network of more classes.
        boxes: path of a CSV file of boxes (``pipeline.data._regions.box_table``), in pixels of the upright picture.
        boxes_column: the column of that file that holds the boxes.
        masks: path of a folder with a PNG for each picture, at the picture's own path below ``folder`` but for the
            suffix, not 0 on the object. A picture without box or mask gets a mask that marks nothing.
        skip_unreadable: whether to leave out, and list, files that are no readable picture instead of ending there.

    Raises:
        ValueError: if a file is no readable picture, or a path does not hold what it should.
    """
    place, crop = root / folder, (shorter_side(size, resize), size)
    found = {each.path.relative_to(place).as_posix(): each for each in tree(place, test)}
    names = class_names(root / classes if classes else None, (each.folder for each in found.values()))
    region = None
    if boxes and masks:
        raise ValueError("image_folder takes boxes or masks, not both")
    if boxes:
        region = from_boxes(root / boxes, boxes_column, found, crop)
    elif masks:
        region = from_masks(root / masks, found, crop)
    paths = {name: each.path for name, each in found.items()}
    images, marks, kept, skipped = _squares(paths, crop, region, skip_unreadable)
    if not kept:
        raise ValueError(f"{place} holds no readable picture")
    labels = {key: label for label, key in enumerate(names)}
    return Dataset(
        images=images,
        labels=np.array([labels[found[name].folder] for name in kept], np.int64),
        split=np.array([found[name].part for name in kept], np.int8),
        classes=tuple(names.values()),
        masks=None if region is None else marks,
        files=tuple(kept.items()),
        skipped=skipped,
    )


def _squares(
    paths: Mapping[str, Path], crop: Size, region: Region | None, skip: bool
) -> tuple[Pixels, Mask, dict[str, str], dict[str, str]]:
    """Return images (N, 3, S, S), masks (N, S, S), {name: sha256} of their files, {name: reason} of those skipped."""
    shape = (len(paths), crop[1], crop[1])
    images, marks = np.empty((shape[0], 3, *shape[1:]), np.uint8), np.zeros(shape, np.bool_)
    kept: dict[str, str] = {}
    skipped: dict[str, str] = {}
    for name, path in paths.items():
        try:
            images[len(kept)], original, sha256 = _read(path, crop)
        except UNREADABLE as error:
            skipped[name] = _reason(path, error, skip)
            continue
        if region is not None:
            marks[len(kept)] = region(name, original)
        kept[name] = sha256
    return images[: len(kept)], marks[: len(kept)], kept, skipped


def _read(path: Path, crop: Size) -> tuple[Pixels, Size, str]:
    """Return the cropped pixels of a file, its original (W, H) and its sha256."""
    content = path.read_bytes()
    image = picture(io.BytesIO(content))
    return cropped(image, *crop), image.size, hashlib.sha256(content).hexdigest()


def _reason(path: Path, error: Exception, skip: bool) -> str:
    """Return why a file is left out, or raise ValueError that says so where it must not be."""
    reason = getattr(error, "strerror", None) or " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, UnidentifiedImageError):  # whose own words tell a place in memory
        reason = "it has the form of no kind of picture"
    if not skip:
        advice = "take it away, or state skip_unreadable: true"
        raise ValueError(f"{path} is no readable picture: {reason}; {advice}") from error
    return reason
