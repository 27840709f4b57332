"""Archives made by hand: whole, cut, foreign, and with paths that climb out."""

import gzip
import io
import re
import tarfile

import numpy as np
import pytest

from pipeline.data import _archive

NOISE = np.random.default_rng(0).bytes(40_000)  # does not shrink, so that half of the archive is half of the members
FILES = {"top/first.bin": NOISE, "top/second.bin": b"second", "top/deep/third.bin": b""}


def member(name, content=b"", **fields):
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for field, value in fields.items():
        setattr(info, field, value)
    return info, io.BytesIO(content)


def archive(*members):
    """Return the bytes of a plain tar archive."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for info, content in members:
            tar.addfile(info, content)
    return file.getvalue()


WHOLE = archive(*(member(name, content) for name, content in FILES.items()))


@pytest.fixture
def put(tmp_path):
    """A function that writes a file and returns its path."""

    def write(content):
        (tmp_path / "data.tar").write_bytes(content)
        return tmp_path / "data.tar"

    return write


@pytest.mark.parametrize("packed", [bytes, gzip.compress])
def test_members_are_read_in_the_order_asked_for(put, packed):
    path = put(packed(WHOLE))
    assert list(_archive.read(path, ["top/second.bin", "top/first.bin"]).items()) == [
        ("top/second.bin", b"second"),
        ("top/first.bin", NOISE),
    ]
    found = dict(_archive.members(path, lambda name: name.endswith("d.bin")))
    assert found == {name: FILES[name] for name in ("top/second.bin", "top/deep/third.bin")}


def test_a_name_may_begin_with_the_present_folder(put):
    assert _archive.read(put(archive(member("./a/b", b"content"))), ["a/b"]) == {"a/b": b"content"}


def test_nothing_is_written(put):
    path = put(WHOLE)
    _archive.read(path, list(FILES))
    assert list(path.parent.iterdir()) == [path]


BROKEN = {
    "a page": (b"<!DOCTYPE html><title>Sign in</title>", "is a page of the web and no archive"),
    "a page after a line": (b"\n<html>", "is a page of the web and no archive"),
    "nothing": (b"", "is not a whole archive: "),
    "rubbish": (NOISE, "is not a whole archive: "),
    "a cut gzip file": (gzip.compress(WHOLE)[:20_000], "is not a whole archive: "),
    "a gzip file cut in its head": (gzip.compress(WHOLE)[:5], "is not a whole archive: "),
    "a broken gzip stream": (gzip.compress(WHOLE)[:1000] + bytes(1000), "is not a whole archive: "),
    "a tar cut in a member": (WHOLE[:20_000], "is not a whole archive: "),
    "a tar cut between members": (WHOLE[:40_960], "holds no top/second.bin: it is cut off, or another archive"),
    "another archive": (archive(member("a", b"b")), "holds no top/first.bin: it is cut off, or another archive"),
    "a climbing path": (archive(member("../top/first.bin", b"x")), r"holds '\.\./top/first\.bin', a path that climbs"),
    "a hidden climb": (archive(member("top/../../first.bin")), r"holds 'top/\.\./\.\./first\.bin', a path that climbs"),
    "an absolute path": (archive(member("/etc/first.bin", b"x")), "holds '/etc/first.bin', a path that climbs out"),
    "a link": (
        archive(member("top/first.bin", type=tarfile.SYMTYPE, linkname="/etc/passwd")),
        "holds 'top/first.bin' as something other than a plain file",
    ),
    "a device": (archive(member("top/first.bin", type=tarfile.CHRTYPE)), "holds 'top/first.bin' as something other"),
    "a folder": (archive(member("top/first.bin", type=tarfile.DIRTYPE)), "holds 'top/first.bin' as something other"),
}


@pytest.mark.parametrize(("content", "told"), BROKEN.values(), ids=BROKEN)
def test_what_is_wrong_is_said_in_one_sentence_that_names_the_archive(put, content, told):
    path = put(content)
    with pytest.raises(ValueError, match=rf"^{re.escape(str(path))} {told}") as caught:
        _archive.read(path, list(FILES))
    assert "\n" not in str(caught.value)


def test_a_climbing_member_that_nobody_wants_is_refused_too(put):
    path = put(archive(member("../evil", b"x"), member("a", b"b")))
    with pytest.raises(ValueError, match="climbs out"):
        _archive.read(path, ["a"])


def test_an_absent_archive_is_no_broken_one(tmp_path):
    with pytest.raises(FileNotFoundError):
        _archive.read(tmp_path / "absent.tar", [])
