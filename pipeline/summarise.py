"""Step: the whole study as tidy frames, every number with its interval, and a summary of what was done."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline import cli, files, findings, frames, plan, provenance, reads
from pipeline.statistics.rankings import agreement, beside_first, ranks
from pipeline.statistics.resampling import Scored, resampled
from pipeline.statistics.summaries import curve_rows, retraining_rows, score_rows

INTERVAL = ["estimate", "low", "high", "n"]
WHOSE = ["dataset", "model", "method", "label", "family"]
NETWORK = ["dataset", "model", "label", "seed"]
METRIC = ["metric", "metric_label", "protocol"]
COLUMNS = {
    "accuracy": [*NETWORK, "parameters", "published", "class", "correct", *INTERVAL],
    "coverage": [*NETWORK, "coverage", "confidence", *INTERVAL],
    "scores": [*WHOSE, "reduce", *METRIC, "higher_is_better", *INTERVAL],
    "details": [*WHOSE, *METRIC, "use", "detail", "detail_label", *INTERVAL],
    "ranks": [*WHOSE, *METRIC, "higher_is_better", *INTERVAL, "tau", "tau_low", "tau_high"],
    "agreement": ["dataset", "model", *METRIC, "other", "other_label", "other_protocol", *INTERVAL],
    "curves": [*WHOSE, *METRIC, "x_name", "x", *INTERVAL],
    "retraining": [*WHOSE, "mode", "fraction", *INTERVAL, "chance"],
    "left_out": ["dataset", "model", "method", "metric", "reason"],
}


def main(results: str, summary: str, study: dict[str, Any]) -> None:
    """Read the accuracies, scores and retrained accuracies of every network; write the frames and the summary.

    Args:
        results: the folder of all results; the frames go to its folder ``summary``.
        summary: Markdown file to write: combinations and files left out, what was computed and what was taken over.
        study: runs, and what tables call the models, methods and metrics; pipeline/plan.py says it.
    """
    made_by = provenance.record("summarise", {"study": study}, reads.summarised(results, study))
    found = {name: _of_networks(name, results, study) for name in ("accuracy", "coverage")}
    found |= _of_metrics(results, study) | {"retraining": _retraining(results, study)}
    found["left_out"] = [pd.DataFrame(findings.left_out(results, study), columns=COLUMNS["left_out"])]
    paths = {name: plan.path(f"{name}_frame", {"results": results}, {}) for name in plan.FRAMES}
    for name, path in paths.items():
        files.write(path, _frame(found[name], COLUMNS[name]))
    unread = [f"| {' | '.join(row)} |" for row in findings.skipped_files(results, study)]
    files.write(summary, _summary(results, found["left_out"][0], unread))
    provenance.seal(made_by, *paths.values())


def _of_metrics(results: str, study: Mapping[str, Any]) -> dict[str, list[pd.DataFrame]]:
    """Return the rows of every frame that comes from the scores: each as it is found, since curves are large."""
    rows: dict[str, list[pd.DataFrame]] = {"scores": [], "details": [], "curves": [], "ranks": [], "agreement": []}
    scored: dict[tuple[str, str], dict[str, Scored]] = {}  # (data set, model) -> metric -> its scores
    for each in findings.scores(results, study):
        names, metric = each.names, each.names["metric"]
        rows["scores"].append(score_rows(each.scores, counts="score" in each.counts).assign(**names))
        for key, values in each.details.items():
            facts = study["metrics"][metric]
            told = {"detail": key, "detail_label": facts["details"][key]}
            rows["details"].append(score_rows(values, counts=key in each.counts).assign(**names, **told))
        if each.x is not None and each.curves is not None:
            rows["curves"].append(curve_rows(each.x, each.curves).assign(**names))
        if names["use"] != "quality":  # which says what the maps are, not how good they are
            found = scored.setdefault((names["dataset"], names["model"]), {})
            known = found.get(metric, Scored({}, each.ids, names["higher_is_better"]))
            found[metric] = known._replace(scores={**known.scores, names["method"]: each.scores})
    for dataset, model in scored:
        own = [row for row in rows["scores"] if (row["dataset"].iloc[0], row["model"].iloc[0]) == (dataset, model)]
        _rank(scored[dataset, model], study, pd.concat(own), rows)
    return rows


def _rank(
    scored: Mapping[str, Scored], study: Mapping[str, Any], told: pd.DataFrame, rows: dict[str, list[pd.DataFrame]]
) -> None:
    """Add one network's rows of ``ranks`` and ``agreement``; ``told`` has its rows of ``scores``."""
    ordered = {name: scored[name] for name in (*study["metrics"], *study["differences"]) if name in scored}
    drawn = resampled(ordered)
    methods = told[WHOSE].drop_duplicates()
    metrics = told[[*METRIC, "higher_is_better"]].drop_duplicates()
    others = metrics[METRIC].rename(columns=dict(zip(METRIC, ["other", "other_label", "other_protocol"], strict=True)))
    agreed = agreement(drawn)
    rows["ranks"].append(beside_first(ranks(drawn), agreed).merge(methods, on="method").merge(metrics, on="metric"))
    named = agreed.merge(metrics, on="metric", how="left").merge(others, on="other", how="left")
    rows["agreement"].append(named.assign(**dict(told[["dataset", "model"]].iloc[0])))


def _retraining(results: str, study: Mapping[str, Any]) -> list[pd.DataFrame]:
    chance = _chance(results, study)
    return [
        retraining_rows(table.columns, table).assign(**names, chance=chance[names["dataset"], names["model"]])
        for names, table in findings.retrained(results, study)
    ]


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
