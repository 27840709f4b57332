"""Perturbation curves, and the grid of panels that they share with the retraining curves."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from pipeline.rendering._panels import ABREAST, POINTS
from pipeline.rendering._style import CONTROL_COLOUR, FAINT, methods
from pipeline.rendering.curves import curves as draw

ROWS = ["gradient", "ensemble", "cam", "perturbation"]


@pytest.fixture(scope="module")
def figure(curves):
    return draw(curves)


def line(panel, label):
    (found,) = [line for line in panel.get_lines() if line.get_label() == label]
    return found


def legend(panel):
    return [text.get_text() for text in panel.get_legend().get_texts()]


def test_there_is_a_row_for_each_family_and_a_column_for_each_metric(figure):
    panels = figure.axes
    assert len(panels) == 2 * len(ROWS)
    assert [panel.get_title(loc="left") for panel in panels[:2]] == ["Deletion", "Insertion"]
    assert [panel.texts[0].get_text() for panel in panels[:2]] == ["rise2018 3f2a9c", "rise2018 7c01d4"]
    assert [panel.get_legend().get_title().get_text() for panel in panels[1::2]] == ROWS


def test_a_line_is_the_estimate_and_its_band_the_interval(figure, curves):
    panel = figure.axes[1]
    chosen = curves[(curves["method"] == "integrated_gradients") & (curves["metric"] == "insertion")]
    drawn = line(panel, "Integrated Gradients")
    np.testing.assert_array_equal(drawn.get_xydata(), chosen[["x", "estimate"]])
    (band,) = [band for band in panel.collections if to_hex(band.get_facecolor()[0]) == to_hex(drawn.get_color())]
    corners = {tuple(point) for point in band.get_paths()[0].vertices}
    for side in ("low", "high"):
        assert {tuple(point) for point in chosen[["x", side]].to_numpy()} <= corners


def test_points_are_joined_in_the_order_of_x(curves):
    shuffled = curves.sample(frac=1, random_state=0)
    for panel in draw(shuffled).axes:
        assert all((np.diff(line.get_xdata()) > 0).all() for line in panel.get_lines())


def test_controls_are_dashed_and_grey_in_every_panel(figure):
    for panel in figure.axes:
        for label in ("Random", "Sobel edges"):
            assert line(panel, label).get_color() == CONTROL_COLOUR
            assert line(panel, label).get_linestyle() == "--"  # what matplotlib calls any pattern of dashes


def test_other_families_are_faint_and_unnamed(figure, curves):
    panel = figure.axes[0]
    assert sum(line.get_color() == FAINT for line in panel.get_lines()) == 9
    assert len(panel.get_lines()) == 15
    assert legend(figure.axes[1])[:-2] == methods(curves).query("family == 'gradient'")["label"].tolist()


def test_a_method_has_one_colour_in_all_its_panels(figure):
    first, second = figure.axes[:2]
    assert line(first, "Gradient").get_color() == line(second, "Gradient").get_color()


def test_a_few_methods_share_one_row(curves):
    few = curves[curves["method"].isin(["gradient", "grad_cam", "rise", "random_map"])]
    panels = draw(few).axes
    assert len(panels) == 2
    assert legend(panels[1]) == ["Gradient", "Grad-CAM", "RISE", "Random"]
    assert not any(line.get_color() == FAINT for line in panels[0].get_lines())


@pytest.mark.parametrize("metric", ["deletion", "insertion"])
def test_a_method_of_one_metric_is_named_all_the_same(curves, metric):
    few = curves[curves["method"].isin(["gradient", "rise"])]
    few = few[(few["method"] == "gradient") | (few["metric"] == metric)]
    assert legend(draw(few).axes[1]) == ["Gradient", "RISE"]


def test_every_name_is_in_sight(figure):
    figure.draw_without_rendering()
    window = figure.bbox
    for panel in figure.axes[1::2]:
        box = panel.get_legend().get_window_extent()
        assert box.x0 >= panel.bbox.x1
        assert box.x1 <= window.x1
        assert box.y0 >= panel.bbox.y0 - 2


@pytest.fixture(scope="module")
def many(curves):
    """Return the curves of more metrics than stand side by side, each with an x axis of its own."""
    rows = curves[curves["metric"] == "deletion"]
    told = [{"metric": f"m{n}", "metric_label": f"Metric {n}", "x_name": f"things {n}"} for n in range(ABREAST + 1)]
    return pd.concat([rows.assign(**each, estimate=rows["estimate"] + 0.1 * n) for n, each in enumerate(told)])


def test_of_many_metrics_each_has_a_row_and_each_family_a_column(many):
    figure = draw(many)
    legends, panels = figure.axes[: len(ROWS)], np.reshape(figure.axes[len(ROWS) :], (ABREAST + 1, len(ROWS)))
    assert [panel.get_legend().get_title().get_text() for panel in legends] == ROWS
    assert not any(panel.axison for panel in legends)
    assert [panel.get_title(loc="left") for panel in panels[:, 0]] == [f"Metric {n}" for n in range(ABREAST + 1)]
    assert not any(panel.get_title(loc="left") for panel in panels[:, 1:].ravel())
    for number, row in enumerate(panels):
        assert {panel.get_xlabel() for panel in row} == {f"things {number}"}
        assert len({panel.get_ylim() for panel in row}) == 1
        for panel, named in zip(row, legends, strict=True):
            own = [each.get_label() for each in panel.get_lines() if each.get_color() not in (FAINT, CONTROL_COLOUR)]
            assert own == [name for name in legend(named) if name not in ("Random", "Sobel edges")]
    chosen = many[(many["method"] == "rise") & (many["metric"] == "m3")]
    drawn = line(panels[3, ROWS.index("perturbation")], "RISE")
    np.testing.assert_array_equal(drawn.get_xydata(), chosen[["x", "estimate"]])


def test_of_long_lines_points_are_drawn_from_the_first_to_the_last(curves):
    x = np.linspace(0, 1, 1000)
    first = curves.iloc[[0]].drop(columns=["x", "estimate", "low", "high"])
    ends = pd.DataFrame({"x": x, "estimate": 1 - x, "low": 0.9 - x, "high": 1.1 - x})
    (drawn,) = draw(first.merge(ends, how="cross")).axes[0].get_lines()
    found = drawn.get_xydata()
    assert len(found) == POINTS
    assert found[[0, -1], 0].tolist() == [0, 1]
    assert set(map(tuple, found)) <= set(zip(x, 1 - x, strict=True))
    assert np.diff(found[:, 0]).max() < 1.1 / (POINTS - 1)
