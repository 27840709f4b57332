"""Trees of class folders: which files count, of which class and part, and what a table calls the classes."""

import re

import pytest

from pipeline.data._dataset import TEST, TRAIN
from pipeline.data._folders import class_names, tree
from pipeline.vision import torchvision


@pytest.fixture
def lay(tmp_path):
    """A function that makes empty files."""

    def make(*names):
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).touch()
        return tmp_path

    return make


def listed(place, share=0.0):
    return [(each.path.relative_to(place).as_posix(), each.folder, each.part) for each in tree(place, share)]


def test_files_count_by_class_and_path_and_hidden_ones_do_not(lay):
    names = ["dog/b.png", "dog/a.JPG", "cat/deep/er/1.tif", "cat/0", "dog/.DS_Store", ".git/x/y.png", "dog/.x/z.png"]
    place = lay(*names, "labels.csv")
    assert listed(place) == [
        ("cat/0", "cat", TRAIN),
        ("cat/deep/er/1.tif", "cat", TRAIN),
        ("dog/a.JPG", "dog", TRAIN),
        ("dog/b.png", "dog", TRAIN),
    ]


def test_the_order_and_classes_are_those_of_torchvision(lay):
    place = lay(*(f"{folder}/{number}.png" for folder in ("b", "a", "Z", "10", "9") for number in (10, 9, 1)))
    folder = torchvision.datasets.ImageFolder(place)
    found = tree(place, 0.0)
    assert [str(each.path) for each in found] == [path for path, _ in folder.samples]
    assert list(class_names(None, (each.folder for each in found))) == folder.classes


def test_a_share_of_each_class_becomes_test_images_always_the_same(lay):
    place = lay(*(f"a/{n}" for n in range(10)), *(f"b/{n}" for n in range(4)), "c/0")
    found = listed(place, 0.25)
    assert [part for *_, part in found] == sorted(part for *_, part in found)
    tests = [folder for _, folder, part in found if part == TEST]
    assert [tests.count(folder) for folder in "abc"] == [2, 1, 0]
    assert listed(place, 0.25) == found
    assert {name for name, *_ in found} == {name for name, *_ in listed(place)}


@pytest.mark.parametrize(("share", "parts"), [(1.0, {TEST}), (0.0, {TRAIN})])
def test_all_or_none_may_be_test_images(lay, share, parts):
    assert {part for *_, part in listed(lay("a/0", "a/1", "b/0"), share)} == parts


@pytest.mark.parametrize("test", ["test", "val"])
def test_parts_that_the_tree_states_are_kept(lay, test):
    place = lay("train/a/0", "train/b/1", f"{test}/b/0", f"{test}/a/2", "other/c/0")
    assert listed(place, 0.5) == [
        ("train/a/0", "a", TRAIN),
        ("train/b/1", "b", TRAIN),
        (f"{test}/a/2", "a", TEST),
        (f"{test}/b/0", "b", TEST),
    ]


def test_beside_test_images_those_of_validation_join_training(lay):
    place = lay("train/a/0", "val/a/1", "test/a/2")
    assert listed(place) == [("train/a/0", "a", TRAIN), ("val/a/1", "a", TRAIN), ("test/a/2", "a", TEST)]


def test_training_images_alone_are_shared(lay):
    found = listed(lay("train/a/0", "train/a/1", "train/b/0", "train/b/1"), 0.5)
    assert [(folder, part) for _, folder, part in found] == [("a", TRAIN), ("b", TRAIN), ("a", TEST), ("b", TEST)]


def test_a_class_may_be_called_train(lay):
    assert [folder for _, folder, _ in listed(lay("train/0.png", "truck/0.png", "test/0.png"))] == [
        "test",
        "train",
        "truck",
    ]


REFUSED = {
    "no folder": ((), "absent", "is no folder"),
    "a file": (("file",), "file", "is no folder"),
    "no class": (("file", ".hidden/0.png"), "", "holds no class folder"),
    "an empty class": (("top/a/0", "top/b/.hidden"), "top", None),
}


@pytest.mark.parametrize(("names", "where", "told"), REFUSED.values(), ids=REFUSED)
def test_a_tree_that_is_none_is_named(lay, names, where, told):
    place = lay(*names) / where
    told = f"{re.escape(str(place))} {told}" if told else f"{re.escape(str(place / 'b'))} is a class without a file"
    with pytest.raises(ValueError, match=f"^{told}"):
        tree(place, 0.0)


@pytest.fixture
def table(tmp_path):
    """A function that writes a table and returns its path."""

    def write(text, name="classes.csv"):
        (tmp_path / name).write_text(text, encoding="utf-8")
        return tmp_path / name

    return write


def test_without_a_table_the_folders_name_the_classes_in_order():
    assert class_names(None, ["b", "a", "b"]) == {"a": "a", "b": "b"}


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_text_names_one_folder_a_line_in_the_order_of_the_labels(table, mark):
    path = table(f"{mark}dog\n\n  cat \nbird\n", "classes.txt")
    assert list(class_names(path, ["cat", "dog"]).items()) == [("dog", "dog"), ("cat", "cat"), ("bird", "bird")]


def test_a_csv_file_has_the_folders_in_some_column_and_the_names_in_another(table):
    path = table('\ufeffindex,wnid,name\n0,n2,"a cat, or two"\n1,n1,dog\n2,n3,bird\n')
    assert list(class_names(path, ["n1", "n2"]).items()) == [("n2", "a cat, or two"), ("n1", "dog"), ("n3", "bird")]
    assert list(class_names(path, ["dog"])) == ["a cat, or two", "dog", "bird"]
    assert list(class_names(table("wnid\nn2\nn1\n"), ["n1"]).items()) == [("n2", "n2"), ("n1", "n1")]


def test_classes_that_share_a_name_get_their_folder_added(table):
    path = table("wnid,name\nn1,crane\nn2,dog\nn3,crane\n")
    assert list(class_names(path, ["n1"]).values()) == ["crane (n1)", "dog", "crane (n3)"]


WRONG = {
    "absent": ("wnid,name\nn1,dog\n", ["n1", "n2"], "has no column that holds all the class folders, such as 'n1'"),
    "twice": ("wnid,name\nn1,dog\nn1,cat\n", ["n1"], "names the class 'n1' twice"),
    "order": ("index,wnid\n1,n1\n0,n2\n", ["n1"], "its column 'index' does not count from 0"),
    "from one": ("index,wnid\n1,n1\n2,n2\n", ["n1"], "its column 'index' does not count from 0"),
    "nothing": ("", ["n1"], "has no column that holds all the class folders"),
}


@pytest.mark.parametrize(("text", "folders", "told"), WRONG.values(), ids=WRONG)
def test_a_table_that_does_not_fit_is_named(table, text, folders, told):
    path = table(text)
    with pytest.raises(ValueError, match=f"^{re.escape(str(path))}:? {told}"):
        class_names(path, folders)


def test_a_text_that_lacks_a_folder_is_named(table):
    with pytest.raises(ValueError, match=r"classes\.txt does not name the class folder 'cat'$"):
        class_names(table("dog\n", "classes.txt"), ["dog", "cat"])
