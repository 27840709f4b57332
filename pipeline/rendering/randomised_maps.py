"""Figure: what becomes of every method's map of an image while the network's layers are drawn anew."""

import itertools
from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline.rendering._grid import GREY, IMAGE, draw, name_image, scales, signed, starts, write
from pipeline.rendering._mosaic import Picture, assemble, paint, photograph, shrink
from pipeline.rendering._style import RC, SMALL, empty, methods

LABEL = "Maps of randomised networks"
KIND = "figure"
FRAME = "randomised"

DEEPEST = 10  # columns of one block beside that of the trained network; of more layers, some
WIDEST = 30  # columns, of as many images as that leaves, but always one
TILE, BLOCK = 0.5, 1.9  # inches: a picture; a block of columns, at least, since its words need room
LEFT = 1.8  # inches, for the methods' names
MARGINS = (LEFT, 0.9, 0.15, 1.2)


@mpl.rc_context(RC)
def randomised_maps(frame: pd.DataFrame) -> Figure:
    """Draw a row per method; for each image and metric a column for the trained network and one per layer drawn anew.

    Each map has a scale of its own, so that one that fades shows what is left of its pattern.

    Args:
        frame: rows of ``randomised`` (docs/formats.md) of one network on one data set.
    """
    if frame.empty:
        return empty(LABEL)
    maps = frame[frame["method"] != IMAGE]
    drawn = methods(maps)
    drawn["signed"] = signed(maps)
    images = frame[frame["method"] == IMAGE].set_index("id")
    blocks = maps[maps["layers"] > 0].groupby(["metric", "mode", "protocol"], sort=False)
    layers = {names: [0, *_some(block["layers"].unique())] for names, block in blocks}
    images = images.head(max(1, WIDEST // sum(map(len, layers.values()))))
    height, width = shrink(images["pixels"].iloc[0]).shape[:2]
    columns = _columns(images.index, layers, width)
    tops = starts(drawn["family"], height)
    whole = assemble(_tiles(maps, images, drawn, columns), tops, columns["left"].tolist())
    figure, panel = draw(whole, TILE / width, MARGINS)
    _name_rows(panel, drawn, tops[1:], height)
    _name_columns(panel, columns, width)
    for number, image in images.iterrows():
        for left in columns.loc[(columns["id"] == number) & (columns["layers"] == 0), "left"]:
            name_image(panel, image, (left + width, height / 2), across=4, ha="left")
    scales(figure, drawn["signed"], LEFT, 0.38)
    return figure


def _some(layers: np.ndarray) -> list[int]:
    """Return the layers, or of many some, from the first to the last and as evenly as can be."""
    ordered = np.sort(layers)
    places = np.linspace(0, len(ordered) - 1, min(len(ordered), DEEPEST))
    return [int(each) for each in ordered[places.round().astype(np.int64)]]


def _columns(ids: pd.Index, layers: Mapping[Any, list[int]], width: int) -> pd.DataFrame:
    """Return a row per column: id, metric, mode, protocol, layers, and where it begins. Blocks stand apart."""
    gap, start, found = max(1, width // 12), 0, []
    for number, ((metric, mode, protocol), shown) in itertools.product(ids, layers.items()):
        told = {"id": number, "metric": metric, "mode": mode, "protocol": protocol}
        found += [{**told, "layers": count, "left": start + place * (width + gap)} for place, count in enumerate(shown)]
        start += max(len(shown) * (width + gap), round(BLOCK / TILE * width)) + 3 * gap
    return pd.DataFrame(found)


def _tiles(
    maps: pd.DataFrame, images: pd.DataFrame, drawn: pd.DataFrame, columns: pd.DataFrame
) -> dict[tuple[int, int], Picture]:
    """Return {(row, column): picture}: an image above the maps of the trained network, and all maps that there are."""
    known = maps.set_index(["method", "id", "metric", "layers"])["pixels"].to_dict()
    tiles = {}
    keys = zip(columns["id"], columns["metric"], columns["layers"], strict=True)
    for place, (number, metric, layers) in enumerate(keys):
        if layers == 0:
            tiles[0, place] = photograph(shrink(images["pixels"][number]))
        for row, (method, as_signed) in enumerate(drawn["signed"].items(), start=1):
            pixels = known.get((method, number, metric if layers else "", layers))  # the trained one's is of no metric
            if pixels is not None:
                tiles[row, place] = paint(shrink(pixels), signed=as_signed)
    return tiles


def _name_rows(panel: Axes, drawn: pd.DataFrame, tops: list[int], height: int) -> None:
    """Write the methods at the left of their rows, and each family at the right of its methods' rows."""
    for label, top in zip(drawn["label"], tops, strict=True):
        write(panel, label, (0, top + height / 2), (-5, 0), ha="right", va="center")
    right = panel.get_xlim()[1] + height / 12
    for family in drawn["family"].unique():
        own = [top for top, name in zip(tops, drawn["family"], strict=True) if name == family]
        first, last = min(own), max(own) + height
        panel.plot([right, right], [first, last], color=GREY, linewidth=0.8, clip_on=False)
        write(panel, family, (right, (first + last) / 2), (3, 0), va="center", size=6.5)


def _name_columns(panel: Axes, columns: pd.DataFrame, width: int) -> None:
    """Write below each column which layer, and below each block how layers are drawn anew and by which protocol."""
    bottom = panel.get_ylim()[0]
    for layers, left in zip(columns["layers"], columns["left"], strict=True):
        write(panel, str(layers or "trained"), (left + width / 2, bottom), (0, -3), ha="center", va="top", size=6.5)
    write(panel, "layers from the end", (0, bottom), (-5, -3), ha="right", va="top", size=6.5)
    for _, block in columns.groupby(["id", "metric"], sort=False):
        first = block.iloc[0]
        write(panel, first["mode"], (first["left"], bottom), (0, -14), va="top", size=6.5)
        write(panel, first["protocol"], (first["left"], bottom), (0, -23), va="top", **SMALL)
