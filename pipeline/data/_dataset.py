"""What every data set returns."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

TRAIN, TEST = 0, 1


@dataclass(frozen=True)
class Dataset:
    """Images of one data set, training and test images one after the other on the same axis.

    Attributes:
        images: (N, C, H, W) uint8.
        labels: (N,) int64, from 0 to K - 1.
        split: (N,) int8, TRAIN or TEST.
        classes: K class names.
        masks: (N, H, W) bool, the pixels that show the object, or None where nobody marked them.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    split: NDArray[np.int8]
    classes: tuple[str, ...]
    masks: NDArray[np.bool_] | None = None

    def statistics(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return mean and standard deviation of each channel over the training images, (C,) each, in [0, 1] units."""
        train = self.images[self.split == TRAIN]
        return train.mean((0, 2, 3)) / 255, train.std((0, 2, 3), dtype=np.float64) / 255
