"""The surfaces of maps, and the planes that bound them."""

import io

import matplotlib as mpl
import numpy as np
import pytest
from mpl_toolkits.mplot3d import Axes3D

from pipeline.draw import SILENT
from pipeline.rendering import _style
from pipeline.rendering._mosaic import paint, photograph, shrink
from pipeline.rendering.surfaces import ENDS, IMAGE, OPAQUE
from pipeline.rendering.surfaces import surfaces as draw

BOUNDS = {"rise": (0.0, 25.0), "d_rise.dot": (-40.0, 0.5), "d_rise.cosine": (np.nan, 30.0)}
SIDE = 28


def bounded(gallery, bounds=BOUNDS):
    """Return the gallery with the bounds of some of its methods."""
    low, high = ({method: ends[place] for method, ends in bounds.items()} for place in (0, 1))
    return gallery.assign(low=gallery["method"].map(low), high=gallery["method"].map(high))


@pytest.fixture(scope="module")
def frame(gallery):
    return bounded(gallery)


@pytest.fixture(scope="module")
def figure(frame):
    return draw(frame)


def flat(figure):
    """Return the pictures of the figure, row after row from the left: its panels less the surfaces and the scale."""
    found = [axes for axes in figure.axes if axes.get_images()]
    return sorted(found, key=lambda axes: (-round(axes.get_position().y0, 6), axes.get_position().x0))


def spaces(figure):
    found = [axes for axes in figure.axes if isinstance(axes, Axes3D)]
    return sorted(found, key=lambda axes: (-round(axes.get_position().y0, 6), axes.get_position().x0))


def shown(frame, number, method):
    return frame[(frame["id"] == number) & (frame["method"] == method)].iloc[0]


# In the order in which the figure shows them, and so many images.
COLUMNS = ["rise", "d_rise.cosine", "d_rise.dot"]
NUMBERS = [0, 10, 20, 30, 40, 50]


def corners(collection):
    """Return the corners of every face of a collection, (faces, corners, 3) in the units of its axes."""
    return np.asarray(collection._faces)  # get_verts() has them as they are seen


def words(figure):
    return [text.get_text() for text in figure.findobj(mpl.text.Text) if text.get_text()]


def test_there_is_a_row_for_each_of_the_first_six_images_and_a_pair_of_panels_for_each_method_with_bounds(figure):
    assert len(flat(figure)) == len(NUMBERS) * (1 + len(COLUMNS))
    assert len(spaces(figure)) == len(NUMBERS) * len(COLUMNS)
    assert [
        label for label in words(figure) if label in ("RISE", "D-RISE (d_rise.cosine)", "Gradient", "Occlusion")
    ] == [
        "RISE",
        "D-RISE (d_rise.cosine)",
    ]


def test_a_row_is_named_by_the_true_and_the_explained_class(figure):
    named = [panel.texts[0].get_text() for panel in flat(figure)[:: 1 + len(COLUMNS)]]
    arrow = "\N{RIGHTWARDS ARROW}"
    assert named == [f"{true} {arrow} {explained}" for true, explained in ("00", "00", "11", "11", "22", "23")]


@pytest.mark.parametrize("row", [0, 5])
def test_the_image_stands_first_and_the_maps_lie_over_it_in_grey(figure, frame, row):
    image, *maps = flat(figure)[row * 4 : row * 4 + 4]
    picture = photograph(shown(frame, NUMBERS[row], IMAGE)["pixels"])
    np.testing.assert_array_equal(image.get_images()[0].get_array(), picture)
    for panel, method in zip(maps, COLUMNS, strict=True):
        saliency = shown(frame, NUMBERS[row], method)["pixels"]
        expected = OPAQUE * paint(saliency, signed=False) + (1 - OPAQUE) * picture.mean(2, keepdims=True)
        assert np.abs(panel.get_images()[0].get_array() - expected).max() < 1


def test_the_range_of_a_map_stands_below_it(gallery):
    values = np.full((SIDE, SIDE), -1234.5, np.float32)
    values[3, 4] = 0.12345
    frame = gallery.head(2).assign(
        method=[IMAGE, "a"], low=[np.nan, 0], high=np.nan, pixels=[np.zeros((SIDE, SIDE), np.uint8), values]
    )
    assert "\N{MINUS SIGN}1,234 to 0.123" in words(draw(frame))


@pytest.mark.parametrize(("row", "method"), [(0, "rise"), (4, "d_rise.dot"), (5, "d_rise.cosine")])
def test_a_surface_is_as_high_as_its_map_and_has_its_colours(figure, frame, row, method):
    saliency = shown(frame, NUMBERS[row], method)["pixels"]
    space = spaces(figure)[row * 3 + COLUMNS.index(method)]
    faces = corners(space.collections[0])
    assert len(faces) == (SIDE - 1) ** 2
    across, back, height = faces.reshape(-1, 3).T
    lines = (SIDE - 1 - back).astype(int)  # the image's top lies at the back
    np.testing.assert_array_equal(height.astype(np.float32), saliency[lines, across.astype(int)])
    assert set(zip(lines.tolist(), across.tolist(), strict=True)) == {(i, j) for i in range(SIDE) for j in range(SIDE)}
    colours = paint(saliency, signed=False)[:-1, :-1].reshape(-1, 3) / 255
    np.testing.assert_allclose(space.collections[0]._facecolor3d[:, :3], colours)


@pytest.mark.parametrize("method", COLUMNS)
def test_the_planes_lie_where_the_bounds_are_and_cover_the_image(figure, method):
    for space in spaces(figure)[COLUMNS.index(method) :: 3]:
        _, *planes = space.collections
        known = {end: level for end, level in zip(ENDS, BOUNDS[method], strict=True) if not np.isnan(level)}
        assert len(planes) == len(known)
        for plane, (end, level) in zip(planes, known.items(), strict=True):
            (square,) = corners(plane)
            assert (square[:, 2] == level).all()
            assert {tuple(corner) for corner in square[:, :2]} == {(0, 0), (0, 27), (27, 0), (27, 27)}
            assert mpl.colors.to_hex(plane.get_facecolor()[0]) == ENDS[end][0]
            assert plane.get_facecolor()[0, 3] < 0.5  # what lies behind it is seen
        assert space.get_zticks().tolist() == list(known.values())


def test_the_low_plane_lies_below_the_surface_and_the_high_one_over_it(figure):
    surface, low, high = spaces(figure)[0].collections
    assert low.get_zorder() < surface.get_zorder() < high.get_zorder()
    assert not spaces(figure)[0].computed_zorder


def test_the_heights_reach_from_the_least_to_the_greatest_of_surface_and_planes(figure, frame):
    for place, space in enumerate(spaces(figure)):
        row = shown(frame, NUMBERS[place // 3], COLUMNS[place % 3])
        levels = [row["pixels"].min(), row["pixels"].max(), *(end for end in row[["low", "high"]] if not np.isnan(end))]
        np.testing.assert_allclose(space.get_zlim(), (min(levels), max(levels)))


def test_a_surface_beyond_its_planes_is_seen_whole(gallery):
    frame = bounded(gallery, {"rise": (0.0, 0.1)})
    height = shown(frame, 0, "rise")["pixels"].max()
    assert height > 0.1
    np.testing.assert_allclose(spaces(draw(frame))[0].get_zlim(), (0, height))


def test_a_constant_map_on_its_only_plane_can_be_drawn(gallery):
    flat_map, picture = np.zeros((SIDE, SIDE), np.float32), np.zeros((SIDE, SIDE), np.uint8)
    frame = gallery.head(2).assign(method=[IMAGE, "a"], low=np.nan, high=[np.nan, 0], pixels=[picture, flat_map])
    (space,) = spaces(draw(frame))
    low, high = space.get_zlim()
    assert low < 0 < high


def test_large_maps_are_averaged_to_fewer_faces(gallery):
    large = np.random.default_rng(0).random((224, 224)).astype(np.float32)
    frame = gallery.head(2).assign(
        method=[IMAGE, "a"], low=0, high=1, pixels=[np.zeros((224, 224, 3), np.uint8), large]
    )
    faces = corners(spaces(draw(frame))[0].collections[0])
    assert len(faces) == 43**2
    assert np.isclose(faces[0, :, 2].max(), shrink(large, 48)[:2, :2].max())


def test_a_map_that_is_missing_leaves_its_panels_out(frame):
    missing = frame.drop(frame[(frame["id"] == 20) & (frame["method"] == "rise")].index)
    assert len(spaces(draw(missing))) == len(NUMBERS) * len(COLUMNS) - 1


def test_only_planes_that_are_there_are_explained(gallery):
    def told(bounds):
        (legend,) = draw(bounded(gallery, bounds)).legends
        return [text.get_text() for text in legend.get_texts()]

    both = [text for *_, text in ENDS.values()]
    assert told(BOUNDS) == both
    assert told({"rise": (np.nan, 1)}) == both[1:]


def test_where_no_method_has_bounds_the_figure_says_so(gallery):
    assert words(draw(bounded(gallery, {}))) == ["Surfaces: the maps of no method here have known bounds"]


@pytest.mark.parametrize("form", ["svg", "pdf"])
def test_the_files_are_small_and_the_same_each_time(frame, form):
    def saved():
        content = io.BytesIO()
        with mpl.rc_context(_style.RC):
            draw(frame[frame["id"] < 20]).savefig(content, format=form, metadata=SILENT[form])
        return content.getvalue()

    content = saved()
    assert len(content) < 6 * 40_000  # of six surfaces; their faces one by one take an SVG of a megabyte
    assert saved() == content
