"""Digits planted on photographs: a data set whose truth about "where" is known to the pixel.

Each image is a texture cut from one of scikit-learn's two photographs, darkened, with a handwritten digit in white ink
at a random place and, somewhere else, a distractor of the same ink and size that carries no class: the shuffled pixels
of some training digit. Only the digit tells the class, since texture, places and distractor are drawn from the image's
id alone. After the idea of Yang & Kim, "Benchmarking Attribution Methods with Relative Feature Importance", 2019
(arXiv:1907.09701): objects pasted on scenes make it known which pixels matter.
"""

from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_sample_images

from pipeline.bounds import Between
from pipeline.data._dataset import TRAIN, Dataset
from pipeline.data._resize import resize
from pipeline.data.digits import digits
from pipeline.randomness import seeded

LABEL = "Planted digits"
STROKE = 0.3  # a pixel belongs to the digit where ink covers more than this share of it

Pixels = NDArray[np.uint8]
Corner = tuple[int, int]


def planted_digits(
    root: Path, *, size: Annotated[int, Between(16, 256)] = 32, digit: Annotated[int, Between(8, 128)] = 12
) -> Dataset:
    """Return the 1,797 digits of ``digits``, in its order and split, planted in RGB images with the masks of their ink.

    Args:
        root: unused, digits and photographs come with scikit-learn.
        size: height and width of an image in pixels.
        digit: height and width of the patch that holds the digit, and of the distractor's; half of ``size`` at most.

    Returns:
        Dataset with masks: the pixels that the digit's ink covers by more than ``STROKE``.

    Raises:
        ValueError: if two patches do not fit side by side.
    """
    if 2 * digit > size:
        raise ValueError(f"planted_digits: digit must be at most half of size, {size // 2}; it is {digit}")
    plain = digits(root, size=8)
    photographs = [np.moveaxis(photograph // 2, 2, 0) for photograph in load_sample_images().images]
    donors = plain.images[plain.split == TRAIN]
    images = np.empty((len(plain.labels), 3, size, size), np.uint8)
    masks = np.zeros((len(plain.labels), size, size), np.bool_)
    for place, ink in enumerate(resize(plain.images, digit)[:, 0]):
        images[place], (y, x) = _scene(place, size, digit, photographs, donors)
        _paint(images[place], ink, (y, x))
        masks[place, y : y + digit, x : x + digit] = ink > STROKE * 255
    return Dataset(images, plain.labels, plain.split, plain.classes, masks)


def _scene(image: int, size: int, side: int, photographs: list[Pixels], donors: Pixels) -> tuple[Pixels, Corner]:
    """Return texture and distractor of the image with this id, (3, size, size), and the corner where its digit goes."""
    generator = seeded("planted_digits", image)
    photograph = photographs[_below(len(photographs), generator)]
    top, left = (_below(length - size + 1, generator) for length in photograph.shape[1:])
    canvas = photograph[:, top : top + size, left : left + size].copy()
    digit, distractor = _corners(size, side, generator)
    scrambled = donors[_below(len(donors), generator)].ravel()[torch.randperm(64, generator=generator).numpy()]
    _paint(canvas, resize(scrambled.reshape(1, 1, 8, 8), side)[0, 0], distractor)
    return canvas, digit


def _corners(size: int, side: int, generator: torch.Generator) -> tuple[Corner, Corner]:
    """Return the upper left corners of two squares that do not overlap; the two are distributed alike.

    Along one axis, drawn first, the squares share the room that both leave; along the other each lies anywhere.
    """
    first, second = sorted(_below(size - 2 * side + 1, generator) for _ in range(2))
    apart = [first, second + side] if _below(2, generator) else [second + side, first]
    free = [_below(size - side + 1, generator) for _ in range(2)]
    rows, columns = (apart, free) if _below(2, generator) else (free, apart)
    return (rows[0], columns[0]), (rows[1], columns[1])


def _below(bound: int, generator: torch.Generator) -> int:
    """Return a whole number from 0 to ``bound`` - 1."""
    return int(torch.randint(bound, (), generator=generator))


def _paint(canvas: Pixels, ink: Pixels, corner: Corner) -> None:
    """Cover ``canvas`` (3, H, W), in place, with white as thickly as ``ink`` (s, s) says: 255 hides what lies below."""
    (y, x), side = corner, len(ink)
    patch = canvas[:, y : y + side, x : x + side]
    patch += np.rint((255.0 - patch) * ink / 255).astype(np.uint8)
