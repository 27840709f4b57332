"""The scaling of maps for the eye, and their places in the picture."""

import numpy as np
import pytest
from matplotlib import colormaps

from pipeline.rendering._mosaic import SIGNED, UNSIGNED, assemble, paint, photograph, shrink


def colour(name, unit):
    return list(colormaps[name](unit, bytes=True)[:3])


def test_a_signed_map_is_white_at_zero_and_symmetric_about_it():
    saliency = np.linspace(-3, 1, 401).reshape(1, -1)  # zero at column 300, the 99th percentile of |map| at 4
    painted = paint(saliency, signed=True)
    edge = np.percentile(np.abs(saliency), 99)
    assert painted[0, 300].tolist() == colour(SIGNED, 0.5)
    assert painted[0, 400].tolist() == colour(SIGNED, 0.5 + 0.5 / edge)
    assert painted[0, 200].tolist() == colour(SIGNED, 0.5 - 0.5 / edge)
    assert painted[0, 0].tolist() == painted[0, 2].tolist() == colour(SIGNED, 0.0)


def test_red_speaks_for_the_class_and_blue_against_it():
    against, zero, speaks_for = paint(np.array([[-1.0, 0.0, 1.0]]), signed=True)[0].astype(int)
    assert against[2] > against[0]
    assert speaks_for[0] > speaks_for[2]
    assert zero.min() > 240


def test_an_unsigned_map_runs_from_its_first_to_its_99th_percentile():
    saliency = 5 + np.linspace(0, 1, 1001).reshape(1, -1)
    painted = paint(saliency, signed=False)
    assert painted[0, 5].tolist() == painted[0, 10].tolist() == colour(UNSIGNED, 0.0)
    assert painted[0, 500].tolist() == colour(UNSIGNED, 0.49 / 0.98)
    assert painted[0, 995].tolist() == colour(UNSIGNED, 1.0)


def test_the_scale_of_a_map_does_not_show():
    saliency = np.random.default_rng(0).normal(size=(9, 9))
    np.testing.assert_array_equal(paint(saliency, signed=True), paint(saliency * 1024, signed=True))
    np.testing.assert_array_equal(paint(saliency, signed=False), paint(saliency * 1024, signed=False))


@pytest.mark.parametrize(("signed", "none"), [(True, (SIGNED, 0.5)), (False, (UNSIGNED, 0.0))])
def test_a_map_of_one_pixel_shows_it(signed, none):
    saliency = np.zeros((20, 20))
    saliency[3, 4] = 1e-6
    painted = paint(saliency, signed=signed)
    assert painted[3, 4].tolist() == colour(none[0], 1.0)
    assert painted[0, 0].tolist() == colour(*none)


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("value", [0.0, 0.7, -2.0, np.inf, np.nan])
def test_a_map_that_ranks_nothing_has_a_colour_that_no_other_map_has(signed, value):
    saliency = np.full((6, 8), value)
    painted = paint(saliency, signed=signed)
    assert painted.shape == (6, 8, 3)
    assert len(np.unique(painted)) == 1
    scale = colormaps[SIGNED if signed else UNSIGNED](np.arange(256), bytes=True)[:, :3].astype(int)
    assert np.abs(scale - painted[0, 0]).max(1).min() > 16
    assert (255 - painted).min() > 16  # the page is white
    if np.isfinite(value):
        saliency[0, 0] += 1e-6
    else:
        saliency[1:] = np.arange(8)
        np.testing.assert_array_equal(paint(saliency, signed=signed), painted)
        saliency[0] = 0
    assert len(np.unique(paint(saliency, signed=signed))) > 1


def test_large_pictures_are_averaged_over_squares_and_small_ones_left_alone():
    pixels = np.arange(192 * 96, dtype=np.float32).reshape(192, 96)
    small = shrink(pixels)
    assert small.shape == (96, 48)
    assert small[5, 7] == pixels[10:12, 14:16].mean()
    assert shrink(np.zeros((224, 224, 3), np.uint8)).shape == (74, 74, 3)
    np.testing.assert_array_equal(shrink(pixels[:96]), pixels[:96])


def test_tiles_lie_where_they_belong_and_the_rest_is_white():
    grey = photograph(np.full((2, 2), 7, np.uint8))
    coloured = photograph(np.full((2, 2, 3), 9, np.uint8))
    whole = assemble({(0, 0): grey, (1, 1): coloured}, tops=[0, 3], lefts=[0, 4])
    assert whole.shape == (5, 6, 3)
    assert (whole[:2, :2] == 7).all()
    assert (whole[3:, 4:] == 9).all()
    assert (whole == 255).sum() == whole.size - 24
