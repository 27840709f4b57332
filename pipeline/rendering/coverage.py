"""Figure: accuracy of a network that answers only where it is confident, over the share of images that it answers.

El-Yaniv & Wiener, "On the foundations of noise-free selective classification", JMLR 11 (2010), section 2.
"""

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure

from pipeline.rendering import _style

LABEL = "Accuracy and coverage"
KIND = "figure"
FRAME = "coverage"


@mpl.rc_context(_style.RC)
def coverage(frame: pd.DataFrame) -> Figure:
    """Draw accuracy over coverage with its band, one line per training seed.

    Args:
        frame: rows of ``coverage`` (docs/formats.md) of one network on one data set.
    """
    if frame.empty:
        return _style.empty(LABEL)
    figure = Figure(figsize=(4.2, 2.8), layout="constrained")
    panel = figure.subplots()
    for (seed, rows), colour in zip(frame.groupby("seed"), _style.PALETTE * len(frame), strict=False):
        points = rows.sort_values("coverage")
        panel.plot(points["coverage"], points["estimate"], color=colour, label=f"seed {seed}")
        panel.fill_between(points["coverage"], points["low"], points["high"], color=colour, alpha=0.18, linewidth=0)
    panel.set_title(frame["label"].iloc[0])
    panel.set(xlim=(0, 1), xlabel="share of test images answered, most confident first", ylabel="accuracy on them")
    panel.set_ylim(top=1.002)
    panel.legend(loc="lower left")
    return figure
