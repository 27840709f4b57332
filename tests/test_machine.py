"""A process is set up for its job: threads, memory, device."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from pipeline import machine

ROOT = Path(__file__).parents[1]


def test_a_job_without_a_gpu_runs_on_the_cpu_with_its_threads():
    code = "import torch; from pipeline import machine; print(machine.prepare(3, 0), torch.get_num_threads())"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout == "cpu 3\n"


def test_a_gpu_that_is_not_there_is_told_in_one_sentence(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(
        ValueError, match=r"\Athe job asks for a GPU and torch sees none; say device: cpu in the config\Z"
    ):
        machine.prepare(torch.get_num_threads(), 1)


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc has the two settings")
def test_freed_memory_is_kept():
    """Large blocks that were freed come back without the kernel's help: their pages are not faulted in again."""
    code = (
        "import resource, torch; from pipeline import machine\n"
        "if {}: machine.prepare(1, 0)\n"
        "for _ in range(20): torch.ones(2**23)\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "for _ in range(8): torch.ones(2**23)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)"
    )
    faults = [
        int(subprocess.run([sys.executable, "-c", code.format(kept)], cwd=ROOT, capture_output=True, check=True).stdout)
        for kept in (True, False)
    ]
    assert faults[0] < 0.5 * faults[1]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device here")
def test_a_job_with_a_gpu_computes_reproducibly_there():
    code = (
        "import os, torch; from pipeline import machine\n"
        "device = machine.prepare(1, 1)\n"
        "print(device, torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark)\n"
        "print(os.environ['CUBLAS_WORKSPACE_CONFIG'], torch.ones(2, device=device).sum().item())"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout == "cuda True False\n:4096:8 2.0\n"
