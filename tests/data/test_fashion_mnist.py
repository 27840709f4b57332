"""Fashion-MNIST: what it fetches and calls its classes, against torchvision's table; its files have MNIST's form."""

import gzip
import struct

import numpy as np
import pytest

from pipeline.data import _idx
from pipeline.data._dataset import TEST, TRAIN
from pipeline.data.fashion_mnist import CLASSES, FOLDERS, SOURCES, fashion_mnist
from pipeline.fetching import fetch
from pipeline.vision import torchvision


def test_digests_and_classes_are_those_of_torchvision():
    theirs = torchvision.datasets.FashionMNIST
    assert {name: source["md5"] for name, source in SOURCES.items()} == dict(theirs.resources)
    assert list(CLASSES) == theirs.classes
    assert all(f"{mirror}{name}" in SOURCES[name]["urls"] for mirror in theirs.mirrors for name in SOURCES)
    assert all(url.endswith(f"/{name}") for name, source in SOURCES.items() for url in source["urls"])


def test_images_meet_their_labels_training_first(tmp_path, monkeypatch):
    monkeypatch.setattr(_idx, "PARTS", {"train": 3, "t10k": 2})
    for part, labels in {"train": [5, 0, 9], "t10k": [7, 2]}.items():
        images = b"".join(bytes([10 * label]) * 784 for label in labels)
        contents = {
            "images-idx3": struct.pack(">4I", 0x803, len(labels), 28, 28) + images,
            "labels-idx1": struct.pack(">2I", 0x801, len(labels)) + bytes(labels),
        }
        for kind, content in contents.items():
            (tmp_path / f"{part}-{kind}-ubyte.gz").write_bytes(gzip.compress(content))
    dataset = fashion_mnist(tmp_path)
    assert dataset.images.shape == (5, 1, 28, 28)
    assert dataset.labels.tolist() == [5, 0, 9, 7, 2]
    assert dataset.split.tolist() == [TRAIN, TRAIN, TRAIN, TEST, TEST]
    assert (dataset.images == 10 * dataset.labels[:, None, None, None]).all()
    assert dataset.classes == CLASSES


@pytest.mark.real_data
def test_the_originals(real_data):
    folder = next((real_data / name for name in FOLDERS if (real_data / name).is_dir()), None)
    if folder is None:
        pytest.skip(f"there is none of the folders {', '.join(FOLDERS)} in {real_data}")
    fetch(SOURCES, folder)
    dataset = fashion_mnist(folder)
    assert np.bincount(dataset.labels[:60_000]).tolist() == [6000] * 10
    mean, std = dataset.statistics()
    np.testing.assert_allclose([mean[0], std[0]], [0.2860, 0.3530], atol=5e-5)  # the published constants
