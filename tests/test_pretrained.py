"""Networks with weights from outside, and networks of the user's own, through the steps."""

import copy
import json
import logging
import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from safetensors.torch import load_file

from pipeline import loaded, plan, plugins, provenance, store, verify, weights
from pipeline.config import complete

ROOT = Path(__file__).parents[1]
RUN = {"dataset": "digits", "model": "mine", "seed": 0}
EXPLAIN = {**RUN, "split": "explain", "method": "input_x_gradient"}


@pytest.fixture
def given(finished, tmp_path):
    """A function: keys of the entry of the one network -> the config of a study that has its data set already."""

    def study(**entry):
        results = tmp_path / "results"
        source = Path(plan.path("data", finished, RUN)).parent
        target = results / "digits" / "data.zarr"
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            target.symlink_to(source)
        changes = {
            "results": str(results),
            "data_dir": str(tmp_path / "data"),
            "seeds": [0, 3],
            "models": {"mine": {"use": "simple_cnn"} | entry},
            "methods": {"input_x_gradient": {"use": "input_x_gradient"}, "grad_cam": {"use": "grad_cam"}},
            "retraining": None,
        }
        return complete(copy.deepcopy(finished) | changes)

    return study


@pytest.fixture
def file(finished, tmp_path):
    """Weights of the network of the finished study, as torch writes them, with DataParallel's prefix."""
    state = load_file(plan.path("weights", finished, RUN | {"model": "simple_cnn"}))
    path = tmp_path / "some weights.pth"
    torch.save({"state_dict": {f"module.{name}": value for name, value in state.items()}}, path)
    return path


def made(config):
    return load_file(plan.path("weights", config, RUN))


def same(first, second):
    assert first.keys() == second.keys()
    return all(torch.equal(second[name], value) for name, value in first.items())


def expected(file):
    state = weights.read(file)
    return {name.removeprefix("module."): value for name, value in state.items()}


def test_weights_without_training_are_taken_as_they_are(given, file, run_job):
    config = given(weights=str(file))
    assert plan.runs(config) == [RUN]
    run_job("train", config, RUN)
    assert same(made(config), expected(file))
    history = Path(plan.path("history", config, RUN)).read_text(encoding="utf-8")
    assert history == "epoch,loss,accuracy,validation_accuracy,learning_rate\n"
    seal = json.loads(provenance.sidecar(plan.path("weights", config, RUN)).read_text(encoding="utf-8"))
    assert seal["provenance"]["inputs"]["initial"] == provenance.digest(file)
    assert seal["provenance"]["settings"] == {"model": {"use": "simple_cnn"}, "training": None, "seed": 0}


def test_an_empty_history_has_the_columns_of_a_full_one(finished, given, file, run_job):
    config = given(weights=str(file))
    run_job("train", config, RUN)
    full = pd.read_csv(plan.path("history", finished, RUN | {"model": "simple_cnn"}))
    assert list(pd.read_csv(plan.path("history", config, RUN))) == list(full)


def test_training_goes_on_from_the_weights_that_are_given(given, file, run_job):
    config = given(weights=str(file), training={"epochs": 1, "learning_rate": 1e-6})
    assert [run["seed"] for run in plan.runs(config)] == [0, 3]
    run_job("train", config, RUN)
    found, start = made(config), expected(file)
    assert not same(found, start)
    moved = max(float((found[name] - start[name]).abs().max()) for name in found if name.endswith("0.weight"))
    assert 0 < moved < 1e-3
    assert len(pd.read_csv(plan.path("history", config, RUN))) == 1


def test_a_study_of_given_weights_matches_until_the_file_changes(given, file, run_job, tmp_path, caplog):
    config = given(weights=str(file))
    jobs = [(step, wildcards) for step, wildcards in plan.jobs(config) if step in {"train", "predict", "attribute"}]
    assert [step for step, _ in jobs] == ["train", "predict", "attribute", "attribute"]
    for step, wildcards in jobs:
        run_job(step, config, wildcards)
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    with caplog.at_level(logging.INFO):
        verify.main([str(path)])
    total = len(list(plan.jobs(config)))
    assert caplog.messages[-1].startswith(f"{total} results: {len(jobs) + 1} match, 0 do not")
    torch.save(torch.load(file, weights_only=True) | {"epoch": 3}, file)
    with caplog.at_level(logging.INFO), pytest.raises(SystemExit):
        verify.main([str(path)])
    (said,) = [line for line in caplog.messages if line.endswith("taken away")]
    assert said.startswith(f"{plan.path('weights', config, RUN)}: inputs.initial is '")


def test_a_fetched_file_is_taken_and_its_sha256_is_a_setting(given, file, run_job):
    digest = provenance.digest(file)
    config = given(weights={"url": "https://example.org/w.pth?raw=1", "sha256": digest[:12]})
    place = Path(config["data_dir"], "weights", "w.pth")
    place.parent.mkdir(parents=True)
    place.write_bytes(file.read_bytes())
    run_job("train", config, RUN)
    assert same(made(config), expected(file))
    seal = json.loads(provenance.sidecar(plan.path("weights", config, RUN)).read_text(encoding="utf-8"))
    assert seal["provenance"]["settings"]["pretrained"] == config["models"]["mine"]["weights"]
    assert seal["provenance"]["inputs"].keys() == {"data"}
    place.write_bytes(b"other")
    with pytest.raises(ValueError, match=r"w\.pth is not the file it should be"):
        run_job("train", config, RUN)


def test_a_file_that_is_not_the_one_it_should_be_is_refused(given, file, run_job):
    config = given(weights={"file": str(file), "sha256": "01234567"})
    with pytest.raises(ValueError, match="is not the file it should be: its sha256 is"):
        run_job("train", config, RUN)
    run_job("train", given(weights={"file": str(file), "sha256": provenance.digest(file)[:8]}), RUN)


def test_weights_are_known_by_name_and_those_that_are_not_are_refused_with_those_that_are(
    given, run_job, tmp_path, monkeypatch
):
    config = given(use="torchvision", arch="squeezenet1_1", weights="DEFAULT")
    with pytest.raises(ValueError, match=r"squeezenet1_1 has none called 'V9'; there are: IMAGENET1K_V1, DEFAULT"):
        plugins.source(config["models"]["mine"], {"name": "V9"})
    assert plugins.source(config["models"]["mine"], {"name": "DEFAULT"})["sha256"] == "b8a52dc0"
    assert plugins.source({}, {"url": "a", "sha256": "b"}) == {"url": "a", "sha256": "b"}
    asked = {}
    monkeypatch.setattr("pipeline.weights.locate", lambda source, initial, folder: asked.update(source))
    monkeypatch.setattr("pipeline.plugins.guarded", lambda *_: [])
    run_job("train", config, RUN)
    assert asked == {"url": "https://download.pytorch.org/models/squeezenet1_1-b8a52dc0.pth", "sha256": "b8a52dc0"}


def test_weights_of_another_network_are_refused_before_anything_is_written(given, file, run_job):
    config = given(use="simple_cnn_cam", weights=str(file))
    says = r"weights\.pth does not fit simple_cnn_cam: 2 missing \(classifier\.2\.weight, classifier\.2\.bias\); 4 sur"
    with pytest.raises(ValueError, match=says):
        run_job("train", config, RUN)
    assert not Path(plan.path("weights", config, RUN)).exists()


def test_every_step_sees_the_images_by_the_normalisation_that_the_entry_states(given, file, run_job):
    arrays = {}
    own = loaded.data(plan.path("data", given(), RUN), torch.device("cpu"), {})
    statistics = {"mean": own.mean.tolist(), "std": own.std.tolist()}
    for name, more in {"own": {}, "stated": {"normalise": statistics}, "other": {"normalise": OTHER}}.items():
        config = given(weights=str(file), **more)
        for step, wildcards in (("train", RUN), ("predict", RUN), ("attribute", EXPLAIN), ("evaluate", EXPLAIN)):
            run_job(step, config, wildcards)
        scores = Path(plan.path("index", config, EXPLAIN)).with_name("deletion.zarr") / "zarr.json"
        kept = {"predictions": "logits", "explain_maps": "maps"}
        arrays[name] = [store.read(plan.path(key, config, EXPLAIN), array)[0] for key, array in kept.items()]
        arrays[name] += store.read(scores, "curve")
    for mine, stated, other in zip(arrays["own"], arrays["stated"], arrays["other"], strict=True):
        np.testing.assert_array_equal(mine, stated)
        assert np.abs(mine - other).max() > 1e-3


OTHER = {"mean": [0.1], "std": [0.9]}


def test_the_normalisation_is_what_the_network_gets(given, file, run_job):
    config = given(weights=str(file), normalise=OTHER)
    for step in ("train", "predict"):
        run_job(step, config, RUN)
    model = plugins.network({"use": "simple_cnn"}, channels=1, classes=10, size=(8, 8)).eval()
    model.load_state_dict(expected(file))
    (images,) = store.read(plan.path("data", config, RUN), "images")
    with torch.no_grad():
        due = model((torch.from_numpy(images).float() / 255 - 0.1) / 0.9)
    np.testing.assert_allclose(store.read(plan.path("predictions", config, RUN), "logits")[0], due, atol=1e-4)


def test_a_normalisation_of_other_channels_is_refused(given, run_job):
    with pytest.raises(ValueError, match="it has 3 means and 3 standard deviations; the images have 1 channels"):
        run_job("train", given(training={"epochs": 1}, normalise="imagenet"), RUN)


def test_imagenets_statistics_are_known_by_name(monkeypatch):
    found = {"classes": ["a"], "mean": [0.0] * 3, "std": [1.0] * 3}
    arrays = [np.zeros((2, 3, 4, 4), np.uint8), np.zeros(2, np.int64), np.zeros(2, np.int8)]
    monkeypatch.setattr(store, "attributes", lambda marker: found)
    monkeypatch.setattr(store, "read", lambda marker, *names: arrays)
    data = loaded.data("marker", torch.device("cpu"), {"normalise": "imagenet"})
    torch.testing.assert_close(data.mean, torch.tensor([0.485, 0.456, 0.406]))
    torch.testing.assert_close(data.std, torch.tensor([0.229, 0.224, 0.225]))
    assert loaded.data("marker", torch.device("cpu"), {}).mean.tolist() == [0, 0, 0]


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A working directory with the network of docs/custom_networks.md in it; returns the module's name."""
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "docs" / "custom_networks.md").read_text(encoding="utf-8")
    source = re.search(r"```python\n(.*?)```", text, flags=re.DOTALL)[1]
    assert len(source.splitlines()) <= 25
    name = f"nets_{tmp_path.name}"
    Path(f"{name}.py").write_text(source, encoding="utf-8")
    yield name
    sys.modules.pop(name, None)


def test_a_network_of_the_users_own_goes_through_every_step(here, given, run_job):
    entry = {"use": "custom", "entry": f"{here}:build", "arguments": {"width": 8}}
    model = plugins.network(entry, channels=1, classes=10, size=(8, 8))
    torch.save(model.state_dict(), "w.pth")
    config = given(**entry, weights="w.pth")
    for step, wildcards in plan.jobs(config):
        if step != "download":
            run_job(step, config, wildcards)
    assert same(made(config), dict(model.state_dict()))
    maps = plan.path("explain_maps", config, EXPLAIN | {"method": "grad_cam"})
    assert store.skipped(maps) is None
    assert np.abs(store.read(maps, "maps")[0]).max() > 0
    for method in config["methods"]:
        index = json.loads(Path(plan.path("index", config, EXPLAIN | {"method": method})).read_text(encoding="utf-8"))
        assert (index["skipped"], index["stores"].keys()) == (None, {"deletion"})
        assert here in index["provenance"]["code"]
    scores = pd.read_csv(plan.path("scores_frame", config, {}))
    assert set(scores["method"]) == {"input_x_gradient", "grad_cam"}


BROKEN = """
from torch import nn

def build(classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, classes), nn.Softmax(1))

def reused(classes):
    relu = nn.ReLU()
    return nn.Sequential(nn.Conv2d(1, 4, 3), relu, nn.Flatten(), nn.Linear(144, 9), relu, nn.Linear(9, classes))
"""


def test_a_network_that_no_method_can_explain_ends_the_training_before_it_begins(here, given, run_job):
    Path(f"{here}.py").write_text(BROKEN, encoding="utf-8")
    config = given(use="custom", entry=f"{here}:build", training={"epochs": 1})
    with pytest.raises(
        ValueError, match=r"^no method can explain this network: the network ends in softmax, where logits"
    ):
        run_job("train", config, RUN)
    assert not Path(plan.path("weights", config, RUN)).parent.exists()


def test_such_a_network_is_left_out_of_attribution_with_the_reason(here, given, file, run_job, tmp_path):
    config = given(weights=str(file))
    for step in ("train", "predict"):
        run_job(step, config, RUN)
    Path(f"{here}.py").write_text(BROKEN, encoding="utf-8")
    entry = {"use": "custom", "entry": f"{here}:build"}
    path = tmp_path / "softmax.safetensors"
    weights.write(path, plugins.network(entry, channels=1, classes=10, size=(8, 8)), {})
    run_job("attribute", config, EXPLAIN, model=entry, weights=str(path))
    assert store.skipped(plan.path("explain_maps", config, EXPLAIN)).startswith("the network ends in softmax")


def test_what_rules_out_some_methods_is_told_and_training_goes_on(here, given, run_job, caplog):
    Path(f"{here}.py").write_text(BROKEN, encoding="utf-8")
    with caplog.at_level(logging.WARNING):
        run_job("train", given(use="custom", entry=f"{here}:reused", training={"epochs": 1}), RUN)
    assert any(
        "the activation '1' runs more than once in a forward; this rules out" in line for line in caplog.messages
    )


@pytest.mark.real_data
@pytest.mark.parametrize(("depth", "right"), [(20, 47), (56, 47)])
def test_real_weights_of_small_residual_networks_know_real_images(real_data, depth, right):
    (path,) = (real_data / "weights").glob(f"cifar10_resnet{depth}-*.th")
    model = plugins.network({"use": "cifar_resnet", "depth": depth}, channels=3, classes=10, size=(32, 32)).eval()
    weights.fill(model, weights.read(path), path.name)
    rows = np.fromfile(real_data / "cifar-10-batches-bin" / "test_batch_first1000.bin", np.uint8, 50 * 3073)
    rows = torch.from_numpy(rows.reshape(50, 3073).copy())
    mean, std = (torch.tensor(loaded.IMAGENET[key]).view(3, 1, 1) for key in ("mean", "std"))
    with torch.no_grad():
        answers = model((rows[:, 1:].view(50, 3, 32, 32) / 255 - mean) / std).argmax(1)
    assert int((answers == rows[:, 0]).sum()) >= right
