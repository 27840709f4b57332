"""The results of a study as the summary reads them: scores stacked over seeds, and what was skipped."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline import plan, store

ALL = "all"  # stands for the metric where a method was skipped


class Found(NamedTuple):
    """One metric of one map of one method: whose it is, then its arrays (S, N, ...) over training seeds and images.

    ``ids`` (N,) are the images' places in the data set; ``details`` {array: (S, N)} what is told beside the score;
    ``counts`` has those of these arrays, and "score", whose means are shares of images.
    """

    names: dict[str, Any]
    counts: Sequence[str]
    ids: NDArray[np.int64]
    scores: NDArray[np.float64]
    details: dict[str, NDArray[np.float64]]
    curves: NDArray[np.float64] | None
    x: NDArray[np.float64] | None


def networks(study: Mapping[str, Any]) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """Return {(data set, model): its runs, one for each seed}."""
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for run in study["runs"]:
        found.setdefault((run["dataset"], run["model"]), []).append(run)
    return found


def index(results: str, run: Mapping[str, Any], entry: str) -> dict[str, Any]:
    """Return what the evaluation of a method on one network wrote: stores, or why there are none."""
    path = plan.path("index", {"results": results}, {**run, "method": entry})
    return json.loads(Path(path).read_text(encoding="utf-8"))


def scores(results: str, study: Mapping[str, Any]) -> Iterator[Found]:
    """Yield what every metric found for every map, then the differences of metrics that the study asks for."""
    for (dataset, model), runs in networks(study).items():
        for entry, addresses in study["methods"].items():
            missing = _reasons(results, runs, entry)
            if None in missing:
                continue
            for address, facts in addresses.items():
                names = {"dataset": dataset, "model": model, "method": address, **facts}
                kept = [metric for metric in study["metrics"] if metric not in missing]
                found = {m: _stacked(results, runs, entry, address, m, names, study) for m in kept}
                yield from found.values()
                yield from _differences(found, study, names)


def retrained(results: str, study: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], pd.DataFrame]]:
    """Yield (names, accuracies) of every map that images were degraded by, fraction 0 included.

    Accuracies: one row for each network trained anew, one column for each fraction removed.
    """
    facts = {address: facts for entry in study["methods"].values() for address, facts in entry.items()}
    for (dataset, model), runs in networks(study).items():
        for address in study["retraining"].get("methods", {}).get(model, []):
            for mode in study["retraining"]["modes"]:
                tables = [_accuracies(results, run | {"mode": mode, "address": address}) for run in runs]
                if not any(table.empty for table in tables):
                    names = {"dataset": dataset, "model": model, "method": address, **facts[address], "mode": mode}
                    yield names, pd.concat(tables)


def left_out(results: str, study: Mapping[str, Any]) -> Iterator[tuple[str, str, str, str, str]]:
    """Yield (data set, model, method, metric, reason) of what was left out; metric is "all" of a skipped method."""
    for (dataset, model), runs in networks(study).items():
        for entry in study["methods"]:
            for metric, reasons in _reasons(results, runs, entry).items():
                yield from ((dataset, model, entry, metric or ALL, reason) for reason in reasons)


def _reasons(results: str, runs: list[dict[str, Any]], entry: str) -> dict[str | None, list[str]]:
    """Return {metric: why it was left out for a method on one of these networks}; None: why the method was skipped."""
    found: dict[str | None, set[str]] = {}
    for each in (index(results, run, entry) for run in runs):
        for metric, reason in {None: each["skipped"], **each["left_out"]}.items():
            if reason:
                found.setdefault(metric, set()).add(reason)
    return {metric: sorted(reasons) for metric, reasons in found.items()}


def skipped_files(results: str, study: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield (data set, file, reason) of every file that a data set could not read and was told to leave out."""
    for dataset in dict.fromkeys(run["dataset"] for run in study["runs"]):
        found = store.attributes(plan.path("data", {"results": results}, {"dataset": dataset}))
        yield from ((dataset, file, reason) for file, reason in sorted(found.get("skipped_files", {}).items()))


def _stacked(
    results: str,
    runs: list[dict[str, Any]],
    entry: str,
    address: str,
    metric: str,
    names: Mapping[str, Any],
    study: Mapping[str, Any],
) -> Found:
    facts = study["metrics"][metric]
    folders = [Path(plan.path("index", {"results": results}, {**run, "method": entry})).parent for run in runs]
    markers = [folder / f"{metric}.zarr" / "zarr.json" for folder in folders]
    keys = ["score", *(facts["details"] or ()), *(("curve", "x") if facts["x"] else ())]
    read = [store.read(marker, "ids", *(plan.array_name(address, key) for key in keys)) for marker in markers]
    ids, *stacked = (np.stack(arrays) for arrays in zip(*read, strict=True))
    found = {key: array.astype(np.float64) for key, array in zip(keys, stacked, strict=True)}
    details = {key: found[key] for key in facts["details"] or ()}
    told = {key: facts[key] for key in ("use", "protocol", "higher_is_better")}
    whose = {**names, "metric": metric, "metric_label": facts["label"], "x_name": facts["x"], **told}
    x = found["x"][0, 0] if "x" in found else None
    return Found(whose, facts["counts"], ids[0], found["score"], details, found.get("curve"), x)


def _differences(found: Mapping[str, Found], study: Mapping[str, Any], names: Mapping[str, Any]) -> Iterator[Found]:
    for name, (plus, minus) in study["differences"].items():
        if plus not in found or minus not in found:
            continue
        one, other = found[plus], found[minus]
        told = {"metric_label": f"{one.names['metric_label']} - {other.names['metric_label']}"}
        told["use"] = "difference"
        told["protocol"] = f"{name} {'-'.join(each.names['protocol'].rpartition(' ')[2] for each in (one, other))}"
        whose = {**names, "metric": name, **told, "higher_is_better": one.names["higher_is_better"]}
        yield Found(whose, (), one.ids, one.scores - other.scores, {}, None, None)


def _accuracies(results: str, wildcards: Mapping[str, Any]) -> pd.DataFrame:
    paths = [plan.path(name, {"results": results}, wildcards) for name in ("undegraded", "retrained")]
    undegraded, degraded = (pd.read_csv(path) for path in paths)
    if degraded.empty:
        return degraded
    return pd.concat([undegraded, degraded]).pivot(index="seed", columns="fraction", values="accuracy")
