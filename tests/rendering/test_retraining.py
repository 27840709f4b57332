"""The table of retrained accuracies."""

import numpy as np

from pipeline.rendering.retraining import retraining as tabulate


def test_columns_are_the_modes_with_their_fractions_and_the_undegraded_accuracy_once(retraining):
    fractions = ("10%", "30%", "50%", "70%", "90%")
    assert tabulate(retraining).columns.tolist() == [
        *("data set", "network", "family", "method", "retrained", "chance", "nothing removed"),
        *(f"ROAR {fraction} \u2193" for fraction in fractions),
        *(f"KAR {fraction} \u2191" for fraction in fractions),
    ]


def test_a_cell_holds_the_accuracy_of_its_row_and_column(retraining):
    table = tabulate(retraining)
    chosen = retraining[(retraining["method"] == "grad_cam") & (retraining["mode"] == "kar")]
    for heading, fraction in (("nothing removed", 0), ("KAR 30% \u2191", 0.3)):
        estimate, low, high = chosen[chosen["fraction"] == fraction][["estimate", "low", "high"]].iloc[0]
        cell = table[table["method"] == "Grad-CAM"][heading].item()
        assert cell == f"{estimate:.3f} [{low:.3f}, {high:.3f}]"


def test_one_retrained_network_gives_no_interval(retraining):
    table = tabulate(retraining.assign(low=np.nan, high=np.nan, n=1))
    assert set(table["retrained"]) == {1}
    assert table["nothing removed"].str.endswith("[no interval]").all()
