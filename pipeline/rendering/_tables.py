"""From tidy rows to what stands in a table's cells, and from a table to its blocks."""

import re
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from markupsafe import escape

DATASET, NETWORK = "data set", "network"
FAMILY, METHOD = "family", "method"

STYLE = (
    "body{font:14px sans-serif} table{border-collapse:collapse}"
    " th,td{padding:3px 9px; text-align:left; white-space:nowrap; border-bottom:1px solid #ccc}"
)
DIGITS = 2  # significant digits of a usual interval's width


def cells(frame: pd.DataFrame, kind: pd.Series) -> pd.Series:
    """Return "estimate [low, high]" of each row, each kind with the decimals that its median interval calls for.

    Very large and very small numbers are written with powers of ten. A cell without interval says so.

    Args:
        frame: rows with estimate, low and high.
        kind: what each row is a number of, such as its metric.
    """
    numbers = frame[["estimate", "low", "high"]]
    write = {name: _writer(rows) for name, rows in numbers.groupby(kind)}
    texts = [_cell(write[name], *row) for name, row in zip(kind, numbers.itertuples(index=False), strict=True)]
    return pd.Series(texts, index=frame.index, dtype=object)


def _cell(write: Callable[[float], str], estimate: float, low: float, high: float) -> str:
    if np.isnan(estimate):
        return ""
    if np.isnan(low) or np.isnan(high):
        return f"{write(estimate)} [no interval]"
    return f"{write(estimate)} [{write(low)}, {write(high)}]"


def _writer(frame: pd.DataFrame) -> Callable[[float], str]:
    width = (frame["high"] - frame["low"]).where(lambda widths: widths > 0).median()
    decimals = 3 if np.isnan(width) else max(0, DIGITS - 1 - int(np.floor(np.log10(width))))
    if decimals > 5 or frame["estimate"].abs().max() >= 1e5:
        return "{:.2e}".format
    return f"{{:.{decimals}f}}".format


def spread(frame: pd.DataFrame, *, rows: Sequence[str], column: str) -> pd.DataFrame:
    """Return one row for each combination in ``rows``, one column for each value of ``column``, holding ``cell``.

    Rows and columns stand in the order of their first appearance; what a row lacks is an empty text.

    Raises:
        ValueError: if two rows of ``frame`` fall into the same cell.
    """
    wide = frame.pivot(index=list(rows), columns=column, values="cell")
    order = pd.MultiIndex.from_frame(frame[list(rows)].drop_duplicates())
    wide = wide.reindex(index=order, columns=frame[column].drop_duplicates()).fillna("")
    return wide.rename_axis(columns=None).reset_index()


def blocks(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return {data set: its rows}, less the columns that are empty there, such as other data sets' classes."""
    groups = {} if table.empty else dict(list(table.groupby(DATASET, sort=False)))
    return {str(name): rows.loc[:, (rows != "").any()].drop(columns=DATASET) for name, rows in groups.items()}


def markdown(table: pd.DataFrame) -> str:
    """Return a table in Markdown, its data sets one after the other."""
    parts = [f"### {name}\n\n{_markdown_table(rows)}" for name, rows in blocks(table).items()]
    return "\n".join(parts) or "No results.\n"


def latex(table: pd.DataFrame) -> str:
    r"""Return a table as LaTeX's ``tabular``, one for each data set, which the package booktabs must set."""
    arrows = str.maketrans({"\N{UPWARDS ARROW}": r"$\uparrow$", "\N{DOWNWARDS ARROW}": r"$\downarrow$"})
    parts = (f"% {name}\n{rows.to_latex(index=False, escape=True)}" for name, rows in blocks(table).items())
    return "\n".join(parts).translate(arrows)


def html(table: pd.DataFrame) -> str:
    """Return a table as a small HTML page, its data sets one after the other."""
    parts = (
        f"<h3>{escape(name)}</h3>\n{rows.to_html(index=False, border=0)}\n" for name, rows in blocks(table).items()
    )
    body = "".join(parts) or "<p>No results.</p>\n"
    return f"<!doctype html>\n<meta charset=utf-8>\n<style>{STYLE}</style>\n{body}"


def _markdown_table(frame: pd.DataFrame) -> str:
    rows = [list(frame), *frame.itertuples(index=False)]
    lines = [f"| {' | '.join(_plain(value) for value in row)} |\n" for row in rows]
    return "".join([lines[0], f"|{' --- |' * frame.shape[1]}\n", *lines[1:]])


def _plain(value: object) -> str:
    """Return a cell's text with all that Markdown would take for its own escaped."""
    return re.sub(r"([\\|`*<])", r"\\\1", str(value)).replace("\n", " ")
