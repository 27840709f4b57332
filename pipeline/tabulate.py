"""Step: one table of the study."""

from pipeline import cli, files, frames, plugins, provenance
from pipeline.rendering import _tables


def main(frame: str, table: str, csv: str, markdown: str, latex: str, html: str) -> None:
    r"""Read a tidy frame, make the table, write it in four formats; all but the CSV in blocks, one for each data set.

    Args:
        frame: CSV of the tidy frame that the table takes.
        table: name of the table, a module of rendering.
        csv: CSV to write.
        markdown: Markdown to write.
        latex: LaTeX to write, that \input takes; it needs booktabs.
        html: HTML to write.
    """
    made_by = provenance.record("tabulate", {"table": table}, {"frame": frame})
    made = plugins.load("rendering", table)(frames.read(frame))
    files.write(csv, made.to_csv(index=False))
    files.write(markdown, _tables.markdown(made))
    files.write(latex, _tables.latex(made))
    files.write(html, _tables.html(made))
    provenance.seal(made_by, csv, markdown, latex, html)


if __name__ == "__main__":
    cli.run(main)
