"""CIFAR-10 in each of its forms: small ones made by hand, broken ones, and the originals."""

import io
import pickle
import re
import tarfile

import numpy as np
import pytest

from pipeline.data import cifar10 as module
from pipeline.data._dataset import TEST, TRAIN
from pipeline.data.cifar10 import ALTERNATIVES, CLASSES, SOURCES, cifar10
from pipeline.fetching import fetch
from pipeline.vision import torchvision

TRAINING = [f"data_batch_{number}" for number in range(1, 6)]
BATCHES = [*TRAINING, "test_batch"]
RANDOM = np.random.default_rng(0)
LABELS = {name: RANDOM.integers(0, 10, 2) for name in BATCHES}
PIXELS = {name: RANDOM.integers(0, 256, (2, 3072), dtype=np.uint8) for name in BATCHES}


def binary(name):
    rows = zip(LABELS[name].tolist(), PIXELS[name], strict=True)
    return b"".join(bytes([label]) + pixels.tobytes() for label, pixels in rows)


def pickled(name):
    batch = {"batch_label": name, "labels": LABELS[name].tolist(), "data": PIXELS[name], "filenames": ["a", "b"]}
    return pickle.dumps(batch, protocol=2)


FORMS = {"bin": ("cifar-10-batches-bin", ".bin", binary), "py": ("cifar-10-batches-py", "", pickled)}


def members(form, batches=BATCHES):
    folder, suffix, content = FORMS[form]
    return {f"{folder}/{name}{suffix}": content(name) for name in batches}


def unpack(root, contents):
    for name, content in contents.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes(content)


def pack(path, contents):
    with tarfile.open(path, "w:gz") as tar:
        for name, content in contents.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


@pytest.fixture(autouse=True)
def two_images_a_batch(monkeypatch, request):
    if "real_data" not in request.keywords:
        monkeypatch.setattr(module, "BATCH", 2)


def lay_out(root, form):
    kind, packed = form.split()
    contents = members(kind) | {f"{FORMS[kind][0]}/readme.html": b"<html>"}
    if packed == "archive":
        pack(root / {"bin": "cifar-10-binary.tar.gz", "py": "cifar-10-python.tar.gz"}[kind], contents)
    else:
        unpack(root, contents)


@pytest.mark.parametrize("form", ["bin archive", "py archive", "bin folder", "py folder"])
def test_every_form_gives_the_same_images_and_labels_training_first(tmp_path, form):
    lay_out(tmp_path, form)
    before = sorted(tmp_path.rglob("*"))
    dataset = cifar10(tmp_path)
    expected = np.concatenate([PIXELS[name] for name in BATCHES])
    assert dataset.images.shape == (12, 3, 32, 32)
    assert (dataset.images.reshape(12, 3072) == expected).all()
    assert dataset.labels.tolist() == np.concatenate([LABELS[name] for name in BATCHES]).tolist()
    assert dataset.split.tolist() == [TRAIN] * 10 + [TEST] * 2
    assert dataset.classes == CLASSES
    assert sorted(tmp_path.rglob("*")) == before, "it wrote something"


@pytest.mark.parametrize("form", ["bin", "py"])
def test_without_a_batch_of_test_images_the_training_images_alone_are_there(tmp_path, form):
    unpack(tmp_path, members(form, TRAINING))
    dataset = cifar10(tmp_path)
    assert dataset.split.tolist() == [TRAIN] * 10
    assert (dataset.images.reshape(10, 3072) == np.concatenate([PIXELS[name] for name in TRAINING])).all()


def test_a_folder_that_lacks_a_training_batch_gives_way_to_a_whole_one(tmp_path):
    unpack(tmp_path, members("bin", BATCHES[1:]))
    unpack(tmp_path, members("py"))
    assert cifar10(tmp_path).images.shape[0] == 12


def test_where_nothing_is_there_it_says_what_should_be(tmp_path):
    with pytest.raises(ValueError, match=rf"^{re.escape(str(tmp_path))} holds no form of CIFAR-10, such as cifar-10-b"):
        cifar10(tmp_path)


SHORT = {"labels": [1], "data": PIXELS["test_batch"]}
WRONG = {
    "a byte less": ("bin", binary("test_batch")[:-1], "holds 6145 bytes instead of 6146"),
    "a byte more": ("bin", binary("test_batch") + b"?", "holds 6147 bytes instead of 6146"),
    "a label too high": (
        "bin",
        b"\x0a" + binary("test_batch")[1:],
        "does not hold 2 images of 3 x 32 x 32 with labels",
    ),
    "a negative label": ("py", pickle.dumps(SHORT | {"labels": [1, -1]}, 2), "does not hold 2 images"),
    "a label less": ("py", pickle.dumps(SHORT, 2), "does not hold 2 images"),
    "an image less": ("py", pickle.dumps(SHORT | {"labels": [1, 2], "data": PIXELS["test_batch"][:1]}, 2), "does not"),
    "wider numbers": (
        "py",
        pickle.dumps({"labels": [1, 2], "data": PIXELS["test_batch"].astype(np.int64)}, 2),
        "holds no bytes of images with whole numbers",
    ),
    "no labels": ("py", pickle.dumps({"data": PIXELS["test_batch"]}, 2), "holds no bytes of images with whole numbers"),
    "no pickle": ("py", b"<html>", "is no pickle of plain arrays"),
    "a hostile pickle": ("py", b"cos\nsystem\n(S'exit 1'\ntR.", "is no pickle of plain arrays, .* asks for os.system"),
}


@pytest.mark.parametrize(("form", "content", "told"), WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("packed", [False, True], ids=["folder", "archive"])
def test_a_batch_that_is_none_is_named(tmp_path, form, content, told, packed):
    folder, suffix, _ = FORMS[form]
    contents = members(form, TRAINING) | {f"{folder}/test_batch{suffix}": content}
    archive = tmp_path / {"bin": "cifar-10-binary.tar.gz", "py": "cifar-10-python.tar.gz"}[form]
    pack(archive, contents) if packed else unpack(tmp_path, contents)
    where = (archive if packed else tmp_path) / folder / f"test_batch{suffix}"
    with pytest.raises(ValueError, match=rf"^{re.escape(str(where))} {told}"):
        cifar10(tmp_path)


def test_an_archive_without_its_test_batch_is_refused(tmp_path):
    pack(tmp_path / "cifar-10-binary.tar.gz", members("bin", TRAINING))
    with pytest.raises(ValueError, match=r"holds no cifar-10-batches-bin/test_batch\.bin: it is cut off"):
        cifar10(tmp_path)


def test_digests_are_those_of_torchvision():
    theirs = torchvision.datasets.CIFAR10
    archive, _, unpacked = ALTERNATIVES
    assert archive == {theirs.filename: {"md5": theirs.tgz_md5}}
    listed = {f"{theirs.base_folder}/{name}": md5 for name, md5 in [*theirs.train_list, *theirs.test_list]}
    assert {name: source["md5"] for name, source in unpacked.items()} == listed
    assert [len(files) for files in ALTERNATIVES] == [1, 6, 6]
    assert list(SOURCES) == ["cifar-10-binary.tar.gz"]


def test_torchvision_unpacks_to_the_names_that_are_read_here(tmp_path):
    unpack(tmp_path, members("py") | {"cifar-10-batches-py/batches.meta": pickle.dumps({"label_names": list(CLASSES)})})
    theirs = [torchvision.datasets.CIFAR10, torchvision.datasets.CIFAR10]
    read = []
    for train, dataset in zip((True, False), theirs, strict=True):
        unchecked = type("Unchecked", (dataset,), {"_check_integrity": lambda self: True, "_load_meta": lambda self: 0})
        read.append(unchecked(tmp_path, train=train).data)
    assert (cifar10(tmp_path).images.transpose(0, 2, 3, 1) == np.concatenate(read)).all()


@pytest.mark.real_data
def test_the_originals(real_data):
    binary_files = ALTERNATIVES[1]
    training = {name: source for name, source in binary_files.items() if source.get("part") != "test"}
    if not all((real_data / name).exists() for name in training):
        pytest.skip(f"there is no folder cifar-10-batches-bin with all training batches in {real_data}")
    assert set(fetch(training, real_data)) == set(training)
    dataset = cifar10(real_data)
    train = dataset.split == TRAIN
    assert train.sum() == 50_000
    assert np.bincount(dataset.labels[train]).tolist() == [5000] * 10
    assert dataset.labels[:10].tolist() == [6, 9, 9, 4, 1, 1, 2, 7, 8, 3]
    mean, std = dataset.statistics()
    np.testing.assert_allclose(mean, [0.4914, 0.4822, 0.4465], atol=5e-5)  # the published constants
    np.testing.assert_allclose(std, [0.2470, 0.2435, 0.2616], atol=5e-5)


@pytest.mark.real_data
def test_the_first_test_images_show_their_classes(cifar10_test_images):
    images, labels = cifar10_test_images
    assert images.shape[1:] == (3, 32, 32)
    assert labels[:10].tolist() == [3, 8, 8, 0, 6, 6, 1, 6, 3, 1]
    assert len(images) == len(labels) >= 1000
    assert np.unique(labels).tolist() == list(range(10))
