"""Tidy rows hold the numbers of the intervals, each in its place."""

import numpy as np
import pytest

from pipeline.statistics.intervals import bootstrap, seeds_interval, wilson
from pipeline.statistics.summaries import accuracy_rows, coverage_rows, curve_rows, retraining_rows, score_rows

INTERVAL = ["estimate", "low", "high"]


def test_accuracy_is_counted_per_class_and_in_total():
    rows = accuracy_rows([0, 0, 0, 2, 2], [0, 1, 0, 2, 0], ["cat", "dog", "owl"])
    assert rows["class"].tolist() == ["cat", "dog", "owl", "total"]
    assert rows["correct"].tolist() == [2, 0, 1, 3]
    assert rows["n"].tolist() == [3, 0, 2, 5]
    np.testing.assert_array_equal(rows[INTERVAL].to_numpy()[3], np.ravel(wilson(3, 5)))
    assert rows[INTERVAL].loc[1].isna().all()


def test_coverage_answers_the_most_confident_first():
    confidence, right = [0.9, 0.2, 0.8, 0.6], [True, False, False, True]
    rows = coverage_rows(confidence, right, points=4)
    assert rows.columns.tolist() == ["coverage", "confidence", "n", *INTERVAL]
    assert rows["coverage"].tolist() == [0.25, 0.5, 0.75, 1.0]
    assert rows["confidence"].tolist() == [0.9, 0.8, 0.6, 0.2]
    np.testing.assert_array_equal(rows[INTERVAL].to_numpy().T, wilson([1, 1, 2, 2], [1, 2, 3, 4]))


def test_equal_confidence_counts_as_right_in_its_proportion_whatever_the_order():
    found = [coverage_rows([0.5, 0.5, 0.5, 0.5], right, points=2) for right in ([1, 0, 0, 0], [0, 0, 0, 1])]
    assert found[0].equals(found[1])
    assert found[0]["estimate"].tolist() == [0.25, 0.25]


def test_coverage_has_no_more_points_than_images_and_ends_with_all_of_them():
    rows = coverage_rows([0.3, 0.1, 0.2], [True, True, True])
    assert rows["n"].tolist() == [1, 2, 3]
    assert rows["estimate"].tolist() == [1.0, 1.0, 1.0]
    long = coverage_rows(np.arange(1001) / 1001, np.ones(1001, bool))
    assert len(long) == 50
    assert long["n"].iloc[0] == 21  # a fiftieth, rounded up
    assert long["coverage"].iloc[-1] == 1.0


def test_scores_give_one_row_with_the_number_of_images():
    scores = np.random.default_rng(0).random((2, 30))
    rows = score_rows(scores, seed=4)
    assert rows["n"].tolist() == [30]
    np.testing.assert_array_equal(rows[INTERVAL].to_numpy()[0], np.ravel(bootstrap(scores, seed=4)))


@pytest.mark.parametrize("right", [0, 7, 30])
def test_scores_that_count_images_have_the_interval_of_a_share(right):
    rows = score_rows(np.arange(30)[None] < right, counts=True)
    assert rows["n"].tolist() == [30]
    np.testing.assert_array_equal(rows[INTERVAL].to_numpy()[0], np.ravel(wilson(right, 30)))


def test_an_image_may_count_in_part():
    rows = score_rows([[1.0] * 9 + [0.5]], counts=True)
    np.testing.assert_array_equal(rows[INTERVAL].to_numpy()[0], np.ravel(wilson(9.5, 10)))


@pytest.mark.parametrize("apart", [0, 1, 30])
def test_shares_of_several_seeds_have_the_wider_interval_at_either_end(apart):
    scores = np.ones((2, 30))
    scores[1, :apart] = 0
    rows = score_rows(scores, counts=True)
    ends = np.array([np.ravel(bootstrap(scores)), np.ravel(wilson(30 - apart / 2, 30))])
    assert rows[INTERVAL].to_numpy()[0].tolist() == [ends[0, 0], ends[:, 1].min(), ends[:, 2].max()]
    assert rows["low"].item() < rows["high"].item()


def test_scores_that_count_nothing_are_resampled_even_where_they_are_all_one():
    assert score_rows(np.ones((1, 30)))[INTERVAL].to_numpy()[0].tolist() == [1.0, 1.0, 1.0]


def test_a_curve_gives_one_row_per_point():
    curves = np.random.default_rng(0).random((2, 30, 4))
    rows = curve_rows([0.0, 0.1, 0.5, 1.0], curves)
    assert rows.columns.tolist() == ["x", *INTERVAL, "n"]
    assert rows["x"].tolist() == [0.0, 0.1, 0.5, 1.0]
    assert set(rows["n"]) == {30}
    np.testing.assert_array_equal(rows[INTERVAL].to_numpy().T, bootstrap(curves))


@pytest.mark.parametrize("seeds", [1, 3])
def test_retraining_gives_one_row_per_fraction_with_the_number_of_networks(seeds):
    accuracies = np.random.default_rng(0).random((seeds, 2))
    rows = retraining_rows([0.1, 0.9], accuracies)
    assert rows["fraction"].tolist() == [0.1, 0.9]
    assert set(rows["n"]) == {seeds}
    np.testing.assert_array_equal(rows[INTERVAL].to_numpy().T, seeds_interval(accuracies))
