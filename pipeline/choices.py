"""What a config decides about the result of each job: the values of its step's flags, and no more. Imports no torch."""

from collections.abc import Mapping
from typing import Any

from pipeline import protocols
from pipeline.listing import seen
from pipeline.outside import origin, pretrained
from pipeline.plan import by_layers, retrained, runs, split_address
from pipeline.signatures import COMMON, addresses, asks, assumed, constant, counted, map_bounds, parts

Wildcards = Mapping[str, Any]


def settings(step: str, config: Mapping[str, Any], wildcards: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the config decides about the result of a job, as the values of the step's flags."""
    return SETTINGS[step](config, wildcards)


def plugin(layer: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return an entry without the keys that steps read: what goes to the plug-in itself."""
    return {key: value for key, value in entry.items() if key not in COMMON.get(layer, ())}


def network(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a model's entry says of the network and of what it sees: its plug-in's part, and ``normalise``."""
    return plugin("models", entry) | {key: entry[key] for key in ("normalise",) if key in entry}


def reductions(entry: Mapping[str, Any]) -> dict[str, str]:
    """Return {part: how its channels become one number}: the config's word, else that of the method's paper."""
    stated = entry.get("reduce") or constant("attribution", entry["use"], "REDUCE")
    return {part: stated[part] if isinstance(stated, dict) else stated for part in parts(entry)}


def _download(config: Mapping[str, Any], w: Mapping[str, Any]) -> dict[str, Any]:
    entry = config["datasets"][w["dataset"]]
    own = {key: entry[key] for key in ("holdout",) if key in entry}
    return {"dataset": plugin("data", entry), **own, **seen(entry, config["data_dir"])}


def _train(config: Mapping[str, Any], w: Mapping[str, Any]) -> dict[str, Any]:
    entry = config["models"][w["model"]]
    found = {key: value for key, value in origin(entry).items() if key != "file"}  # a file is an input
    training = None if pretrained(entry) else entry.get("training", {})
    chosen = {"model": network(entry), "training": training, "seed": int(w["seed"])}
    return chosen | ({"pretrained": found} if found else {})


def _predict(config: Mapping[str, Any], w: Mapping[str, Any]) -> dict[str, Any]:
    return {"model": network(config["models"][w["model"]])}


def _tally(config: Mapping[str, Any], w: Mapping[str, Any]) -> dict[str, Any]:
    dataset, model = config["datasets"][w["dataset"]], config["models"][w["model"]]
    published = constant("models", model["use"], "PUBLISHED") or {}
    return {"published": published.get(dataset["use"])}


def _attribute(config: Mapping[str, Any], w: Mapping[str, Any]) -> dict[str, Any]:
    dataset = config["datasets"][w["dataset"]]
    chosen = {"split": w["split"], "target": dataset.get("target", "predicted")}
    if w["split"] == "explain":
        chosen["explain"] = dataset.get("explain", 256)
    return {
        "model": network(config["models"][w["model"]]),
        "method": plugin("attribution", config["methods"][w["method"]]),
        "precision": config["methods"][w["method"]].get("precision", "float32"),
        **chosen,
    }


def _evaluate(config: Mapping[str, Any], w: Mapping[str, Any]) -> dict[str, Any]:
    method, metrics = config["methods"][w["method"]], dict(config["metrics"])
    chosen = {"model": network(config["models"][w["model"]]), "reduce": reductions(method), "metrics": metrics}
    if any(asks("evaluation", entry, "attribute") for entry in metrics.values()):
        chosen |= {"method": plugin("attribution", method), "precision": method.get("precision", "float32")}
    return chosen


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
    return {"model": network(entry), "training": training, "seeds": plan["seeds"]}


def _summarise(config: Mapping[str, Any], w: Mapping[str, Any]) -> dict[str, Any]:
    facts = constant
    models = {name: facts("models", entry["use"], "LABEL").format(**entry) for name, entry in config["models"].items()}
    told = ("LABEL", "HIGHER_IS_BETTER", "X", "DETAILS")
    metrics = {
        name: {key.lower(): facts("evaluation", entry["use"], key) for key in told}
        | {"counts": counted(entry)}
        | {"use": entry["use"], "protocol": protocols.identity(name, entry)}
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
    label, family = (constant("attribution", entry["use"], key) for key in ("LABEL", "FAMILY"))
    reduce = reductions(entry)
    return {
        address: {
            "label": label if part == "maps" else f"{label}, {_spoken(part, entry)}",
            "family": family,
            "reduce": reduce[part],
        }
        for part, address in zip(parts(entry), addresses(name, entry), strict=True)
    }


def _spoken(part: str, entry: Mapping[str, Any]) -> str:
    """Return what a part is called: the label of its similarity, where it is one of the entry's."""
    return constant("similarity", part, "LABEL") if part in entry.get("similarity", ()) else part


def _exhibit(config: Mapping[str, Any], w: Mapping[str, Any]) -> dict[str, Any]:
    shown = {name: _bounded(config["methods"][name], facts) for name, facts in labels(config).items()}
    return {"dataset": w["dataset"], "model": w["model"], "methods": shown, "choice": config["gallery"]}


def _exhibit_randomised(config: Mapping[str, Any], w: Mapping[str, Any]) -> dict[str, Any]:
    entries = {name: config["metrics"][name] for name in by_layers(config)}
    layered = {
        name: {"mode": (assumed("evaluation", e["use"]) | e)["mode"], "protocol": protocols.identity(name, e)}
        for name, e in entries.items()
    }
    return {"dataset": w["dataset"], "model": w["model"], "methods": labels(config), "layered": layered}


def _bounded(entry: Mapping[str, Any], shown: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, Any]]:
    """Return {address: {label, family, reduce, bounds}}; bounds hold where ``sum`` leaves the map as it is."""
    found = map_bounds(entry)
    return {
        address: {**facts, "bounds": found[split_address(address)[1]] if facts["reduce"] == "sum" else [None, None]}
        for address, facts in shown.items()
    }


def _page(config: Mapping[str, Any], w: Mapping[str, Any]) -> dict[str, Any]:
    shown = {name: constant("rendering", name, "LABEL") for name in (*config["figures"], *config["tables"])}
    return {"title": config.get("title", "Which saliency maps can be trusted?"), "labels": shown}


SETTINGS = {
    "download": _download,
    "train": _train,
    "predict": _predict,
    "tally": _tally,
    "attribute": _attribute,
    "evaluate": _evaluate,
    "retrain": _retrain,
    "retrain_undegraded": _retrain_undegraded,
    "summarise": _summarise,
    "exhibit": _exhibit,
    "exhibit_randomised": _exhibit_randomised,
    "tabulate": lambda config, w: {"table": w["table"]},
    "draw": lambda config, w: {"figure": w["figure"], "dataset": w["dataset"], "model": w["model"]},
    "page": _page,
}
