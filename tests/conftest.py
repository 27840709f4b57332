"""Settings of the whole suite, the folder of real data, and a finished study."""

import copy
import importlib
import os
import shutil
from pathlib import Path

import hypothesis
import numpy as np
import pytest
import torch

import pipeline.vision  # noqa: F401 (before captum, zennit, quantus or grad-cam import torchvision themselves)
from pipeline import choices, plan, reads
from pipeline.config import complete

torch.set_num_threads(1)  # the tensors are tiny: threads would only wait for each other


@pytest.fixture(scope="session")
def real_data():
    """The folder that ASSAY_DATA names, with mnist/ and the like below it."""
    folder = os.environ.get("ASSAY_DATA")
    if not folder:
        pytest.skip("ASSAY_DATA names no folder of real data")
    return Path(folder)


@pytest.fixture(scope="session")
def cifar10_test_images(real_data):
    """The first test images of CIFAR-10, (N, 3, 32, 32) uint8, and their labels (N,): as many as lie there."""
    folder = real_data / "cifar-10-batches-bin"
    found = [folder / name for name in ("test_batch.bin", "test_batch_first1000.bin") if (folder / name).exists()]
    if not found:
        pytest.skip(f"{folder} holds no test images of CIFAR-10")
    rows = np.fromfile(found[0], np.uint8).reshape(-1, 1 + 3 * 32 * 32)
    return rows[:, 1:].reshape(-1, 3, 32, 32), rows[:, 0].astype(np.int64)


hypothesis.settings.register_profile("shared", deadline=None)  # a machine that others use too is slow at times
hypothesis.settings.load_profile("shared")

# What the flags of a step call the results of pipeline/plan.py that it reads and writes.
RETRAINING = {"train_maps": "train_maps", "test_maps": "test_maps", "results": "retrained"}
FILES = {
    "evaluate": {"data": "data", "weights": "weights", "maps": "explain_maps", "index": "index"},
    "retrain": {"data": "data", **RETRAINING},
    "retrain_undegraded": {"data": "data", "results": "undegraded"},
    "summarise": {"summary": "summary"},
    "exhibit": {"data": "data", "pictures": "gallery"},
    "exhibit_randomised": {"data": "data", "pictures": "randomised"},
    "page": {"page": "page"},
}


def flags(step, config, wildcards):
    """Return what the rule of a step gives it: its files, and its settings."""
    known = {name: name for name in (*reads.INPUTS.get(step, ()), *plan.OUTPUTS[step])}
    where = dict(wildcards)
    if "address" in where:
        where["method"] = plan.split_address(where["address"])[0]
    given = {flag: plan.path(name, config, where) for flag, name in FILES.get(step, known).items()}
    if step in {"summarise", "page"}:
        given["results"] = config["results"]
    if step in {"download", "train"}:
        given["sources"] = config["data_dir"]
    if step == "train":
        given["initial"] = "".join(reads.initial(config, wildcards))
    if step in {"exhibit", "exhibit_randomised"}:
        given["maps"] = reads.exhibited(config, wildcards)
    if step == "exhibit_randomised":
        given["indexes"] = reads.exhibited(config, wildcards, "index")
    if step == "page":
        given |= {"figures": reads.drawn(config), "tables": reads.tabulated(config)}
    return given | choices.settings(step, config, wildcards)


@pytest.fixture(scope="session")
def run_job():
    """A function that runs one job of a study in this process; its last arguments stand in for flags of the config."""

    def run(step, config, wildcards, **instead):
        main = importlib.import_module(f"pipeline.{'retrain' if step == 'retrain_undegraded' else step}").main
        main(**flags(step, config, wildcards) | instead)

    return run


@pytest.fixture(scope="session")
def finished(tmp_path_factory, run_job):
    """The config of a study of seconds, whose jobs have all been run; its results are for reading only."""
    config = complete(
        {
            "results": str(tmp_path_factory.mktemp("study") / "results"),
            "data_dir": "nowhere",
            "device": "cpu",
            "seeds": [0],
            "datasets": {"digits": {"use": "digits", "size": 8, "explain": 24}},
            "models": {"simple_cnn": {"use": "simple_cnn", "training": {"epochs": 1}}},
            "methods": {
                "gradient": {"use": "gradient"},
                "smoothgrad": {"use": "smoothgrad", "samples": 2, "base": {"use": "gradient"}},
                "cam": {"use": "cam"},
            },
            "metrics": {"deletion": {"use": "deletion", "steps": 4}},
            "retraining": {
                "modes": ["roar"],
                "methods": ["gradient", "cam"],
                "fractions": [0.5],
                "seeds": [0],
                "training": {"epochs": 1},
            },
            "figures": [],
            "tables": [],
        }
    )
    for step, wildcards in plan.jobs(config):
        run_job(step, config, wildcards)
    return config


@pytest.fixture
def study(finished, tmp_path):
    """A copy of the finished study, to change at will: its config."""
    results = tmp_path / "results"
    shutil.copytree(finished["results"], results)
    return {**copy.deepcopy(finished), "results": str(results)}
