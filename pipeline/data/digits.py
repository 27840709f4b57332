"""Scikit-learn's 1,797 handwritten digits, 8 x 8, which need no download.

Alpaydin & Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning Repository, 1998 (its test part).
"""

from pathlib import Path
from typing import Annotated

import numpy as np
from sklearn.datasets import load_digits

from pipeline.bounds import Between
from pipeline.data._dataset import TEST, TRAIN, Dataset
from pipeline.data._resize import resize
from pipeline.data._splits import evenly

LABEL = "Digits"
TEST_IMAGES = 360  # a fifth: 36 of each class


def digits(root: Path, *, size: Annotated[int, Between(8, 512)] = 16) -> Dataset:
    """Return the digits enlarged to ``size`` x ``size``: 1,437 training images, then 360 test images, one channel.

    The split is stratified (36 test images of each class) and always the same; within a part the images keep
    scikit-learn's order. The grey levels 0 to 16 become round(level * 255 / 16).

    Args:
        root: unused, the images come with scikit-learn.
        size: height and width in pixels; the enlargement is bilinear (``pipeline.data._resize``), 8 leaves it out.
    """
    levels, labels = load_digits(return_X_y=True)
    images = np.rint(levels * 255 / 16).astype(np.uint8).reshape(-1, 1, 8, 8)
    split = np.full(len(labels), TRAIN, np.int8)
    split[evenly(labels, TEST_IMAGES, "digits")] = TEST
    order = np.argsort(split, kind="stable")
    return Dataset(
        images=resize(images[order], size),
        labels=labels[order].astype(np.int64),
        split=split[order],
        classes=tuple("0123456789"),
    )
