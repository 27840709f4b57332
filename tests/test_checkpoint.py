"""A training that is killed goes on from its last epoch; a file that is none of its own is never used, nor run."""

import logging
import os
import pickle
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from pipeline import checkpoint

ROOT = Path(__file__).parents[1]
MADE_BY = {"step": "train", "settings": {"seed": 0, "training": {"epochs": 4}}}
OPTIONS = {"mean": torch.tensor([0.4]), "std": torch.tensor([0.3]), "seed": 0, "epochs": 4, "batch_size": 8, "shift": 1}


def network():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.2), nn.Flatten(), nn.Linear(144, 2)
        )


def data():
    images = torch.randint(0, 256, (40, 1, 8, 8), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    return images, torch.arange(40) % 2


def train(path, model=None, made_by=MADE_BY, **options):
    model = model or network()
    return model, checkpoint.train(model, *data(), path, made_by, **OPTIONS | options)


def equal(first, second):
    return all(torch.equal(value, second.state_dict()[name]) for name, value in first.state_dict().items())


class Cut(Exception):  # noqa: N818
    """The process is killed here."""


@pytest.fixture
def cut(monkeypatch):
    """A function that trains until the checkpoint of an epoch is written, then dies."""

    def run(path, epoch):
        save = checkpoint._save

        def saved(path, made_by, state):
            save(path, made_by, state)
            if len(state["history"]) == epoch:
                raise Cut

        with monkeypatch.context() as patched:
            patched.setattr(checkpoint, "_save", saved)
            with pytest.raises(Cut):
                train(path)

    return run


@pytest.mark.parametrize("epoch", [1, 2, 3, 4])
def test_a_training_cut_after_any_epoch_ends_bit_for_bit_like_one_that_was_not(
    tmp_path, cut, caplog, monkeypatch, epoch
):
    whole, history = train(tmp_path / "whole.pt")
    cut(tmp_path / "cut.pt", epoch)
    assert checkpoint.epochs_done(tmp_path / "cut.pt", MADE_BY) == epoch
    saved, save = [], checkpoint._save
    monkeypatch.setattr(checkpoint, "_save", lambda *given: (saved.append(len(given[2]["history"])), save(*given)))
    with caplog.at_level(logging.INFO):
        again, rows = train(tmp_path / "cut.pt")
    assert saved == list(range(epoch + 1, 5)), "an epoch was trained twice"
    assert equal(again, whole)
    assert rows == history
    assert f"took over {epoch} epochs from {tmp_path / 'cut.pt'}" in caplog.messages
    states = [torch.load(tmp_path / name, weights_only=True)["state"] for name in ("whole.pt", "cut.pt")]
    buffers = [state["optimizer"]["state"] for state in states]
    assert buffers[0].keys() == buffers[1].keys()
    assert all(
        torch.equal(buffers[0][key]["momentum_buffer"], buffers[1][key]["momentum_buffer"]) for key in buffers[0]
    )


def test_a_finished_training_is_not_trained_again(tmp_path):
    whole, history = train(tmp_path / "a.pt")
    before = (tmp_path / "a.pt").read_bytes()
    again, rows = train(tmp_path / "a.pt")
    assert equal(again, whole)
    assert rows == history
    assert len(rows) == 4
    assert (tmp_path / "a.pt").read_bytes() == before


@pytest.mark.parametrize("other", [{}, {**MADE_BY, "step": "retrain"}, {"settings": MADE_BY["settings"]}], ids=str)
def test_a_checkpoint_that_something_else_made_is_not_used(tmp_path, cut, other):
    cut(tmp_path / "a.pt", 2)
    assert checkpoint.epochs_done(tmp_path / "a.pt", other) == 0
    found, rows = train(tmp_path / "a.pt", made_by=other, seed=1)
    anew, history = train(tmp_path / "b.pt", made_by=other, seed=1)
    assert equal(found, anew)
    assert rows == history
    assert checkpoint.epochs_done(tmp_path / "a.pt", other) == 4


def test_the_order_of_what_made_it_does_not_count(tmp_path, cut):
    cut(tmp_path / "a.pt", 2)
    assert checkpoint.epochs_done(tmp_path / "a.pt", dict(reversed(MADE_BY.items()))) == 2


def test_no_checkpoint_is_no_epoch(tmp_path):
    assert checkpoint.epochs_done(tmp_path / "none.pt", MADE_BY) == 0


def assert_starts_at_the_beginning(path):
    assert checkpoint.epochs_done(path, MADE_BY) == 0
    whole, history = train(path.with_name("whole.pt"))
    found, rows = train(path)
    assert equal(found, whole)
    assert rows == history


@pytest.mark.parametrize(
    "content",
    [b"", b"\x80", b"garbage", b"PK\x03\x04", b"\x80\x02}q\x00.", b"cos\nsystem\n(S'true'\ntR.", bytes(range(256))],
)
def test_a_file_that_is_no_checkpoint_is_not_used(tmp_path, content):
    (tmp_path / "a.pt").write_bytes(content)
    assert_starts_at_the_beginning(tmp_path / "a.pt")


@pytest.mark.parametrize("content", [[], {}, {"made_by": MADE_BY}, {"state": {}}, torch.zeros(3), 3, None], ids=str)
def test_a_file_of_something_else_is_not_used(tmp_path, content):
    torch.save(content, tmp_path / "a.pt")
    assert_starts_at_the_beginning(tmp_path / "a.pt")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(st.data())
def test_no_damage_of_a_checkpoint_reaches_the_training(tmp_path, data):
    path = tmp_path / "a.pt"
    if not path.exists():
        train(path)
        path.with_name("whole").write_bytes(path.read_bytes())
    content = bytearray(path.with_name("whole").read_bytes())
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    else:
        start = data.draw(st.integers(0, len(content) - 1))
        junk = random.Random(start).randbytes(data.draw(st.sampled_from([1, 4, 400])))
        content[start : start + len(junk)] = junk
    path.write_bytes(content)
    found = checkpoint._load(path, MADE_BY, torch.device("cpu"))
    whole = torch.load(path.with_name("whole"), weights_only=True)["state"]
    assert found is None or all(torch.equal(found["model"][name], value) for name, value in whole["model"].items())
    assert found is None or found["history"] == whole["history"]


class Hostile:
    """Makes a folder when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (os.mkdir, (str(self.path),))


@pytest.mark.parametrize("within", [False, True], ids=["bare", "within a checkpoint"])
@pytest.mark.parametrize("zipped", [False, True], ids=["a pickle", "torch's own file"])
def test_a_hostile_checkpoint_is_not_run(tmp_path, within, zipped):
    path, bad = tmp_path / "a.pt", Hostile(tmp_path / "touched")
    content = {"made_by": checkpoint._key(MADE_BY), "state": bad} if within else bad
    if zipped:
        torch.save(content, path)
    else:
        path.write_bytes(pickle.dumps(content))
    hostile = path.read_bytes()
    assert_starts_at_the_beginning(path)
    assert not (tmp_path / "touched").exists()
    path.write_bytes(hostile)
    torch.load(path, weights_only=False) if zipped else pickle.loads(hostile)
    assert (tmp_path / "touched").is_dir(), "the file was harmless to begin with"


KILLED = """
import sys
sys.path.insert(0, "tests")
import importlib.util
spec = importlib.util.spec_from_file_location("shared", "tests/test_checkpoint.py")
shared = importlib.util.module_from_spec(spec)
spec.loader.exec_module(shared)
import time
import torch
torch.set_num_threads(1)  # as here: sums over another number of threads round otherwise
save = shared.checkpoint._save
def told(path, made_by, state):
    save(path, made_by, state)
    print(len(state["history"]), flush=True)
    time.sleep(60 if len(state["history"]) == 2 else 0)
shared.checkpoint._save = told
shared.train(sys.argv[1])
"""


def test_a_killed_process_is_taken_over(tmp_path):
    command = [sys.executable, "-c", KILLED, str(tmp_path / "a.pt")]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert [process.stdout.readline() for _ in range(2)] == ["1\n", "2\n"]
        process.send_signal(signal.SIGKILL)
    assert checkpoint.epochs_done(tmp_path / "a.pt", MADE_BY) == 2
    assert equal(train(tmp_path / "a.pt")[0], train(tmp_path / "whole.pt")[0])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.pt", "whole.pt"]
