"""CIFAR-10: 60,000 photographs of ten kinds of animals and vehicles, 32 x 32, in colour.

Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009; https://www.cs.toronto.edu/~kriz/cifar.html
describes both forms, "Python version" and "Binary version".
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.data import _archive
from pipeline.data._dataset import TEST, TRAIN, Dataset
from pipeline.data._pickles import unpickled
from pipeline.data._sources import present

LABEL = "CIFAR-10"
FOLDERS = ("cifar10", ".")  # below data_dir; torchvision unpacks into its root itself
SOURCES = {
    "cifar-10-binary.tar.gz": {
        "md5": "c32a1d4ab5d03f1284b67883e8d87530",
        "urls": ["https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"],
    },
}
ALTERNATIVES = [
    {"cifar-10-python.tar.gz": {"md5": "c58f30108f718f92721af3b95e74349a"}},
    {
        "cifar-10-batches-bin/data_batch_1.bin": {"md5": "5dd7e06a14cb22eb9f671a540d1b7c25"},
        "cifar-10-batches-bin/data_batch_2.bin": {"md5": "5ea93a67294ea407fff1d09f752e9692"},
        "cifar-10-batches-bin/data_batch_3.bin": {"md5": "942cd6a4bcdd0dd3c604fbe906cb4421"},
        "cifar-10-batches-bin/data_batch_4.bin": {"md5": "ae636b3ba5c66a11e91e8cb52e771fcb"},
        "cifar-10-batches-bin/data_batch_5.bin": {"md5": "53f37980c15c3d472c316c40844f3f0d"},
        "cifar-10-batches-bin/test_batch.bin": {"md5": "803d5f7f4d78ea53de84dbe85f74fb6d", "part": "test"},
    },
    {
        "cifar-10-batches-py/data_batch_1": {"md5": "c99cafc152244af753f735de768cd75f"},
        "cifar-10-batches-py/data_batch_2": {"md5": "d4bba439e000b95fd0a9bffe97cbabec"},
        "cifar-10-batches-py/data_batch_3": {"md5": "54ebc095f3ab1f0389bbae665268c751"},
        "cifar-10-batches-py/data_batch_4": {"md5": "634d18415352ddfa80567beed471001a"},
        "cifar-10-batches-py/data_batch_5": {"md5": "482c414d41f54cd18b22e5b47cb7c3cb"},
        "cifar-10-batches-py/test_batch": {"md5": "40351d587109b95175f43aff81a1287e", "part": "test"},
    },
]
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
BATCH = 10_000  # images of a file
PIXELS = 3 * 32 * 32

Batch = tuple[NDArray[np.int64], NDArray[np.uint8]]


def cifar10(root: Path) -> Dataset:
    """Return the 50,000 training images, then the 10,000 test images, (N, 3, 32, 32) RGB.

    The binary archive, the Python archive, or a folder that one of them was unpacked to: the first that is there
    serves. Where such a folder lacks the batch of test images, there are none in the data set.

    Args:
        root: folder that holds one of the forms in ``SOURCES`` and ``ALTERNATIVES``.

    Raises:
        ValueError: if none of them is there, or a file is truncated, or is not the file that its name says.
    """
    found = present([SOURCES, *ALTERNATIVES], [root])
    if found is None:
        raise ValueError(f"{root} holds no form of CIFAR-10, such as {next(iter(SOURCES))}")
    batches = _batches(root, list(found[0]))
    read = {path: _binary(raw, path) if path.suffix else _pickled(raw, path) for path, raw in batches.items()}
    for path, (labels, images) in read.items():
        if images.shape != (BATCH, PIXELS) or labels.shape != (BATCH,) or set(labels) - set(range(len(CLASSES))):
            raise ValueError(f"{path} does not hold {BATCH} images of 3 x 32 x 32 with labels from 0 to 9")
    parts = [TEST if path.stem == "test_batch" else TRAIN for path in read]
    return Dataset(
        images=np.concatenate([images for _, images in read.values()]).reshape(-1, 3, 32, 32),
        labels=np.concatenate([labels for labels, _ in read.values()]),
        split=np.repeat(np.array(parts, np.int8), BATCH),
        classes=CLASSES,
    )


def _batches(root: Path, names: list[str]) -> Mapping[Path, bytes]:
    """Return {path: content} of the batches, training first, from an archive or of those that lie there unpacked."""
    if names[0] in SOURCES:
        names, archive = list(ALTERNATIVES[1]), root / names[0]
    elif names[0] in ALTERNATIVES[0]:
        names, archive = list(ALTERNATIVES[2]), root / names[0]
    else:
        return {root / name: (root / name).read_bytes() for name in names if (root / name).exists()}
    return {archive / name: content for name, content in _archive.read(archive, names).items()}


def _binary(raw: bytes, path: Path) -> Batch:
    """Return labels (N,) and pixels (N, 3072) of a batch of rows: one byte of label, then red, green and blue."""
    if len(raw) != BATCH * (1 + PIXELS):
        raise ValueError(f"{path} holds {len(raw)} bytes instead of {BATCH * (1 + PIXELS)}")
    rows = np.frombuffer(raw, np.uint8).reshape(BATCH, 1 + PIXELS)
    return rows[:, 0].astype(np.int64), rows[:, 1:]


def _pickled(raw: bytes, path: Path) -> Batch:
    """Return labels (N,) and pixels (N, 3072) of a pickled dictionary of the two."""
    batch = unpickled(raw, path)
    labels, images = np.asarray(batch.get("labels")), np.asarray(batch.get("data"))
    if labels.dtype.kind not in "iu" or images.dtype != np.uint8:
        raise ValueError(f"{path} holds no bytes of images with whole numbers as labels")
    return labels.astype(np.int64), images
