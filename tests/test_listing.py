"""A listing changes with names, sizes and times below a path, and with nothing else."""

import os

import pytest

from pipeline.listing import listing


@pytest.fixture
def tree(tmp_path):
    (tmp_path / "deep" / "er").mkdir(parents=True)
    for name in ("one", "deep/two", "deep/er/three"):
        (tmp_path / name).write_text(name)
        os.utime(tmp_path / name, ns=(10**18, 10**18))
    return tmp_path


def rename(tree):
    (tree / "one").rename(tree / "1")


def swap(tree):
    (tree / "one").rename(tree / "x")
    (tree / "deep" / "two").rename(tree / "one")
    (tree / "x").rename(tree / "deep" / "two")


CHANGES = {
    "a file added": lambda tree: (tree / "deep" / "new").touch(),
    "a file removed": lambda tree: (tree / "deep" / "er" / "three").unlink(),
    "a file renamed": rename,
    "two files swapped": swap,
    "a file moved": lambda tree: (tree / "one").rename(tree / "deep" / "one"),
    "a byte more": lambda tree: ((tree / "one").write_text("ones"), os.utime(tree / "one", ns=(10**18, 10**18))),
    "a nanosecond later": lambda tree: os.utime(tree / "deep" / "two", ns=(10**18, 10**18 + 1)),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_is_noticed(tree, change):
    before = listing([tree])
    assert listing([tree]) == before
    change(tree)
    assert listing([tree]) != before


def test_reading_a_file_or_moving_the_whole_changes_nothing(tree, tmp_path_factory):
    before = listing([tree])
    (tree / "one").read_text()
    assert listing([tree.rename(tmp_path_factory.mktemp("other") / "name")]) == before


def test_several_paths_are_told_apart_and_may_be_files_or_absent(tree):
    paths = [tree / "one", tree / "deep", tree / "absent"]
    found = {listing(paths), listing(paths[::-1]), listing(paths[:2]), listing([]), listing([tree / "deep" / "two"])}
    assert len(found) == 5
    assert listing([tree / "absent"]) == listing([tree / "absent too"])


def test_a_link_is_followed_and_one_to_nowhere_ignored(tree):
    before = listing([tree])
    (tree / "nowhere").symlink_to(tree / "absent")
    assert listing([tree]) == before
    (tree / "link").symlink_to(tree / "one")
    linked = listing([tree])
    assert linked != before
    (tree / "one").write_text("longer")
    assert listing([tree / "link"]) != linked
