"""The figure of accuracy over coverage."""

import numpy as np
import pandas as pd

from pipeline.rendering.coverage import coverage
from pipeline.statistics.summaries import coverage_rows


def rows(seed):
    draws = np.random.default_rng(seed)
    confidence = draws.random(200)
    facts = {"dataset": "digits", "model": "cnn", "label": "CNN", "seed": seed}
    return coverage_rows(confidence, draws.random(200) < confidence).assign(**facts)


def test_every_seed_has_a_line_through_its_points_and_a_band():
    frame = pd.concat([rows(0), rows(4)])
    (panel,) = coverage(frame).axes
    lines = panel.get_lines()
    assert [line.get_label() for line in lines] == ["seed 0", "seed 4"]
    assert len({line.get_color() for line in lines}) == 2
    for line, seed in zip(lines, (0, 4), strict=True):
        own = frame[frame["seed"] == seed]
        np.testing.assert_array_equal(line.get_xydata(), own[["coverage", "estimate"]])
    bands = [band.get_paths()[0].vertices for band in panel.collections]
    assert [band[:, 1].min() for band in bands] == frame.groupby("seed")["low"].min().tolist()


def test_all_seeds_are_drawn_however_many():
    (panel,) = coverage(pd.concat([rows(seed) for seed in range(9)])).axes
    assert len(panel.get_lines()) == 9
