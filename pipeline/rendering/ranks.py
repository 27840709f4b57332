"""Table: the rank of every method under every metric, and how far each metric's ranking agrees with the first one's.

Kendall, "The treatment of ties in ranking problems", Biometrika 33 (1945): tau-b.
"""

import pandas as pd

from pipeline.rendering._labels import distinct, judging
from pipeline.rendering._ranked import mean_ranks
from pipeline.rendering._tables import DATASET, FAMILY, METHOD, NETWORK, cells, spread

LABEL = "Ranks from protocol to protocol"
KIND = "table"
FRAME = "ranks"

NAMES = {"dataset": DATASET, "model": NETWORK, "family": FAMILY, "name": METHOD}
TAU = {"tau": "estimate", "tau_low": "low", "tau_high": "high"}


def ranks(frame: pd.DataFrame) -> pd.DataFrame:
    """Return one row per data set, network and method, by mean rank, and below those of a network one of tau-b.

    Columns: data set, network, family, method, then the metrics with their protocols, and with their images where they
    judged fewer. A cell holds the rank, 1 the
    best, among those that the metric scored; in the last row of a network Kendall's tau-b with its first metric.

    Args:
        frame: rows of ``ranks`` (docs/formats.md).
    """
    headings = judging(frame)
    told = frame.assign(
        name=frame["method"].map(distinct(frame, "method", "label")),
        heading=frame["metric"].map(headings),
        cell=[_cell(*row) for row in frame[["estimate", "low", "high"]].itertuples(index=False)],
    )
    networks = [rows for _, rows in told.groupby(["dataset", "model"], sort=False)]
    told = pd.concat([told.iloc[:0], *(part for rows in networks for part in (_by_mean_rank(rows), _agreement(rows)))])
    table = spread(told, rows=[*NAMES], column="heading")
    return table[[*NAMES, *headings.values()]].rename(columns=NAMES)


def _by_mean_rank(rows: pd.DataFrame) -> pd.DataFrame:
    place = {method: place for place, method in enumerate(mean_ranks(rows).index)}
    return rows.sort_values("method", key=lambda methods: methods.map(place), kind="stable")


def _agreement(rows: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each metric of one network, whose cell holds tau-b with the first."""
    each = rows.drop_duplicates("metric").assign(family="", name=f"Kendall's tau-b with {rows['heading'].iloc[0]}")
    taus = each[[*TAU]].rename(columns=TAU)
    return each.assign(cell=cells(taus, each["model"]))


def _cell(estimate: float, low: float, high: float) -> str:
    return f"{_number(estimate)} [{_number(low)}, {_number(high)}]"


def _number(rank: float) -> str:
    """Return a rank, which may be shared and so lie between two places."""
    return f"{rank:.1f}".removesuffix(".0")
