"""Names that tell things apart."""

import pandas as pd


def distinct(frame: pd.DataFrame, key: str, label: str) -> pd.Series:
    """Return the label of every key, in order of appearance; keys that share one add theirs: "D-RISE (d_rise.dot)".

    Args:
        frame: tidy rows in which a key always has the same label.
        key: name of the column that tells the things apart, and the index of the result.
        label: name of the column that names them.
    """
    labels = frame.drop_duplicates(key).set_index(key)[label]
    return labels.where(~labels.duplicated(keep=False), labels + " (" + labels.index + ")")


def metrics(frame: pd.DataFrame) -> pd.Series:
    """Return the label of every metric of a tidy frame, made distinct."""
    return distinct(frame, "metric", "metric_label")
