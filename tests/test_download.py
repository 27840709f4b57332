"""The step: which source files it takes, what it writes of them, and what it says where they are not right."""

import hashlib
import logging
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline import choices, download, plan, reads, signatures, store, verify
from pipeline.config import check_entry, complete
from pipeline.data import cifar10 as module
from pipeline.data._dataset import TEST, TRAIN
from pipeline.data.cifar10 import cifar10

RANDOM = np.random.default_rng(0)
NAMES = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]


def batch():
    return b"".join(bytes([label]) + RANDOM.bytes(3072) for label in (0, 1, 2, 3))


@pytest.fixture
def binary(monkeypatch):
    """Small batches, in place of the official ones: a form for `constant`, and {name: content}."""
    contents = {f"cifar-10-batches-bin/{name}.bin": batch() for name in NAMES}
    files = {name: {"md5": hashlib.md5(content).hexdigest()} for name, content in contents.items()}
    files["cifar-10-batches-bin/test_batch.bin"]["part"] = "test"
    forms = [module.ALTERNATIVES[0], files, module.ALTERNATIVES[2]]
    monkeypatch.setattr(module, "BATCH", 4)
    monkeypatch.setattr(module, "ALTERNATIVES", forms)
    original = signatures.constant
    monkeypatch.setattr(
        signatures, "constant", lambda layer, name, key: forms if key == "ALTERNATIVES" else original(layer, name, key)
    )
    return contents


def lay_out(folder, contents, without=()):
    for name, content in contents.items():
        if not any(part in name for part in without):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)


def run(tmp_path, sources, entry=None, **given):
    marker = tmp_path / "results" / "data.zarr" / "zarr.json"
    download.main(str(marker), entry or {"use": "cifar10"}, str(sources), **given)
    return marker


@pytest.mark.parametrize("folder", [".", "cifar10"])
def test_official_parts_are_read_from_data_dir_or_the_folder_of_the_data_set(tmp_path, binary, folder):
    lay_out(tmp_path / "data" / folder, binary)
    marker = run(tmp_path, tmp_path / "data")
    images, split = store.read(marker, "images", "split")
    assert split.tolist() == [TRAIN] * 20 + [TEST] * 4
    assert images[0].tobytes() == binary["cifar-10-batches-bin/data_batch_1.bin"][1:3073]
    sha256 = {name: hashlib.sha256(content).hexdigest() for name, content in binary.items()}
    found = store.attributes(marker)
    assert found["sources"] == sha256
    assert found["provenance"]["inputs"] == sha256
    assert found["provenance"]["settings"] == {"dataset": {"use": "cifar10"}}


def test_a_holdout_takes_the_place_of_the_official_test_images(tmp_path, binary):
    lay_out(tmp_path / "data", binary)
    marker = run(tmp_path, tmp_path / "data", holdout=8)
    images, labels, split = store.read(marker, "images", "labels", "split")
    assert split.tolist() == [TRAIN] * 12 + [TEST] * 8
    assert np.bincount(labels[split == TEST]).tolist() == [2, 2, 2, 2]
    training = cifar10(tmp_path / "data").images[:20]
    assert sorted(image.tobytes() for image in images) == sorted(image.tobytes() for image in training)
    train = images[split == TRAIN] / 255
    np.testing.assert_allclose(store.attributes(marker)["mean"], train.mean((0, 2, 3)), rtol=1e-12)
    assert store.attributes(marker)["provenance"]["settings"] == {"dataset": {"use": "cifar10"}, "holdout": 8}


def test_without_the_test_batch_a_holdout_is_needed_and_serves(tmp_path, binary, caplog):
    lay_out(tmp_path / "data", binary, without=["test_batch"])
    path = re.escape(str(tmp_path / "data" / "cifar-10-batches-bin" / "test_batch.bin"))
    with pytest.raises(ValueError, match=f"^{path} is missing, which holds the test images; put it there"):
        run(tmp_path, tmp_path / "data")
    assert not (tmp_path / "results").exists()
    with caplog.at_level(logging.INFO):
        marker = run(tmp_path, tmp_path / "data", holdout=4)
    assert "cifar10: there are no official test images; 4 training images take their place" in caplog.messages
    assert store.read(marker, "split")[0].tolist() == [TRAIN] * 16 + [TEST] * 4
    assert "cifar-10-batches-bin/test_batch.bin" not in store.attributes(marker)["sources"]


@pytest.mark.parametrize("given", [{}, {"holdout": 4}])
@pytest.mark.parametrize("name", ["data_batch_3", "test_batch"])
def test_a_wrong_batch_is_named_with_and_without_a_holdout(tmp_path, binary, given, name):
    lay_out(tmp_path / "data", binary | {f"cifar-10-batches-bin/{name}.bin": batch()})
    with pytest.raises(ValueError, match=rf"cifar-10-batches-bin/{name}\.bin is not the file it should be: its md5 is"):
        run(tmp_path, tmp_path / "data", **given)


def test_where_no_form_is_there_the_binary_archive_is_fetched(tmp_path, binary, monkeypatch):
    lay_out(tmp_path / "data", binary, without=["data_batch_5"])
    asked = []
    monkeypatch.setattr(download.fetching, "fetch", lambda files, folder: asked.append((files, folder)) or 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run(tmp_path, tmp_path / "data")
    assert asked == [(module.SOURCES, tmp_path / "data" / "cifar10")]


def test_too_large_a_holdout_is_refused(tmp_path, binary):
    lay_out(tmp_path / "data", binary)
    with pytest.raises(ValueError, match=r"^holdout: 20 of 20 training images would leave none to train on$"):
        run(tmp_path, tmp_path / "data", holdout=20)


def test_sources_for_what_the_entry_does_not_ask_are_not_needed(tmp_path, monkeypatch):
    asked = {}
    monkeypatch.setattr(download.fetching, "fetch", lambda files, folder: asked.update(files) or 1 / 0)
    for boxes, count in ((False, 2), (True, 3)):
        asked.clear()
        with pytest.raises(ZeroDivisionError):
            run(tmp_path, tmp_path, {"use": "imagenet", "boxes": boxes})
        assert len(asked) == count
        assert ("ILSVRC2012_bbox_val_v3.tgz" in asked) == boxes


@pytest.mark.parametrize(("use", "folder"), [("mnist", "MNIST/raw"), ("fashion_mnist", "FashionMNIST/raw")])
def test_files_that_torchvision_fetched_serve(tmp_path, monkeypatch, use, folder):
    names = list(signatures.constant("data", use, "SOURCES"))
    asked = []
    monkeypatch.setattr(download.fetching, "fetch", lambda files, folder: asked.append(folder) or 1 / 0)
    for where in (folder, use):  # the data set's own folder goes before
        lay_out(tmp_path / where, dict.fromkeys(names, b""))
        with pytest.raises(ZeroDivisionError):
            run(tmp_path, tmp_path, {"use": use})
    assert asked == [tmp_path / folder, tmp_path / use]


@pytest.mark.parametrize("count", [0, -1, 2.5, "many", True])
def test_a_config_refuses_a_holdout_that_is_no_number_of_images(count):
    config = {**study("x"), "datasets": {"digits": {"use": "digits", "holdout": count}}}
    with pytest.raises(ValueError, match=r"^config, datasets\.digits\.holdout: .* how many training images become"):
        complete(config)


def test_an_entry_may_state_a_holdout_that_only_the_step_reads():
    check_entry("datasets.cifar10", "data", {"use": "cifar10", "holdout": 5000})
    config = complete({**study("x"), "datasets": {"digits": {"use": "digits", "holdout": 10}}})
    assert choices.settings("download", config, {"dataset": "digits"}) == {"dataset": {"use": "digits"}, "holdout": 10}


def study(data_dir, **entry):
    """Return the config of a study on a folder of pictures."""
    return {
        "results": str(Path(data_dir, "results")),
        "data_dir": str(data_dir),
        "seeds": [0],
        "datasets": {"mine": {"use": "image_folder", "folder": "pictures", "size": 8, **entry}},
        "models": {"simple_cnn": {"use": "simple_cnn"}},
        "methods": {"gradient": {"use": "gradient"}},
        "metrics": {"deletion": {"use": "deletion", "steps": 4}},
        "figures": [],
        "tables": [],
    }


@pytest.fixture
def pictures(tmp_path):
    """A folder with three pictures of each of two classes, in a data_dir."""
    for label, name in enumerate(("cat", "dog")):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for number in range(3):
            pixels = RANDOM.integers(0, 256, (10, 12 + label, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "pictures" / name / f"{number}.png")
    return tmp_path / "pictures"


def settings(config):
    return choices.settings("download", config, {"dataset": "mine"})


def test_the_settings_of_a_folder_of_the_users_change_with_what_lies_in_it(tmp_path, pictures):
    config = complete(study(tmp_path, boxes="boxes.csv"))
    found = [settings(config)]
    assert settings(config) == found[0]
    (pictures / "cat" / "new.png").write_bytes(b"new")
    found.append(settings(config))
    (pictures / "cat" / "new.png").write_bytes(b"other")
    found.append(settings(config))
    (pictures / "cat" / "new.png").rename(pictures / "dog" / "new.png")
    found.append(settings(config))
    (pictures / "dog" / "new.png").unlink()
    assert settings(config) == found[0]
    (tmp_path / "boxes.csv").write_text("file,boxes\n")
    found.append(settings(config))
    before = (pictures / "cat" / "0.png").read_bytes()
    (pictures / "cat" / "0.png").write_bytes(before[::-1])  # as many bytes, at another time
    found.append(settings(config))
    listings = [each["listing"] for each in found]
    assert len(set(listings)) == len(listings)
    assert all({key: each[key] for key in each if key != "listing"} == {"dataset": entry_of(config)} for each in found)


def entry_of(config):
    return config["datasets"]["mine"]


def test_another_data_dir_with_the_same_files_makes_nothing_due(tmp_path, pictures):
    before = settings(complete(study(tmp_path)))
    (tmp_path / "moved").mkdir()
    pictures.rename(tmp_path / "moved" / "pictures")
    assert settings(complete(study(tmp_path / "moved"))) == before


def test_a_data_set_without_paths_of_the_users_has_no_listing():
    config = complete({**study("x"), "datasets": {"mine": {"use": "digits"}}})
    assert settings(config) == {"dataset": {"use": "digits"}}


def test_a_store_of_the_users_pictures_lists_them_and_verifies_until_one_changes(tmp_path, pictures, run_job):
    (pictures / "dog" / "broken.png").write_bytes(b"no picture")
    config = complete(study(tmp_path, skip_unreadable=True, test=0.34))
    run_job("download", config, {"dataset": "mine"})
    marker = Path(plan.path("data", config, {"dataset": "mine"}))
    found, (split,) = store.attributes(marker), store.read(marker, "split")
    assert split.tolist() == [TRAIN] * 4 + [TEST] * 2
    assert found["skipped_files"] == {"dog/broken.png": "it has the form of no kind of picture"}
    assert len(found["files"]) == 6
    assert all(hashlib.sha256((pictures / name).read_bytes()).hexdigest() == sha256 for name, sha256 in found["files"])
    job = (config, "download", {"dataset": "mine"}, [marker])
    assert list(verify.mismatches(*job)) == []
    (pictures / "cat" / "0.png").touch()
    (mismatch,) = verify.mismatches(*job)
    assert mismatch.startswith("settings.listing is ")


def test_the_summary_reads_every_data_set():
    config = complete(study("x"))
    known = reads.inputs("summarise", config, {})
    assert known["mine/data.zarr/zarr.json"] == plan.path("data", config, {"dataset": "mine"})


def test_a_file_that_was_left_out_is_told_in_the_summary(tmp_path, pictures, run_job):
    (pictures / "dog" / "broken.png").write_bytes(b"no picture")
    models = {"simple_cnn": {"use": "simple_cnn", "training": {"epochs": 1}}}
    config = complete(study(tmp_path, skip_unreadable=True, test=0.34) | {"models": models})
    for step, wildcards in plan.jobs(config):
        if step in {"download", "train", "predict", "tally", "attribute", "evaluate", "summarise"}:
            run_job(step, config, wildcards)
    summary = Path(plan.path("summary", config, {})).read_text(encoding="utf-8")
    assert "## Files left out" in summary
    assert "\n| mine | dog/broken.png | it has the form of no kind of picture |\n" in summary


def test_a_summary_says_that_no_file_was_left_out(finished):
    summary = Path(plan.path("summary", finished, {})).read_text(encoding="utf-8")
    assert "| data set | file | reason |\n|---|---|---|\n| none | | |\n" in summary
