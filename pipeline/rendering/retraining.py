"""Table: accuracy of networks retrained without the pixels that a method ranks first (ROAR) or last (KAR).

Hooker, Erhan, Kindermans & Kim, "A benchmark for interpretability methods in deep neural networks", NeurIPS 2019.
"""

import pandas as pd

from pipeline.rendering._labels import distinct
from pipeline.rendering._tables import DATASET, FAMILY, METHOD, NETWORK, cells, spread

LABEL = "Retraining"
KIND = "table"
FRAME = "retraining"

NAMES = {"dataset": DATASET, "model": NETWORK, "family": FAMILY, "name": METHOD}
ARROWS = {"roar": "\N{DOWNWARDS ARROW}", "kar": "\N{UPWARDS ARROW}"}  # where the better method's accuracy lies
WHOLE = "nothing removed"


def retraining(frame: pd.DataFrame) -> pd.DataFrame:
    """Return one row per data set, network and method.

    Columns: data set, network, family, method, retrained networks per cell, chance, accuracy with nothing removed, then
    each mode with each fraction of pixels removed. The arrow points to where the accuracies of a better method lie.

    Args:
        frame: rows of ``retraining`` (docs/formats.md).
    """
    whole = frame["fraction"] == 0
    shared = frame[~(whole & frame.duplicated(["dataset", "model", "method", "fraction"]))]
    told = shared.assign(
        name=shared["method"].map(distinct(frame, "method", "label")),
        heading=[_heading(*pair) for pair in zip(shared["mode"], shared["fraction"], strict=True)],
        chance=[f"{chance:.3g}" for chance in shared["chance"]],
        cell=cells(shared, shared["dataset"]),
    ).rename(columns={"n": "retrained"})
    return spread(told, rows=[*NAMES, "retrained", "chance"], column="heading").rename(columns=NAMES)


def _heading(mode: str, fraction: float) -> str:
    return WHOLE if fraction == 0 else f"{mode.upper()} {fraction:.0%} {ARROWS[mode]}"
