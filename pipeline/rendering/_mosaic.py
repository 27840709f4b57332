"""Saliency as colours, and many small pictures as one. Only here are maps scaled, and for the eye alone."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps
from numpy.typing import NDArray

PERCENTILE = 99
SIGNED, UNSIGNED = "RdBu_r", "magma"
NOTHING = 176  # the grey of a map that ranks nothing, which neither scale has
LARGEST = 96  # pixels along a tile: what is seen of one among hundreds

Picture = NDArray[np.uint8]


def paint(saliency: NDArray[np.floating], *, signed: bool) -> Picture:
    """Return one map (H, W) in colours (H, W, 3), on a scale of its own.

    A signed map runs from -p to p, with p the 99th percentile of its absolute values, so that zero is white; an
    unsigned one from its 1st to its 99th percentile. Where that leaves no range, as for a map of few pixels, the
    extremes take their place. A map that ranks nothing, because it is constant or not finite, is grey.
    """
    if not np.isfinite(saliency).all() or saliency.min() == saliency.max():
        return np.full((*saliency.shape, 3), NOTHING, dtype=np.uint8)
    low = 0.0 if signed else float(np.percentile(saliency, 100 - PERCENTILE))
    above = np.abs(saliency) if signed else saliency - low
    span = float(np.percentile(above, PERCENTILE)) or float(above.max())
    unit = (saliency / span + 1) / 2 if signed else (saliency - low) / span
    return colormaps[SIGNED if signed else UNSIGNED](np.clip(unit, 0, 1), bytes=True)[..., :3]


def photograph(pixels: Picture) -> Picture:
    """Return a picture, (H, W) grey or (H, W, 3), as (H, W, 3)."""
    return pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=2)


def shrink(pixels: NDArray[Any], largest: int = LARGEST) -> NDArray[Any]:
    """Return a picture or map (H, W, ...) of at most ``largest`` pixels a side, a larger one averaged over squares."""
    side = math.ceil(max(pixels.shape[:2]) / largest)
    height, width = (length // side for length in pixels.shape[:2])
    squares = pixels[: height * side, : width * side].reshape(height, side, width, side, *pixels.shape[2:])
    return squares.mean((1, 3)).astype(pixels.dtype)


def assemble(tiles: Mapping[tuple[int, int], Picture], tops: Sequence[int], lefts: Sequence[int]) -> Picture:
    """Return one picture, white where there is no tile, with tile (row, column) at (tops[row], lefts[column])."""
    height, width, _ = next(iter(tiles.values())).shape
    whole = np.full((tops[-1] + height, lefts[-1] + width, 3), 255, dtype=np.uint8)
    for (row, column), tile in tiles.items():
        whole[tops[row] : tops[row] + height, lefts[column] : lefts[column] + width] = tile
    return whole
