"""Every job gets devices of its own, and lets them go however it ends."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from threading import Timer

import pytest

from pipeline import gpu

ROOT = Path(__file__).parents[1]
SHOW = "import os; print(os.environ.get('CUDA_VISIBLE_DEVICES', 'unset'), flush=True)"
HOLD = SHOW + "; import sys; sys.stdin.readline()"


@pytest.fixture
def start(tmp_path):
    """A function that starts ``python -m pipeline.gpu`` with made-up devices."""
    running = {}

    def started(count, code=SHOW, devices="a,b", **environment):
        clean = {k: v for k, v in os.environ.items() if k not in {"CUDA_VISIBLE_DEVICES", "SLURM_JOB_ID"}}
        given = {"TMPDIR": str(tmp_path), **environment} | (
            {} if devices is None else {"CUDA_VISIBLE_DEVICES": devices}
        )
        command = [sys.executable, "-m", "pipeline.gpu", str(count), "--", sys.executable, "-c", code]
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        process = subprocess.Popen(command, cwd=ROOT, env=clean | given, text=True, **pipes)
        running[process] = Timer(30, process.kill)  # one that waits for ever makes its test fail
        running[process].start()
        return process

    yield started
    for process, timer in running.items():
        timer.cancel()
        process.kill()
        process.communicate()


def told(process):
    return process.stdout.readline().strip()


def test_jobs_at_the_same_time_get_different_devices_and_a_further_one_waits(start):
    first, second = start(1, HOLD), start(1, HOLD)
    assert {told(first), told(second)} == {"a", "b"}
    third = start(1)
    time.sleep(0.4)
    assert third.poll() is None
    first.stdin.write("\n")
    first.stdin.flush()
    assert first.wait() == 0
    assert told(third) in {"a", "b"}
    assert third.wait() == 0


def test_a_killed_job_lets_its_device_go(start):
    killed = start(2, HOLD)
    assert told(killed) == "a,b"
    waiting = start(2)
    time.sleep(0.4)
    assert waiting.poll() is None
    killed.send_signal(signal.SIGKILL)
    assert told(waiting) == "a,b"
    assert waiting.wait() == 0


def test_jobs_of_two_devices_do_not_block_each_other(start):
    jobs = [start(2, SHOW + "; import time; time.sleep(0.1)", devices="a,b,c") for _ in range(4)]
    for job in jobs:
        assert len(set(told(job).split(","))) == 2
        assert job.wait() == 0


@pytest.mark.parametrize("devices", ["a,b", "", None])
def test_a_job_without_a_gpu_is_left_alone(start, devices):
    held = start(2, HOLD)
    assert told(held) == "a,b"
    assert told(start(0, devices=devices)) == ("unset" if devices is None else devices)


def test_more_than_there_are_is_refused_in_one_sentence(start):
    job = start(3)
    assert job.communicate()[1] == "error: the job asks for 3 GPUs and 2 can be seen\n"
    assert job.returncode == 1


def test_within_slurm_the_scheduler_has_chosen(start):
    held = start(2, HOLD)
    assert told(held) == "a,b"
    job = start(1, devices="b", SLURM_JOB_ID="17")
    assert told(job) == "b"
    assert told(start(1, devices=None, SLURM_JOB_ID="17")) == "unset"


@pytest.mark.parametrize(("count", "status"), [(0, 7), (1, 7), (1, 0)])
def test_the_exit_status_is_that_of_the_command(start, count, status):
    assert start(count, f"raise SystemExit({status})").wait() == status


def test_the_command_is_the_process_itself(start):
    job = start(1, "import os; print(os.getpid())")
    assert int(told(job)) == job.pid


@pytest.mark.parametrize("arguments", [[], ["1"], ["one", "--", "ls"], ["1", "ls"], ["1", "--"], ["-1", "--", "ls"]])
def test_a_wrong_call_is_told_how_to_call(arguments):
    command = [sys.executable, "-m", "pipeline.gpu", *arguments]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert run.stderr.startswith("usage: python -m pipeline.gpu N -- command\n")


@pytest.mark.parametrize(
    ("stated", "devices"),
    [("0,1", ["0", "1"]), (" 3 , GPU-5e ", ["3", "GPU-5e"]), ("", []), ("-1", []), ("0,-1,1", ["0"]), ("0,,1", ["0"])],
)
def test_the_devices_are_those_that_cuda_would_see(monkeypatch, stated, devices):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", stated)
    assert gpu.visible() == devices
    assert gpu.wanted("auto") == int(bool(devices))
    assert (gpu.wanted("cpu"), gpu.wanted("cuda")) == (0, 1)


@pytest.mark.parametrize(("body", "devices"), [("echo 0; echo 1", ["0", "1"]), ("echo broken; exit 9", []), (None, [])])
def test_else_the_driver_is_asked(monkeypatch, tmp_path, body, devices):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    if body:
        (tmp_path / "nvidia-smi").write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
        (tmp_path / "nvidia-smi").chmod(0o755)
    assert gpu.visible() == devices


def test_a_device_that_is_taken_is_not_given_again(tmp_path):
    first = gpu.take(1, ["a", "b"], tmp_path)
    second = gpu.take(1, ["a", "b"], tmp_path)
    assert [device for device, _ in first + second] == ["a", "b"]
    for _, file in first:
        file.close()
    third = gpu.take(1, ["a", "b"], tmp_path)
    assert third[0][0] == "a"
    for _, file in second + third:
        file.close()
