"""Ranks and agreement, as tables and as figures."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection, PathCollection, QuadMesh
from matplotlib.colors import to_hex

from pipeline.rendering import agreement_map as map_module
from pipeline.rendering._ranked import mean_ranks, mirrored
from pipeline.rendering._style import methods
from pipeline.rendering.agreement import agreement as tabulate_agreement
from pipeline.rendering.agreement_map import agreement_map
from pipeline.rendering.ranks import ranks as tabulate
from pipeline.rendering.ranks_dots import ACROSS, ranks_dots

HEADINGS = [
    "Deletion (rise2018 3f2a9c)",
    "Insertion (rise2018 7c01d4)",
    "Pointing game (pointing_game 91ab04)",
    "Infidelity (infidelity 00ff00)",
    "Max-sensitivity (max_sensitivity 123abc)",
]


@pytest.fixture(scope="module")
def one(rankings):
    return [frame[frame["model"] == "simple_cnn"] for frame in rankings]


def made(metrics):
    """Return ranks of {metric: [ranks of a, b, c]}, nan where it left a method out."""
    rows = [
        {"method": method, "metric": metric, "estimate": rank}
        for metric, ranks in metrics.items()
        for method, rank in zip("abc", ranks, strict=True)
    ]
    return pd.DataFrame(rows).dropna()


def test_methods_are_ordered_by_their_mean_share_of_the_ranks():
    means = mean_ranks(made({"x": [1, 2, 3], "y": [3, 1, 2], "z": [2, 1, np.nan]}))
    assert means.index.tolist() == ["b", "a", "c"]
    np.testing.assert_allclose(means, [(2 / 3 + 1 / 3 + 1 / 2) / 3, (1 / 3 + 1 + 1) / 3, (1 + 2 / 3) / 2])


def test_the_table_has_methods_by_mean_rank_and_then_the_agreement_of_each_network(rankings, one):
    table = tabulate(rankings[0])
    assert table.columns.tolist() == ["data set", "network", "family", "method", *HEADINGS]
    assert table["network"].tolist() == ["simple_cnn"] * 16 + ["resnet"] * 16
    names = methods(one[0])["label"]
    assert table["method"].tolist()[:15] == names[mean_ranks(one[0]).index].tolist()
    assert table["method"].iloc[[15, 31]].tolist() == [f"Kendall's tau-b with {HEADINGS[0]}"] * 2
    assert table["family"].iloc[15] == ""
    assert (table[HEADINGS[4]].iloc[16:] == "").all()
    assert (table.loc[table["family"] == "control", HEADINGS[4]] == "").all()


def test_a_metric_that_judged_fewer_images_says_so(one):
    frame = one[0].assign(n=one[0]["n"].where(one[0]["metric"] != "insertion", 20))
    table = tabulate(frame)
    assert table.columns.tolist()[4:6] == [HEADINGS[0], f"{HEADINGS[1]}, 20 images"]
    assert table["method"].iloc[-1] == f"Kendall's tau-b with {HEADINGS[0]}"


def test_a_cell_holds_the_rank_and_in_the_last_row_tau(one):
    frame = one[0].assign(low=2.0, high=3.25, tau=-0.5, tau_low=-0.75, tau_high=0.125)
    frame.loc[frame["metric"] == "deletion", ["tau", "tau_low", "tau_high"]] = np.nan
    table = tabulate(frame).set_index("method")
    rank = frame[(frame["method"] == "rise") & (frame["metric"] == "insertion")]["estimate"].item()
    assert table.loc["RISE", HEADINGS[1]] == f"{rank:.0f} [2, 3.2]"
    assert table.iloc[-1][HEADINGS].tolist() == ["", *["-0.50 [-0.75, 0.12]"] * 4]


def test_the_agreement_is_mirrored(rankings, one):
    both = mirrored(one[1])
    assert len(both) == 20
    pair = both[(both["metric"] == "infidelity") & (both["other"] == "deletion")].iloc[0]
    assert pair[["metric_label", "protocol"]].tolist() == ["Infidelity", "infidelity 00ff00"]
    assert pair[["other_label", "other_protocol"]].tolist() == ["Deletion", "rise2018 3f2a9c"]
    table = tabulate_agreement(rankings[1])
    assert table.columns.tolist() == ["data set", "network", "metric", *HEADINGS]
    assert table["metric"].tolist() == HEADINGS + HEADINGS[:4]
    square = table[HEADINGS].to_numpy()[:5]
    assert (square == square.T).all()
    assert ((square == "") == np.eye(5, dtype=bool)).all()
    estimate = one[1].set_index(["metric", "other"]).loc[("insertion", "infidelity"), "estimate"]
    assert square[1, 3].startswith(f"{estimate:.2f}")


def drawn(panel, kind):
    (found,) = [artist for artist in panel.collections if isinstance(artist, kind)]
    return found


def test_a_dot_is_the_rank_and_its_bar_the_interval(one):
    panels = ranks_dots(one[0]).axes
    assert len(panels) == 5
    names = [label.get_text() for label in panels[0].get_yticklabels()]
    assert names == methods(one[0]).loc[mean_ranks(one[0]).index, "label"].tolist()
    row = one[0][(one[0]["label"] == "RISE") & (one[0]["metric"] == "pointing_game")].iloc[0]
    dots = {int(y): x for x, y in drawn(panels[2], PathCollection).get_offsets()}
    bars = {int(bar[0][1]): bar[:, 0].tolist() for bar in drawn(panels[2], LineCollection).get_segments()}
    place = names.index("RISE")
    assert dots[place] == row["estimate"]
    assert bars[place] == [row["low"], row["high"]]
    colours = [to_hex(colour) for colour in drawn(panels[2], PathCollection).get_facecolors()]
    assert colours[place] == to_hex(methods(one[0]).loc["rise", "colour"])


def test_panels_have_their_names_scales_mean_ranks_and_agreement(one):
    panels = ranks_dots(one[0]).axes
    assert [text.get_text() for text in panels[1].texts] == ["Insertion", "rise2018 7c01d4"]
    assert panels[0].get_xlabel() == "tau-b with\nthis one"
    tau, low, high = one[0][one[0]["metric"] == "insertion"].iloc[0][["tau", "tau_low", "tau_high"]]
    assert panels[1].get_xlabel() == f"{tau:.2f}\n[{low:.2f}, {high:.2f}]".replace("-", "\u2212")
    assert [panels[place].get_xticks().tolist() for place in (0, 4)] == [[1, 15], [1, 13]]
    for place, count in ((0, 15), (4, 13)):
        (line,) = panels[place].get_lines()
        np.testing.assert_allclose(line.get_xdata(), mean_ranks(one[0]) * count)
        assert line.get_ydata().tolist() == list(range(15))


def test_many_metrics_stand_in_several_rows_and_no_name_is_cut(one):
    many = pd.concat([one[0].assign(metric=one[0]["metric"] + str(copy)) for copy in range(3)])
    figure = ranks_dots(many)
    assert len(figure.axes) == 15 > ACROSS
    assert len({round(panel.get_position().y0, 3) for panel in figure.axes}) == 2
    figure.draw_without_rendering()
    for panel in figure.axes:
        assert panel.get_tightbbox().y1 <= figure.bbox.y1


def test_the_map_has_the_numbers_in_the_triangle_and_the_names_on_its_diagonal(one):
    panel = agreement_map(one[1]).axes[0]
    cells = np.ma.filled(drawn(panel, QuadMesh).get_array(), np.nan)
    assert np.isnan(cells[np.triu_indices(5)]).all()
    taus = one[1].set_index(["metric", "other"])
    row = taus.loc[("insertion", "infidelity")]
    assert cells[3, 1] == row["estimate"]
    places = {text.get_text(): text.get_position() for text in panel.texts}
    assert places[f"{row['estimate']:.2f}".replace("-", "\u2212")] == (1.5, 3.48)
    assert f"{row['low']:.2f} to {row['high']:.2f}".replace("-", "\u2212") in places
    names = [text for text in panel.texts if text.get_text() in {"Deletion", "Max-sensitivity"}]
    assert [(round(x), round(y - 0.3)) for x, y in (text.xy for text in names)] == [(0, 0), (4, 4)]
    assert {heading.partition(" (")[2][:-1] for heading in HEADINGS} <= set(places)
    assert drawn(panel, QuadMesh).norm.vmin == -1
    assert drawn(panel, QuadMesh).norm.vmax == 1


def test_numbers_are_light_on_dark_and_left_out_where_they_could_not_be_read(one, monkeypatch):
    frame = one[1].assign(estimate=[0.9, -0.9, 0.1, *[np.nan] * 7], low=-1.0, high=1.0)
    texts = {text.get_text(): text.get_color() for text in agreement_map(frame).axes[0].texts}
    assert [texts[number] for number in ("0.90", "\u22120.90", "0.10")] == ["white", "white", "black"]
    assert "nan" not in texts
    monkeypatch.setattr(map_module, "WRITTEN", 4)
    assert len(agreement_map(frame).axes[0].texts) == 10  # five names, five protocols
