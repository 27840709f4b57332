"""Retraining curves."""

import numpy as np

from pipeline.rendering.retraining_curves import retraining_curves as draw


def test_modes_stand_side_by_side_with_roar_first(retraining):
    assert [panel.get_title(loc="left")[:4] for panel in draw(retraining[::-1]).axes] == ["ROAR", "KAR:"]
    assert len(draw(retraining[retraining["mode"] == "kar"]).axes) == 1


def test_a_line_is_the_accuracy_over_the_fraction_removed(retraining):
    chosen = retraining[(retraining["method"] == "grad_cam") & (retraining["mode"] == "kar")]
    (line,) = [line for line in draw(retraining).axes[1].get_lines() if line.get_label() == "Grad-CAM"]
    np.testing.assert_array_equal(line.get_xydata(), chosen[["fraction", "estimate"]])


def test_chance_is_a_line_with_its_name(retraining):
    for panel in draw(retraining.assign(chance=0.25)).axes:
        (level,) = [line for line in panel.get_lines() if len(set(line.get_ydata())) == 1]
        assert level.get_ydata()[0] == 0.25
        assert [text.get_text() for text in panel.texts] == ["chance"]


def test_one_network_gives_a_line_without_a_band(retraining):
    panel = draw(retraining.assign(low=np.nan, high=np.nan)).axes[0]
    assert len(panel.get_lines()) == 7
    assert not any(path.vertices.size for band in panel.collections for path in band.get_paths())
