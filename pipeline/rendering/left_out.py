"""Table: the combinations of network, method and metric that the study leaves out, and why."""

import pandas as pd

from pipeline.rendering._tables import DATASET, METHOD, NETWORK

LABEL = "Combinations left out"
KIND = "table"
FRAME = "left_out"


def left_out(frame: pd.DataFrame) -> pd.DataFrame:
    """Return one row per combination: data set, network, method, metric ("all" of a skipped method), reason.

    Args:
        frame: rows of ``left_out`` (docs/formats.md).
    """
    return frame.rename(columns={"dataset": DATASET, "model": NETWORK, "method": METHOD})
