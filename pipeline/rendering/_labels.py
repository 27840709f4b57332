"""Names that tell things apart."""

import pandas as pd

NETWORKS = ["dataset", "model"]


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
    """Return {metric: "Deletion AUC (rise2018 3f2a9c)"}, label and protocol, of a tidy frame."""
    return {metric: f"{label} ({protocol})" for metric, (label, protocol) in _protocols(frame).items()}


def judging(frame: pd.DataFrame) -> dict[str, str]:
    """Return the same for what stands above a column, with the number of images of a metric that judged fewer.

    That is fewer than another metric did of the same data set and network: "Deletion AUC (rise2018 3f2a9c), 50 images".

    Args:
        frame: a tidy frame, n the images of each row.
    """
    most = frame.groupby(NETWORKS)["n"].transform("max")
    fewer = frame["n"].where(frame["n"] < most).groupby(frame["metric"]).agg(_range)
    return {metric: name + fewer[metric] for metric, name in metrics(frame).items()}


def _range(counts: pd.Series) -> str:
    """Return ", 20 images", or their range; nothing where no count is known."""
    low, high = counts.min(), counts.max()
    if counts.isna().all():
        return ""
    return f", {low:.0f} images" if low == high else f", {low:.0f} to {high:.0f} images"


def headings(frame: pd.DataFrame) -> dict[str, str]:
    """Return the same for what stands above a panel: the protocol on a line of its own (``_style.title``)."""
    return {metric: f"{label}\n{protocol}" for metric, (label, protocol) in _protocols(frame).items()}


def _protocols(frame: pd.DataFrame) -> dict[str, tuple[str, str]]:
    """Return {metric: (label, protocol)}; metrics that share both add themselves to the protocol."""
    found = frame.drop_duplicates("metric")
    shared = found.duplicated(["metric_label", "protocol"], keep=False)
    protocol = found["protocol"].where(~shared, found["protocol"] + ", " + found["metric"])
    return dict(zip(found["metric"], zip(found["metric_label"], protocol, strict=True), strict=True))
