"""Studies to run: copies of the project with a small config, and what Snakemake says of them."""

import contextlib
import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PROJECT = HERE.parent.parent
PARTS = ("Snakefile", "config.yaml", "envs", "pipeline", "workflow")  # all that a study needs of the project
# Files that may differ between two runs with the same results: the summary counts what was computed and taken over.
WORKING = re.compile(r"\.progress\.json$|\.lock$|^checkpoint\.pt$|^summary\.md$")
NAMED = ("split", "method", "mode", "address", "figure", "table")  # wildcards that tell jobs of one network apart


@dataclass(frozen=True)
class Study:
    """A copy of the project in a folder, with the config of a study in it."""

    folder: Path
    config: str

    @property
    def results(self) -> Path:
        return self.folder / "results"

    @property
    def run(self) -> Path:
        """The folder of the one network's results."""
        return self.results / "digits" / "simple_cnn" / "seed0"

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "snakemake", "--configfile", self.config, *arguments]

    def snakemake(self, *arguments: str) -> subprocess.CompletedProcess:
        """Run Snakemake in the study's folder, and return how it ended and all that it said."""
        return self.call(*self.command(*arguments))

    def call(self, *command: str) -> subprocess.CompletedProcess:
        return subprocess.run(command, cwd=self.folder, env=environment(), capture_output=True, text=True, check=False)

    def build(self, *arguments: str, cores: int = 2) -> str:
        """Run the study; return what Snakemake said, after asserting that it had nothing to complain of."""
        done = self.snakemake("--cores", str(cores), "--show-failed-logs", *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stderr

    def due(self, *arguments: str) -> set[str]:
        """Return the jobs that the next run would start, such as "attribute explain gradient", by a dry run."""
        done = self.snakemake("--dry-run", *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return set(_jobs(done.stdout + done.stderr))

    @contextmanager
    def edited(self, path: str, old: str, new: str) -> Iterator[None]:
        """Have another text in a file of the study for a while."""
        file = self.folder / path
        before = file.read_text(encoding="utf-8")
        assert before.count(old) == 1, f"{path} has {before.count(old)} times {old!r}"
        file.write_text(before.replace(old, new), encoding="utf-8")
        try:
            yield
        finally:
            file.write_text(before, encoding="utf-8")

    def stopped(self, with_signal: int, when: Callable[[], bool], *arguments: str) -> int:
        """Run the study until ``when`` is true, then send a signal to Snakemake and its jobs; return how it ended."""
        process = self.started(when, *arguments)
        os.killpg(process.pid, with_signal)
        return process.wait(timeout=60)

    @contextmanager
    def orphaned(self, when: Callable[[], bool], *arguments: str) -> Iterator[None]:
        """Run the study until ``when`` is true, kill Snakemake and have its job pause; then let the job end."""
        process = self.started(when, *arguments)
        process.kill()
        process.wait(timeout=60)
        os.killpg(process.pid, signal.SIGSTOP)  # raises unless the job goes on
        try:
            yield
        finally:
            os.killpg(process.pid, signal.SIGCONT)
            with contextlib.suppress(ProcessLookupError):
                while True:
                    os.killpg(process.pid, 0)
                    time.sleep(0.01)

    def started(self, when: Callable[[], bool], *arguments: str) -> subprocess.Popen:
        """Run Snakemake on one core, in a process group of its own, until ``when`` is true."""
        command = self.command("--cores", "1", *arguments)
        with (self.folder / "started.log").open("w") as log:
            process = subprocess.Popen(
                command, cwd=self.folder, env=environment(), stdout=log, stderr=log, start_new_session=True
            )
        while not when():
            assert process.poll() is None, (self.folder / "started.log").read_text()
            time.sleep(0.002)
        return process

    def made(self) -> dict[str, bytes]:
        """Return path and bytes of every result; not what tells how a job went, or keeps work that is not finished."""
        paths = (path for path in self.results.rglob("*") if path.is_file() and not WORKING.search(path.name))
        return {str(path.relative_to(self.results)): path.read_bytes() for path in paths}

    def anew(self, folder: Path) -> "Study":
        """Return a copy that has not run yet."""
        return _new(folder, self.config, self.folder)

    def copied(self, folder: Path) -> "Study":
        """Return a copy, file times and Snakemake's bookkeeping included."""
        shutil.copytree(self.folder, folder)
        return Study(folder, self.config)


def environment() -> dict[str, str]:
    """Return the environment of the tests, in which jobs find this Python, one thread and no network."""
    nowhere = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("SNAKEMAKE", "PYTHON"))}
    return kept | nowhere | {"PATH": path, "OMP_NUM_THREADS": "1"}


def _jobs(said: str) -> Iterator[str]:
    """Yield the name of each job of a dry run, the rule and what tells it from others of the rule."""
    for block in re.findall(r"^(?:local)?rule \w+:\n(?:    .*\n)+", said, flags=re.MULTILINE):
        rule = re.search(r"rule (\w+):", block)[1]
        stated = re.search(r"^    wildcards: (.*)$", block, flags=re.MULTILINE)
        wildcards = dict(pair.split("=") for pair in stated[1].split(", ")) if stated else {}
        if rule != "all":
            yield " ".join([rule, *(wildcards[key] for key in NAMED if key in wildcards)])


def _new(folder: Path, config: str, project: Path = PROJECT) -> Study:
    folder.mkdir(parents=True)
    for source in [*(project / part for part in PARTS), HERE / config]:
        if source.is_dir():
            shutil.copytree(source, folder / source.name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, folder / source.name)
    return Study(folder, config)


@pytest.fixture
def new_study(tmp_path):
    """Make a study that has not run yet: its config, a file beside the tests -> Study."""
    return lambda config: _new(tmp_path / "a study", config)


@pytest.fixture(scope="session")
def study_in():
    """Make a copy of the project for a study that has not run yet: its folder, its config -> Study."""
    return _new


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """The toy study, finished; made once for all workers. Not to be changed: tests copy it."""
    return _shared(tmp_path_factory, "toy.yaml")


@pytest.fixture(scope="session")
def built_blocks(tmp_path_factory):
    """The study whose maps have several blocks, finished; made once for all workers. Not to be changed."""
    return _shared(tmp_path_factory, "blocks.yaml")


def _shared(tmp_path_factory, config: str) -> Study:
    workers = "PYTEST_XDIST_WORKER" in os.environ
    root = tmp_path_factory.getbasetemp().parent if workers else tmp_path_factory.getbasetemp()
    folder = root / f"built {config}"  # the space is on purpose: a project may lie anywhere
    with (root / f"{config}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.exists():
            assert (folder / "finished").exists(), "another worker could not build this study"
            return Study(folder, config)
        study = _new(folder, config)
        (folder / "finished").write_text(study.build(), encoding="utf-8")
        return study
