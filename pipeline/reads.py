"""What every job of a study reads: the inputs of its rule, and of the record of what made its results.

Imports no torch.
"""

import os
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

from pipeline.choices import settings
from pipeline.outside import origin
from pipeline.plan import jobs, path, split_address
from pipeline.signatures import constant

HERE = Path(__file__).parent
# What each step reads, where that is all of it; ``inputs`` says the rest.
INPUTS = {
    "download": (),
    "train": ("data",),
    "predict": ("data", "weights"),
    "tally": ("data", "predictions"),
    "attribute": ("data", "weights", "predictions"),
    "retrain_undegraded": ("data",),
}
GALLERIES = ("gallery", "randomised")  # frames that are stores of pictures


def inputs(step: str, config: Mapping[str, Any], wildcards: Mapping[str, Any]) -> dict[str, str]:
    """Return {name: path} of what a job reads and its record digests; source files of data sets apart."""
    if step in INPUTS:
        found = {name: path(name, config, wildcards) for name in INPUTS[step]}
        first = initial(config, wildcards) if step == "train" else []
        return found | ({"initial": first[0]} if first else {})
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
    if step == "exhibit_randomised":
        read = {"maps": exhibited(config, wildcards), "index": exhibited(config, wildcards, "index")}
        named = {
            f"{method}/{kind}": each
            for kind, paths in read.items()
            for method, each in zip(config["methods"], paths, strict=True)
        }
        return named | {"data": path("data", config, wildcards)}
    if step == "page":
        made = [*drawn(config), *tabulated(config)]
        return sources() | {str(Path(each).relative_to(config["results"])): each for each in made}
    return {"frame": frame(config, wildcards.get("table") or wildcards["figure"], wildcards)}


def initial(config: Mapping[str, Any], wildcards: Mapping[str, Any]) -> list[str]:
    """Return the file of weights that a network starts from, or nothing where it starts from none that is here."""
    found = origin(config["models"][wildcards["model"]])
    return [found["file"]] if "file" in found else []


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
        paths.append(path("data", config, run))
        paths += [path(name, config, run) for name in ("accuracy", "coverage")]
        paths += [path("index", config, run | {"method": method}) for method in study["methods"]]
        addresses = study["retraining"].get("methods", {}).get(run["model"], [])
        paths += [path("undegraded", config, run)] if addresses else []
        modes = study["retraining"].get("modes", [])
        paths += [path("retrained", config, run | {"mode": m, "address": a}) for m, a in product(modes, addresses)]
    return {str(Path(each).relative_to(results)): each for each in paths}


def exhibited(config: Mapping[str, Any], wildcards: Mapping[str, Any], name: str = "explain_maps") -> list[str]:
    """Return the maps of every method that a gallery of one network on one data set shows: those of the first seed."""
    run = {**wildcards, "seed": config["seeds"][0]}
    return [path(name, config, run | {"method": method}) for method in config["methods"]]


def frame(config: Mapping[str, Any], rendering: str, wildcards: Mapping[str, Any]) -> str:
    """Return the path of the tidy frame that a figure or table takes."""
    name = constant("rendering", rendering, "FRAME")
    return path(name if name in GALLERIES else f"{name}_frame", config, wildcards)


def drawn(config: Mapping[str, Any]) -> list[str]:
    """Return the SVG of every figure."""
    return [path("figure_svg", config, wildcards) for step, wildcards in jobs(config) if step == "draw"]


def tabulated(config: Mapping[str, Any]) -> list[str]:
    """Return the CSV of every table."""
    return [path("table_csv", config, wildcards) for step, wildcards in jobs(config) if step == "tabulate"]
