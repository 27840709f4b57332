"""Files are whole or not there, and a lock is held by one process at a time."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline import files

ROOT = Path(__file__).parents[1]


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_written_with_the_folders_that_it_needs(tmp_path):
    files.write(tmp_path / "a" / "b" / "c.txt", "grün\n")
    assert (tmp_path / "a" / "b" / "c.txt").read_bytes() == "grün\n".encode()
    files.write(str(tmp_path / "a" / "b" / "c.txt"), "red\n")
    assert (tmp_path / "a" / "b" / "c.txt").read_text(encoding="utf-8") == "red\n"
    assert names(tmp_path / "a" / "b") == ["c.txt"]


def test_until_the_end_the_former_content_stands(tmp_path):
    path = tmp_path / "figure.svg"
    path.write_text("former", encoding="utf-8")
    with files.replacing(path) as temporary:
        assert temporary.parent == path.parent, "a rename between file systems is no rename"
        assert temporary.suffix == ".svg"
        assert temporary != path
        temporary.write_text("half", encoding="utf-8")
        assert path.read_text(encoding="utf-8") == "former"
        temporary.write_text("whole", encoding="utf-8")
    assert path.read_text(encoding="utf-8") == "whole"
    assert names(tmp_path) == ["figure.svg"]


def test_who_reads_the_former_file_goes_on_reading_it(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("former", encoding="utf-8")
    with path.open(encoding="utf-8") as reader:
        files.write(path, "whole and longer")
        assert reader.read() == "former"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("former", [None, "former"])
def test_an_error_leaves_the_former_content_and_nothing_else(tmp_path, error, former):
    path = tmp_path / "a.csv"
    if former:
        path.write_text(former, encoding="utf-8")

    def fail():
        with files.replacing(path) as temporary:
            temporary.write_text("half", encoding="utf-8")
            raise error

    with pytest.raises(error):
        fail()
    assert names(tmp_path) == (["a.csv"] if former else [])
    assert not former or path.read_text(encoding="utf-8") == former


def test_an_error_before_anything_is_written_is_the_one_that_is_told(tmp_path):
    def fail():
        with files.replacing(tmp_path / "a.csv"):
            raise ValueError("no such column")

    with pytest.raises(ValueError, match="no such column"):
        fail()


KILLED = """
import sys, time
from pipeline import files
with files.replacing(sys.argv[1]) as temporary:
    temporary.write_text("half")
    print("writing", flush=True)
    time.sleep(60)
"""


def start(code, *arguments):
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def test_a_killed_process_leaves_the_former_content(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("former", encoding="utf-8")
    with start(KILLED, path) as process:
        assert process.stdout.readline() == "writing\n"
        process.send_signal(signal.SIGKILL)
    assert path.read_text(encoding="utf-8") == "former"
    files.write(path, "whole")
    assert path.read_text(encoding="utf-8") == "whole"


HOLDER = """
import sys, time
from pipeline import files
with files.locked(sys.argv[1]):
    print("in", time.monotonic(), flush=True)
    sys.stdin.readline() if sys.argv[2] == "wait" else None
    print("out", time.monotonic(), flush=True)
"""


def holder(lock, how):
    command = [sys.executable, "-c", HOLDER, str(lock), how]
    return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_one_process_at_a_time_is_within_a_lock_and_a_killed_one_lets_go(tmp_path):
    lock = tmp_path / "folder" / ".lock"
    with holder(lock, "wait") as first:
        assert first.stdout.readline().startswith("in")
        with holder(lock, "go") as second:
            time.sleep(0.3)
            assert second.poll() is None
            let_go = time.monotonic()
            first.send_signal(signal.SIGKILL)
            entered = float(second.stdout.readline().split()[1])
            assert second.wait() == 0
    assert entered >= let_go
    with files.locked(lock):
        assert lock.exists()


def test_a_lock_is_let_go_after_an_error(tmp_path):
    def fail():
        with files.locked(tmp_path / "lock"):
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    with holder(tmp_path / "lock", "go") as process:
        assert process.wait(20) == 0


def test_a_report_stands_beside_the_output(tmp_path):
    files.report(tmp_path / "weights.safetensors", taken_over=3, computed=4, unit="epochs")
    found = json.loads((tmp_path / "weights.safetensors.progress.json").read_text(encoding="utf-8"))
    assert found == {"taken_over": 3, "computed": 4, "unit": "epochs"}


def test_two_processes_that_write_one_file_do_not_meet(tmp_path):
    with files.replacing(tmp_path / "a.csv") as temporary:
        assert str(os.getpid()) in temporary.name
        temporary.write_text("", encoding="utf-8")
