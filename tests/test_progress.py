"""Progress passes every item on, and says in a log or on a terminal how far it is."""

import logging
import os
import pty
import re
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from pipeline import progress

ROOT = Path(__file__).parents[1]


class Clock:
    """A clock that an item moves on by ``step`` seconds."""

    def __init__(self, step):
        self.now, self.step = 100.0, step

    def monotonic(self):
        return self.now

    def work(self, count):
        for item in range(count):
            self.now += self.step
            yield item


@pytest.fixture
def clock(monkeypatch):
    def made(step):
        clock = Clock(step)
        monkeypatch.setattr(progress, "time", clock)
        return clock

    return made


def test_a_log_tells_count_rate_and_time_left(clock, caplog, monkeypatch):
    monkeypatch.setattr(progress, "PAUSE", 0.0)
    with caplog.at_level(logging.INFO):
        assert list(progress.progress(clock(2.0).work(4), 4, "images")) == [0, 1, 2, 3]
    assert caplog.messages == [
        "1 of 4 images, 0.5/s, 6 s left",
        "2 of 4 images, 0.5/s, 4 s left",
        "3 of 4 images, 0.5/s, 2 s left",
    ]


def test_a_log_keeps_quiet_between_its_lines(clock, caplog):
    with caplog.at_level(logging.INFO):
        assert len(list(progress.progress(clock(3.0).work(10), 10, "epochs"))) == 10
    assert caplog.messages == ["4 of 10 epochs, 0.333/s, 18 s left", "8 of 10 epochs, 0.333/s, 6 s left"]


def test_short_work_says_nothing(caplog):
    with caplog.at_level(logging.INFO):
        assert list(progress.progress(iter("abc"), 3, "letters")) == ["a", "b", "c"]
        assert list(progress.progress([], 0, "letters")) == []
    assert caplog.messages == []


def test_items_are_asked_for_one_by_one():
    asked = []
    items = (asked.append(i) or i for i in range(3))
    passed = progress.progress(items, 3, "items")
    assert next(passed) == 0
    assert asked == [0]


def test_an_error_of_the_work_is_let_through():
    def work():
        yield 1
        raise KeyError("image 2")

    with pytest.raises(KeyError, match="image 2"):
        list(progress.progress(work(), 2, "images"))


def test_a_terminal_gets_a_bar_that_goes_away():
    code = (
        "import time\nfrom pipeline.progress import progress\n"
        "print(sum(1 for _ in progress((time.sleep(0.15) for _ in range(4)), 4, 'images')))"
    )
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 100))
    command = [sys.executable, "-c", code]
    run = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=theirs, check=True)
    os.set_blocking(ours, False)
    shown = os.read(ours, 100_000).decode()
    os.close(theirs)
    os.close(ours)
    assert run.stdout == b"4\n"
    assert re.search(r"\d/4 \[\d\d:\d\d<\d\d:\d\d, +[\d.]+ images/s\]", shown)
    assert shown.endswith("\r"), "the bar is left on the terminal"
