"""IDX files: small ones made by hand, broken ones, and the originals."""

import gzip
import re
import struct

import numpy as np
import pytest

from pipeline.data import _idx
from pipeline.data._dataset import TEST, TRAIN
from pipeline.data._idx import read_idx
from pipeline.data.mnist import SOURCES, mnist
from pipeline.fetching import fetch

ARRAY = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
HEADER = bytes([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4])
WHOLE = HEADER + bytes(range(24))


def test_reads_a_file_made_by_hand(tmp_path):
    path = tmp_path / "hand.gz"
    path.write_bytes(gzip.compress(WHOLE))
    assert (read_idx(path, (2, 3, 4)) == ARRAY).all()


FOREIGN = {
    "a page": (b"<html>Sign in</html>", "is not a whole gzip file"),
    "nothing": (b"", "it begins with nothing"),
    "a cut gzip file": (gzip.compress(WHOLE)[:-12], "is not a whole gzip file"),
    "a cut checksum": (gzip.compress(WHOLE)[:-1], "is not a whole gzip file"),
    "a wrong checksum": (gzip.compress(WHOLE)[:-8] + bytes(8), "is not a whole gzip file"),
    "a broken stream": (gzip.compress(WHOLE)[:10] + b"\xff" * 30, "is not a whole gzip file"),
    "a gzipped page": (gzip.compress(b"<html>Sign in to the network</html>"), "begins with 3c 68 74 6d"),
    "signed bytes": (gzip.compress(b"\0\0\x09" + WHOLE[3:]), "begins with 00 00 09 03"),
    "two axes": (gzip.compress(b"\0\0\x08\x02" + WHOLE[4:]), "begins with 00 00 08 02"),
    "another height": (gzip.compress(WHOLE[:11] + b"\x04" + WHOLE[12:]), "00 00 00 04 00 00 00 04 instead of"),
    "a byte less": (gzip.compress(WHOLE[:-1]), "holds less than the 40 bytes"),
    "a byte more": (gzip.compress(WHOLE + b"?"), "holds more than the 40 bytes"),
}


@pytest.mark.parametrize(("content", "told"), FOREIGN.values(), ids=FOREIGN)
def test_a_foreign_or_truncated_file_is_named(tmp_path, content, told):
    path = tmp_path / "foreign.gz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"^{re.escape(str(path))} .*{told}"):
        read_idx(path, (2, 3, 4))


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A folder with three training and two test images, the images of one grey each."""
    monkeypatch.setattr(_idx, "PARTS", {"train": 3, "t10k": 2})
    for part, labels in {"train": [5, 0, 9], "t10k": [7, 2]}.items():
        grey = b"".join(bytes([10 * label]) * 784 for label in labels)
        images = struct.pack(">4I", 0x803, len(labels), 28, 28) + grey
        (tmp_path / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(images))
        (tmp_path / f"{part}-labels-idx1-ubyte.gz").write_bytes(
            gzip.compress(struct.pack(">2I", 0x801, len(labels)) + bytes(labels))
        )
    return tmp_path


def test_images_meet_their_labels_training_first(small):
    dataset = mnist(small)
    assert dataset.images.shape == (5, 1, 28, 28)
    assert dataset.labels.tolist() == [5, 0, 9, 7, 2]
    assert dataset.split.tolist() == [TRAIN, TRAIN, TRAIN, TEST, TEST]
    assert (dataset.images == 10 * dataset.labels[:, None, None, None]).all()


def test_a_label_that_is_no_class_is_refused(small):
    path = small / "t10k-labels-idx1-ubyte.gz"
    path.write_bytes(gzip.compress(struct.pack(">2I", 0x801, 2) + bytes([7, 10])))
    with pytest.raises(ValueError, match=rf"^{re.escape(str(path))} holds the label 10, which is no class$"):
        mnist(small)


def test_files_of_another_set_are_refused(small, monkeypatch):
    monkeypatch.setattr(_idx, "PARTS", {"train": 60_000, "t10k": 10_000})
    with pytest.raises(ValueError, match=r"train-images-idx3-ubyte.gz is not an IDX file .* \(60000, 28, 28\)"):
        mnist(small)


@pytest.mark.real_data
def test_the_originals(real_data):
    folder = real_data / "mnist"
    if not folder.is_dir():
        pytest.skip(f"there is no folder {folder}")
    assert set(fetch(SOURCES, folder)) == set(SOURCES)
    dataset = mnist(folder)
    assert dataset.images.shape == (70_000, 1, 28, 28)
    assert np.bincount(dataset.split).tolist() == [60_000, 10_000]
    assert dataset.labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert dataset.labels[60_000:60_010].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    per_class = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(dataset.labels[:60_000]).tolist() == per_class
    mean, std = dataset.statistics()
    np.testing.assert_allclose([mean[0], std[0]], [0.1307, 0.3081], atol=5e-5)  # the published constants
