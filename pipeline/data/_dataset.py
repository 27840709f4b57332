"""What every data set returns."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

TRAIN, TEST = 0, 1
BLOCK = 1024  # images counted at a time: floats of a whole data set would need eight times its memory


@dataclass(frozen=True)
class Dataset:
    """Images of one data set, training and test images one after the other on the same axis.

    Attributes:
        images: (N, C, H, W) uint8.
        labels: (N,) int64, from 0 to K - 1.
        split: (N,) int8, TRAIN or TEST.
        classes: K class names.
        masks: (N, H, W) bool, the pixels that show the object, or None where nobody marked them; a mask that is False
            throughout says that nobody marked this image, or that none of the object is to be seen.
        files: (path, sha256) of each image's file, where each has its own; otherwise empty.
        skipped: {path: reason} of the files that are no readable picture and were left out.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    split: NDArray[np.int8]
    classes: tuple[str, ...]
    masks: NDArray[np.bool_] | None = None
    files: tuple[tuple[str, str], ...] = ()
    skipped: Mapping[str, str] = field(default_factory=dict)

    def statistics(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return mean and standard deviation of each channel over the training images, (C,) each, in [0, 1] units.

        Where there are no training images, as in a data set for networks that come trained, all images count.
        """
        train = self.images[self.split == TRAIN] if (self.split == TRAIN).any() else self.images
        blocks = range(0, len(train), BLOCK)
        counts = sum(_histograms(train[start : start + BLOCK]) for start in blocks)
        values, total = np.arange(256) / 255, train[:, 0].size
        mean = counts @ values / total
        return mean, np.sqrt((counts * (values - mean[:, None]) ** 2).sum(1) / total)


def _histograms(images: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return how often each of the 256 values stands in each channel: (C, 256)."""
    return np.stack([np.bincount(channel.ravel(), minlength=256) for channel in images.swapaxes(0, 1)])
