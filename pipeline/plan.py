"""What a config asks for: where each result lies, and the list of all jobs. Imports no torch.

The rules and ``verify`` both read it here, so that neither says anything the other does not; pipeline/choices.py has
the settings of each job and pipeline/reads.py its inputs.
"""

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

from pipeline.outside import pretrained
from pipeline.signatures import addresses, constant

RUN = "{results}/{dataset}/{model}/seed{seed}"
FRAMES = ("accuracy", "coverage", "scores", "details", "curves", "ranks", "agreement", "retraining", "left_out")
PATHS = {
    "data": "{results}/{dataset}/data.zarr/zarr.json",
    "weights": f"{RUN}/weights.safetensors",
    "history": f"{RUN}/history.csv",
    "accuracy": f"{RUN}/accuracy.csv",
    "coverage": f"{RUN}/coverage.csv",
    "predictions": f"{RUN}/predictions.zarr/zarr.json",
    "maps": f"{RUN}/maps/{{split}}/{{method}}.zarr/zarr.json",
    "explain_maps": f"{RUN}/maps/explain/{{method}}.zarr/zarr.json",
    "train_maps": f"{RUN}/maps/train/{{method}}.zarr/zarr.json",
    "test_maps": f"{RUN}/maps/test/{{method}}.zarr/zarr.json",
    "index": f"{RUN}/scores/{{method}}/index.json",
    "retrained": f"{RUN}/retraining/{{mode}}/{{address}}.csv",
    "undegraded": f"{RUN}/retraining/undegraded.csv",
    "gallery": "{results}/{dataset}/{model}/gallery.zarr/zarr.json",
    "randomised": "{results}/{dataset}/{model}/randomised.zarr/zarr.json",
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
    "predict": ("predictions",),
    "tally": ("accuracy", "coverage"),
    "attribute": ("maps",),
    "evaluate": ("index",),
    "retrain": ("retrained",),
    "retrain_undegraded": ("undegraded",),
    "summarise": (*(f"{frame}_frame" for frame in FRAMES), "summary"),
    "exhibit": ("gallery",),
    "exhibit_randomised": ("randomised",),
    "tabulate": ("table_csv", "table_markdown", "table_latex", "table_html"),
    "draw": ("figure_svg", "figure_png", "figure_pdf"),
    "page": ("page",),
}


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
        yield "tally", run
        for method in config["methods"]:
            yield "attribute", run | {"split": "explain", "method": method}
            yield "evaluate", run | {"method": method}
        yield from _retraining_jobs(config, run)
    yield "summarise", {}
    if config["methods"]:
        yield from (("exhibit", {"dataset": dataset, "model": model}) for dataset, model in pairs(config))
        if by_layers(config):
            yield from (("exhibit_randomised", {"dataset": d, "model": model}) for d, model in pairs(config))
    for table in tables(config):
        yield "tabulate", {"table": table}
    for dataset, model in pairs(config):
        yield from (("draw", {"dataset": dataset, "model": model, "figure": f}) for f in figures(config, model))
    yield "page", {}


def targets(config: Mapping[str, Any]) -> list[str]:
    """Return every output of every job: Snakemake forgets a failed rebuild of an output that is not asked for."""
    return [path(name, config, wildcards) for step, wildcards in jobs(config) for name in OUTPUTS[step]]


def pairs(config: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return (data set, model) of every combination: the cross product, cut by each model's ``datasets``."""
    models = config["models"].items()
    return [(d, name) for d in config["datasets"] for name, entry in models if d in entry.get("datasets", [d])]


def runs(config: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the wildcards of every network; one that is taken as its weights make it is there for one seed only."""
    first = {m: config["seeds"][: 1 if pretrained(entry) else None] for m, entry in config["models"].items()}
    return [{"dataset": d, "model": m, "seed": seed} for d, m in pairs(config) for seed in first[m]]


def retrained(config: Mapping[str, Any], model: str) -> list[str]:
    """Return the methods, as ``<entry>`` or ``<entry>.<part>``, whose maps degrade images to retrain ``model`` on."""
    plan = config["retraining"]
    if not plan or model not in plan.get("models", [model]):
        return []
    methods = config["methods"].items()
    return [a for name, e in methods for a in addresses(name, e) if a in plan["methods"]]


def figures(config: Mapping[str, Any], model: str) -> list[str]:
    """Return the figures that a network can have.

    Those of retraining only where it is retrained, those of randomised networks where a metric asks methods of them.
    """
    frames = {figure: constant("rendering", figure, "FRAME") for figure in config["figures"]}
    has = {"retraining": bool(retrained(config, model)), "randomised": bool(config["methods"] and by_layers(config))}
    return [figure for figure, frame in frames.items() if has.get(frame, True)]


def tables(config: Mapping[str, Any]) -> list[str]:
    """Return the tables that can be made: those of retraining only where a network is retrained."""
    frames = {table: constant("rendering", table, "FRAME") for table in config["tables"]}
    again = any(retrained(config, model) for model in config["models"])
    return [table for table, frame in frames.items() if frame != "retraining" or again]


def by_layers(config: Mapping[str, Any]) -> list[str]:
    """Return the metrics that draw a network's layers anew, one point of the curve each, and keep the maps."""
    return [name for name, e in config["metrics"].items() if constant("evaluation", e["use"], "X") == "layers"]


def array_name(address: str, key: str) -> str:
    """Return the name of an array in a metric's store: ``score``, or ``<part>.score`` for a method of several maps."""
    return f"{split_address(address)[1]}.{key}" if "." in address else key


def split_address(address: str) -> tuple[str, str]:
    """Return (entry, part) of ``<entry>.<part>`` or ``<entry>``, whose part is ``maps``."""
    entry, _, part = address.partition(".")
    return entry, part or "maps"


def _retraining_jobs(config: Mapping[str, Any], run: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    addresses = retrained(config, run["model"])
    for entry in dict.fromkeys(split_address(address)[0] for address in addresses):
        yield from (("attribute", {**run, "split": split, "method": entry}) for split in ("train", "test"))
    if addresses:
        yield "retrain_undegraded", dict(run)
        for mode, address in product(config["retraining"]["modes"], addresses):
            yield "retrain", {**run, "mode": mode, "address": address}
