"""Segments: grids against hand-made ones, superpixels on pictures, and what is painted on them."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_digits, load_sample_images
from torch.nn import functional

from pipeline.attribution._baselines import baseline_images
from pipeline.attribution._segments import areas, counts, filled, painted, segmented
from pipeline.data._pixels import normalise
from pipeline.randomness import seeded

STATISTICS = {"mean": torch.tensor([0.25, 0.5, 0.75]), "std": torch.tensor([0.125, 0.25, 0.5])}
GREY = {"mean": torch.tensor([0.13]), "std": torch.tensor([0.31])}


def photographs():
    pixels = torch.stack([torch.from_numpy(each[100:324, 200:424].copy()) for each in load_sample_images().images])
    return normalise(pixels.permute(0, 3, 1, 2).contiguous(), **STATISTICS)


def digits(count=6):
    pixels = torch.from_numpy(load_digits().images[:count, None] / 16).float()
    return normalise(functional.interpolate(pixels, (28, 28), mode="bilinear"), **GREY)


def grid(height, width, count):
    return segmented("grid", torch.zeros(3, 3, height, width), count, **STATISTICS)


def test_a_grid_of_a_small_image_is_as_drawn_by_hand():
    assert grid(3, 5, 6).tolist() == [[[0, 0, 1, 1, 2], [0, 0, 1, 1, 2], [3, 3, 4, 4, 5]]]


@pytest.mark.parametrize(("side", "cell"), [(28, 4), (224, 32)])
def test_49_segments_are_7_by_7_square_cells_on_digits_and_photographs(side, cell):
    rows = torch.arange(side) // cell
    assert torch.equal(grid(side, side, 49)[0], rows[:, None] * 7 + rows)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 100))
def test_a_grid_is_of_rectangles_of_nearly_one_size_numbered_without_a_gap(height, width, count):
    (found,) = grid(height, width, count)
    assert found.unique().tolist() == list(range(int(found.max()) + 1))
    cells = [(found == cell).nonzero() for cell in found.unique()]
    sides = torch.stack([cell.amax(0) - cell.amin(0) + 1 for cell in cells])
    assert all(len(cell) == int(side.prod()) for cell, side in zip(cells, sides, strict=True))
    assert (sides.amax(0) - sides.amin(0) <= 1).all()


@given(st.integers(8, 224), st.integers(3, 100))
def test_a_grid_has_about_as_many_cells_as_asked_for_and_at_most_one_for_each_pixel(side, count):
    found = counts(grid(side, side, count)).item()
    assert found <= side**2
    assert found == side**2 or abs(found - count) <= max(1, count / 4)


def test_superpixels_are_about_as_many_as_asked_for_on_digits_and_photographs():
    assert all(40 <= count <= 55 for count in counts(segmented("slic", digits(), 49, **GREY)))
    assert all(40 <= count <= 55 for count in counts(segmented("slic", photographs(), 49, **STATISTICS)))


def test_no_superpixel_crosses_an_edge():
    images = torch.zeros(1, 3, 24, 24)
    images[..., :13, :10] = 1
    (found,) = segmented("slic", normalise(images, **STATISTICS), 16, **STATISTICS)
    light = images[0, 0] == 1
    assert not set(found[light].tolist()) & set(found[~light].tolist())


@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize("size", [(8, 8), (12, 9), (28, 28)])
def test_superpixels_are_numbered_without_a_gap_and_depend_on_their_image_alone(channels, size):
    statistics = {"mean": torch.full((channels,), 0.4), "std": torch.full((channels,), 0.2)}
    coarse = torch.randn(3, channels, 4, 3, generator=seeded("superpixels"))
    images = functional.interpolate(coarse, size, mode="bilinear")
    images[1] = 0
    found = segmented("slic", images, 20, **statistics)
    assert found.shape == (3, *size)
    for each, count in zip(found, counts(found), strict=True):
        assert each.unique().tolist() == list(range(int(count)))
    assert not torch.equal(found[0], found[2])
    for i in range(3):
        assert torch.equal(segmented("slic", images[i : i + 1], 20, **statistics)[0], found[i])
    other = images.double().to(memory_format=torch.channels_last)
    assert torch.equal(segmented("slic", other, 20, **statistics), found)


SEGMENTS = torch.tensor([[[0, 0, 1], [2, 2, 1]], [[0, 1, 1], [1, 1, 1]]])


def test_values_are_painted_on_the_pixels_of_their_segments():
    values = torch.tensor([[5.0, 6.0, 7.0], [8.0, 9.0, 0.0]])
    expected = [[[[5, 5, 6], [7, 7, 6]]], [[[8, 9, 9], [9, 9, 9]]]]
    assert painted(values, SEGMENTS).tolist() == expected
    assert painted(values, SEGMENTS[:1])[1].tolist() == [[[8, 8, 9], [0, 0, 9]]]


def test_areas_count_the_pixels_of_each_segment():
    assert areas(SEGMENTS, 3).tolist() == [[2, 2, 2], [1, 5, 0]]
    assert counts(SEGMENTS).tolist() == [3, 2]


@pytest.mark.parametrize("shared", [False, True])
def test_the_fill_of_a_segment_is_its_own_mean_colour(shared):
    images, segments = torch.randn(2, 3, 2, 3, dtype=torch.float64), SEGMENTS[:1] if shared else SEGMENTS
    found = filled("segment", images, segments, **STATISTICS, blur=0.1, generator=seeded(0))
    for image, hidden, labels in zip(images, found, segments.expand(2, -1, -1), strict=True):
        for label in labels.unique():
            for channel in range(3):
                expected = image[channel][labels == label].mean()
                torch.testing.assert_close(hidden[channel][labels == label], expected.expand((labels == label).sum()))


@pytest.mark.parametrize("name", ["black", "mean", "blur", "noise"])
def test_other_fills_are_the_baselines(name):
    images = torch.randn(2, 3, 6, 6)
    found = filled(name, images, grid(6, 6, 4), **STATISTICS, blur=0.2, generator=seeded(0))
    assert torch.equal(found, baseline_images(name, images, **STATISTICS, blur=0.2, generator=seeded(0)))
