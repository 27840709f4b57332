"""Peak memory of the methods: of a job, of four times its images, and of four times its samples or steps.

Every figure is the peak resident memory of a process of its own, in which a method of bench/attribution.py explains
images batch after batch, as the step does.
"""

import argparse
import json
import resource
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from bench import attribution
from pipeline import machine

BATCHES, SAMPLES, MASKS = 2, 16, 512
COUNTS = ("samples", "steps")


def main() -> None:
    """Print the table, and write it where the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", nargs="*", default=[row.name for row in attribution.ROWS], help="which rows")
    parser.add_argument("--markdown", type=Path, help="file to write the table to")
    parser.add_argument("--child", type=json.loads, help=argparse.SUPPRESS)  # one process's part
    given = parser.parse_args()
    if given.child:
        print(peak(*given.child))
        return
    rows = [measured(row) for row in attribution.ROWS if row.name in given.methods]
    table = pd.DataFrame(rows).to_markdown(index=False, floatfmt=".3f") + "\n"
    print(table)
    if given.markdown:
        given.markdown.write_text(table, encoding="utf-8")


def measured(row: attribution.Row) -> dict[str, object]:
    """Return one row of the table: MiB, and how many times as much for four times the images and samples."""
    few = SAMPLES if row.images == attribution.BATCH else MASKS
    counts = {key: few for key in COUNTS if key in row.entry}
    small, more = ({**row.entry, **{key: times * value for key, value in counts.items()}} for times in (1, 4))
    alone = process(small, row.images, BATCHES)
    told: dict[str, object] = {"method": row.name, "MiB": round(alone / 1024)}
    told["4 x images"] = process(small, row.images, 4 * BATCHES) / alone
    return told | {"4 x samples": process(more, row.images, BATCHES) / alone if counts else float("nan")}


def process(entry: Mapping[str, Any], images: int, batches: int) -> int:
    """Return what ``peak`` gives in a process of its own."""
    command = [sys.executable, "-m", "bench.memory", "--child", json.dumps([entry, images, batches])]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def peak(entry: Mapping[str, Any], images: int, batches: int) -> int:
    """Explain so many batches of images and return the largest resident memory of this process, in KiB."""
    machine.prepare(1, 0)
    call = attribution.ours(entry, attribution.setting("simple_cnn", images))
    for _ in range(batches):
        call()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    main()
