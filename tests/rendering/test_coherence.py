"""The grid of maps."""

import io
import itertools
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pytest

from pipeline.rendering._grid import IMAGE, WRONG
from pipeline.rendering._mosaic import SIGNED, UNSIGNED, paint, photograph
from pipeline.rendering._style import RC, methods
from pipeline.rendering.coherence import coherence as draw

SIDE, GAP = 28, 2


@pytest.fixture(scope="module")
def figure(gallery):
    return draw(gallery)


@pytest.fixture(scope="module")
def order(gallery):
    return [IMAGE, *methods(gallery[gallery["method"] != IMAGE]).index]


def tile(figure, gallery, order, number, method):
    """Return the pixels drawn where the map of ``method`` for image ``number`` belongs."""
    family = gallery.drop_duplicates("method").set_index("method")["family"]
    column = order.index(method)
    changes = sum(family[a] != family[b] for a, b in itertools.pairwise(order[: column + 1]))
    left = column * (SIDE + GAP) + changes * 3 * GAP
    top = gallery["id"].unique().tolist().index(number) * (SIDE + GAP)
    return figure.axes[0].get_images()[0].get_array()[top : top + SIDE, left : left + SIDE]


@pytest.mark.parametrize(
    ("number", "method", "signed"), [(0, "gradient", True), (70, "edge_map", False), (30, "rise", False)]
)
def test_a_map_stands_in_the_row_of_its_image_and_the_column_of_its_method(
    figure, gallery, order, number, method, signed
):
    pixels = gallery[(gallery["id"] == number) & (gallery["method"] == method)]["pixels"].item()
    np.testing.assert_array_equal(tile(figure, gallery, order, number, method), paint(pixels, signed=signed))


def test_the_image_stands_first(figure, gallery, order):
    pixels = gallery[(gallery["id"] == 50) & (gallery["method"] == IMAGE)]["pixels"].item()
    np.testing.assert_array_equal(tile(figure, gallery, order, 50, IMAGE), photograph(pixels))


def test_a_map_that_is_missing_leaves_its_place_white(figure, gallery, order):
    assert (tile(figure, gallery, order, 30, "occlusion") == 255).all()


def test_a_method_whose_numbers_are_all_negative_is_drawn_by_their_range(gallery, order):
    changed = gallery.copy()
    rows = changed["method"] == "rise"
    changed.loc[rows, "pixels"] = changed.loc[rows, "pixels"].map(lambda pixels: pixels - pixels.max() - 1)
    pixels = changed[(changed["id"] == 30) & rows]["pixels"].item()
    np.testing.assert_array_equal(tile(draw(changed), changed, order, 30, "rise"), paint(pixels, signed=False))


def test_one_negative_number_makes_all_maps_of_its_method_signed(gallery, order):
    changed = gallery.copy()
    row = changed[(changed["id"] == 0) & (changed["method"] == "rise")].index[0]
    changed.at[row, "pixels"] = -changed.at[row, "pixels"]
    pixels = gallery[(gallery["id"] == 70) & (gallery["method"] == "rise")]["pixels"].item()
    drawn = tile(draw(changed), gallery, order, 70, "rise")
    np.testing.assert_array_equal(drawn, paint(pixels, signed=True))


def test_rows_name_the_true_and_the_explained_class_and_mark_where_they_differ(figure, gallery):
    colours = {text.get_text(): text.get_color() for text in figure.axes[0].texts}
    assert colours["explained: 1"] != WRONG
    assert colours["explained: 3"] != WRONG  # the last row's, which is right
    marked = [text.get_text() for text in figure.axes[0].texts if text.get_color() == WRONG]
    assert marked == ["explained: 3"]
    assert [words for words in colours if words.startswith("image ")] == [f"image {n}" for n in gallery["id"].unique()]


def test_columns_name_the_methods_and_families(figure, gallery):
    content = io.BytesIO()
    with mpl.rc_context(RC):
        figure.savefig(content, format="svg")
    nodes = ElementTree.fromstring(content.getvalue()).iter("{http://www.w3.org/2000/svg}text")
    words = [node.text for node in nodes]
    drawn = methods(gallery[gallery["method"] != IMAGE])
    assert all(words.count(label) == 1 for label in [IMAGE, *drawn["label"], *drawn["family"].unique()])


def test_a_long_class_name_is_cut(gallery):
    words = [text.get_text() for text in draw(gallery.assign(**{"class": "x" * 40})).axes[0].texts]
    assert "x" * 21 + "\N{HORIZONTAL ELLIPSIS}" in words


def test_the_scales_are_those_of_the_maps_that_there_are(figure, gallery):
    def scales(figure):
        return [bar.collections[-1].get_cmap().name for bar in figure.axes[1:]]

    assert scales(figure) == [SIGNED, UNSIGNED]
    assert scales(draw(gallery[gallery["method"].isin([IMAGE, "rise"])])) == [UNSIGNED]


def test_a_pixel_has_the_same_size_everywhere(figure):
    panel = figure.axes[0]
    across, down = figure.get_size_inches() * panel.get_position().size
    height, width = panel.get_images()[0].get_array().shape[:2]
    np.testing.assert_allclose(across / width, down / height)
