"""Step: the whole study as tidy frames, every number with its interval, and a summary of what was done."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline import cli, files, findings, frames, plan, provenance, reads
from pipeline.statistics.summaries import curve_rows, retraining_rows, score_rows

INTERVAL = ["estimate", "low", "high", "n"]
WHOSE = ["dataset", "model", "method", "label", "family"]
NETWORK = ["dataset", "model", "label", "seed"]
ACCURACY = [*NETWORK, "parameters", "published", "class", "correct", *INTERVAL]
COVERAGE = [*NETWORK, "coverage", "confidence", *INTERVAL]
SCORES = [*WHOSE, "reduce", "metric", "metric_label", "higher_is_better", *INTERVAL]
CURVES = [*WHOSE, "metric", "metric_label", "x_name", "x", *INTERVAL]
LEFT_OUT = ["dataset", "model", "method", "metric", "reason"]
RETRAINING = [*WHOSE, "mode", "fraction", *INTERVAL, "chance"]


def main(
    results: str,
    accuracy: str,
    coverage: str,
    scores: str,
    curves: str,
    retraining: str,
    left_out: str,
    summary: str,
    study: dict[str, Any],
) -> None:
    """Read the accuracies, scores and retrained accuracies of every network; write the frames and the summary.

    Args:
        results: the folder of all results.
        accuracy: CSV to write: test accuracy of each network and class.
        coverage: CSV to write: accuracy of each network over the share of images that it answers.
        scores: CSV to write: each metric of each method.
        curves: CSV to write: each metric's curve.
        retraining: CSV to write: accuracy after retraining on degraded images.
        left_out: CSV to write: combinations that were skipped, with the reason.
        summary: Markdown file to write: combinations and files left out, what was computed and what was taken over.
        study: runs, and what tables call the models, methods and metrics; pipeline/plan.py says it.
    """
    made_by = provenance.record("summarise", {"study": study}, reads.summarised(results, study))
    files.write(accuracy, _frame(_of_networks("accuracy", results, study), ACCURACY))
    files.write(coverage, _frame(_of_networks("coverage", results, study), COVERAGE))
    found = list(findings.scores(results, study))
    files.write(scores, _frame((score_rows(f.scores).assign(**f.names) for f in found), SCORES))
    bands = (curve_rows(f.x, f.curves).assign(**f.names) for f in found if f.x is not None and f.curves is not None)
    files.write(curves, _frame(bands, CURVES))
    chance = _chance(results, study)
    again = (
        retraining_rows(table.columns, table).assign(**names, chance=chance[names["dataset"], names["model"]])
        for names, table in findings.retrained(results, study)
    )
    files.write(retraining, _frame(again, RETRAINING))
    skipped = pd.DataFrame(findings.left_out(results, study), columns=LEFT_OUT)
    files.write(left_out, skipped.to_csv(index=False))
    unread = [f"| {' | '.join(row)} |" for row in findings.skipped_files(results, study)]
    files.write(summary, _summary(results, skipped, unread))
    provenance.seal(made_by, accuracy, coverage, scores, curves, retraining, left_out)


def _frame(rows: Iterable[pd.DataFrame], columns: list[str]) -> str:
    found = [frame[columns] for frame in rows]
    return (pd.concat(found) if found else pd.DataFrame(columns=columns)).to_csv(index=False)


def _of_networks(name: str, results: str, study: Mapping[str, Any]) -> list[pd.DataFrame]:
    """Return the frame called ``name`` of every network."""
    return [
        frames.read(plan.path(name, {"results": results}, run)).assign(**run, label=study["models"][run["model"]])
        for run in study["runs"]
    ]


def _chance(results: str, study: Mapping[str, Any]) -> dict[tuple[str, str], float]:
    """Return the accuracy of a blind guess, 1 / classes, of every network."""
    tables = ((run, frames.read(plan.path("accuracy", {"results": results}, run))) for run in study["runs"])
    return {(run["dataset"], run["model"]): 1 / (len(table) - 1) for run, table in tables}


def _summary(results: str, skipped: pd.DataFrame, unread: list[str]) -> str:
    """Return the summary in Markdown. What was taken over tells of the last job of each result, not of the result."""
    lines = [
        "# Summary",
        "",
        "## Combinations left out",
        "",
        "| data set | network | method | metric | reason |",
        "|---|---|---|---|---|",
    ]
    lines += [f"| {' | '.join(row)} |" for row in skipped.itertuples(index=False)] or ["| none | | | | |"]
    lines += ["", "## Files left out", "", "| data set | file | reason |", "|---|---|---|"]
    lines += unread or ["| none | | |"]
    lines += ["", "## What the last job of each result computed, and what it found done", ""]
    lines += ["| results | unit | computed | taken over |", "|---|---|---|---|"]
    work = pd.DataFrame(_work(results), columns=["kind", "unit", "computed", "taken_over"])
    for (kind, unit), rows in work.groupby(["kind", "unit"]):
        lines.append(f"| {kind} | {unit} | {rows['computed'].sum()} | {rows['taken_over'].sum()} |")
    return "\n".join(lines) + "\n"


def _work(results: str) -> list[tuple[str, str, int, int]]:
    """Return (kind, unit, computed, taken over) of every result that is written step by step."""
    rows = []
    for path in sorted(Path(results).rglob("*.progress.json")):
        found = json.loads(path.read_text(encoding="utf-8"))
        computed = found["computed"] if "computed" in found else len(found["blocks"]) - found["taken_over"]
        rows.append((_kind(path), found.get("unit", "blocks"), computed, found["taken_over"]))
    return rows


def _kind(path: Path) -> str:
    kinds = {"maps": "maps", "scores": "scores", "retraining": "retrained networks"}
    return next((kinds[part] for part in path.parts if part in kinds), path.name.split(".")[0])


if __name__ == "__main__":
    cli.run(main)
