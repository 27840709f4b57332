"""What docs/adding-a-method.md promises a stranger."""

import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

pytestmark = pytest.mark.workflow

DOCUMENT = Path(__file__).parents[2] / "docs" / "adding-a-method.md"
NAME = "contrast_gradient"


def blocks(language):
    text = DOCUMENT.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)


@pytest.fixture
def study(built, tmp_path):
    """The finished toy study, with the method's file and its line in the config."""
    study = built.copied(tmp_path / "study")
    (study.folder / "pipeline" / "attribution" / f"{NAME}.py").write_text(blocks("python")[0], encoding="utf-8")
    config = study.folder / study.config
    (line,) = blocks("yaml")
    config.write_text(config.read_text(encoding="utf-8").replace("methods:\n", f"methods:\n{line}"), encoding="utf-8")
    return study


def test_a_file_and_a_line_give_a_row_and_nothing_else_runs(study):
    before = pd.read_csv(study.results / "summary" / "scores.csv")
    told = {"summarise", "tabulate accuracy", "tabulate scores", "tabulate left_out", "draw scores_dots", "page"}
    shown = {"exhibit", "draw coherence", "exhibit_randomised", "draw randomised_maps"}
    assert study.due() == {f"attribute explain {NAME}", f"evaluate {NAME}", *shown, *told}
    study.build()
    after = pd.read_csv(study.results / "summary" / "scores.csv")
    assert set(after["method"]) == {*before["method"], NAME}
    pd.testing.assert_frame_equal(after[after["method"] != NAME].reset_index(drop=True), before)
    assert "Contrast x Gradient" in (study.results / "tables" / "scores.md").read_text()


def test_a_bad_value_is_refused_before_any_job(study):
    with study.edited(study.config, "power: 2.0", "power: 0"):
        done = study.snakemake("--dry-run")
    assert done.returncode != 0
    assert f"methods.{NAME}.power: it must be a number and above 0; it is 0" in done.stdout + done.stderr


def test_its_own_test_holds(study):
    test = study.folder / f"test_{NAME}.py"
    test.write_text(blocks("python")[1], encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", test.name],
        cwd=study.folder,
        env={"PATH": "", "PYTHONPATH": str(study.folder), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "1 passed" in done.stdout, done.stdout + done.stderr
