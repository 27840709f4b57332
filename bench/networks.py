"""Accuracy, size and training time of the networks of finished studies, in one table.

The accuracies are those of the studies' table of networks; the minutes are the wall time of the training jobs as
Snakemake's benchmarks have it, the median over seeds. Jobs that were cut short and went on, or that shared the machine,
tell nothing of their time: ``--timed`` names a folder in which the study was run once more for that.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from pipeline import frames, plan
from pipeline.config import complete
from pipeline.rendering import _tables
from pipeline.rendering.networks import networks


def main() -> None:
    """Write the table where the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("studies", type=Path, nargs="+", help="config files of finished studies")
    parser.add_argument("--timed", type=Path, default=Path(), help="folder whose benchmarks/ has the times")
    parser.add_argument("--note", default="", help="a sentence on how and where they were run")
    parser.add_argument("--markdown", type=Path, required=True, help="file to write")
    given = parser.parse_args()
    studies = [complete(yaml.safe_load(path.read_text(encoding="utf-8"))) for path in given.studies]
    parts = [section(study, given.timed) for study in studies]
    given.markdown.write_text("\n".join(["# Networks\n", *parts, given.note]).strip() + "\n", encoding="utf-8")


def section(config: Mapping[str, Any], timed: Path) -> str:
    """Return a study's title and its networks, with the minutes that their training took."""
    frame = frames.read(plan.path("accuracy_frame", config, {}))
    table, times = networks(frame), [wall(config, d, m, timed) for d, m in plan.pairs(config)]
    if any(times):
        table["minutes"] = [f"{pd.Series(each).median() / 60:.1f}" if each else "" for each in times]
    return f"## {config['title']}\n\n{_tables.markdown(table)}"


def wall(config: Mapping[str, Any], dataset: str, model: str, timed: Path) -> list[float]:
    """Return the seconds of those trainings of a network that have a benchmark in the folder ``timed``."""
    runs = [run for run in plan.runs(config) if (run["dataset"], run["model"]) == (dataset, model)]
    paths = [timed / plan.beside("weights", "benchmarks").format(**run) for run in runs]
    return [float(pd.read_csv(path, sep="\t")["s"].iloc[0]) for path in paths if path.exists()]


if __name__ == "__main__":
    main()
