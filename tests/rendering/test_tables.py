"""Cells, blocks, and the formats of a table."""

import re

import numpy as np
import pandas as pd
import pytest

from pipeline.rendering._tables import blocks, cells, html, latex, markdown, spread


def rows(*triples):
    return pd.DataFrame(triples, columns=["estimate", "low", "high"])


@pytest.mark.parametrize(
    ("triple", "cell"),
    [
        ((0.98765, 0.98, 0.995), "0.988 [0.980, 0.995]"),
        ((0.5, 0.1, 0.9), "0.50 [0.10, 0.90]"),
        ((-0.25, -0.26, -0.24), "-0.250 [-0.260, -0.240]"),
        ((1234.5, 1200, 1290), "1234 [1200, 1290]"),
        ((3.25e-7, 3.0e-7, 3.5e-7), "3.25e-07 [3.00e-07, 3.50e-07]"),
        ((2.5e6, 2.4e6, 2.6e6), "2.50e+06 [2.40e+06, 2.60e+06]"),
        ((1.0, 1.0, 1.0), "1.000 [1.000, 1.000]"),
        ((0.5, np.nan, np.nan), "0.500 [no interval]"),
        ((np.nan, np.nan, np.nan), ""),
    ],
)
def test_a_cell_has_the_decimals_that_its_interval_can_bear(triple, cell):
    assert cells(rows(triple), pd.Series(["m"])).tolist() == [cell]


def test_each_kind_of_number_has_its_own_decimals_and_all_its_cells_share_them():
    frame = rows((0.5, 0.4, 0.6), (100.0, 50.0, 150.0), (0.25, 0.24, 0.26), (0.7, 0.6, 0.8))
    texts = cells(frame, pd.Series(["a", "b", "a", "a"])).tolist()
    assert texts == ["0.50 [0.40, 0.60]", "100 [50, 150]", "0.25 [0.24, 0.26]", "0.70 [0.60, 0.80]"]


def test_spread_keeps_the_order_of_appearance_and_leaves_blanks():
    frame = pd.DataFrame({"who": ["z", "z", "a"], "what": ["two", "one", "two"], "cell": ["1", "2", "3"]})
    table = spread(frame, rows=["who"], column="what")
    assert table.columns.tolist() == ["who", "two", "one"]
    assert table.to_numpy().tolist() == [["z", "1", "2"], ["a", "3", ""]]


def test_spread_refuses_two_numbers_for_one_cell():
    frame = pd.DataFrame({"who": ["z", "z"], "what": ["one", "one"], "cell": ["1", "2"]})
    with pytest.raises(ValueError, match="duplicate"):
        spread(frame, rows=["who"], column="what")


TABLE = pd.DataFrame({"data set": ["b", "a", "b"], "m_x": ["1|2", "3", "4"], "5% \u2191": ["", "6", ""]})


def test_a_block_has_the_columns_that_its_data_set_fills():
    found = blocks(TABLE)
    assert list(found) == ["b", "a"]
    assert found["b"].columns.tolist() == ["m_x"]
    assert found["a"].columns.tolist() == ["m_x", "5% \u2191"]
    assert blocks(TABLE.iloc[:0]) == {}


def test_markdown_gives_each_data_set_its_table():
    expected = (
        "### b\n\n| m_x |\n| --- |\n| 1\\|2 |\n| 4 |\n"
        "\n### a\n\n| m_x | 5% \u2191 |\n| --- | --- |\n| 3 | 6 |\n"
    )  # fmt: skip
    assert markdown(TABLE) == expected
    assert markdown(TABLE.iloc[:0]) == "No results.\n"


@pytest.mark.parametrize("cell", ["|", "\\", "\\|", "`a`", "**b**", "<i>", "a\nb"])
def test_a_cell_cannot_break_its_row(cell):
    (row,) = markdown(pd.DataFrame({"data set": ["d"], "h": [cell], "i": ["z"]})).splitlines()[-1:]
    plain = re.sub(r"\\(.)", lambda match: {"|": "\0"}.get(match[1], match[1]), row)  # as Markdown reads it
    assert [part.strip() for part in plain.split("|")[1:-1]] == [cell.replace("|", "\0").replace("\n", " "), "z"]
    assert not re.search(r"(?<!\\)(\\\\)*[`*<]", row)  # nothing is left that would be taken for markup


def test_latex_is_escaped_and_has_arrows_that_latex_knows():
    text = latex(TABLE)
    assert text.count(r"\begin{tabular}") == 2
    assert r"m\_x & 5\% $\uparrow$ \\" in text
    assert text.isascii()


def test_html_holds_every_cell():
    text = html(TABLE)
    assert text.count("<table ") == 2
    assert all(f"<td>{cell}</td>" in text for cell in ("1|2", "3", "4", "6"))
