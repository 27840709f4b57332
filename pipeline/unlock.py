"""Free this folder from the lock of a Snakemake that was killed, unless one is still at work here.

Snakemake keeps its lock after ``kill -9`` and refuses to start until told ``--unlock``; told so while another run is
going on, it would let two runs work on the same results.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil

LOCKS = Path(".snakemake", "locks")


def at_work() -> Iterator[int]:
    """Yield the process ids of every Snakemake, this process and its ancestors apart, whose folder is this one."""
    own = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    for process in psutil.process_iter():
        try:
            named = any(Path(word).name == "snakemake" for word in process.cmdline()[:4])
            if named and process.pid not in own and process.cwd() == os.getcwd():
                yield process.pid
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue  # it has ended, or belongs to somebody else


def main() -> None:
    """Unlock the folder, or say who is at work in it, with exit status 1."""
    if not LOCKS.is_dir() or not any(LOCKS.iterdir()):
        return
    if found := sorted(at_work()):
        sys.exit(f"error: a run is going on in this folder (process {found[0]}); wait for it, or stop it with Ctrl-C")
    subprocess.run([sys.executable, "-m", "snakemake", "--unlock", *sys.argv[1:]], check=True)


if __name__ == "__main__":
    main()
