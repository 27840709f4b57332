"""A network of the user's own, with its weights, in a folder outside the project."""

import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

pytestmark = pytest.mark.workflow

DOCUMENT = Path(__file__).parents[2] / "docs" / "custom_networks.md"
PROJECT = ("--snakefile", "../project/Snakefile")
DUE = {"train", "predict", "tally", "attribute explain grad_cam", "evaluate grad_cam", "summarise", "exhibit"}


@pytest.fixture(scope="module")
def study(tmp_path_factory, study_in):
    """A finished study in a folder that has nothing of the project."""
    folder = tmp_path_factory.mktemp("elsewhere") / "a study"
    (folder / "the weights").mkdir(parents=True)
    project = study_in(folder.parent / "project", "outside.yaml")
    shutil.move(project.folder / project.config, folder)
    text = DOCUMENT.read_text(encoding="utf-8")
    (folder / "my_nets.py").write_text(re.search(r"```python\n(.*?)```", text, flags=re.DOTALL)[1], encoding="utf-8")
    scope = {}
    exec((folder / "my_nets.py").read_text(encoding="utf-8"), scope)
    torch.save(scope["build"](channels=1, classes=10).state_dict(), folder / "the weights" / "w.pth")
    study = replace(project, folder=folder)
    study.build(*PROJECT)
    return study


def test_the_study_is_finished_for_the_first_seed_and_its_maps_are_there(study):
    assert study.due(*PROJECT) == set()
    run = study.results / "digits" / "mine"
    assert [path.name for path in run.glob("seed*")] == ["seed0"]
    assert (run / "seed0" / "maps" / "explain" / "grad_cam.zarr" / "maps" / "c").is_dir()
    assert "skipped" not in (run / "seed0" / "maps" / "explain" / "grad_cam.zarr" / "zarr.json").read_text()


def test_an_edit_of_the_users_source_makes_the_network_and_all_after_it_due(study):
    with study.edited("my_nets.py", "self.relu2(self.conv2(features))", "self.relu2(self.conv2(2 * features))"):
        assert study.due(*PROJECT) == DUE
    with study.edited("my_nets.py", "def build(", "# a comment\n\n\ndef build("):
        assert study.due(*PROJECT) == set()


def test_other_weights_in_the_file_make_the_network_and_all_after_it_due(study):
    path = study.folder / "the weights" / "w.pth"
    before = path.read_bytes()
    state = torch.load(path, weights_only=True)
    torch.save(state | {"linear.bias": state["linear.bias"] + 1}, path)
    try:
        assert study.due(*PROJECT) == DUE
    finally:
        path.write_bytes(before)


def test_a_file_of_weights_that_is_missing_is_named_before_any_job(study):
    path = study.folder / "the weights" / "w.pth"
    path.rename(path.with_suffix(".away"))
    try:
        done = study.snakemake("--dry-run", *PROJECT)
    finally:
        path.with_suffix(".away").rename(path)
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert re.search(
        r"config, models\.mine\.weights: there is no file 'the weights/w\.pth'; it is looked up from", said
    )
    assert "Traceback" not in said
