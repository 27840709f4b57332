"""A config that cannot be run is refused by a dry run, in a line that names the entry, the fault and what is right."""

import copy
import re
from pathlib import Path

import pytest
import yaml

from pipeline import config

pytestmark = pytest.mark.workflow

TOY = Path(__file__).with_name("toy.yaml")
# What is wrong -> where in the config, what stands there, and what the line must say.
AT_THE_TERMINAL = {
    "an unknown key": (("metod",), {}, r"config, top level: .*'metod'.* did you mean 'methods'\?"),
    "a misspelt method": (
        ("methods", "gradient", "use"),
        "gradiant",
        r"methods\.gradient\.use: .*'gradiant'.* 'gradient'\?",
    ),
    "no samples": (("methods", "smoothgrad", "samples"), 0, r"methods\.smoothgrad\.samples: .* at least 1; it is 0"),
}
IN_PROCESS = {
    "a misspelt metric": (
        ("metrics", "deletion", "use"),
        "deletions",
        r"metrics\.deletion\.use: .*'deletions'.*'deletion'",
    ),
    "a misspelt model": (
        ("models", "simple_cnn", "use"),
        "simple_cn",
        r"models\.simple_cnn\.use: .*'simple_cn'.*'simple_cnn'",
    ),
    "a misspelt data set": (("datasets", "digits", "use"), "digit", r"datasets\.digits\.use: .*'digit'.*'digits'"),
    "an unknown parameter": (
        ("methods", "integrated_gradients", "step"),
        4,
        r"methods\.integrated_gradients: .*takes no 'step'; it takes baseline, blur, steps",
    ),
    "a wrong type": (("metrics", "deletion", "steps"), "four", r"metrics\.deletion\.steps: .*whole number.*'four'"),
    "too large a fraction": (("retraining", "fractions"), [0.5, 1.5], r"retraining\.fractions\.1: .*1\.5.*below 1"),
    "no networks": (("models",), {}, r"config, models: .*at least one entry"),
    "no base": (("methods", "smoothgrad"), {"use": "smoothgrad"}, r"methods\.smoothgrad: .*needs 'base'.*add base:"),
}


def changed(where, value):
    study = copy.deepcopy(yaml.safe_load(TOY.read_text(encoding="utf-8")))
    *path, last = where
    entry = study
    for key in path:
        entry = entry[key]
    entry[last] = value
    return study


@pytest.mark.parametrize("what", AT_THE_TERMINAL)
def test_snakemake_says_in_one_line_what_is_wrong_before_any_job(new_study, what):
    where, value, says = AT_THE_TERMINAL[what]
    study = new_study("toy.yaml")
    (study.folder / "toy.yaml").write_text(yaml.safe_dump(changed(where, value)), encoding="utf-8")

    done = study.snakemake("--dry-run")

    assert done.returncode != 0
    said = done.stdout + done.stderr
    assert len([line for line in said.splitlines() if re.search(says, line)]) == 1
    assert len(said.splitlines()) == 3  # the line itself, and where the rules refuse the config
    assert "Traceback" not in said
    assert not study.results.exists()


@pytest.mark.parametrize("what", IN_PROCESS)
def test_what_snakemake_checks_says_in_one_line_what_is_wrong(what):
    where, value, says = IN_PROCESS[what]

    with pytest.raises(ValueError, match=says) as caught:
        config.complete(changed(where, value))

    assert "\n" not in str(caught.value)


def test_a_method_that_a_network_refuses_is_no_error():
    study = config.complete(yaml.safe_load(TOY.read_text(encoding="utf-8")))

    assert study["methods"]["cam"] == {"use": "cam"}
    assert study["models"].keys() == {"simple_cnn"}
