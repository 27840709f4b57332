"""Table: test accuracy of every network, by class and in total.

The layout is that of TooTouch's "WhiteBox-Part1" (2020): a row for each network, a column for each class.
"""

import pandas as pd

from pipeline.rendering._labels import distinct
from pipeline.rendering._tables import DATASET, NETWORK, cells, spread

LABEL = "Test accuracy"
KIND = "table"
FRAME = "accuracy"

TOTAL = "total"
CLASSES = 20  # where there are more, only the total is told


def accuracy(frame: pd.DataFrame) -> pd.DataFrame:
    """Return one row per data set and network, and per training seed where there are several.

    Columns: data set, network, seed, parameters, the classes of all data sets, total. A data set leaves the columns of
    other data sets' classes empty, and all columns of classes if it has more than 20 of them.

    Args:
        frame: rows of ``accuracy`` (docs/formats.md).
    """
    several = frame.groupby("dataset")["class"].transform("nunique") - 1
    kept = frame[(frame["class"] == TOTAL) | (several <= CLASSES)]
    told = kept.assign(
        network=kept["model"].map(distinct(frame, "model", "label")),
        parameters=[f"{count:,}" for count in kept["parameters"]],
        cell=cells(kept, kept["class"] == TOTAL),
    )
    keys = ["dataset", "network", *(["seed"] if frame["seed"].nunique() > 1 else []), "parameters"]
    table = spread(told, rows=keys, column="class").rename(columns={"dataset": DATASET, "network": NETWORK})
    return table[[name for name in table if name != TOTAL] + [name for name in table if name == TOTAL]]
