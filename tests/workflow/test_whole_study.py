"""The toy study runs from nothing to its page and its report, and its printed commands can be run by hand."""

import re
import shutil
from dataclasses import replace

import pytest
import yaml

from pipeline import config, plan

pytestmark = pytest.mark.workflow

MARKER = "results/digits/data.zarr/zarr.json"


@pytest.fixture(scope="module")
def study(built, tmp_path_factory):
    return built.copied(tmp_path_factory.mktemp("whole") / "study")


def test_every_file_that_the_plan_lists_is_there_after_one_run(built):
    study = config.complete(yaml.safe_load((built.folder / built.config).read_text()))

    targets = plan.targets(study)

    assert len(targets) == 1 + 2 + 1 + 2 + 9 + 5 + 1 + 4 + 10 + 2 + 3 * 4 + 3 * 3 + 1
    assert [path for path in targets if not (built.folder / path).is_file()] == []


def test_the_first_run_starts_each_job_once(built):
    said = (built.folder / "finished").read_text()

    assert len(re.findall(r"^Finished jobid: ", said, flags=re.MULTILINE)) == 34  # with the job of rule all
    assert "34 of 34 steps (100%) done" in said


def test_no_job_warns_of_anything(built):
    logs = sorted((built.folder / "logs").rglob("*.log"))

    assert len(logs) == 33
    assert max(len(log.read_text().splitlines()) for log in logs) < 10
    loud = {str(log): log.read_text() for log in logs if re.search("warning|error", log.read_text(), re.IGNORECASE)}
    assert loud == {}


def test_a_second_run_says_that_nothing_is_to_be_done(study):
    said = study.build()

    assert "Nothing to be done" in said
    assert "rule " not in said


def test_a_moved_study_has_nothing_to_do_either(study):
    assert study.due() == set()


def test_the_project_may_lie_elsewhere_than_the_results(built, tmp_path):
    elsewhere = replace(built, folder=tmp_path, config=str(built.folder / built.config))

    done = elsewhere.snakemake("--snakefile", str(built.folder / "Snakefile"), "--cores", "1", "--", MARKER)

    assert done.returncode == 0, done.stderr
    assert (tmp_path / MARKER).read_bytes() == (built.folder / MARKER).read_bytes()


def test_the_summary_lists_the_skipped_method_with_its_reason(study):
    summary = (study.results / "summary.md").read_text()

    (row,) = re.findall(r"^\| digits \| simple_cnn \| (.*) \| all \| (.*) \|$", summary, flags=re.MULTILINE)
    assert row == ("cam", "the last linear layer does not lead from the channels of layer 'features.10' to the logits")


def test_the_page_holds_every_figure_and_asks_nobody_for_anything(study):
    page = (study.results / "page" / "index.html").read_text()

    assert "A toy study" in page
    assert page.count("data:image/svg+xml;base64,") == 3
    assert re.findall(r"""(?:src|href)=["']?(?:https?:)?//""", page) == []


def test_the_report_of_snakemake_is_made_without_a_network_and_bears_the_captions(study):
    done = study.snakemake("--report", "report.html")

    assert done.returncode == 0, done.stderr
    report = (study.folder / "report.html").read_text()
    assert "What every method says of the same few images of digits" in report
    assert "Combinations of network, method and metric that the study leaves out" in report
    assert re.findall(r"""<(?:script|link|img)[^>]+(?:src|href)=["']?(?:https?:)?//""", report) == []


def test_a_printed_command_does_by_hand_what_the_job_did(study):
    marker = study.run / "maps" / "explain" / "smoothgrad.zarr" / "zarr.json"
    log = study.folder / "logs/digits/simple_cnn/seed0/maps/explain/smoothgrad.zarr.log"
    wish = ["--dry-run", "--printshellcmds", "--force", "--", str(marker.relative_to(study.folder))]
    (command,) = re.findall(r"^Shell command: (.*)$", study.snakemake(*wish).stdout, flags=re.MULTILINE)
    before = {path: path.read_bytes() for path in marker.parent.rglob("*") if path.is_file()}

    marker.unlink()
    assert study.call("bash", "-c", command).returncode == 0
    assert "smoothgrad.zarr: took over 1 of 1 blocks" in log.read_text()
    assert {path: path.read_bytes() for path in marker.parent.rglob("*") if path.is_file()} == before

    shutil.rmtree(marker.parent)
    assert study.call("bash", "-c", command).returncode == 0
    assert "smoothgrad.zarr: took over 0 of 1 blocks" in log.read_text()
    assert {path: path.read_bytes() for path in marker.parent.rglob("*") if path.is_file()} == before
