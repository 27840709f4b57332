"""The pictures of the coherence figure: which images are chosen, and that they come back as a tidy frame."""

import numpy as np
import pytest

from pipeline import frames, gallery, store

METHODS = [
    {"method": "gradient", "label": "Gradient", "family": "gradient", "reduce": "abs_max"},
    {"method": "smooth.mean", "label": "SmoothGrad, mean", "family": "ensemble", "reduce": "sum", "bounds": [None, 7]},
]


CLASSES = ["cat", "dog", "owl", "3"]
IDS = np.array([40, 10, 30, 20, 50, 60])
LABELS = np.array([1, 1, 0, 1, 0, 3])
TARGETS = np.array([1, 2, 0, 2, 1, 3])


def chosen(choice, classes=CLASSES):
    return IDS[gallery.choose(choice, classes, LABELS, TARGETS, IDS)].tolist()


def test_the_first_images_of_each_class_are_chosen_in_the_order_of_their_ids():
    assert chosen(2) == [30, 50, 10, 20, 60]
    assert chosen(1) == [30, 10, 60]
    assert chosen(9) == [30, 50, 10, 20, 40, 60]


def test_the_first_images_of_each_pair_of_classes_are_chosen_pair_after_pair():
    assert chosen({"pairs": [["dog", "owl"], ["cat", "cat"]], "count": 1}) == [10, 30]
    assert chosen({"pairs": [["dog", "owl"], ["cat", "cat"]], "count": 3}) == [10, 20, 30]
    assert chosen({"pairs": [["cat", "dog"]], "count": 3}) == [50]


def test_a_class_of_a_pair_goes_by_its_name_or_its_index():
    assert chosen({"pairs": [[1, "owl"], ["dog", 1]], "count": 3}) == [10, 20, 40]
    assert chosen({"pairs": [["3", 3]], "count": 1}) == [60]
    assert chosen({"pairs": [[1, 1], [2, 2]], "count": 1}, ["2", "1", "a", "b"]) == [40]


def test_a_pair_stated_twice_gives_its_images_once():
    assert chosen({"pairs": [["dog", "owl"], [1, 2], ["cat", "dog"]], "count": 2}) == [10, 20, 50]


def test_pairs_that_no_image_has_give_none():
    assert chosen({"pairs": [["owl", "cat"], ["cat", "owl"]], "count": 2}) == []


@pytest.mark.parametrize("name", ["cta", 4, -1])
def test_an_unknown_class_of_a_pair_is_refused_by_name(name):
    with pytest.raises(ValueError, match=r'^gallery.pairs: no class is called .*; there are \["cat", ') as error:
        chosen({"pairs": [["cat", "cat"], ["cat", name]], "count": 1})
    assert repr(name) in str(error.value)


@pytest.mark.parametrize("choice", [3, {"pairs": [[0, 1], [2, 2]], "count": 2}], ids=["classes", "pairs"])
def test_the_choice_does_not_depend_on_the_order_of_the_images(choice):
    draw = np.random.default_rng(0)
    ids, labels, targets = np.arange(60), draw.integers(0, 4, 60), draw.integers(0, 4, 60)
    expected = ids[gallery.choose(choice, CLASSES, labels, targets, ids)].tolist()
    assert expected
    order = draw.permutation(60)
    mixed = gallery.choose(choice, CLASSES, labels[order], targets[order], ids[order])
    assert ids[order][mixed].tolist() == expected


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
    names = {"dataset": "d", "model": "7", "without": ""}
    gallery.write(str(marker), {"step": "exhibit"}, arrays, METHODS, **names, classes=["nan", "8", "x"])
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
    np.testing.assert_array_equal(frame["low"], [np.nan] * 6)
    np.testing.assert_array_equal(frame["high"], [np.nan] * 4 + [7.0] * 2)
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


def test_a_method_of_several_maps_of_an_image_has_a_row_for_each_of_them(tmp_path):
    draw = np.random.default_rng(0)
    drawn = {"metric": "mprt", "mode": "cascading", "protocol": "mprt 3f2a9c"}
    shown = [gallery.TRAINED, *({**drawn, "layers": count} for count in (1, 2))]
    arrays = {"ids": np.array([4, 9]), "labels": np.array([1, 0]), "targets": np.array([1, 1])}
    arrays |= {"image": np.zeros((2, 1, 6, 5), np.uint8), "gradient": draw.normal(size=(2, 3, 6, 5)).astype(np.float32)}
    marker = tmp_path / "randomised.zarr" / "zarr.json"
    methods = [METHODS[0] | {"shown": shown}]
    names = {"dataset": "d", "model": "7", "without": ""}
    gallery.write(str(marker), {"step": "exhibit"}, arrays, methods, **names, classes=["a", "b"])
    frame = frames.read(marker)
    assert list(frame.columns) == gallery.COLUMNS
    maps = frame[frame["method"] == "gradient"]
    assert maps[["id", "layers"]].to_numpy().tolist() == [[4, 0], [4, 1], [4, 2], [9, 0], [9, 1], [9, 2]]
    assert maps["metric"].tolist() == ["", "mprt", "mprt"] * 2
    assert maps["protocol"].tolist() == ["", "mprt 3f2a9c", "mprt 3f2a9c"] * 2
    assert maps["mode"].tolist() == ["", "cascading", "cascading"] * 2
    assert frame.loc[frame["method"] == "image", ["metric", "layers"]].to_numpy().tolist() == [["", 0]] * 2
    for pixels, (place, column) in zip(maps["pixels"], np.ndindex(2, 3), strict=True):
        np.testing.assert_array_equal(pixels, arrays["gradient"][place, column])


@pytest.mark.parametrize("arrays", [{}, {name: np.zeros(0, np.int64) for name in ("ids", "labels", "targets")}])
def test_a_gallery_without_images_is_empty_and_says_why(tmp_path, arrays):
    marker = tmp_path / "gallery.zarr" / "zarr.json"
    names = {"dataset": "d", "model": "m", "classes": ["a"]}
    gallery.write(str(marker), {"step": "exhibit"}, arrays, [], without="nobody came", **names)
    assert store.skipped(marker) == "nobody came"
    frame = gallery.read(marker)
    assert list(frame.columns) == gallery.COLUMNS
    assert frame.empty
