"""Figure: accuracy of networks retrained without the pixels that a method ranks first (ROAR) or last (KAR).

Hooker, Erhan, Kindermans & Kim, "A benchmark for interpretability methods in deep neural networks", NeurIPS 2019.
"""

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure

from pipeline.rendering import _panels, _style

LABEL = "Retraining curves"
KIND = "figure"
FRAME = "retraining"

TITLES = {"roar": "ROAR: most salient pixels removed", "kar": "KAR: least salient pixels removed"}


@mpl.rc_context(_style.RC)
def retraining_curves(frame: pd.DataFrame) -> Figure:
    """Draw test accuracy over the fraction removed, with the band over retrained networks and the level of chance.

    Args:
        frame: rows of ``retraining`` (docs/formats.md) of one network on one data set.
    """
    if frame.empty:
        return _style.empty(LABEL)
    titles = {mode: title for mode, title in TITLES.items() if (frame["mode"] == mode).any()}
    figure = _panels.bands(frame, x="fraction", column="mode", titles=titles)
    chance = frame["chance"].iloc[0]
    for panel in figure.axes:
        panel.axhline(chance, color="black", linewidth=0.8, linestyle=(0, (1, 1)))
        panel.annotate("chance", (0.01, chance), xycoords=("axes fraction", "data"), va="bottom", size=7)
    figure.supxlabel("fraction of pixels removed before retraining", size="medium")
    figure.supylabel("test accuracy", size="medium")
    return figure
