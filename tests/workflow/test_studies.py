"""The studies that are shipped can be run, and ask for no job too many."""

import pytest
import yaml

pytestmark = pytest.mark.workflow

TWO_BY_TWO = """
datasets:
  planted_digits: {use: planted_digits, size: 16, digit: 8, explain: 16}
models:
  simple_cnn: {datasets: [digits]}
  simple_cnn_cam: {use: simple_cnn_cam, training: {epochs: 2}}
seeds: [0, 1]
retraining: {models: [simple_cnn_cam], modes: [roar]}
"""


@pytest.fixture
def study(new_study):
    return new_study("toy.yaml")


def jobs(done):
    """Return {rule: number of jobs} from the table that Snakemake prints."""
    assert done.returncode == 0, done.stdout + done.stderr
    table = done.stdout.split("Job stats:")[1].split("total")[0]
    return {line.split()[0]: int(line.split()[1]) for line in table.splitlines()[3:] if line}


def test_every_study_can_be_planned(study):
    found = {path.name: yaml.safe_load(path.read_text()) for path in study.folder.glob("workflow/studies/*.yaml")}
    assert {"mnist.yaml", "smoke.yaml"} <= found.keys()

    for name, content in found.items():
        path = f"workflow/studies/{name}"
        below = [] if "methods" in content else ["config.yaml"]  # an overlay stands on another study
        planned = jobs(study.call(*study.command()[:3], "--configfile", *below, path, "--dry-run"))
        assert planned["page"] == 1, name


def test_the_study_that_is_shipped_is_planned_without_a_word_more_than_snakemake(study):
    planned = jobs(study.call(*study.command()[:3], "--dry-run"))
    content = yaml.safe_load((study.folder / "config.yaml").read_text())

    networks = sum(len(entry.get("datasets", content["datasets"])) for entry in content["models"].values())
    assert planned["train"] == networks * len(content["seeds"])
    assert planned["evaluate"] == planned["train"] * len(content["methods"])


def test_the_rules_have_nothing_that_snakemake_lints(study):
    done = study.call(*study.command()[:3], "--lint")

    assert done.returncode == 0, done.stdout + done.stderr


def test_data_sets_times_models_times_seeds_are_cut_by_what_a_model_names(study):
    (study.folder / "more.yaml").write_text(TWO_BY_TWO)

    planned = jobs(study.snakemake("more.yaml", "--dry-run"))

    # Three pairs: simple_cnn on digits, simple_cnn_cam on both; two seeds of each. Five methods; two of them
    # degrade the images that simple_cnn_cam is trained on anew, in one mode.
    assert planned == {
        "all": 1,
        "download": 2,
        "train": 6,
        "predict": 6,
        "tally": 6,
        "attribute": 6 * 5 + 4 * 2 * 2,
        "evaluate": 6 * 5,
        "retrain_undegraded": 4,
        "retrain": 4 * 2,
        "summarise": 1,
        "exhibit": 3,
        "exhibit_randomised": 3,
        "tabulate": 3,
        "draw": 3 * 3,
        "page": 1,
    }
