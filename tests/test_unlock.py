"""A folder is unlocked after a killed run, and never under a run that is going on."""

import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from pipeline import unlock

ROOT = Path(__file__).parent.parent


@pytest.fixture
def locked(tmp_path, monkeypatch):
    (tmp_path / ".snakemake" / "locks").mkdir(parents=True)
    (tmp_path / ".snakemake" / "locks" / "0.output.lock").write_text("a\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(locked):
    """A process that looks like a Snakemake at work in the folder."""
    script = locked / "snakemake"
    script.write_text("import time\ntime.sleep(60)\n")
    process = subprocess.Popen([sys.executable, str(script)], cwd=locked)
    while not any(Path(word).name == "snakemake" for word in psutil.Process(process.pid).cmdline()):
        time.sleep(0.01)
    yield process
    process.kill()
    process.wait()


def test_a_run_that_is_going_on_is_named_and_keeps_its_lock(locked, run):
    with pytest.raises(SystemExit, match=f"a run is going on in this folder .process {run.pid}."):
        unlock.main()
    assert any((locked / ".snakemake" / "locks").iterdir())


def test_a_run_in_another_folder_does_not_count(locked, run, monkeypatch, tmp_path_factory):
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert list(unlock.at_work()) == []


@pytest.mark.workflow
def test_the_lock_of_a_killed_run_is_taken_away(locked, monkeypatch):
    (locked / "Snakefile").write_text("rule all:\n    input: []\n")
    monkeypatch.setattr(sys, "argv", ["unlock", "--quiet", "all"])
    unlock.main()
    assert not any((locked / ".snakemake" / "locks").glob("*"))


def test_a_folder_without_a_lock_is_left_alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    unlock.main()
    assert not list(tmp_path.iterdir())
