"""Step: every figure and table of the study on one page that opens from the file system."""

from pathlib import Path

import pandas as pd

from pipeline import cli, files, provenance, reads
from pipeline.rendering import _page


def main(
    results: str,
    figures: list[str],
    tables: list[str],
    page: str,
    title: str,
    labels: dict[str, str],
) -> None:
    """Read figures, tables and their captions; write the page.

    Args:
        results: the folder of all results.
        figures: SVG files, <results>/figures/<data set>/<network>/<figure>.svg, in the page's order.
        tables: CSV files, <results>/tables/<table>.csv, in the page's order.
        page: HTML to write.
        title: heading of the page.
        labels: name -> what it is called, of every figure and table.
    """
    sources = reads.sources()
    captions = {Path(path).stem: path for path in sources.values() if path.endswith(".rst")}
    read = sources | {str(Path(path).relative_to(results)): path for path in (*figures, *tables)}
    made_by = provenance.record("page", {"title": title, "labels": labels}, read)
    drawings = [
        _page.Drawing(path.parts[-3], path.parts[-2], path.stem, path.read_bytes()) for path in map(Path, figures)
    ]
    text = _page.html(
        Path(sources["page.html.j2"]).read_text(encoding="utf-8"),
        title=title,
        labels=labels,
        captions={name: Path(path).read_text(encoding="utf-8") for name, path in captions.items()},
        tables={Path(path).stem: pd.read_csv(path, dtype=str, keep_default_na=False) for path in tables},
        drawings=drawings,
    )
    files.write(page, text)
    provenance.seal(made_by, page)


if __name__ == "__main__":
    cli.run(main)
