"""Markdown out, Markdown in."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.rendering import _markdown


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# One\n## Two", "<h2>One</h2><h3>Two</h3>"),
        ("a\nb\n\nc", "<p>a\nb</p>\n<p>c</p>"),
        ("- a\n- b\n  c", "<ul><li>a\n</li><li>b\n  c</li></ul>"),
        ("| a |\n|:-:|\n| x\\|y |", "<table><tr><th>a</th></tr><tr><td>x|y</td></tr></table>"),
        ("see `a<b` and **c**", "<p>see <code>a&lt;b</code> and <strong>c</strong></p>"),
        ("<script>x</script> & \\<b", "<p>&lt;script&gt;x&lt;/script&gt; &amp; &lt;b</p>"),
        ("", ""),
    ],
)  # fmt: skip
def test_reports_become_html(text, expected):
    assert _markdown.html(text) == expected


def test_a_table_may_have_empty_cells():
    text = _markdown.html("| a | b |\n| --- | --- |\n| none | |")
    assert text.endswith("<th>b</th></tr><tr><td>none</td><td></td></tr></table>")


@settings(max_examples=40)
@given(st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1))
def test_a_cell_of_a_table_comes_back_as_it_was(cell):
    text = _markdown.table(pd.DataFrame({"h": [f"x{cell}"]}))
    assert _markdown.html(text).endswith(f"<td>x{_markdown.escape(cell)}</td></tr></table>")
