"""The grid of maps of networks whose layers are drawn anew."""

import itertools

import numpy as np
import pandas as pd
import pytest

from pipeline.rendering._grid import IMAGE, WRONG
from pipeline.rendering._mosaic import paint, photograph
from pipeline.rendering._style import methods
from pipeline.rendering.randomised_maps import WIDEST
from pipeline.rendering.randomised_maps import randomised_maps as draw

SIDE, GAP = 28, 2
LAYERS = {"check": 4, "each": 2}


@pytest.fixture(scope="module")
def frame(gallery):
    """Return three images of the gallery, one misread, with as many more maps of each method as metrics have layers."""
    chosen = gallery[gallery["id"].isin([0, 30, 50])].assign(metric="", protocol="", layers=0)
    parts, generator = [chosen], np.random.default_rng(0)
    for metric, most in LAYERS.items():
        for layers in range(1, most + 1):
            maps = chosen[chosen["method"] != IMAGE].assign(metric=metric, protocol=f"{metric} 3f2a9c", layers=layers)
            noisy = [p + generator.normal(size=p.shape).astype(p.dtype) * 0.1 for p in maps["pixels"]]
            parts.append(maps.assign(pixels=noisy))
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="module")
def figure(frame):
    return draw(frame)


def tile(figure, frame, method, number, metric, layers):
    """Return the pixels drawn where a map belongs; ``method`` may be the image."""
    drawn = methods(frame[frame["method"] != IMAGE])
    row = [IMAGE, *drawn.index].index(method)
    families = ["", *drawn["family"]][: row + 1]
    top = row * (SIDE + GAP) + 3 * GAP * sum(a != b for a, b in itertools.pairwise(families))
    left = 0
    for block in ((n, m) for n in frame["id"].unique() for m in LAYERS):
        if block == (number, metric):
            break
        left += (LAYERS[block[1]] + 1) * (SIDE + GAP) + 3 * GAP
    left += layers * (SIDE + GAP)
    return figure.axes[0].get_images()[0].get_array()[top : top + SIDE, left : left + SIDE]


def pixels(frame, method, number, metric="", layers=0):
    chosen = frame.query("method == @method and id == @number and metric == @metric and layers == @layers")
    return chosen["pixels"].item()


@pytest.mark.parametrize(("metric", "layers"), [("check", 1), ("check", 4), ("each", 2)])
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


def test_words_name_methods_families_layers_protocols_and_images(figure, frame):
    words = [text.get_text() for text in figure.axes[0].texts]
    drawn = methods(frame[frame["method"] != IMAGE])
    assert all(words.count(word) == 1 for word in [*drawn["label"], *drawn["family"].unique(), "layers drawn anew"])
    assert words.count("trained") == 3 * len(LAYERS)
    assert [words.count(layers) for layers in "34"] == [3, 3]  # of one metric alone
    assert all(words.count(f"{metric} 3f2a9c") == 3 for metric in LAYERS)
    assert [word for word in words if word.startswith("image ")] == [f"image {n}" for n in (0, 0, 30, 30, 50, 50)]
    assert {text.get_text() for text in figure.axes[0].texts if text.get_color() == WRONG} == {"explained: 3"}


def test_a_deep_network_leaves_room_for_fewer_images_but_always_for_one(frame):
    def images(most):
        deep = frame[frame["metric"].isin(["", "check"])].copy()
        deep.loc[deep["layers"] == 4, "layers"] = most
        words = [text.get_text() for text in draw(deep).axes[0].texts]
        return [word for word in words if word.startswith("image ")]

    assert images(WIDEST // 3 - 1) == ["image 0", "image 30", "image 50"]
    assert images(WIDEST // 3) == ["image 0", "image 30"]
    assert images(2 * WIDEST) == ["image 0"]
