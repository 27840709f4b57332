"""The pictures of the coherence figure: which images are chosen, and that they come back as a tidy frame."""

import numpy as np
import pytest

from pipeline import frames, gallery, store

METHODS = [
    {"method": "gradient", "label": "Gradient", "family": "gradient", "reduce": "abs_max"},
    {"method": "smooth.mean", "label": "SmoothGrad, mean", "family": "ensemble", "reduce": "sum"},
]


def test_the_first_images_of_each_class_are_chosen_in_the_order_of_their_ids():
    ids = np.array([40, 10, 30, 20, 50, 60])
    labels = np.array([1, 1, 0, 1, 0, 3])
    assert ids[gallery.choose(labels, ids, 2)].tolist() == [30, 50, 10, 20, 60]
    assert ids[gallery.choose(labels, ids, 1)].tolist() == [30, 10, 60]
    assert ids[gallery.choose(labels, ids, 9)].tolist() == [30, 50, 10, 20, 40, 60]


def test_the_choice_does_not_depend_on_the_order_of_the_images():
    draw = np.random.default_rng(0)
    ids, labels = np.arange(30), draw.integers(0, 4, 30)
    expected = ids[gallery.choose(labels, ids, 3)].tolist()
    order = draw.permutation(30)
    assert ids[order][gallery.choose(labels[order], ids[order], 3)].tolist() == expected


@pytest.fixture(params=[1, 3], ids=["grey", "colour"])
def written(tmp_path, request):
    draw = np.random.default_rng(0)
    arrays = {
        "ids": np.array([4, 9]),
        "labels": np.array([1, 0]),
        "targets": np.array([1, 2]),
        "image": draw.integers(0, 256, (2, request.param, 6, 5), dtype=np.uint8),
        "gradient": draw.normal(size=(2, 6, 5)).astype(np.float32),
        "smooth.mean": draw.normal(size=(2, 6, 5)).astype(np.float32),
    }
    marker = tmp_path / "gallery.zarr" / "zarr.json"
    gallery.write(str(marker), {"step": "exhibit"}, arrays, METHODS, dataset="d", model="7", classes=["nan", "8", "x"])
    return marker, arrays


def test_every_picture_comes_back_with_all_that_is_known_of_it(written):
    marker, arrays = written
    frame = gallery.read(marker)
    assert list(frame.columns) == gallery.COLUMNS
    assert frame["method"].tolist() == ["image"] * 2 + ["gradient"] * 2 + ["smooth.mean"] * 2
    assert frame["id"].tolist() == [4, 9] * 3
    assert frame["class"].tolist() == ["8", "nan"] * 3
    assert frame["target"].tolist() == ["8", "x"] * 3
    assert set(frame["dataset"]) == {"d"}
    assert set(frame["model"]) == {"7"}
    assert frame["label"].tolist()[::2] == ["Image", "Gradient", "SmoothGrad, mean"]
    assert frame["family"].tolist()[::2] == ["image", "gradient", "ensemble"]
    for method in ("gradient", "smooth.mean"):
        for place, pixels in enumerate(frame.loc[frame["method"] == method, "pixels"]):
            assert pixels.dtype == np.float32
            np.testing.assert_array_equal(pixels, arrays[method][place])


def test_a_picture_has_its_colours_last_and_a_grey_one_none(written):
    marker, arrays = written
    for place, pixels in enumerate(gallery.read(marker)["pixels"][:2]):
        assert pixels.dtype == np.uint8
        expected = arrays["image"][place].transpose(1, 2, 0)
        np.testing.assert_array_equal(pixels, expected[..., 0] if expected.shape[-1] == 1 else expected)


def test_a_frame_that_is_a_store_is_read_as_a_gallery(written):
    marker, _ = written
    assert frames.read(marker).shape == gallery.read(marker).shape == (6, len(gallery.COLUMNS))


def test_a_gallery_without_methods_is_empty_and_says_so(tmp_path):
    marker = tmp_path / "gallery.zarr" / "zarr.json"
    gallery.write(str(marker), {"step": "exhibit"}, {}, [], dataset="d", model="m", classes=["a"])
    assert store.skipped(marker) == "every method was skipped"
    frame = gallery.read(marker)
    assert list(frame.columns) == gallery.COLUMNS
    assert frame.empty
