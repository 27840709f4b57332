"""Torchvision can be imported, with the operators that it registers or with their mere schemas."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
# What torchvision does on import where its compiled operators are missing: it fails on the first that it registers.
BARE = """
import torch
if FAIL:
    @torch.library.register_fake("torchvision::nms")
    def nms(boxes, scores, threshold):
        return boxes
    @torch.library.register_fake("torchvision::qnms")
    def qnms(boxes, scores, threshold):
        return boxes
loaded = True
"""


def run(folder, code):
    command = [sys.executable, "-W", "error", "-c", f"import sys; sys.path[:0] = [{str(folder)!r}, '.']\n{code}"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_torchvision_works_after_it():
    from pipeline.vision import torchvision

    assert torchvision.__version__
    assert torchvision.transforms.functional.hflip is not None
    assert torchvision.models.resnet18 is not None


def test_missing_operators_are_declared_and_the_import_is_tried_again(tmp_path):
    (tmp_path / "torchvision.py").write_text(BARE.replace("FAIL", "True"), encoding="utf-8")
    alone = run(tmp_path, "import torchvision")
    assert "operator torchvision::nms does not exist" in alone.stderr
    found = run(tmp_path, "from pipeline.vision import torchvision; print(torchvision.loaded)")
    assert found.stdout == "True\n", found.stderr


def test_nothing_is_declared_where_nothing_is_missing(tmp_path):
    (tmp_path / "torchvision.py").write_text(BARE.replace("FAIL", "False"), encoding="utf-8")
    code = "import pipeline.vision, torch; print(hasattr(torch.ops.torchvision, 'nms'))"
    found = run(tmp_path, code)
    assert found.stdout == "False\n", found.stderr
