"""Figure: how the network's answer changes while an explanation's pixels are deleted or inserted, in its order."""

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure

from pipeline.rendering import _panels, _style
from pipeline.rendering._labels import headings

LABEL = "Perturbation curves"
KIND = "figure"
FRAME = "curves"


@mpl.rc_context(_style.RC)
def curves(frame: pd.DataFrame) -> Figure:
    """Draw the mean curve of every method with its band: by metric and, where there are many, by family.

    Args:
        frame: rows of ``curves`` (docs/formats.md) of one network on one data set.
    """
    frame = frame[frame["x_name"] != "samples"]  # which pipeline/rendering/convergence.py shows
    if frame.empty:
        return _style.empty(LABEL)
    places = dict(zip(frame["metric"], frame["x_name"], strict=True))
    figure = _panels.bands(frame, x="x", column="metric", titles=headings(frame), places=places)
    figure.supylabel("mean over images", size="medium")
    return figure
