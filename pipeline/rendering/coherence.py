"""Figure: the maps of every method for the same few images, side by side with the image."""

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from pipeline.rendering._mosaic import SIGNED, UNSIGNED, Picture, assemble, paint, photograph, shrink
from pipeline.rendering._style import RC, empty, methods

LABEL = "Coherence"
KIND = "figure"
FRAME = "gallery"

IMAGE = "image"
TILE = 0.62  # inches
LEFT, RIGHT, TOP, BOTTOM = 1.5, 0.7, 1.3, 0.85  # inches around the tiles, for names and scales
LONGEST = 22  # characters of a class name
WRONG = "#B34700"


@mpl.rc_context(RC)
def coherence(frame: pd.DataFrame) -> Figure:
    """Draw a row per image and a column per method, each map in colours on a scale of its own.

    A method that gave a negative number for any of the images is drawn as signed for all of them.

    Args:
        frame: rows of ``gallery`` (docs/formats.md) of one network on one data set.
    """
    if frame.empty:
        return empty(LABEL)
    images = frame[frame["method"] == IMAGE].set_index("id")
    maps = frame[frame["method"] != IMAGE]
    drawn = methods(maps)
    drawn["signed"] = maps["pixels"].map(lambda pixels: pixels.min() < 0).groupby(maps["method"]).any()
    height, width = shrink(images["pixels"].iloc[0]).shape[:2]
    tops = [row * (height + max(1, height // 12)) for row in range(len(images))]
    lefts = _lefts(drawn["family"], width)
    panel = _panel(assemble(_tiles(frame, images.index, drawn), tops, lefts), TILE / width)
    _name_rows(panel, images, [top + height / 2 for top in tops])
    _name_columns(panel, drawn, [left + width / 2 for left in lefts], width)
    _scales(panel, drawn["signed"])
    return panel.get_figure(root=True)


def _lefts(families: pd.Series, width: int) -> list[int]:
    """Return where the columns begin: the image, then the methods, with a wider gap before each family."""
    gap, left, before, lefts = max(1, width // 12), 0, None, [0]
    for family in families:
        left += width + gap * (1 if family == before else 4)
        lefts, before = [*lefts, left], family
    return lefts


def _tiles(frame: pd.DataFrame, ids: pd.Index, drawn: pd.DataFrame) -> dict[tuple[int, int], Picture]:
    tiles = {}
    for number, method, pixels in zip(frame["id"], frame["method"], frame["pixels"], strict=True):
        row, small = ids.get_loc(number), shrink(pixels)
        if method == IMAGE:
            tiles[row, 0] = photograph(small)
        else:
            tiles[row, 1 + drawn.index.get_loc(method)] = paint(small, signed=drawn.loc[method, "signed"])
    return tiles


def _panel(whole: Picture, inch: float) -> Axes:
    """Return the one panel of a new figure, which shows ``whole`` at ``inch`` inches per pixel."""
    height, width = whole.shape[0] * inch, whole.shape[1] * inch
    figure = Figure(figsize=(LEFT + width + RIGHT, TOP + height + BOTTOM))
    size = figure.get_size_inches()
    panel = figure.add_axes((LEFT / size[0], BOTTOM / size[1], width / size[0], height / size[1]))
    panel.imshow(whole, interpolation="none", extent=(0, whole.shape[1], whole.shape[0], 0))
    panel.set_axis_off()
    return panel


def _name_rows(panel: Axes, images: pd.DataFrame, centres: list[float]) -> None:
    for y, true, explained in zip(centres, images["class"], images["target"], strict=True):
        at, style = (0, y), {"xycoords": "data", "textcoords": "offset points", "ha": "right"}
        panel.annotate(_short(true), at, (-5, 1), va="bottom", weight="bold", **style)
        colour = "#555555" if true == explained else WRONG
        panel.annotate(f"explained: {_short(explained)}", at, (-5, -1), va="top", size=6.5, color=colour, **style)


def _short(name: str) -> str:
    return name if len(name) <= LONGEST else name[: LONGEST - 1] + "\N{HORIZONTAL ELLIPSIS}"


def _name_columns(panel: Axes, drawn: pd.DataFrame, centres: list[float], width: int) -> None:
    """Write the methods above their columns, and each family below its methods' columns."""
    style = {"xycoords": "data", "textcoords": "offset points"}
    for x, label in zip(centres, [IMAGE, *drawn["label"]], strict=True):
        panel.annotate(label, (x, 0), (-2, 4), rotation=45, rotation_mode="anchor", va="bottom", **style)
    bottom = panel.get_ylim()[0] + width / 12
    for family, group in pd.Series(centres[1:], index=drawn["family"]).groupby(level=0, sort=False):
        first, last = group.min() - width / 2, group.max() + width / 2
        panel.plot([first, last], [bottom, bottom], color="#555555", linewidth=0.8, clip_on=False)
        panel.annotate(family, ((first + last) / 2, bottom), (0, -3), ha="center", va="top", size=6.5, **style)


def _scales(panel: Axes, signed: pd.Series) -> None:
    """Draw the colours of signed and of unsigned maps, whichever there are, in the bottom margin."""
    figure = panel.get_figure(root=True)
    width, height = figure.get_size_inches()
    kinds = {
        True: (SIGNED, "signed maps: against, for the class", {0: "\N{MINUS SIGN}p99", 0.5: "0", 1: "p99"}),
        False: (UNSIGNED, "unsigned maps", {0: "p1", 1: "p99"}),
    }
    for place, kind in enumerate(sorted(signed.unique(), reverse=True)):
        colours, label, ticks = kinds[bool(kind)]
        bar = figure.add_axes(((LEFT + 2.4 * place) / width, 0.38 / height, 1.9 / width, 0.09 / height))
        figure.colorbar(ScalarMappable(Normalize(0, 1), colours), bar, orientation="horizontal", label=label)
        bar.set_xticks(list(ticks), list(ticks.values()))
