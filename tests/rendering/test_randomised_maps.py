"""The grid of maps of networks whose layers are drawn anew."""

import itertools

import numpy as np
import pandas as pd
import pytest

from pipeline.rendering._grid import IMAGE, WRONG
from pipeline.rendering._mosaic import paint, photograph
from pipeline.rendering._style import methods
from pipeline.rendering.randomised_maps import BLOCK, DEEPEST, TILE, WIDEST
from pipeline.rendering.randomised_maps import randomised_maps as draw

SIDE, GAP = 28, 2
LAYERS = {"check": 4, "each": 1}  # the second block is as wide as its words
MODES = {"check": "cascading", "each": "independent"}
NUMBERS = [0, 30, 50]


def layered(gallery, layers):
    """Return three images of the gallery, one misread, with as many more maps of each method as metrics have layers."""
    chosen = gallery[gallery["id"].isin(NUMBERS)].assign(metric="", mode="", protocol="", layers=0)
    parts, generator = [chosen], np.random.default_rng(0)
    for metric, most in layers.items():
        told = {"metric": metric, "mode": MODES[metric], "protocol": f"{metric} 3f2a9c"}
        for count in range(1, most + 1):
            maps = chosen[chosen["method"] != IMAGE].assign(**told, layers=count)
            noisy = [p + generator.normal(size=p.shape).astype(p.dtype) * 0.1 for p in maps["pixels"]]
            parts.append(maps.assign(pixels=noisy))
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="module")
def frame(gallery):
    return layered(gallery, LAYERS)


@pytest.fixture(scope="module")
def figure(frame):
    return draw(frame)


def top(frame, method):
    drawn = methods(frame[frame["method"] != IMAGE])
    row = [IMAGE, *drawn.index].index(method)
    families = ["", *drawn["family"]][: row + 1]
    return row * (SIDE + GAP) + 3 * GAP * sum(a != b for a, b in itertools.pairwise(families))


def left(number, metric, place=0):
    """Return where a column of a block begins."""
    before = list(itertools.product(NUMBERS, LAYERS)).index((number, metric))
    widths = [max((LAYERS[m] + 1) * (SIDE + GAP), round(BLOCK / TILE * SIDE)) for m in LAYERS]
    return sum(widths[i % 2] + 3 * GAP for i in range(before)) + place * (SIDE + GAP)


def tile(figure, frame, method, number, metric, layers):
    """Return the pixels drawn where a map belongs; ``method`` may be the image."""
    down, across = top(frame, method), left(number, metric, layers)
    return figure.axes[0].get_images()[0].get_array()[down : down + SIDE, across : across + SIDE]


def pixels(frame, method, number, metric="", layers=0):
    chosen = frame.query("method == @method and id == @number and metric == @metric and layers == @layers")
    return chosen["pixels"].item()


@pytest.mark.parametrize(("metric", "layers"), [("check", 1), ("check", 4), ("each", 1)])
@pytest.mark.parametrize(("method", "signed"), [("gradient", True), ("rise", False), ("edge_map", False)])
@pytest.mark.parametrize("number", [0, 50])
def test_a_map_stands_in_the_row_of_its_method_and_the_column_of_its_layers(
    figure, frame, number, method, signed, metric, layers
):
    expected = paint(pixels(frame, method, number, metric, layers), signed=signed)
    np.testing.assert_array_equal(tile(figure, frame, method, number, metric, layers), expected)


@pytest.mark.parametrize("metric", LAYERS)
def test_the_trained_networks_map_begins_each_block_below_the_image(figure, frame, metric):
    expected = paint(pixels(frame, "rise", 50), signed=False)
    np.testing.assert_array_equal(tile(figure, frame, "rise", 50, metric, 0), expected)
    np.testing.assert_array_equal(tile(figure, frame, IMAGE, 50, metric, 0), photograph(pixels(frame, IMAGE, 50)))


def test_a_map_that_is_missing_leaves_its_place_white(figure, frame):
    assert pixels(frame, "occlusion", 0).size
    assert (tile(figure, frame, "occlusion", 30, "check", 2) == 255).all()


def test_a_method_with_one_negative_number_is_signed_throughout(frame):
    changed = frame.copy()
    row = changed.query("method == 'rise' and layers == 1").index[0]
    changed.at[row, "pixels"] = -changed.at[row, "pixels"]
    expected = paint(pixels(frame, "rise", 50), signed=True)
    np.testing.assert_array_equal(tile(draw(changed), changed, "rise", 50, "check", 0), expected)


def places(figure, word):
    """Return what the texts that read ``word`` are written beside, in pixels of the panel."""
    return [tuple(text.xy) for text in figure.axes[0].texts if text.get_text() == word]


def test_every_row_has_its_methods_name_at_its_left(figure, frame):
    drawn = methods(frame[frame["method"] != IMAGE])
    for method, label in drawn["label"].items():
        assert places(figure, label) == [(0, top(frame, method) + SIDE / 2)]
    for family in drawn["family"].unique():
        tops = [top(frame, method) for method in drawn.index[drawn["family"] == family]]
        assert [y for _, y in places(figure, family)] == [(tops[0] + tops[-1] + SIDE) / 2]


def test_every_column_and_every_block_has_its_name_below_it(figure):
    bottom = figure.axes[0].get_ylim()[0]
    for place, word in enumerate(["trained", "1", "2", "3", "4"]):
        expected = [(left(n, m, place) + SIDE / 2, bottom) for n in NUMBERS for m in LAYERS if place <= LAYERS[m]]
        assert [at for at in places(figure, word) if at[1] == bottom] == expected
    for metric in LAYERS:
        blocks = [(left(number, metric), bottom) for number in NUMBERS]
        assert places(figure, MODES[metric]) == places(figure, f"{metric} 3f2a9c") == blocks


def test_the_words_about_an_image_stand_beside_it_and_mark_where_the_network_errs(figure):
    for number in NUMBERS:
        beside = [(left(number, metric) + SIDE, SIDE / 2) for metric in LAYERS]
        assert places(figure, f"image {number}") == beside
    texts = figure.axes[0].texts
    assert all(text.get_position()[0] > 0 for text in texts if text.get_text().startswith("image "))
    assert {text.get_text() for text in texts if text.get_color() == WRONG} == {"explained: 3"}


def test_no_words_overlap(figure):
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    crossed = [(a, b) for a, b in itertools.combinations(range(len(boxes)), 2) if boxes[a].overlaps(boxes[b])]
    tall = 0.25 * figure.dpi * 0.1  # lines of one text block may touch
    assert not [1 for a, b in crossed if min(boxes[a].y1, boxes[b].y1) - max(boxes[a].y0, boxes[b].y0) > tall]


def test_of_many_layers_some_are_shown_and_of_the_images_fewer(gallery):
    def shown(most):
        texts = draw(layered(gallery, {"check": most})).axes[0].texts
        bottom = max(text.xy[1] for text in texts)
        numbers = [text.get_text() for text in texts if text.xy[1] == bottom and text.get_text().isdigit()]
        return numbers[: len(numbers) // (images := numbers.count("1"))], images

    assert shown(4) == (["1", "2", "3", "4"], 3)
    assert shown(DEEPEST) == ([str(count) for count in range(1, DEEPEST + 1)], WIDEST // (DEEPEST + 1))
    assert shown(19) == (["1", "3", "5", "7", "9", "11", "13", "15", "17", "19"], 2)
