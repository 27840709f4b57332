"""ImageNet from small archives in the official layout: classes, labels, pictures, boxes, and what is broken."""

import hashlib
import io
import re
import tarfile

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from pipeline.data import imagenet as module
from pipeline.data._dataset import TEST
from pipeline.data._splits import evenly
from pipeline.data.imagenet import BOXES, DEVKIT, META, PICTURES, SOURCES, TRUTH, imagenet
from pipeline.vision import torchvision

COUNT = 12
# As in meta.mat: id, WordNet id, words, number of children. The ids are not in the order of the WordNet ids.
SYNSETS = [
    (1, "n05", "crane, a bird", 0),
    (2, "n02", "tabby, tabby cat", 0),
    (3, "n09", "crane", 0),
    (4, "n01", "animal", 2),
    (5, "n00", "machine", 1),
]
TRUTHS = [1, 2, 3, 3, 2, 1, 1, 2, 3, 2, 2, 1]
RANDOM = np.random.default_rng(0)


def name_of(place):
    return f"ILSVRC2012_val_{place + 1:08d}"


def jpeg(place):
    """Return a JPEG of two flat halves, of a size of its own, that says it should be turned."""
    pixels = np.zeros((40 + place, 60 - place, 3), np.uint8)
    pixels[:, : (60 - place) // 2] = RANDOM.integers(0, 256, 3)
    exif = Image.Exif()
    exif[0x0112] = 6
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=95, exif=exif)
    return file.getvalue()


JPEGS = {f"{name_of(place)}.JPEG": jpeg(place) for place in range(COUNT)}


def xml(place):
    width, height = 60 - place, 40 + place
    box = f"<bndbox><xmin>0</xmin><ymin>0</ymin><xmax>{width // 2}</xmax><ymax>{height}</ymax></bndbox>"
    size = f"<size><width>{width}</width><height>{height}</height><depth>3</depth></size>"
    return f"<annotation><filename>{name_of(place)}</filename>{size}<object><name>x</name>{box}</object></annotation>"


def pack(path, contents, mode="w"):
    with tarfile.open(path, mode) as tar:
        for name, content in contents.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


def devkit():
    fields = [("ILSVRC2012_ID", "f8"), ("WNID", "O"), ("words", "O"), ("gloss", "O"), ("num_children", "f8")]
    rows = [(number, wnid, words, "what it is", children) for number, wnid, words, children in SYNSETS]
    file = io.BytesIO()
    savemat(file, {"synsets": np.array(rows, dtype=fields)[:, None]})
    return {META: file.getvalue(), TRUTH: "".join(f"{truth}\n" for truth in TRUTHS).encode()}


@pytest.fixture
def root(tmp_path):
    """A folder with the three archives."""
    pack(tmp_path / PICTURES, JPEGS)
    pack(tmp_path / DEVKIT, devkit(), "w:gz")
    pack(tmp_path / BOXES, {f"val/{name_of(place)}.xml": xml(place).encode() for place in range(COUNT)}, "w:gz")
    return tmp_path


def test_labels_count_the_wordnet_ids_in_alphabetical_order(root):
    dataset = imagenet(root, size=16)
    assert dataset.classes == ("tabby", "crane (n05)", "crane (n09)")
    assert dataset.labels.tolist() == [{1: 1, 2: 0, 3: 2}[truth] for truth in TRUTHS]
    assert dataset.labels.dtype == np.int64
    assert dataset.split.tolist() == [TEST] * COUNT


def test_labels_are_those_of_torchvision(root, monkeypatch):
    theirs = torchvision.datasets.imagenet
    monkeypatch.setattr(theirs, "_verify_archive", lambda *arguments: None)  # which would ask for the original
    theirs.parse_devkit_archive(root)
    _, wnids = theirs.load_meta_file(root)
    places = {wnid: label for label, wnid in enumerate(sorted({"n05", "n02", "n09"}))}
    assert imagenet(root, size=16).labels.tolist() == [places[wnid] for wnid in wnids]


def test_pictures_are_cropped_as_by_torchvision_and_not_turned(root):
    dataset = imagenet(root, size=16, resize=20)
    transforms = torchvision.transforms
    crop = transforms.Compose([transforms.Resize(20), transforms.CenterCrop(16)])
    for (name, sha256), image in zip(dataset.files, dataset.images, strict=True):
        stored = Image.open(io.BytesIO(JPEGS[name])).convert("RGB")
        assert (image == np.asarray(crop(stored)).transpose(2, 0, 1)).all()
        assert hashlib.sha256(JPEGS[name]).hexdigest() == sha256
    assert [name for name, _ in dataset.files] == list(JPEGS)


def test_a_choice_takes_the_classes_evenly_and_keeps_image_label_and_file_together(root):
    whole, some = imagenet(root, size=16), imagenet(root, size=16, images=6)
    assert np.bincount(some.labels).tolist() == [2, 2, 2]
    ids = evenly(whole.labels, 6, "imagenet")
    assert (some.images == whole.images[ids]).all()
    assert (some.labels == whole.labels[ids]).all()
    assert some.files == tuple(whole.files[place] for place in ids)


def test_pictures_in_another_order_in_the_archive_meet_their_labels(root):
    whole = imagenet(root, size=16)
    pack(root / PICTURES, dict(reversed(JPEGS.items())))
    assert (imagenet(root, size=16).images == whole.images).all()


def test_boxes_become_masks_of_the_crop(root):
    assert imagenet(root, size=16).masks is None
    dataset = imagenet(root, size=16, resize=20, boxes=True, images=6)
    assert dataset.masks.shape == (6, 16, 16)
    shown = dataset.images.max(1) > 40  # the half that is not black, but for the colour that JPEG spills over
    assert (shown == dataset.masks).mean() > 0.9
    assert dataset.masks[:, :, :6].all()
    assert not dataset.masks[:, :, 10:].any()


def test_a_picture_that_the_archive_lacks_is_named(root):
    pack(root / PICTURES, dict(list(JPEGS.items())[:-1]))
    with pytest.raises(
        ValueError, match=rf"{PICTURES} holds no {name_of(11)}\.JPEG: it is cut off, or another archive$"
    ):
        imagenet(root, size=16)


def test_a_cut_archive_is_named(root):
    whole = (root / PICTURES).read_bytes()
    (root / PICTURES).write_bytes(whole[: len(whole) // 3])
    with pytest.raises(
        ValueError, match=rf"^{re.escape(str(root))}/{PICTURES} (is not a whole archive|holds no ILSVRC)"
    ):
        imagenet(root, size=16)


def test_a_broken_picture_is_named(root):
    name = f"{name_of(4)}.JPEG"
    pack(root / PICTURES, JPEGS | {name: JPEGS[name][:200]})
    with pytest.raises(ValueError, match=rf"{PICTURES}: {name} is no readable picture: "):
        imagenet(root, size=16)


@pytest.mark.parametrize("name", [TRUTH, META])
def test_a_development_kit_of_another_layout_is_named(root, name):
    pack(root / DEVKIT, {key: content for key, content in devkit().items() if key != name}, "w:gz")
    with pytest.raises(ValueError, match=rf"{DEVKIT} holds no {name}"):
        imagenet(root, size=16)


def test_digests_are_those_of_torchvision():
    archives = torchvision.datasets.imagenet.ARCHIVE_META
    assert (PICTURES, SOURCES[PICTURES]["md5"]) == archives["val"]
    assert (DEVKIT, SOURCES[DEVKIT]["md5"]) == archives["devkit"]
    assert SOURCES[PICTURES]["urls"] == []
    assert module.SOURCES[BOXES]["when"] == "boxes"
