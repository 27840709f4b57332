"""Which form of a data set lies where."""

import pytest

from pipeline.data._sources import needed, present, stated

ARCHIVE = {"set.tar": {"md5": "0"}}
PARTS = {"set/train": {"md5": "1"}, "set/test": {"md5": "2", "part": "test"}}


@pytest.fixture
def places(tmp_path):
    """Two folders, and a function that makes empty files in them."""

    def make(*names):
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).touch()
        return [tmp_path / "a", tmp_path / "b"]

    return make


def test_the_first_form_that_is_whole_serves_wherever_it_lies(places):
    folders = places("b/set.tar", "a/set/train", "a/set/test")
    assert present([ARCHIVE, PARTS], folders) == (ARCHIVE, folders[1])
    assert present([PARTS, ARCHIVE], folders) == (PARTS, folders[0])


def test_a_form_that_lacks_a_file_is_not_there_unless_the_file_is_of_test_images(places):
    folders = places("a/set/test", "b/set/train")
    assert needed(PARTS) == ["set/train"]
    assert present([ARCHIVE, PARTS], folders) == (PARTS, folders[1])
    assert present([ARCHIVE, PARTS], folders[:1]) is None


def test_a_folder_is_no_file(places):
    assert present([ARCHIVE], places("a/set.tar/x")) is None


def test_what_an_entry_does_not_ask_for_is_no_part_of_a_form():
    files = {"pictures": {"md5": "0"}, "boxes.tgz": {"md5": "1", "when": "boxes"}}
    assert list(stated(files, {"use": "x"})) == ["pictures"]
    assert list(stated(files, {"use": "x", "boxes": False})) == ["pictures"]
    assert stated(files, {"use": "x", "boxes": True}) == files
