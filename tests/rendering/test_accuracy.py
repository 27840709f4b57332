"""The table of accuracies."""

import re

import pandas as pd

from pipeline.rendering.accuracy import accuracy as tabulate
from pipeline.statistics.summaries import accuracy_rows


def run(dataset="digits", model="cnn", seed=0, classes=("cat", "dog")):
    labels = [number for number in range(len(classes)) for _ in range(50)]
    rows = accuracy_rows(labels, [*labels[:-10], *[0] * 10], classes)
    return rows.assign(dataset=dataset, model=model, label="CNN", seed=seed, parameters=1_199_882)


def test_a_row_has_the_accuracy_of_each_class_and_then_the_total():
    table = tabulate(run())
    assert table.columns.tolist() == ["data set", "network", "parameters", "cat", "dog", "total"]
    row = table.iloc[0].tolist()
    assert row == ["digits", "CNN", "1,199,882", "1.00 [0.93, 1.00]", "0.80 [0.67, 0.89]", "0.90 [0.83, 0.94]"]


def test_seeds_have_rows_of_their_own_where_there_are_several():
    table = tabulate(pd.concat([run(seed=0), run(seed=1)]))
    assert table["seed"].tolist() == [0, 1]


def test_networks_of_one_label_are_told_apart():
    assert tabulate(pd.concat([run(), run(model="wide")]))["network"].tolist() == ["CNN (cnn)", "CNN (wide)"]


def test_data_sets_of_other_classes_leave_cells_empty_and_the_total_stays_last(accuracy):
    table = tabulate(accuracy)
    assert table.columns[-1] == "total"
    shapes = table[table["data set"] == "shapes"]
    assert (shapes[[str(digit) for digit in range(10)]] == "").all().all()
    assert (shapes[["disc", "ring", "total"]] != "").all().all()


def test_the_total_is_written_finer_than_the_classes_as_its_interval_allows(accuracy):
    row = tabulate(accuracy).iloc[0]
    assert re.fullmatch(r"\d\.\d\d \[\d\.\d\d, \d\.\d\d\]", row["3"])
    assert re.fullmatch(r"\d\.\d{3} \[\d\.\d{3}, \d\.\d{3}\]", row["total"])


def test_many_classes_show_the_total_alone():
    twenty, more = ([f"c{number}" for number in range(count)] for count in (20, 21))
    assert tabulate(run(classes=twenty)).columns.tolist()[3:] == [*twenty, "total"]
    assert tabulate(run(classes=more)).columns.tolist()[3:] == ["total"]
