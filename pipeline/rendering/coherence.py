"""Figure: the maps of every method for the same few images, side by side with the image."""

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline.rendering._grid import GREY, IMAGE, draw, name_image, scales, signed, starts, write
from pipeline.rendering._mosaic import Picture, assemble, paint, photograph, shrink
from pipeline.rendering._style import RC, empty, methods

LABEL = "Coherence"
KIND = "figure"
FRAME = "gallery"

TILE = 0.62  # inches
LEFT = 1.5  # inches, for the images' names
MARGINS = (LEFT, 0.7, 1.3, 0.85)


@mpl.rc_context(RC)
def coherence(frame: pd.DataFrame) -> Figure:
    """Draw a row per image and a column per method, each map in colours on a scale of its own.

    Args:
        frame: rows of ``gallery`` (docs/formats.md) of one network on one data set.
    """
    if frame.empty:
        return empty(LABEL)
    images = frame[frame["method"] == IMAGE].set_index("id")
    maps = frame[frame["method"] != IMAGE]
    drawn = methods(maps)
    drawn["signed"] = signed(maps)
    height, width = shrink(images["pixels"].iloc[0]).shape[:2]
    tops = [row * (height + max(1, height // 12)) for row in range(len(images))]
    lefts = starts(drawn["family"], width)
    figure, panel = draw(assemble(_tiles(frame, images.index, drawn), tops, lefts), TILE / width, MARGINS)
    for top, (_, image) in zip(tops, images.iterrows(), strict=True):
        name_image(panel, image, (0, top + height / 2), across=-5, ha="right")
    _name_columns(panel, drawn, [left + width / 2 for left in lefts], width)
    scales(figure, drawn["signed"], LEFT, 0.38)
    return figure


def _tiles(frame: pd.DataFrame, ids: pd.Index, drawn: pd.DataFrame) -> dict[tuple[int, int], Picture]:
    """Return {(row, column): picture} of all that the gallery holds."""
    rows = {number: row for row, number in enumerate(ids)}
    columns = {method: column for column, method in enumerate([IMAGE, *drawn.index])}
    as_signed = drawn["signed"].to_dict()
    return {
        (rows[number], columns[method]): photograph(shrink(pixels))
        if method == IMAGE
        else paint(shrink(pixels), signed=as_signed[method])
        for number, method, pixels in zip(frame["id"], frame["method"], frame["pixels"], strict=True)
    }


def _name_columns(panel: Axes, drawn: pd.DataFrame, centres: list[float], width: int) -> None:
    """Write the methods above their columns, and each family below its methods' columns."""
    for x, label in zip(centres, [IMAGE, *drawn["label"]], strict=True):
        write(panel, label, (x, 0), (-2, 4), rotation=45, rotation_mode="anchor", va="bottom")
    bottom = panel.get_ylim()[0] + width / 12
    for family in drawn["family"].unique():
        own = [x for x, name in zip(centres[1:], drawn["family"], strict=True) if name == family]
        first, last = min(own) - width / 2, max(own) + width / 2
        panel.plot([first, last], [bottom, bottom], color=GREY, linewidth=0.8, clip_on=False)
        write(panel, family, ((first + last) / 2, bottom), (0, -3), ha="center", va="top", size=6.5)
