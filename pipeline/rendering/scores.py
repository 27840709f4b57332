"""Table: the score of every method under every metric, with its interval."""

import pandas as pd

from pipeline.rendering._labels import NETWORKS, distinct, judging
from pipeline.rendering._tables import DATASET, FAMILY, METHOD, NETWORK, cells, spread

LABEL = "Scores"
KIND = "table"
FRAME = "scores"

UP, DOWN = "\N{UPWARDS ARROW}", "\N{DOWNWARDS ARROW}"
NAMES = {"dataset": DATASET, "model": NETWORK, "family": FAMILY, "name": METHOD, "reduce": "reduction"}


def scores(frame: pd.DataFrame) -> pd.DataFrame:
    """Return one row per data set, network and method, the controls among them.

    Columns: data set, network, family, method, reduction (of channels to one number), images, then the metrics, each
    with an arrow that points to where better scores lie, and with its images where it judged fewer. Cells of
    combinations that were not scored are empty.

    Args:
        frame: rows of ``scores`` (docs/formats.md).
    """
    arrow = frame["higher_is_better"].map({True: UP, False: DOWN})
    told = frame.assign(
        name=frame["method"].map(distinct(frame, "method", "label")),
        heading=frame["metric"].map(judging(frame)) + " " + arrow,
        images=frame.groupby(NETWORKS)["n"].transform("max"),
        cell=cells(frame, frame["metric"]),
    )
    return spread(told, rows=[*NAMES, "images"], column="heading").rename(columns=NAMES)
