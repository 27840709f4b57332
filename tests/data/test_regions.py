"""Boxes and masks in the pixels of the cropped image: by hand, and against the picture that is cropped alike."""

import re

import numpy as np
import pytest
from PIL import Image

from pipeline.data._pictures import cropped
from pipeline.data._regions import box_table, from_boxes, from_masks, inside, marked

CROP = (40, 32)
FILES = ["cat/1.jpg", "cat/2.jpg", "dog/1.jpg"]


def test_a_pixel_is_inside_if_its_centre_is():
    centres = np.arange(6) + 0.5
    found = inside(np.array([[1.0, 2.0, 3.0, 4.0], [4.5, 0.4, 5.5, 0.6]]), centres, centres)
    due = np.zeros((6, 6), np.bool_)
    due[2:4, 1:3] = True
    due[0, 4] = True  # the left edge belongs to a box and the right one does not
    assert (found == due).all()


def test_many_boxes_that_overlap_are_still_inside():
    centres = np.arange(4) + 0.5
    assert inside(np.tile([0.0, 0.0, 4.0, 4.0], (256, 1)), centres, centres).all()


def test_no_box_marks_nothing():
    assert not inside(np.empty((0, 4)), np.arange(3.0), np.arange(3.0)).any()


def drawn(size, box):
    """Return a black picture of (W, H) with a white box."""
    pixels = np.zeros((size[1], size[0], 3), np.uint8)
    x0, y0, x1, y1 = box
    pixels[y0:y1, x0:x1] = 255
    return Image.fromarray(pixels)


@pytest.mark.parametrize("size", [(64, 48), (48, 64), (100, 33), (20, 20), (41, 300)])
@pytest.mark.parametrize("seed", range(5))
def test_the_mask_of_a_box_covers_what_the_crop_shows_of_it(tmp_path, size, seed):
    random = np.random.default_rng(seed)
    (x0, x1), (y0, y1) = (np.sort(random.choice(side + 1, 2, replace=False)).tolist() for side in size)
    (tmp_path / "boxes.csv").write_text(f"file,boxes\ncat/1.jpg,{x0} {y0} {x1} {y1}\n")
    mask = from_boxes(tmp_path / "boxes.csv", "boxes", FILES, CROP)("cat/1.jpg", size)
    shown = cropped(drawn(size, (x0, y0, x1, y1)), *CROP)[0]
    assert mask.shape == (32, 32)
    assert (mask[shown > 250]).all()
    assert not (mask[shown < 5]).any()
    drawn(size, (x0, y0, x1, y1)).save(tmp_path / "mask.png")
    (tmp_path / "cat").mkdir()
    (tmp_path / "mask.png").rename(tmp_path / "cat" / "1.png")
    assert (from_masks(tmp_path, FILES, CROP)("cat/1.jpg", size) == mask).all()


def test_boxes_of_a_larger_original_are_scaled_to_the_squashed_file(tmp_path):
    table = tmp_path / "boxes.csv"
    table.write_text("file,width,height,boxes\ncat/1.jpg,500,400,100 100 200 300\n")
    squashed = from_boxes(table, "boxes", FILES, CROP)
    table.write_text("file,small\ncat/1.jpg,8 10 16 30\n")
    plain = from_boxes(table, "small", FILES, CROP)
    assert (squashed("cat/1.jpg", (40, 40)) == plain("cat/1.jpg", (40, 40))).all()
    assert plain("cat/1.jpg", (40, 40))[6:26, 4:12].all()
    assert plain("cat/1.jpg", (40, 40)).sum() == 20 * 8


def test_a_picture_without_a_box_or_mask_gets_one_that_marks_nothing(tmp_path):
    (tmp_path / "boxes.csv").write_text("file,boxes\ncat/1.jpg,0 0 9 9\ncat/2.jpg,\n")
    region = from_boxes(tmp_path / "boxes.csv", "boxes", FILES, CROP)
    assert region("cat/1.jpg", (40, 40)).any()
    assert not region("cat/2.jpg", (40, 40)).any()
    assert not region("dog/1.jpg", (40, 40)).any()
    (tmp_path / "dog").mkdir()
    drawn((40, 40), (0, 0, 9, 9)).save(tmp_path / "dog" / "1.png")
    region = from_masks(tmp_path, FILES, CROP)
    assert region("dog/1.jpg", (40, 40)).any()
    assert region("cat/1.jpg", (40, 40)).shape == (32, 32)
    assert not region("cat/1.jpg", (40, 40)).any()


def test_several_boxes_stand_in_one_field(tmp_path):
    (tmp_path / "t.csv").write_text('\ufefffile,boxes\n2.jpg,"0, 0, 1, 2 ; 3.5 4 5 6"\n/x/3.jpg,1 1 2 2\n', "utf-8")
    found = box_table(tmp_path / "t.csv", "boxes", FILES)
    assert list(found) == ["cat/2.jpg"]
    boxes, drawn_on = found["cat/2.jpg"]
    assert boxes.tolist() == [[0, 0, 1, 2], [3.5, 4, 5, 6]]
    assert drawn_on is None


WRONG = {
    "no file column": ("name,boxes\n1.jpg,0 0 1 1\n", "has no column 'file'"),
    "no boxes column": ("file,box\n1.jpg,0 0 1 1\n", "has no column 'boxes'"),
    "nothing": ("", "has no column 'file'"),
    "three edges": ("file,boxes\n2.jpg,0 0 1\n", "the boxes of 2.jpg are not 'x0 y0 x1 y1; ...' .*: '0 0 1'"),
    "edges of two lengths": ("file,boxes\n2.jpg,0 0 1 1;0 1\n", "the boxes of 2.jpg are not"),
    "a word": ("file,boxes\n2.jpg,0 0 1 one\n", "the boxes of 2.jpg are not"),
    "no width": ("file,boxes\n2.jpg,3 0 3 1\n", "the boxes of 2.jpg are not"),
    "corners in disorder": ("file,boxes\n2.jpg,0 5 9 1\n", "the boxes of 2.jpg are not"),
    "no number": ("file,boxes\n2.jpg,0 0 nan 1\n", "the boxes of 2.jpg are not"),
    "two files": ("file,boxes\n1.jpg,0 0 1 1\n", "1.jpg may be cat/1.jpg or dog/1.jpg; state the path"),
    "no file": ("file,boxes\n9.jpg,0 0 1 1\n", "has no box for any picture of the folder"),
    "no size": ("file,boxes,width,height\n2.jpg,0 0 1 1,0,\n", "width and height of 2.jpg are no lengths"),
}


@pytest.mark.parametrize(("text", "told"), WRONG.values(), ids=WRONG)
def test_a_table_that_cannot_be_meant_is_named(tmp_path, text, told):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(ValueError, match=f"^{re.escape(str(tmp_path))}/t.csv:? {told}"):
        box_table(tmp_path / "t.csv", "boxes", FILES)


OPAQUE = np.array([0, 0, 0, 255], np.uint8)
MASKS = {
    "black and white": lambda ink: Image.fromarray(ink),
    "grey": lambda ink: Image.fromarray(ink.astype(np.uint8)),
    "16 bits": lambda ink: Image.fromarray(ink.astype(np.uint16) * 256),
    "colour": lambda ink: Image.fromarray(ink[:, :, None] * np.array([0, 0, 7], np.uint8)),
    "an opaque black": lambda ink: Image.fromarray(
        np.dstack([ink * np.uint8(9)] * 3 + [np.full_like(ink, 255, np.uint8)])
    ),
}


@pytest.mark.parametrize("image", MASKS.values(), ids=MASKS)
def test_every_value_but_zero_marks(tmp_path, image):
    ink = np.random.default_rng(0).random((5, 7)) < 0.5
    image(ink).save(tmp_path / "mask.png")
    x, y = np.arange(7) + 0.5, np.arange(5) + 0.5
    assert (marked(tmp_path / "mask.png", (7, 5), x, y) == ink).all()


def test_the_indices_of_a_palette_mark(tmp_path):
    indices = np.random.default_rng(0).integers(0, 3, (5, 7), dtype=np.uint8)
    image = Image.fromarray(indices, "L")
    image.putpalette(bytes([255, 255, 255, 0, 0, 0, 9, 9, 9]))
    image.save(tmp_path / "mask.png")
    found = marked(tmp_path / "mask.png", (7, 5), np.arange(7) + 0.5, np.arange(5) + 0.5)
    assert (found == (indices > 0)).all()


def test_a_mask_of_another_size_or_kind_is_named(tmp_path):
    path = tmp_path / "mask.png"
    drawn((8, 6), (0, 0, 4, 4)).save(path)
    with pytest.raises(ValueError, match=f"^{re.escape(str(path))} is 8 x 6 and its picture 6 x 8$"):
        marked(path, (6, 8), np.arange(3.0), np.arange(3.0))
    path.write_bytes(b"no picture")
    with pytest.raises(ValueError, match=f"^{re.escape(str(path))} is no picture of a mask: "):
        marked(path, (6, 8), np.arange(3.0), np.arange(3.0))
    with pytest.raises(ValueError, match=r" has no mask, a PNG of the same path, for any picture"):
        from_masks(tmp_path, FILES, CROP)
