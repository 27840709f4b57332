"""The little Markdown of the study's reports: tables from frames, and HTML from reports."""

import itertools
import re
from collections.abc import Sequence

import pandas as pd
from markupsafe import Markup, escape

SPECIAL = r"\\|`*<"
INLINE = re.compile(rf"\\(?P<plain>[{SPECIAL}])|`(?P<code>[^`]+)`|\*\*(?P<strong>.+?)\*\*")


def table(frame: pd.DataFrame) -> str:
    """Return a frame as a table of GitHub's Markdown, without its index."""
    rows = [list(frame), *frame.itertuples(index=False)]
    lines = [f"| {' | '.join(_plain(value) for value in row)} |\n" for row in rows]
    return "".join([lines[0], f"|{' --- |' * frame.shape[1]}\n", *lines[1:]])


def _plain(value: object) -> str:
    return re.sub(rf"([{SPECIAL}])", r"\\\1", str(value)).replace("\n", " ")


def html(text: str) -> Markup:
    """Return a report as HTML: headings, paragraphs, lists, tables, ``code``, **strong**.

    Anything else is shown as it was written; nothing in the report can become a tag of its own.
    """
    groups = itertools.groupby(text.splitlines(), key=_kind)
    return Markup("\n").join(BUILDERS[kind](list(lines)) for kind, lines in groups if kind)


def _kind(line: str) -> str:
    starts = {"#": "heading", "- ": "list", "  ": "list", "|": "table"}
    return next((kind for start, kind in starts.items() if line.startswith(start)), "text" if line.strip() else "")


def _headings(lines: Sequence[str]) -> Markup:
    levels = [(len(line) - len(line.lstrip("#")), line.lstrip("#").strip()) for line in lines]
    return Markup("").join(_tag(f"h{min(level + 1, 6)}", _inline(title)) for level, title in levels)


def _list(lines: Sequence[str]) -> Markup:
    entries = re.split(r"^- ", "\n".join(lines), flags=re.MULTILINE)
    return _tag("ul", Markup("").join(_tag("li", _inline(entry)) for entry in entries if entry.strip()))


def _table(lines: Sequence[str]) -> Markup:
    head, *body = (re.findall(r"\|((?:\\.|[^|\\])*)(?=\|)", line) for line in lines)
    rows = [_row("th", head), *(_row("td", cells) for cells in body if not re.fullmatch(r"[-:\s]+", "".join(cells)))]
    return _tag("table", Markup("").join(rows))


def _row(tag: str, cells: Sequence[str]) -> Markup:
    return _tag("tr", Markup("").join(_tag(tag, _inline(cell.strip())) for cell in cells))


def _paragraph(lines: Sequence[str]) -> Markup:
    return _tag("p", _inline("\n".join(lines)))


def _tag(name: str, content: Markup) -> Markup:
    return Markup(f"<{name}>") + content + Markup(f"</{name}>")


def _inline(text: str) -> Markup:
    """Return text with ``code`` and **strong** marked up, escapes undone, and all else escaped for HTML."""
    pieces, end = [], 0
    for match in INLINE.finditer(text):
        kind = str(match.lastgroup)
        content = escape(match[kind])
        pieces += [escape(text[end : match.start()]), content if kind == "plain" else _tag(kind, content)]
        end = match.end()
    return Markup("").join([*pieces, escape(text[end:])])


BUILDERS = {"heading": _headings, "list": _list, "table": _table, "text": _paragraph}
