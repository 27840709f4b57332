"""The table of scores."""

from pipeline.rendering.scores import scores as tabulate


def test_there_is_a_row_for_each_method_and_a_column_for_each_metric(scores):
    table = tabulate(scores)
    assert len(table) == scores.drop_duplicates(["dataset", "model", "method"]).shape[0]
    assert table.columns.tolist() == [
        "data set", "network", "family", "method", "reduction", "images",
        "Deletion (rise2018 3f2a9c) \u2193", "Insertion (rise2018 7c01d4) \u2191",
        "Pointing game (pointing_game 91ab04) \u2191", "Infidelity (infidelity 00ff00) \u2193",
        "Max-sensitivity (max_sensitivity 123abc) \u2193",
    ]  # fmt: skip


def test_a_cell_holds_the_score_of_its_row_and_column(scores):
    table = tabulate(scores)
    cell = table[(table["network"] == "resnet") & (table["method"] == "RISE")][
        "Insertion (rise2018 7c01d4) \u2191"
    ].item()
    chosen = scores[(scores["model"] == "resnet") & (scores["method"] == "rise") & (scores["metric"] == "insertion")]
    estimate, low, high = chosen[["estimate", "low", "high"]].iloc[0]
    assert cell == f"{estimate:.3f} [{low:.3f}, {high:.3f}]"


def test_what_was_not_scored_is_empty_and_controls_stand_beside_the_methods(scores):
    table = tabulate(scores)
    controls = table[table["family"] == "control"]
    assert len(controls) == 6
    assert (controls["Max-sensitivity (max_sensitivity 123abc) \u2193"] == "").all()
    assert (table[table["family"] != "control"] != "").all().all()


def test_images_are_counted_and_a_metric_that_judged_fewer_says_so(scores):
    assert set(tabulate(scores)["images"]) == {64}
    fewer = scores.assign(n=scores["n"].where(scores["metric"] != "deletion", 20))
    table = tabulate(fewer)
    assert set(table["images"]) == {64}
    assert "Deletion (rise2018 3f2a9c), 20 images \u2193" in table
    assert "Insertion (rise2018 7c01d4) \u2191" in table
    both = fewer.assign(n=fewer["n"].where(fewer["model"] != "resnet", fewer["n"] // 2))
    assert "Deletion (rise2018 3f2a9c), 10 to 20 images \u2193" in tabulate(both)
    assert set(tabulate(both)["images"]) == {32, 64}
