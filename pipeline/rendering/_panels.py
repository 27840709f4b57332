"""Lines with bands in a grid of panels, by families of methods and kinds of lines."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from pipeline.rendering._style import CONTROL, FAINT, methods, title

TOGETHER = 6  # so many methods share the panels; more can only be told apart family by family
ABREAST = 6  # so many kinds of lines stand side by side; more stand one below the other
POINTS, FEW = 60, 20  # of a line, and of a faint one, at most: more cannot be seen, and make tens of megabytes
Panels = NDArray[np.object_]


def bands(
    frame: pd.DataFrame, *, x: str, column: str, titles: Mapping[str, str], places: Mapping[str, str] | None = None
) -> Figure:
    """Draw ``estimate`` over ``x`` with the band from ``low`` to ``high``, one line per method.

    A row for each family and a column for each kind of line; of many kinds, a row for each, and families abreast.
    Every panel shows the controls, dashed and grey, and faintly the methods of the other families, for comparison.
    Where low and high are nan there is a line without a band.

    Args:
        frame: tidy rows with method, label, family, estimate, low, high, ``x`` and ``column``; at least one.
        x: name of the column on the horizontal axis.
        column: name of the column whose values have panels of their own.
        titles: those values, in their order, and what stands above each, as ``_style.title`` takes it.
        places: what stands below the horizontal axis of each, if anything does.
    """
    drawn, wide = methods(frame), len(titles) <= ABREAST
    families = _families(drawn)
    figure, panels, legends = (_wide if wide else _tall)(len(titles), families, (drawn["family"] == CONTROL).sum())
    for (key, text), kind in zip(titles.items(), panels, strict=True):
        for panel, own in zip(kind, families.values(), strict=True):
            lines(panel, frame[frame[column] == key], x, drawn, own)
        title(kind[0], text, width=36 if wide else 100)
        for panel in kind[-1:] if wide else kind:
            panel.set_xlabel((places or {}).get(key, ""))
    for legend, family, own in zip(legends, families, panels.T, strict=True):
        _legend(legend, own, drawn["label"], family, beside=wide)
    return figure


def _wide(kinds: int, families: Mapping[str, list[str]], controls: int) -> tuple[Figure, Panels, list[Axes]]:
    """Return a figure, its panels (kinds, families) and those beside which the legends stand: a row per family."""
    heights = [max(1.9, 0.5 + 0.16 * (len(own) + controls)) for own in families.values()]  # inches, for the legends
    figure = Figure(figsize=(2.7 * kinds + 2.3, sum(heights) + 0.7), layout="constrained")
    shape: dict[str, Any] = {"nrows": len(families), "ncols": kinds, "squeeze": False, "height_ratios": heights}
    panels = figure.subplots(**shape, sharex="col", sharey="col")
    return figure, panels.T, list(panels[:, -1])


def _tall(kinds: int, families: Mapping[str, list[str]], controls: int) -> tuple[Figure, Panels, list[Axes]]:
    """Return a figure, its panels (kinds, families) and empty ones for the legends above them: a column per family."""
    top = 0.4 + 0.16 * (max(map(len, families.values())) + controls)
    heights = [top, *[2.0] * kinds]
    figure = Figure(figsize=(2.5 * len(families) + 0.3, sum(heights)), layout="constrained")
    grid = figure.add_gridspec(kinds + 1, len(families), height_ratios=heights)
    legends = [figure.add_subplot(grid[0, column]) for column in range(len(families))]
    for legend in legends:
        legend.set_axis_off()
    panels = grid[1:, :].subgridspec(kinds, len(families)).subplots(sharex="row", sharey="row", squeeze=False)
    return figure, panels, legends


def _families(drawn: pd.DataFrame) -> dict[str, list[str]]:
    """Return {family: its methods}, or all of them as one if they are few; controls belong to no family."""
    proper = drawn[drawn["family"] != CONTROL]
    if len(proper) <= TOGETHER:
        return {"method": proper.index.tolist()}
    return {str(family): group.index.tolist() for family, group in proper.groupby("family", sort=False)}


def lines(panel: Axes, frame: pd.DataFrame, x: str, drawn: pd.DataFrame, own: list[str]) -> None:
    """Draw ``estimate`` over ``x`` of each method, with its band; faintly and without one where it is not of ``own``.

    Args:
        panel: to draw on.
        frame: tidy rows with method, estimate, low, high and ``x``.
        x: name of the column on the horizontal axis.
        drawn: the methods' looks, as ``_style.methods`` gives them.
        own: methods that the panel is about; controls are drawn in every one.
    """
    for method, look in drawn.iterrows():
        points = frame[frame["method"] == method].sort_values(x)
        if points.empty:
            continue
        if method not in own and look["family"] != CONTROL:
            points = _thinned(points, FEW)
            panel.plot(points[x], points["estimate"], color=FAINT, linewidth=0.8, zorder=1)
            continue
        points = _thinned(points, POINTS)
        style = {"color": look["colour"], "linestyle": look["dashes"], "label": look["label"]}
        panel.plot(points[x], points["estimate"], **style)
        panel.fill_between(points[x], points["low"], points["high"], color=look["colour"], alpha=0.18, linewidth=0)


def _thinned(points: pd.DataFrame, most: int) -> pd.DataFrame:
    """Return all points, or of many some, from the first to the last and as evenly as can be."""
    places = np.linspace(0, len(points) - 1, min(len(points), most)).round().astype(np.int64)
    return points.iloc[places]


def _legend(panel: Axes, named: Iterable[Axes], labels: Iterable[str], family: str, *, beside: bool) -> None:
    """Name the lines of some panels, each once, in the order of ``labels``: in a panel, or beside it."""
    lines = {line.get_label(): line for each in named for line in each.get_lines()}
    handles = [lines[label] for label in labels if label in lines]
    place: dict[str, Any] = {"loc": "upper left", "bbox_to_anchor": (1, 1.05)} if beside else {"loc": "lower left"}
    style: dict[str, Any] = {"alignment": "left", "handlelength": 3, "title_fontproperties": {"weight": "bold"}}
    panel.legend(handles=handles, title=family, **place, **style)
