"""Step: one figure of one network on one data set."""

import logging

import matplotlib as mpl

from pipeline import cli, files, frames, plugins, provenance
from pipeline.rendering import _style

# What matplotlib would say of the time and of itself, left out: the same figure is the same bytes.
SILENT = {
    "svg": {"Date": None, "Creator": None},
    "png": {"Software": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}


def main(frame: str, figure: str, dataset: str, model: str, svg: str, png: str, pdf: str) -> None:
    """Read the rows of one network on one data set, draw them, write the figure in three formats.

    Args:
        frame: the tidy frame that the figure takes: CSV, or the marker of a gallery.
        figure: name of the figure, a module of rendering.
        dataset: name of the data set.
        model: name of the network.
        svg: SVG to write.
        png: PNG to write.
        pdf: PDF to write.
    """
    logging.getLogger("fontTools").setLevel(logging.WARNING)  # it tells of every table of every font in a PDF
    settings = {"figure": figure, "dataset": dataset, "model": model}
    made_by = provenance.record("draw", settings, {"frame": frame})
    rows = frames.read(frame)
    drawn = plugins.load("rendering", figure)(rows[(rows["dataset"] == dataset) & (rows["model"] == model)])
    for path, form in ((svg, "svg"), (png, "png"), (pdf, "pdf")):
        with files.replacing(path) as temporary, mpl.rc_context(_style.RC):
            drawn.savefig(temporary, format=form, metadata=SILENT[form])
    provenance.seal(made_by, svg, png, pdf)


if __name__ == "__main__":
    cli.run(main)
