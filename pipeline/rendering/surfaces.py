"""Figure: maps over their images and as surfaces, between the planes that bound them, as D-RISE's are often shown."""

import textwrap

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from mpl_toolkits.mplot3d import Axes3D
from mpl_toolkits.mplot3d.art3d import Poly3DCollection
from numpy.typing import NDArray

from pipeline.rendering._mosaic import UNSIGNED, Picture, paint, photograph, shrink
from pipeline.rendering._style import RC, empty, methods

LABEL = "Surfaces"
KIND = "figure"
FRAME = "gallery"

IMAGE = "image"
MOST = 6  # images
OPAQUE = 0.5  # of the colours over an image
FACES = 48  # of a surface each way, at most: a page of larger ones takes minutes
SIDE, SURFACE, ROW = 1.0, 2.1, 1.35  # inches: a picture, the width of a surface, the height of a row
LEFT, TOP, BOTTOM = 2.3, 0.55, 0.6  # inches around the maps, for images and names
ENDS = {  # column -> colour, place in the pile, what the plane is
    "low": ("#0173b2", 1, "where the map would lie if every mask scored the least that can be"),
    "high": ("#d55e00", 3, "where it would lie if every mask scored the most"),
}


@mpl.rc_context(RC)
def surfaces(frame: pd.DataFrame) -> Figure:
    """Draw a row per image, the first six, and for each method with bounds its map over the image and as a surface.

    A surface and its planes stand on one scale, be the planes ever so far: how far they are is what the surface shows.
    Its relief is in the colours, which have the scale of the map alone, told below the picture.

    Args:
        frame: rows of ``gallery`` (docs/formats.md) of one network on one data set.
    """
    if frame.empty:
        return empty(LABEL)
    bounded = frame[(frame["method"] != IMAGE) & frame[[*ENDS]].notna().any(axis=1)]
    if bounded.empty:
        return empty(LABEL, "the maps of no method here have known bounds")
    images = frame[frame["method"] == IMAGE].head(MOST).set_index("id")
    pictures = images["pixels"].to_dict()
    drawn = methods(bounded)
    figure = Figure(figsize=(LEFT + len(drawn) * (SIDE + SURFACE), TOP + len(images) * ROW + BOTTOM))
    tops = {number: TOP + ROW * row for row, number in enumerate(images.index)}
    lefts = {method: LEFT + (SIDE + SURFACE) * column for column, method in enumerate(drawn.index)}
    for number, image in images.iterrows():
        _photograph(_panel(figure, LEFT - SIDE - 0.15, tops[number]), image)
    for _, shown in bounded[bounded["id"].isin(images.index)].iterrows():
        left, top = lefts[shown["method"]], tops[shown["id"]]
        _heat(_panel(figure, left, top), pictures[shown["id"]], shown["pixels"])
        _surface(_space(figure, left + SIDE - 0.12, top - 0.2), shown)
    _name_columns(figure, drawn["label"], lefts)
    _explain(figure, bounded)
    return figure


def _panel(figure: Figure, left: float, top: float) -> Axes:
    """Return new axes for a picture, so many inches from the figure's left and top."""
    return figure.add_axes(_place(figure, left, top, SIDE, SIDE))


def _space(figure: Figure, left: float, top: float) -> Axes3D:
    """Return new axes for a surface, so many inches from the figure's left and top."""
    return figure.add_axes(Axes3D(figure, _place(figure, left, top, SURFACE, ROW + 0.25)))


def _place(figure: Figure, left: float, top: float, width: float, height: float) -> tuple[float, float, float, float]:
    across, down = figure.get_size_inches()
    return left / across, 1 - (top + height) / down, width / across, height / down


def _picture(panel: Axes, pixels: Picture) -> None:
    panel.imshow(pixels, interpolation="none")
    panel.set_axis_off()


def _photograph(panel: Axes, image: pd.Series) -> None:
    _picture(panel, photograph(shrink(image["pixels"])))
    name = f"{image['class']} \N{RIGHTWARDS ARROW} {image['target']}"
    panel.text(-0.06, 0.5, textwrap.fill(name, 16), transform=panel.transAxes, ha="right", va="center", weight="bold")


def _heat(panel: Axes, image: Picture, saliency: NDArray[np.floating]) -> None:
    grey = photograph(shrink(image)).mean(2, keepdims=True)
    mixed = OPAQUE * paint(shrink(saliency), signed=False) + (1 - OPAQUE) * grey
    _picture(panel, mixed.astype(np.uint8))
    told = f"{_number(saliency.min())} to {_number(saliency.max())}"
    panel.text(0.5, -0.04, told, transform=panel.transAxes, ha="center", va="top", size=6.5)


def _number(value: float) -> str:
    text = f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"
    return text.replace("-", "\N{MINUS SIGN}")


def _surface(space: Axes3D, shown: pd.Series) -> None:
    saliency = shrink(shown["pixels"], FACES)
    height, width = saliency.shape
    y, x = np.mgrid[height - 1 : -1 : -1, :width]  # the image's top lies at the back
    colours = paint(saliency, signed=False) / 255
    whole = {"rcount": height, "ccount": width, "shade": False, "linewidth": 0, "antialiased": False}
    space.plot_surface(x, y, saliency, facecolors=colours, rasterized=True, zorder=2, **whole)
    known = {end: shown[end] for end in ENDS if not np.isnan(shown[end])}
    for end, level in known.items():
        colour, order, _ = ENDS[end]
        corners = [(x, y, level) for x, y in ((0, 0), (width - 1, 0), (width - 1, height - 1), (0, height - 1))]
        look = {"facecolor": colour, "edgecolor": colour, "linewidth": 0.8, "alpha": 0.2, "zorder": order}
        space.add_collection3d(Poly3DCollection([corners], **look))
    space.computed_zorder = False  # what is seen from above lies as it is piled
    levels = [saliency.min(), saliency.max(), *known.values()]
    if min(levels) < max(levels):
        space.set_zlim(min(levels), max(levels))
    space.set_zticks([*known.values()], [_number(level) for level in known.values()])
    _clear(space)


def _clear(space: Axes3D) -> None:
    """Leave of the box around a surface only the scale of heights."""
    space.view_init(elev=18, azim=-60)
    space.set_box_aspect((1, 1, 0.75), zoom=1.12)
    space.set_facecolor("none")
    space.set_xticks([])
    space.set_yticks([])
    space.tick_params(axis="z", labelsize=6.5, pad=-3)
    for axis in (space.xaxis, space.yaxis, space.zaxis):
        axis.set_pane_color((1, 1, 1, 0))
        axis.line.set_visible(axis is space.zaxis)


def _name_columns(figure: Figure, labels: pd.Series, lefts: dict[str, float]) -> None:
    across, down = figure.get_size_inches()
    for left, label in zip(lefts.values(), labels, strict=True):
        text = textwrap.fill(label, 40)
        figure.text(left / across, 1 - (TOP - 0.15) / down, text, va="bottom", size=9, weight="bold")


def _explain(figure: Figure, bounded: pd.DataFrame) -> None:
    """Draw the scale of the colours and say what the planes are, in the bottom margin."""
    across, down = figure.get_size_inches()
    bar = figure.add_axes((LEFT / across, 0.32 / down, 1.5 / across, 0.09 / down))
    figure.colorbar(ScalarMappable(Normalize(0, 1), UNSIGNED), bar, orientation="horizontal")
    bar.set_xticks([0, 1], ["p1", "p99"])
    bar.set_title("each map's own scale", size=7, weight="normal", loc="left", pad=3)
    there = [end for end in ENDS if bounded[end].notna().any()]
    planes = [Patch(facecolor=ENDS[end][0], alpha=0.4, label=ENDS[end][2]) for end in there]
    figure.legend(handles=planes, loc="lower left", bbox_to_anchor=((LEFT + 1.8) / across, 0.05 / down))
