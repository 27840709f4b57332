"""Table: every network of the study, its size, and its test accuracy over training seeds beside the published one."""

import pandas as pd

from pipeline.rendering._labels import distinct
from pipeline.rendering._tables import DATASET, NETWORK
from pipeline.statistics.intervals import seeds_interval, wilson

LABEL = "Networks"
KIND = "table"
FRAME = "accuracy"

TOTAL = "total"


def networks(frame: pd.DataFrame) -> pd.DataFrame:
    """Return one row per data set and network.

    Columns: data set, network, parameters, seeds, test images, accuracy (mean over seeds with its 95 % interval: of
    Student's t over the seeds, of Wilson over the images where there is one seed), lowest and highest seed, published
    (the accuracy that the network's source states, empty where it states none).

    Args:
        frame: rows of ``accuracy`` (docs/formats.md).
    """
    totals = frame[frame["class"] == TOTAL]
    names = distinct(frame, "model", "label")
    rows = []
    for (dataset, model), runs in totals.groupby(["dataset", "model"], sort=False):
        several = len(runs) > 1
        interval = seeds_interval(runs["estimate"]) if several else wilson(runs["correct"].iloc[0], runs["n"].iloc[0])
        estimate, low, high = (float(each) for each in interval)
        published = runs["published"].iloc[0]
        rows.append(
            {
                DATASET: dataset,
                NETWORK: names[str(model)],
                "parameters": f"{runs['parameters'].iloc[0]:,}",
                "seeds": len(runs),
                "test images": f"{runs['n'].iloc[0]:,}",
                "accuracy": f"{estimate:.4f} [{low:.4f}, {high:.4f}]",
                "lowest, highest": f"{runs['estimate'].min():.4f}, {runs['estimate'].max():.4f}" if several else "",
                "published": "" if pd.isna(published) else f"{published:.4f}",
            }
        )
    return pd.DataFrame(rows)
