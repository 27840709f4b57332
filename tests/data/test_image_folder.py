"""Pictures of a user's own: what becomes of each kind of file, of broken ones, of boxes; and real photographs."""

import csv
import hashlib
import re

import numpy as np
import pytest
from PIL import Image

from pipeline.data._dataset import TEST, TRAIN
from pipeline.data.image_folder import image_folder
from pipeline.vision import torchvision

RANDOM = np.random.default_rng(0)


def pixels(height, width):
    return RANDOM.integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.fixture
def tree(tmp_path):
    """A data_dir with a tree of two classes, three pictures each, of many kinds and sizes."""
    exif = Image.Exif()
    exif[0x0112] = 6
    images = {
        "cat/grey.png": Image.fromarray(pixels(20, 30)).convert("L"),
        "cat/palette.gif": Image.fromarray(pixels(16, 16)).quantize(16),
        "cat/print.tif": Image.fromarray(pixels(40, 17)).convert("CMYK"),
        "dog/camera.jpg": Image.fromarray(pixels(25, 50)),
        "dog/glass.png": Image.fromarray(pixels(30, 30)).convert("RGBA"),
        "dog/scan.png": Image.fromarray(RANDOM.integers(0, 65536, (18, 24), dtype=np.uint16)),
    }
    for name, image in images.items():
        (tmp_path / "mine" / name).parent.mkdir(parents=True, exist_ok=True)
        image.save(tmp_path / "mine" / name, **({"exif": exif, "quality": 95} if name.endswith("jpg") else {}))
    return tmp_path


def test_every_kind_of_file_becomes_a_square_of_its_class(tree):
    dataset = image_folder(tree, folder="mine", size=16, resize=18, test=0)
    names = [name for name, _ in dataset.files]
    assert names == sorted(path.relative_to(tree / "mine").as_posix() for path in tree.rglob("*.*"))
    assert dataset.images.shape == (6, 3, 16, 16)
    assert dataset.images.std((1, 2, 3)).min() > 0
    assert dataset.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert dataset.classes == ("cat", "dog")
    assert dataset.masks is None
    assert dataset.skipped == {}
    assert (dataset.images[0, 0] == dataset.images[0, 1]).all()
    for name, sha256 in dataset.files:
        assert hashlib.sha256((tree / "mine" / name).read_bytes()).hexdigest() == sha256


def test_a_camera_held_upright_shows_an_upright_picture(tree):
    dataset = image_folder(tree, folder="mine", size=16, resize=18, test=0)
    with Image.open(tree / "mine" / "dog" / "camera.jpg") as stored:
        upright = stored.convert("RGB").transpose(Image.Transpose.ROTATE_270)  # orientation 6: turned left when held
    transforms = torchvision.transforms
    crop = transforms.Compose([transforms.Resize(18), transforms.CenterCrop(16)])
    assert (dataset.images[3] == np.asarray(crop(upright)).transpose(2, 0, 1)).all()


def test_absolute_paths_are_taken_as_they_are(tree):
    first, again = (image_folder(root, folder=str(tree / "mine"), size=8) for root in (tree, tree / "elsewhere"))
    assert (first.images == again.images).all()


def test_a_share_becomes_test_images_and_files_follow_their_images(tree):
    dataset = image_folder(tree, folder="mine", size=8, test=0.34)
    assert dataset.split.tolist() == [TRAIN] * 4 + [TEST] * 2
    assert dataset.labels.tolist() == [0, 0, 1, 1, 0, 1]
    assert [name.startswith("dog") for name, _ in dataset.files] == (dataset.labels == 1).tolist()
    whole = image_folder(tree, folder="mine", size=8, test=0)
    place = {name: row for row, (name, _) in enumerate(whole.files)}
    assert (dataset.images == whole.images[[place[name] for name, _ in dataset.files]]).all()


def test_few_folders_fit_a_network_of_more_classes(tree):
    (tree / "all.csv").write_text("index,wnid,name\n0,n0,bird\n1,dog,a dog\n2,n2,fish\n3,cat,a cat\n")
    dataset = image_folder(tree, folder="mine", size=8, test=1, classes="all.csv")
    assert dataset.classes == ("bird", "a dog", "fish", "a cat")
    assert dataset.labels.tolist() == [3, 3, 3, 1, 1, 1]
    assert dataset.split.tolist() == [TEST] * 6


def test_boxes_and_masks_follow_the_crop(tree):
    (tree / "boxes.csv").write_text("file,boxes\ndog/glass.png,0 0 15 30\nprint.tif,0 0 17 40\n")
    dataset = image_folder(tree, folder="mine", size=16, resize=20, test=0, boxes="boxes.csv")
    glass = [name for name, _ in dataset.files].index("dog/glass.png")
    assert dataset.masks.shape == (6, 16, 16)
    assert dataset.masks[glass, :, :8].all()
    assert not dataset.masks[glass, :, 8:].any()
    assert dataset.masks.any((1, 2)).sum() == 2
    ink = np.zeros((30, 30), np.bool_)
    ink[:, :15] = True
    (tree / "masks" / "dog").mkdir(parents=True)
    Image.fromarray(ink).save(tree / "masks" / "dog" / "glass.png")
    again = image_folder(tree, folder="mine", size=16, resize=20, test=0, masks="masks")
    assert (again.masks[glass] == dataset.masks[glass]).all()
    assert again.masks.any((1, 2)).sum() == 1


def test_boxes_and_masks_together_are_refused(tree):
    with pytest.raises(ValueError, match=r"^image_folder takes boxes or masks, not both$"):
        image_folder(tree, folder="mine", boxes="a", masks="b")


BROKEN = {
    "a text": b"no picture",
    "nothing": b"",
    "a cut picture": None,
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_an_unreadable_file_is_named_and_ends_the_step_unless_it_is_to_be_skipped(tree, content):
    path = tree / "mine" / "cat" / "middle.jpg"  # between readable ones
    whole = (tree / "mine" / "dog" / "camera.jpg").read_bytes()
    path.write_bytes(whole[: len(whole) // 2] if content is None else content)
    told = f"^{re.escape(str(path))} is no readable picture: .*; take it away, or state skip_unreadable: true$"
    with pytest.raises(ValueError, match=told) as caught:
        image_folder(tree, folder="mine", size=8)
    assert "0x" not in str(caught.value), "a place in memory"
    dataset = image_folder(tree, folder="mine", size=8, test=0, skip_unreadable=True)
    path.unlink()
    without = image_folder(tree, folder="mine", size=8, test=0)
    assert list(dataset.skipped) == ["cat/middle.jpg"]
    assert str(tree) not in dataset.skipped["cat/middle.jpg"]
    for field in ("images", "labels", "split"):
        np.testing.assert_array_equal(getattr(dataset, field), getattr(without, field))
    assert dataset.files == without.files
    assert dataset.images.flags.c_contiguous


def test_masks_stay_with_their_images_where_a_file_is_skipped(tree):
    (tree / "boxes.csv").write_text("file,boxes\ndog/glass.png,0 0 15 30\n")
    (tree / "mine" / "cat" / "middle.jpg").write_bytes(b"no picture")
    dataset = image_folder(tree, folder="mine", size=8, test=0, boxes="boxes.csv", skip_unreadable=True)
    assert [name for (name, _), mask in zip(dataset.files, dataset.masks, strict=True) if mask.any()] == [
        "dog/glass.png"
    ]


def test_a_folder_of_nothing_but_unreadable_files_is_refused(tmp_path):
    (tmp_path / "mine" / "cat").mkdir(parents=True)
    (tmp_path / "mine" / "cat" / "x.png").write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"mine holds no readable picture$"):
        image_folder(tmp_path, folder="mine", skip_unreadable=True)


@pytest.mark.real_data
def test_photographs_with_their_boxes(real_data, tmp_path):
    place = real_data / "imagenet_val1300"
    if not place.is_dir():
        pytest.skip(f"there is no folder {place}")
    with (place / "labels_boxes.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))[:40]
    for row in rows:
        (tmp_path / "some" / row["wnid"]).mkdir(parents=True, exist_ok=True)
        (tmp_path / "some" / row["wnid"] / row["file"]).symlink_to(place / row["wnid"] / row["file"])
    names = str(place / "imagenet_classes.csv")
    table = {"boxes": str(place / "labels_boxes.csv"), "boxes_column": "boxes_xyxy_227"}
    dataset = image_folder(tmp_path, folder="some", test=1, classes=names, **table)
    labels = {row["file"]: int(row["label"]) for row in rows}
    assert [labels[name.rpartition("/")[2]] for name, _ in dataset.files] == dataset.labels.tolist()
    assert len(dataset.classes) == len(set(dataset.classes)) == 1000
    weights = torchvision.transforms.Compose(
        [torchvision.transforms.Resize(256), torchvision.transforms.CenterCrop(224)]
    )
    for (name, _), image in zip(dataset.files, dataset.images, strict=True):
        with Image.open(tmp_path / "some" / name) as stored:
            np.testing.assert_array_equal(image, np.asarray(weights(stored.convert("RGB"))).transpose(2, 0, 1))
    areas = {row["file"]: _share(row) for row in rows}
    shares = np.array([areas[name.rpartition("/")[2]] for name, _ in dataset.files])
    assert np.corrcoef(dataset.masks.mean((1, 2)), shares)[0, 1] > 0.95


def _share(row):
    """Return the share of the picture that its boxes cover, on a grid of its 227 x 227 pixels."""
    ink = np.zeros((227, 227), np.bool_)
    for box in row["boxes_xyxy_227"].split(";"):
        x0, y0, x1, y1 = (round(float(edge)) for edge in box.split())
        ink[y0:y1, x0:x1] = True
    return ink[15:-15, 15:-15].mean()
