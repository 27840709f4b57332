"""Names that tell things apart."""

import pandas as pd


def distinct(frame: pd.DataFrame, key: str, label: str) -> dict[str, str]:
    """Return {key: label} in order of appearance; keys that share a label add themselves: "Deletion (deletion_blur)".

    Args:
        frame: tidy rows in which a key always has the same label.
        key: name of the column that tells the things apart.
        label: name of the column that names them.
    """
    found = frame.drop_duplicates(key)
    shared = found[label].duplicated(keep=False)
    names = found[label].where(~shared, found[label] + " (" + found[key] + ")")
    return dict(zip(found[key], names, strict=True))


def metrics(frame: pd.DataFrame) -> dict[str, str]:
    """Return {metric: label, made distinct} of a tidy frame."""
    return distinct(frame, "metric", "metric_label")
