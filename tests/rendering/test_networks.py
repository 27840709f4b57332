"""The table of networks: one row each, over all seeds."""

import pandas as pd
import pytest

from pipeline.rendering.networks import networks
from pipeline.statistics.intervals import seeds_interval, wilson
from pipeline.statistics.summaries import accuracy_rows


def run(right, model="cnn", seed=0, published=None):
    """Return the rows of a network that is right for so many of 50 images of one class and all 50 of another."""
    rows = accuracy_rows([0] * 50 + [1] * 50, [0] * right + [1] * (100 - right), ["a", "b"])
    facts = {"dataset": "digits", "model": model, "label": model.upper(), "seed": seed, "parameters": 1_199_882}
    return rows.assign(**facts, published=published)


def test_seeds_become_their_mean_with_students_interval_and_their_extremes():
    frame = pd.concat([run(right, seed=seed, published=0.9923) for seed, right in enumerate((40, 45, 41))])
    (row,) = networks(frame).to_dict("records")
    estimate, low, high = seeds_interval([0.9, 0.95, 0.91])
    assert row == {
        "data set": "digits",
        "network": "CNN",
        "parameters": "1,199,882",
        "seeds": 3,
        "test images": "100",
        "accuracy": f"{estimate:.4f} [{low:.4f}, {high:.4f}]",
        "lowest, highest": "0.9000, 0.9500",
        "published": "0.9923",
    }


def test_one_seed_has_wilsons_interval_and_no_extremes_and_what_is_not_published_is_left_empty():
    (row,) = networks(run(40)).to_dict("records")
    estimate, low, high = wilson(90, 100)
    assert row["accuracy"] == f"{estimate:.4f} [{low:.4f}, {high:.4f}]"
    assert (row["lowest, highest"], row["published"]) == ("", "")


@pytest.mark.parametrize("order", [("wide", "cnn"), ("cnn", "wide")])
def test_networks_stand_in_the_order_of_the_study(order):
    assert networks(pd.concat([run(40, model) for model in order]))["network"].tolist() == [m.upper() for m in order]
