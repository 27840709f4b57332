"""Every data set keeps the layer's contract; the modules are found, not listed."""

import importlib
import os
import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from pipeline import data
from pipeline.data._dataset import TEST, TRAIN, Dataset

NAMES = sorted(path.stem for path in Path(data.__file__).parent.glob("[!_]*.py"))
MODULES = {name: importlib.import_module(f"pipeline.data.{name}") for name in NAMES}
FETCHED = [name for name in NAMES if hasattr(MODULES[name], "SOURCES")]
ALL = [pytest.param(name, marks=[pytest.mark.real_data] if name in FETCHED else []) for name in NAMES]


def root(name):
    """Return the folder of a data set's files, or skip the test that needs it."""
    folder = Path(os.environ.get("ASSAY_DATA", "no folder")) / name
    if name in FETCHED and not folder.is_dir():
        pytest.skip(f"needs the folder {name} in the folder that ASSAY_DATA names")
    return folder


@cache
def loaded(name, folder):
    return getattr(MODULES[name], name)(folder)


@pytest.fixture
def dataset(request):
    return loaded(request.param, root(request.param))


every = pytest.mark.parametrize("dataset", ALL, indirect=True)


@every
def test_images_are_bytes_of_four_axes_in_order(dataset):
    assert isinstance(dataset, Dataset)
    assert dataset.images.dtype == np.uint8
    assert dataset.images.ndim == 4
    assert dataset.images.shape[1] in (1, 3)
    assert dataset.images.flags.c_contiguous
    assert dataset.images.std((1, 2, 3)).min() > 0, "an image shows nothing"


@every
def test_labels_name_the_classes(dataset):
    assert dataset.labels.dtype == np.int64
    assert dataset.labels.shape == dataset.images.shape[:1]
    assert len(set(dataset.classes)) == len(dataset.classes)
    assert all(isinstance(name, str) for name in dataset.classes)


@every
def test_every_class_is_in_both_parts_training_first(dataset):
    assert dataset.split.dtype == np.int8
    assert dataset.split.shape == dataset.labels.shape
    for part in (TRAIN, TEST):
        assert np.unique(dataset.labels[dataset.split == part]).tolist() == list(range(len(dataset.classes)))
    assert (np.diff(dataset.split) >= 0).all()


@every
def test_masks_mark_some_pixels_of_every_image(dataset):
    if dataset.masks is None:
        return
    assert dataset.masks.dtype == np.bool_
    assert dataset.masks.shape == dataset.images[:, 0].shape
    assert dataset.masks.any((1, 2)).all()
    assert not dataset.masks.all((1, 2)).any()


@every
def test_statistics_are_those_of_the_training_pixels(dataset):
    pixels = dataset.images[dataset.split == TRAIN].astype(np.float32).transpose(1, 0, 2, 3)
    pixels = pixels.reshape(len(pixels), -1) / 255
    for found, expected in zip(dataset.statistics(), (pixels.mean(1), pixels.std(1)), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4)


@pytest.mark.parametrize("name", ALL)
def test_a_second_call_gives_the_same(name):
    first, again = loaded(name, root(name)), getattr(MODULES[name], name)(root(name))
    for field in ("images", "labels", "split", "masks"):
        np.testing.assert_array_equal(getattr(first, field), getattr(again, field))
    assert first.classes == again.classes


@pytest.mark.parametrize("name", NAMES)
def test_a_label_says_what_it_is(name):
    assert isinstance(MODULES[name].LABEL, str)
    assert MODULES[name].LABEL


@pytest.mark.parametrize("name", FETCHED)
def test_sources_have_a_digest_and_mirrors(name):
    assert MODULES[name].SOURCES
    for source in MODULES[name].SOURCES.values():
        (kind,) = set(source) - {"urls"}
        assert re.fullmatch({"md5": "[0-9a-f]{32}", "sha256": "[0-9a-f]{64}"}[kind], source[kind])
        assert source["urls"]
        assert all(re.match(r"https?://", url) for url in source["urls"])
