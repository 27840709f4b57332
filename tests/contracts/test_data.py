"""Every data set keeps the layer's contract; the modules are found, not listed."""

import importlib
import os
import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline import data, signatures
from pipeline.data._dataset import TEST, TRAIN, Dataset
from pipeline.data._sources import present, stated
from pipeline.data._splits import hold_out

NAMES = sorted(path.stem for path in Path(data.__file__).parent.glob("[!_]*.py"))
MODULES = {name: importlib.import_module(f"pipeline.data.{name}") for name in NAMES}
FETCHED = [name for name in NAMES if hasattr(MODULES[name], "SOURCES")]
LOCAL = [name for name in NAMES if hasattr(MODULES[name], "LOCAL")]
ALL = [pytest.param(name, marks=[pytest.mark.real_data] if name in FETCHED else []) for name in NAMES]
TEST_ONLY = {"imagenet"}  # for networks that come trained
FORMS = {name: [MODULES[name].SOURCES, *getattr(MODULES[name], "ALTERNATIVES", [])] for name in FETCHED}
HOLDOUT = 1000  # where the official test images are not at hand


@pytest.fixture(scope="session")
def pictures(tmp_path_factory):
    """A folder with a tree of class folders, where a data set reads one of the user's own."""
    random, root = np.random.default_rng(0), tmp_path_factory.mktemp("pictures")
    for folder in ("a", "b"):
        (root / "tree" / folder).mkdir(parents=True)
        for number in range(10):
            pixels = random.integers(0, 256, (20, 30, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / "tree" / folder / f"{number}.png")
    return root


def root(name, pictures):
    """Return the folder of a data set's files, or skip the test that needs it."""
    if name not in FETCHED:
        return pictures
    there = Path(os.environ.get("ASSAY_DATA", "no folder"))
    forms = [stated(form, {}) for form in FORMS[name]]
    found = present(forms, [there / folder for folder in getattr(MODULES[name], "FOLDERS", (name,))])
    if found is None:
        pytest.skip(f"needs the files of {name} in the folder that ASSAY_DATA names")
    return found[1]


@cache
def loaded(name, folder, again=False):
    """Return a data set, whose test images are held out of the training images where they are not at hand."""
    given = {"folder": "tree", "size": 16} if name in LOCAL else {}
    dataset = getattr(MODULES[name], name)(folder, **given)
    forms = FORMS.get(name, [])
    optional = any(source.get("part") == "test" for form in forms for source in form.values())
    return hold_out(dataset, HOLDOUT) if optional and not (dataset.split == TEST).any() else dataset


@pytest.fixture
def dataset(request, pictures):
    return loaded(request.param, root(request.param, pictures))


every = pytest.mark.parametrize("dataset", ALL, indirect=True)


@every
def test_images_are_bytes_of_four_axes_in_order(dataset):
    assert isinstance(dataset, Dataset)
    assert dataset.images.dtype == np.uint8
    assert dataset.images.ndim == 4
    assert dataset.images.shape[1] in (1, 3)
    assert dataset.images.flags.c_contiguous
    assert (dataset.images.max((1, 2, 3)) > dataset.images.min((1, 2, 3))).all(), "an image shows nothing"


@every
def test_labels_name_the_classes(dataset):
    assert dataset.labels.dtype == np.int64
    assert dataset.labels.shape == dataset.images.shape[:1]
    assert dataset.labels.min() >= 0
    assert dataset.labels.max() < len(dataset.classes)
    assert len(set(dataset.classes)) == len(dataset.classes)
    assert all(isinstance(name, str) for name in dataset.classes)


@pytest.mark.parametrize("name", ALL)
def test_every_class_is_in_both_parts_training_first(name, pictures):
    dataset = loaded(name, root(name, pictures))
    assert dataset.split.dtype == np.int8
    assert dataset.split.shape == dataset.labels.shape
    assert (np.diff(dataset.split) >= 0).all()
    parts = (TEST,) if name in TEST_ONLY else (TRAIN, TEST)
    assert np.unique(dataset.split).tolist() == list(parts)
    for part in parts:
        assert np.unique(dataset.labels[dataset.split == part]).tolist() == list(range(len(dataset.classes)))


def test_only_a_data_set_that_cannot_be_trained_on_may_lack_training_images():
    for name in TEST_ONLY:
        source = Path(MODULES[name].__file__).read_text(encoding="utf-8")
        assert "TRAIN" not in re.findall(r"\w+", source)
        assert "for networks that come trained" in MODULES[name].__doc__


@every
def test_masks_mark_some_pixels_of_every_image(dataset):
    if dataset.masks is None:
        return
    assert dataset.masks.dtype == np.bool_
    assert dataset.masks.shape == dataset.images[:, 0].shape
    assert dataset.masks.any((1, 2)).all()
    assert not dataset.masks.all((1, 2)).any()


@every
def test_files_are_one_for_each_image_with_its_sha256(dataset):
    if dataset.files:
        names, digests = zip(*dataset.files, strict=True)
        assert len(names) == len(set(names)) == len(dataset.images)
        assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in digests)
        assert not set(names) & set(dataset.skipped)


@every
def test_statistics_are_those_of_the_training_pixels(dataset):
    train = dataset.images[dataset.split == TRAIN] if (dataset.split == TRAIN).any() else dataset.images
    for channel, (mean, std) in enumerate(zip(*dataset.statistics(), strict=True)):
        pixels = train[:, channel].astype(np.float32) / 255
        np.testing.assert_allclose([mean, std], [pixels.mean(dtype=np.float64), pixels.std()], rtol=1e-4)


@pytest.mark.parametrize("name", ALL)
def test_a_second_call_gives_the_same(name, pictures):
    first, again = (loaded(name, root(name, pictures), again) for again in (False, True))
    for field in ("images", "labels", "split", "masks"):
        np.testing.assert_array_equal(getattr(first, field), getattr(again, field))
    assert (first.classes, first.files, first.skipped) == (again.classes, again.files, again.skipped)


@pytest.mark.parametrize("name", NAMES)
def test_a_label_says_what_it_is(name):
    assert isinstance(MODULES[name].LABEL, str)
    assert MODULES[name].LABEL


@pytest.mark.parametrize("name", FETCHED)
def test_sources_have_a_digest_and_mirrors(name):
    assert MODULES[name].SOURCES
    for source in (source for form in FORMS[name] for source in form.values()):
        (kind,) = set(source) - {"urls", "part", "when"}
        assert re.fullmatch({"md5": "[0-9a-f]{32}", "sha256": "[0-9a-f]{64}"}[kind], source[kind])
        assert source.get("part", "test") == "test"
        assert source.get("when", "boxes") in signatures.parameters("data", name) or "when" not in source
    mirrors = {name: source["urls"] for name, source in MODULES[name].SOURCES.items()}
    assert any(mirrors.values())
    for url in (url for urls in mirrors.values() for url in urls):
        assert re.match(r"https?://", url)


@pytest.mark.parametrize("name", FETCHED)
def test_a_file_without_a_mirror_is_asked_for_in_the_docstring(name):
    without = [file for file, source in MODULES[name].SOURCES.items() if not source["urls"]]
    assert not without or "by hand" in MODULES[name].__doc__


@pytest.mark.parametrize("name", LOCAL)
def test_parameters_that_are_paths_are_parameters(name):
    assert set(MODULES[name].LOCAL) <= set(signatures.parameters("data", name))
    assert MODULES[name].FOLDERS
