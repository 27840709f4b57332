"""The IDX format of the MNIST family (http://yann.lecun.com/exdb/mnist/, "file formats"), gzipped."""

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.data._dataset import TEST, TRAIN, Dataset

UNSIGNED_BYTE = 0x08
PARTS = {"train": 60_000, "t10k": 10_000}


def family(root: Path, classes: tuple[str, ...]) -> Dataset:
    """Return the 60,000 training images, then the 10,000 test images, (N, 1, 28, 28), of one of the MNIST family.

    Args:
        root: folder of its four files.
        classes: names of its classes.

    Raises:
        ValueError: if a file is truncated, or is not the file that its name says.
    """
    images = [read_idx(root / f"{part}-images-idx3-ubyte.gz", (count, 28, 28)) for part, count in PARTS.items()]
    labels = [read_idx(root / f"{part}-labels-idx1-ubyte.gz", (count,)) for part, count in PARTS.items()]
    for part, found in zip(PARTS, labels, strict=True):
        if found.max() >= len(classes):
            raise ValueError(f"{root / part}-labels-idx1-ubyte.gz holds the label {found.max()}, which is no class")
    return Dataset(
        images=np.concatenate(images)[:, None],
        labels=np.concatenate(labels).astype(np.int64),
        split=np.repeat(np.array([TRAIN, TEST], np.int8), list(PARTS.values())),
        classes=classes,
    )


def read_idx(path: Path, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Return the array of unsigned bytes that the gzipped IDX file at ``path`` holds; it must have this ``shape``.

    Raises:
        ValueError: if the file is not a whole gzip file, has another magic number or shape, or another length.
    """
    header = struct.pack(f">HBB{len(shape)}I", 0, UNSIGNED_BYTE, len(shape), *shape)
    due = len(header) + math.prod(shape)
    try:
        with gzip.open(path) as file:
            raw = file.read(due + 1)  # one more than due, so that the end is reached and gzip checks its own sums
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{path} is not a whole gzip file: {error}") from error
    if raw[: len(header)] != header:
        begins = f"begins with {raw[: len(header)].hex(' ') or 'nothing'} instead of {header.hex(' ')}"
        raise ValueError(f"{path} is not an IDX file of unsigned bytes of shape {shape}: it {begins}")
    if len(raw) != due:
        raise ValueError(f"{path} holds {'less' if len(raw) < due else 'more'} than the {due} bytes of shape {shape}")
    return np.frombuffer(raw, np.uint8, offset=len(header)).reshape(shape)
