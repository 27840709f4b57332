"""The environment's files say the same, and name nothing that only one index or one machine has."""

import re
from pathlib import Path

import pytest
import yaml

ENVS = Path(__file__).parent.parent / "envs"


def pins(name):
    lines = (ENVS / name).read_text().splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


@pytest.mark.parametrize("name", ["requirements.lock", "dev.lock"])
def test_every_requirement_is_pinned_to_a_public_version(name):
    for pin in pins(name):
        assert re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.!-]+", pin), pin  # no +cpu, no path, no hash


def test_the_conda_environment_has_the_pins_of_the_lock():
    listed = yaml.safe_load((ENVS / "pipeline.yaml").read_text())["dependencies"][-1]["pip"]
    assert listed == pins("requirements.lock")


def test_the_promised_packages_are_in_the_lock():
    runtime = {pin.split("==")[0].lower() for pin in pins("requirements.lock")}
    assert {"torch", "torchvision", "snakemake", "zarr", "numpy", "pandas", "seaborn", "scipy"} <= runtime
    assert {"scikit-learn", "scikit-image", "safetensors", "tqdm", "jinja2"} <= runtime
    assert "snakemake-executor-plugin-slurm" in runtime
    oracles = {"captum", "zennit", "quantus", "grad-cam", "torchcam", "shap"}
    assert oracles <= {pin.split("==")[0].lower() for pin in pins("dev.lock")}
    assert not oracles & runtime
