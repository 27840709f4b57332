"""The step that makes tables."""

import pandas as pd
import pytest

from pipeline import tabulate
from pipeline.rendering.accuracy import accuracy as make

FORMS = ("csv", "md", "tex", "html")


@pytest.fixture
def paths(accuracy, tmp_path):
    accuracy.to_csv(tmp_path / "frame.csv", index=False)
    found = {form: tmp_path / f"table.{form}" for form in FORMS}
    tabulate.main(str(tmp_path / "frame.csv"), "accuracy", *map(str, found.values()))
    return found


def test_the_csv_is_the_table(paths, accuracy):
    read = pd.read_csv(paths["csv"], dtype=str, keep_default_na=False)
    pd.testing.assert_frame_equal(read, make(accuracy).astype(str), check_dtype=False)


def test_every_format_has_a_block_for_each_data_set(paths):
    marks = {"md": "\n| --- |", "tex": r"\begin{tabular}", "html": "<table "}
    assert {form: paths[form].read_text().count(mark) for form, mark in marks.items()} == dict.fromkeys(marks, 2)


def test_every_format_has_every_number(paths, accuracy):
    for cell in make(accuracy)["total"]:
        assert all(cell in path.read_text() for path in paths.values())


def test_a_class_name_cannot_break_the_table(paths):
    assert r"square \| cross" in paths["md"].read_text()
    assert "<th>square | cross</th>" in paths["html"].read_text()


def test_a_frame_of_no_rows_gives_tables_of_none(accuracy, tmp_path):
    accuracy.iloc[:0].to_csv(tmp_path / "frame.csv", index=False)
    found = [tmp_path / f"table.{form}" for form in FORMS]
    tabulate.main(str(tmp_path / "frame.csv"), "accuracy", *map(str, found))
    assert found[0].read_text() == "data set,network,parameters\n"
    assert found[1].read_text() == "No results.\n"
