"""Pickles: those of numbers are read, hostile ones are refused and nothing of them runs."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pipeline.data._pickles import unpickled

PATH = Path("batch")
ARRAY = np.arange(12, dtype=np.uint8).reshape(3, 4)
# As Python 2 wrote it: protocol 2, byte strings without an encoding, numpy under its former name.
PYTHON_2 = (
    b"\x80\x02}q\x01(U\x04dataq\x02cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R(K\x01K\x02K"
    b"\x02\x86cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U\x04\x01\xff"
    b"\x80\ntbU\x06labels](K\x07K\x02eu."
)


@pytest.mark.parametrize("protocol", range(5))
def test_arrays_lists_texts_and_numbers_are_read(protocol):
    content = {"data": ARRAY, "labels": [1, 2], "text": "ä", "bytes": b"\xff\x00", "deep": {"x": (1.5, None, True)}}
    found = unpickled(pickle.dumps(content, protocol), PATH)
    np.testing.assert_array_equal(found.pop("data"), content.pop("data"))
    assert found == content


def test_a_pickle_of_python_2_is_read():
    found = unpickled(PYTHON_2, PATH)
    assert found["labels"] == [7, 2]
    assert found["data"].dtype == np.uint8
    assert found["data"].tolist() == [[1, 255], [128, 10]]


class Calls:
    """Pickled as a call of ``function``."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_hostile_pickle_is_refused_and_does_not_run(tmp_path, protocol):
    trace = tmp_path / "it ran"
    for call in (Calls(os.mkdir, str(trace)), Calls(eval, f"open({str(trace)!r}, 'w')"), Calls(getattr, "", "join")):
        with pytest.raises(ValueError, match=r"^batch is no pickle of plain arrays, and was not read: it asks for"):
            unpickled(pickle.dumps({"data": call}, protocol), PATH)
    assert not trace.exists()
    pickle.loads(pickle.dumps(Calls(os.mkdir, str(trace)), protocol))
    assert trace.exists(), "the pickle would have run where it is not refused"


DISGUISED = {
    "a name with dots": b"\x80\x04\x8c\x05numpy\x8c\x0fndarray.__new__\x93.",
    "a module of numpy": b"cnumpy.testing._private.utils\nrunstring\n.",
    "another codec": b"c_codecs\nencode\n(X\x03\x00\x00\x00abcX\x05\x00\x00\x00rot13tR.",
    "a place outside": b"Pplace\n.",
    "an extension": b"\x82\x01.",
}


@pytest.mark.parametrize("content", DISGUISED.values(), ids=DISGUISED)
def test_what_arrays_do_not_need_is_refused(content):
    with pytest.raises(ValueError, match=r"^batch is no pickle of plain arrays"):
        unpickled(content, PATH)


@pytest.mark.parametrize("content", [b"", b"<html>", pickle.dumps({"a": 1})[:-3], PYTHON_2[:80]])
def test_a_foreign_or_cut_file_is_named(content):
    with pytest.raises(ValueError, match=r"^batch is no pickle of plain arrays"):
        unpickled(content, PATH)


def test_a_pickle_of_something_else_is_named():
    with pytest.raises(ValueError, match=r"^batch is the pickle of a list and of no dict$"):
        unpickled(pickle.dumps([1]), PATH)


def test_reading_warns_of_nothing():
    code = "import sys; from pathlib import Path; from pipeline.data._pickles import unpickled"
    code += "; unpickled(sys.stdin.buffer.read(), Path())"
    command = [sys.executable, "-W", "error", "-c", code]
    subprocess.run(command, input=PYTHON_2, cwd=Path(__file__).parents[2], check=True, capture_output=True)
