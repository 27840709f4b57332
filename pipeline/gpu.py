"""Run a command on GPUs of its own: ``python -m pipeline.gpu 1 -- python -m pipeline.attribute ...``.

Snakemake's ``gpu`` resource limits how many jobs use a GPU, not which one each uses. This takes free devices by lock,
names them in CUDA_VISIBLE_DEVICES and becomes the command; the locks end with it, however it ends. Within a Slurm job
the scheduler has already chosen, and with 0 devices asked for or none to be seen there is nothing to choose.
"""

import fcntl
import os
import subprocess
import sys
import tempfile
import time
from itertools import takewhile
from pathlib import Path
from typing import IO

PAUSE = 0.5  # seconds between two looks for a free device


def visible() -> list[str]:
    """Return the devices that this process may use: CUDA_VISIBLE_DEVICES where it is set, else those of nvidia-smi."""
    stated = os.environ.get("CUDA_VISIBLE_DEVICES")
    if stated is not None:
        named = (device.strip() for device in stated.split(","))
        return list(takewhile(lambda device: device not in {"", "-1"}, named))  # CUDA too stops at what is no device
    command = ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return []
    return found.stdout.split() if found.returncode == 0 else []


def wanted(device: str) -> int:
    """Return how many GPUs a job should ask for under the config's ``device``: auto, cpu or cuda."""
    return int(device == "cuda" or (device == "auto" and bool(visible())))


def take(count: int, devices: list[str], folder: Path) -> list[tuple[str, IO[str]]]:
    """Wait until ``count`` of ``devices`` are free, lock them and return them with their open lock files."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "gate").open("a") as gate:
        fcntl.flock(
            gate, fcntl.LOCK_EX
        )  # one at a time chooses, so that two jobs of two devices cannot block each other
        while True:
            held = [(device, file) for device in devices if (file := _try(folder / f"{device}.lock")) is not None]
            for _, file in held[count:]:
                file.close()
            if len(held) >= count:
                return held[:count]
            for _, file in held:
                file.close()
            time.sleep(PAUSE)


def _try(path: Path) -> IO[str] | None:
    file = path.open("a")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


def main() -> None:
    """Read ``N -- command`` from the command line and become the command."""
    count, separator, *command = sys.argv[1:] if len(sys.argv) > 2 else ["", ""]
    if separator != "--" or not command or not count.isdigit():
        sys.exit(f"usage: python -m pipeline.gpu N -- command\n\n{__doc__}")
    devices = visible() if int(count) and "SLURM_JOB_ID" not in os.environ else []
    if devices:
        if len(devices) < int(count):
            sys.exit(f"error: the job asks for {count} GPUs and {len(devices)} can be seen")
        held = take(int(count), devices, Path(tempfile.gettempdir()) / f"saliency-assay-gpus-{os.getuid()}")
        for _, file in held:
            os.set_inheritable(file.fileno(), True)
        os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(device for device, _ in held)
    os.execvp(command[0], command)


if __name__ == "__main__":
    main()
