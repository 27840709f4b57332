"""A grid of pictures in a figure: its panel, the words beside it, the scales of its colours."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from pipeline.rendering._mosaic import SIGNED, UNSIGNED, Picture

IMAGE = "image"
LONGEST = 22  # characters of a class name
GREY, WRONG = "#555555", "#B34700"
SCALES: dict[bool, tuple[str, str, dict[float, str]]] = {
    True: (SIGNED, "signed maps: against, for the class", {0: "\N{MINUS SIGN}p99", 0.5: "0", 1: "p99"}),
    False: (UNSIGNED, "unsigned maps", {0: "p1", 1: "p99"}),
}
Margins = tuple[float, float, float, float]  # left, right, top, bottom, in inches


def signed(maps: pd.DataFrame) -> pd.Series:
    """Return, by method, whether its maps have numbers of both signs, be it different ones: all are signed then.

    Where zero does not lie among the numbers, it is no middle to measure them from.
    """
    lowest, highest = maps["pixels"].map(np.min), maps["pixels"].map(np.max)
    return (lowest.groupby(maps["method"]).min() < 0) & (highest.groupby(maps["method"]).max() > 0)


def starts(families: pd.Series, side: int) -> list[int]:
    """Return where rows or columns of so many pixels begin: the images', then the methods', each family apart."""
    gap, start, before, found = max(1, side // 12), 0, None, [0]
    for family in families:
        start += side + gap * (1 if family == before else 4)
        found, before = [*found, start], family
    return found


def draw(whole: Picture, inch: float, margins: Margins) -> tuple[Figure, Axes]:
    """Return a new figure and its one panel, which shows ``whole`` at ``inch`` inches per pixel."""
    left, right, top, bottom = margins
    height, width = whole.shape[0] * inch, whole.shape[1] * inch
    figure = Figure(figsize=(left + width + right, top + height + bottom))
    across, down = figure.get_size_inches()
    panel = figure.add_axes((left / across, bottom / down, width / across, height / down))
    panel.imshow(whole, interpolation="none", extent=(0, whole.shape[1], whole.shape[0], 0))
    panel.autoscale(False)  # what is drawn beside the tiles must not move them
    panel.set_axis_off()
    return figure, panel


def write(panel: Axes, text: str, at: tuple[float, float], offset: tuple[float, float], **style: Any) -> None:
    """Write ``text`` so many points beside a place of the panel, in its pixels, or outside the panel."""
    panel.annotate(text, at, offset, xycoords="data", textcoords="offset points", annotation_clip=False, **style)


def name_image(panel: Axes, image: pd.Series, at: tuple[float, float], *, across: float, ha: str) -> None:
    """Write the true class of an image beside a place, below it the class explained and the image's id.

    Args:
        panel: of the grid.
        image: the picture's row of the frame, whose name is its id.
        at: the place, in pixels of the panel.
        across: points between the place and the words.
        ha: their horizontal alignment.
    """
    colour = GREY if image["class"] == image["target"] else WRONG
    write(panel, _short(image["class"]), at, (across, 1), ha=ha, va="bottom", weight="bold")
    write(panel, f"explained: {_short(image['target'])}", at, (across, -1), ha=ha, va="top", size=6.5, color=colour)
    write(panel, f"image {image.name}", at, (across, -9.5), ha=ha, va="top", size=5.5, color=GREY)


def _short(name: str) -> str:
    return name if len(name) <= LONGEST else name[: LONGEST - 1] + "\N{HORIZONTAL ELLIPSIS}"


def scales(figure: Figure, kinds: pd.Series, left: float, bottom: float) -> None:
    """Draw the colours of signed and unsigned maps, whichever ``kinds`` has, so many inches from the left and below."""
    across, down = figure.get_size_inches()
    for place, kind in enumerate(kind for kind in SCALES if kind in set(kinds)):
        colours, label, ticks = SCALES[kind]
        bar = figure.add_axes(((left + 2.4 * place) / across, bottom / down, 1.9 / across, 0.09 / down))
        figure.colorbar(ScalarMappable(Normalize(0, 1), colours), bar, orientation="horizontal", label=label)
        bar.set_xticks(list(ticks), list(ticks.values()))
