"""What a config asks for: where each result lies, which settings determine it, and the list of them all.

The rules and ``verify`` both read it here, so that neither says anything the other does not. Imports no torch.
"""

import os
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Any

from pipeline import config as form

RUN = "{results}/{dataset}/{model}/seed{seed}"
FRAMES = ("accuracy", "scores", "curves", "retraining", "left_out")
PATHS = {
    "data": "{results}/{dataset}/data.zarr/zarr.json",
    "weights": f"{RUN}/weights.safetensors",
    "history": f"{RUN}/history.csv",
    "accuracy": f"{RUN}/accuracy.csv",
    "predictions": f"{RUN}/predictions.zarr/zarr.json",
    "maps": f"{RUN}/maps/{{split}}/{{method}}.zarr/zarr.json",
    "explain_maps": f"{RUN}/maps/explain/{{method}}.zarr/zarr.json",
    "train_maps": f"{RUN}/maps/train/{{method}}.zarr/zarr.json",
    "test_maps": f"{RUN}/maps/test/{{method}}.zarr/zarr.json",
    "index": f"{RUN}/scores/{{method}}/index.json",
    "retrained": f"{RUN}/retraining/{{mode}}/{{address}}.csv",
    "undegraded": f"{RUN}/retraining/undegraded.csv",
    "gallery": "{results}/{dataset}/{model}/gallery.zarr/zarr.json",
    **{f"{frame}_frame": f"{{results}}/summary/{frame}.csv" for frame in FRAMES},
    "summary": "{results}/summary.md",
    "table_csv": "{results}/tables/{table}.csv",
    "table_markdown": "{results}/tables/{table}.md",
    "table_latex": "{results}/tables/{table}.tex",
    "table_html": "{results}/tables/{table}.html",
    "figure_svg": "{results}/figures/{dataset}/{model}/{figure}.svg",
    "figure_png": "{results}/figures/{dataset}/{model}/{figure}.png",
    "figure_pdf": "{results}/figures/{dataset}/{model}/{figure}.pdf",
    "page": "{results}/page/index.html",
}
# What each step writes, in the order of its flags.
OUTPUTS = {
    "download": ("data",),
    "train": ("weights", "history"),
    "predict": ("predictions", "accuracy"),
    "attribute": ("maps",),
    "evaluate": ("index",),
    "retrain": ("retrained",),
    "retrain_undegraded": ("undegraded",),
    "summarise": (*(f"{frame}_frame" for frame in FRAMES), "summary"),
    "exhibit": ("gallery",),
    "tabulate": ("table_csv", "table_markdown", "table_latex", "table_html"),
    "draw": ("figure_svg", "figure_png", "figure_pdf"),
    "page": ("page",),
}


# What each step reads, where that is all of it; ``inputs`` says the rest.
INPUTS = {
    "download": (),
    "train": ("data",),
    "predict": ("data", "weights"),
    "attribute": ("data", "weights", "predictions"),
    "retrain_undegraded": ("data",),
}
HERE = Path(__file__).parent


def path(name: str, config: Mapping[str, Any], wildcards: Mapping[str, Any]) -> str:
    """Return the path of the result called ``name`` for these wildcards."""
    return PATHS[name].format(results=config["results"], **wildcards)


def beside(name: str, kind: str) -> str:
    """Return the path pattern of the log ("logs") or the benchmark ("benchmarks") of the job that writes ``name``."""
    pattern = PATHS[name].removeprefix("{results}/").removesuffix("/zarr.json")
    return f"{kind}/{pattern}{'.log' if kind == 'logs' else '.tsv'}"


def jobs(config: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (step, wildcards) of every job that the config asks for, each after those whose results it reads."""
    for dataset in config["datasets"]:
        yield "download", {"dataset": dataset}
    for run in runs(config):
        yield "train", run
        yield "predict", run
        for method in config["methods"]:
            yield "attribute", run | {"split": "explain", "method": method}
            yield "evaluate", run | {"method": method}
        yield from _retraining_jobs(config, run)
    yield "summarise", {}
    for dataset, model in pairs(config):
        yield "exhibit", {"dataset": dataset, "model": model}
    for table in tables(config):
        yield "tabulate", {"table": table}
    for (dataset, model), figure in product(pairs(config), figures(config)):
        yield "draw", {"dataset": dataset, "model": model, "figure": figure}
    yield "page", {}


def targets(config: Mapping[str, Any]) -> list[str]:
    """Return every output of every job: Snakemake forgets a failed rebuild of an output that is not asked for."""
    return [path(name, config, wildcards) for step, wildcards in jobs(config) for name in OUTPUTS[step]]


def pairs(config: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return (data set, model) of every combination: the cross product, cut by each model's ``datasets``."""
    models = config["models"].items()
    return [(d, name) for d in config["datasets"] for name, entry in models if d in entry.get("datasets", [d])]


def runs(config: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the wildcards of every trained network."""
    return [{"dataset": d, "model": m, "seed": seed} for d, m in pairs(config) for seed in config["seeds"]]


def retrained(config: Mapping[str, Any], model: str) -> list[str]:
    """Return the methods, as ``<entry>`` or ``<entry>.<part>``, whose maps degrade images to retrain ``model`` on."""
    plan = config["retraining"]
    if not plan or model not in plan.get("models", [model]):
        return []
    methods = config["methods"].items()
    return [a for name, e in methods for a in form.addresses(name, e) if a in plan["methods"]]


def figures(config: Mapping[str, Any]) -> list[str]:
    """Return the figures that can be drawn: those of retraining only where the study retrains."""
    return [figure for figure in config["figures"] if _has_frame(config, figure)]


def tables(config: Mapping[str, Any]) -> list[str]:
    """Return the tables that can be made."""
    return [table for table in config["tables"] if _has_frame(config, table)]


def settings(step: str, config: Mapping[str, Any], wildcards: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the config decides about the result of a job, as the values of the step's flags."""
    return SETTINGS[step](config, wildcards)


def plugin(layer: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return an entry without the keys that steps read: what goes to the plug-in itself."""
    return {key: value for key, value in entry.items() if key not in form.COMMON.get(layer, ())}


def inputs(step: str, config: Mapping[str, Any], wildcards: Mapping[str, Any]) -> dict[str, str]:
    """Return {name: path} of what a job reads and its record digests; source files of data sets apart."""
    if step in INPUTS:
        return {name: path(name, config, wildcards) for name in INPUTS[step]}
    if step == "evaluate":
        return inputs("predict", config, wildcards) | {"maps": path("explain_maps", config, wildcards)}
    if step == "retrain":
        run = {**wildcards, "method": split_address(wildcards["address"])[0]}
        return {name: path(name, config, run) for name in ("data", "train_maps", "test_maps")}
    if step == "summarise":
        return summarised(config["results"], settings(step, config, wildcards)["study"])
    if step == "exhibit":
        maps = dict(zip(config["methods"], exhibited(config, wildcards), strict=True))
        return maps | {"data": path("data", config, wildcards)}
    if step == "page":
        made = [*drawn(config), *tabulated(config)]
        return sources() | {str(Path(each).relative_to(config["results"])): each for each in made}
    return {"frame": frame(config, wildcards.get("table") or wildcards["figure"], wildcards)}


def sources() -> dict[str, str]:
    """Return {name: path} of the texts that the page is made with: its template and the captions.

    The paths are relative, so that Snakemake does not take a copied or moved study for one with other inputs.
    """
    found = [HERE / "rendering" / "page.html.j2", *sorted((HERE.parent / "workflow" / "report").glob("*.rst"))]
    return {each.name: os.path.relpath(each) for each in found}


def summarised(results: str, study: Mapping[str, Any]) -> dict[str, str]:
    """Return {name: path} of all that the summary of a study reads, named by the path within the results."""
    config = {"results": results}
    paths = []
    for run in study["runs"]:
        paths.append(path("accuracy", config, run))
        paths += [path("index", config, run | {"method": method}) for method in study["methods"]]
        addresses = study["retraining"].get("methods", {}).get(run["model"], [])
        paths += [path("undegraded", config, run)] if addresses else []
        modes = study["retraining"].get("modes", [])
        paths += [path("retrained", config, run | {"mode": m, "address": a}) for m, a in product(modes, addresses)]
    return {str(Path(each).relative_to(results)): each for each in paths}


def exhibited(config: Mapping[str, Any], wildcards: Mapping[str, Any]) -> list[str]:
    """Return the maps that the gallery of one network on one data set shows: those of the first seed."""
    run = {**wildcards, "seed": config["seeds"][0]}
    return [path("explain_maps", config, run | {"method": method}) for method in config["methods"]]


def frame(config: Mapping[str, Any], rendering: str, wildcards: Mapping[str, Any]) -> str:
    """Return the path of the tidy frame that a figure or table takes."""
    name = form.constant("rendering", rendering, "FRAME")
    return path("gallery" if name == "gallery" else f"{name}_frame", config, wildcards)


def drawn(config: Mapping[str, Any]) -> list[str]:
    """Return the SVG of every figure."""
    return [path("figure_svg", config, wildcards) for step, wildcards in jobs(config) if step == "draw"]


def tabulated(config: Mapping[str, Any]) -> list[str]:
    """Return the CSV of every table."""
    return [path("table_csv", config, wildcards) for step, wildcards in jobs(config) if step == "tabulate"]


def split_address(address: str) -> tuple[str, str]:
    """Return (entry, part) of ``<entry>.<part>`` or ``<entry>``, whose part is ``maps``."""
    entry, _, part = address.partition(".")
    return entry, part or "maps"


def reductions(entry: Mapping[str, Any]) -> dict[str, str]:
    """Return {part: how its channels become one number}: the config's word, else that of the method's paper."""
    stated = entry.get("reduce") or form.constant("attribution", entry["use"], "REDUCE")
    return {part: stated[part] if isinstance(stated, dict) else stated for part in form.parts(entry)}


def _retraining_jobs(config: Mapping[str, Any], run: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    addresses = retrained(config, run["model"])
    for entry in dict.fromkeys(split_address(address)[0] for address in addresses):
        yield from (("attribute", {**run, "split": split, "method": entry}) for split in ("train", "test"))
    if addresses:
        yield "retrain_undegraded", dict(run)
        for mode, address in product(config["retraining"]["modes"], addresses):
            yield "retrain", {**run, "mode": mode, "address": address}


def _has_frame(config: Mapping[str, Any], name: str) -> bool:
    return form.constant("rendering", name, "FRAME") != "retraining" or bool(config["retraining"])


def _download(config: Mapping[str, Any], w: Mapping[str, Any]) -> dict[str, Any]:
    return {"dataset": plugin("data", config["datasets"][w["dataset"]])}


def _train(config: Mapping[str, Any], w: Mapping[str, Any]) -> dict[str, Any]:
    entry = config["models"][w["model"]]
    return {"model": plugin("models", entry), "training": entry.get("training", {}), "seed": int(w["seed"])}


def _predict(config: Mapping[str, Any], w: Mapping[str, Any]) -> dict[str, Any]:
    return {"model": plugin("models", config["models"][w["model"]])}


def _attribute(config: Mapping[str, Any], w: Mapping[str, Any]) -> dict[str, Any]:
    dataset = config["datasets"][w["dataset"]]
    chosen = {"split": w["split"], "target": dataset.get("target", "predicted")}
    if w["split"] == "explain":
        chosen["explain"] = dataset.get("explain", 256)
    return {
        "model": plugin("models", config["models"][w["model"]]),
        "method": plugin("attribution", config["methods"][w["method"]]),
        **chosen,
    }


def _evaluate(config: Mapping[str, Any], w: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "model": plugin("models", config["models"][w["model"]]),
        "reduce": reductions(config["methods"][w["method"]]),
        "metrics": dict(config["metrics"]),
    }


def _retrain(config: Mapping[str, Any], w: Mapping[str, Any]) -> dict[str, Any]:
    plan = config["retraining"]
    entry, part = split_address(w["address"])
    return _retrain_undegraded(config, w) | {
        "mode": w["mode"],
        "part": part,
        "reduce": reductions(config["methods"][entry])[part],
        "fractions": plan["fractions"],
    }


def _retrain_undegraded(config: Mapping[str, Any], w: Mapping[str, Any]) -> dict[str, Any]:
    plan, entry = config["retraining"], config["models"][w["model"]]
    training = {**entry.get("training", {}), **plan.get("training", {})}
    return {"model": plugin("models", entry), "training": training, "seeds": plan["seeds"]}


def _summarise(config: Mapping[str, Any], w: Mapping[str, Any]) -> dict[str, Any]:
    facts = form.constant
    models = {name: facts("models", entry["use"], "LABEL") for name, entry in config["models"].items()}
    metrics = {
        name: {key.lower(): facts("evaluation", entry["use"], key) for key in ("LABEL", "HIGHER_IS_BETTER")}
        for name, entry in config["metrics"].items()
    }
    study = {
        "runs": runs(config),
        "models": models,
        "methods": labels(config),
        "metrics": metrics,
        "differences": config["differences"],
        "retraining": _retraining_summary(config),
    }
    return {"study": study}


def labels(config: Mapping[str, Any]) -> dict[str, dict[str, dict[str, str]]]:
    """Return {entry: {address: {label, family, reduce}}}; labels that two addresses share get the address added."""
    found = {name: _labels(name, entry) for name, entry in config["methods"].items()}
    all_labels = [facts["label"] for entry in found.values() for facts in entry.values()]
    for entry in found.values():
        for address, facts in entry.items():
            if all_labels.count(facts["label"]) > 1:
                facts["label"] += f" ({address})"
    return found


def _retraining_summary(config: Mapping[str, Any]) -> dict[str, Any]:
    plan = config["retraining"]
    return {"modes": plan["modes"], "methods": {m: retrained(config, m) for m in config["models"]}} if plan else {}


def _labels(name: str, entry: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Return {address: {label, family, reduce}} of a method's maps."""
    label, family = (form.constant("attribution", entry["use"], key) for key in ("LABEL", "FAMILY"))
    reduce = reductions(entry)
    return {
        address: {
            "label": label if part == "maps" else f"{label}, {part}",
            "family": family,
            "reduce": reduce[part],
        }
        for part, address in zip(form.parts(entry), form.addresses(name, entry), strict=True)
    }


def _exhibit(config: Mapping[str, Any], w: Mapping[str, Any]) -> dict[str, Any]:
    return {"dataset": w["dataset"], "model": w["model"], "methods": labels(config), "per_class": config["gallery"]}


SETTINGS = {
    "download": _download,
    "train": _train,
    "predict": _predict,
    "attribute": _attribute,
    "evaluate": _evaluate,
    "retrain": _retrain,
    "retrain_undegraded": _retrain_undegraded,
    "summarise": _summarise,
    "exhibit": _exhibit,
    "tabulate": lambda config, w: {"table": w["table"]},
    "draw": lambda config, w: {"figure": w["figure"], "dataset": w["dataset"], "model": w["model"]},
    "page": lambda config, w: {"title": config.get("title", "Which saliency maps can be trusted?")},
}
