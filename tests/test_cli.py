"""Every step's main is a command: flags for its parameters, help for each, and one sentence for bad input."""

import importlib
import inspect
import json
import os
import pty
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pipeline import choices, cli, config, plan

ROOT = Path(__file__).parents[1]
STEPS = sorted(
    path.stem for path in (ROOT / "pipeline").glob("*.py") if "    cli.run(main)\n" in path.read_text(encoding="utf-8")
)


def example(
    maps: str,
    method: dict[str, Any],
    target: str | int,
    fractions: list[float],
    paths: list[str],
    batch_size: int = 256,
    flip: bool = False,
    seeds: list[int] | None = None,
    title: str = "None",
) -> None:
    """Explain images.

    More is to be said.

    Args:
        maps: marker of the store to write, which may
            take a second line, 100 % of it.
        method: the method's entry.
        target: the class explained: a name or an index.
        fractions: shares.
        paths: files to read.
        batch_size: images of one call.
        flip: whether to mirror.
        seeds: of the runs.
        title: of the page.

    Returns:
        batch_size: not an argument.
    """


GIVEN = {
    "maps": "a.zarr/zarr.json",
    "method": {"use": "smoothgrad", "noise": 0.15, "base": {"use": "gradient", "x": [1, None, True]}},
    "target": "label",
    "fractions": [0.1, 1e-9],
}


def read_back(settings):
    """Return what the step would get of the flags, as a shell would pass them on."""
    return vars(cli.parser(example).parse_args([*shlex.split(cli.flags({**GIVEN, **settings})), "--paths", "a", "b"]))


def test_settings_come_back_as_they_were():
    found = read_back({"batch_size": 7, "flip": True, "seeds": [0, 1]})
    expected = {**GIVEN, "batch_size": 7, "flip": True, "seeds": [0, 1], "paths": ["a", "b"], "title": "None"}
    assert found == expected
    assert {key: type(value) for key, value in found.items()} == {key: type(value) for key, value in expected.items()}


@pytest.mark.parametrize(
    "target", ["predicted", "label", "7", 7, "007", -1, "-1", "1.5", "", '"7"', '"', "zwölf", "a b", "٣"]
)
def test_a_text_stays_a_text_and_a_number_a_number(target):
    found = read_back({"target": target})["target"]
    assert found == target
    assert type(found) is type(target)


@pytest.mark.parametrize(
    "text",
    [
        "it's",
        'say "no"',
        '"quoted"',
        "$HOME `ls` \\n *",
        "-x",
        "--batch-size 3",
        "a\nb",
        "Übersicht, 漢字",
        "",
        "7",
        "null",
    ],
)
def test_a_text_survives_the_shell(text):
    assert read_back({"title": text, "maps": text})["title"] == text
    assert read_back({"method": {text: [text]}})["method"] == {text: [text]}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), JSON, max_size=3), st.text() | st.integers(), st.text())
def test_whatever_a_config_may_say_comes_back(method, target, title):
    found = read_back({"method": method, "target": target, "title": title})
    assert (found["method"], found["target"], found["title"]) == (method, target, title)
    assert type(found["target"]) is type(target)


def test_the_shell_sees_what_the_parser_sees():
    line = cli.flags({**GIVEN, "title": 'it\'s "$HOME"\n*'})
    code = "import sys, json; print(json.dumps(sys.argv[1:]))"
    run = subprocess.run(
        f"{shlex.quote(sys.executable)} -c '{code}' {line}", shell=True, capture_output=True, check=True
    )
    assert json.loads(run.stdout) == shlex.split(line)


@pytest.mark.parametrize("step", STEPS)
def test_every_parameter_of_a_step_is_explained(step):
    main = importlib.import_module(f"pipeline.{step}").main
    text = cli.parser(main).format_help()
    assert inspect.getdoc(main).splitlines()[0] in text
    actions = {action.dest: action for action in cli.parser(main)._actions if action.dest != "help"}
    assert actions.keys() == inspect.signature(main).parameters.keys()
    for name, parameter in inspect.signature(main).parameters.items():
        assert actions[name].help, f"--{name} is not explained"
        assert actions[name].required == (parameter.default is parameter.empty)
        assert f"--{name.replace('_', '-')}" in text
        assert parameter.annotation is not parameter.empty


def test_help_ends_well_and_shows_each_flag():
    run = subprocess.run(
        [sys.executable, "-m", "pipeline.tabulate", "--help"], cwd=ROOT, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    assert all(flag in run.stdout for flag in ("--frame TEXT", "--table TEXT", "--latex TEXT", "booktabs"))


def test_the_help_of_a_parameter_is_its_whole_entry():
    text = " ".join(cli.parser(example).format_help().split())
    assert "marker of the store to write, which may take a second line, 100 % of it." in text
    assert "More is to be said." in text
    assert "not an argument" not in text


@pytest.mark.parametrize("step", [step for step in choices.SETTINGS if step != "retrain_undegraded"])
def test_the_settings_of_every_job_of_the_shipped_study_fit_its_step(step):
    shipped = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    study = config.complete(shipped)
    parser = cli.parser(importlib.import_module(f"pipeline.{step}").main)
    for action in parser._actions:
        action.required = False
    jobs = [wildcards for name, wildcards in plan.jobs(study) if name == step]
    assert jobs
    for wildcards in jobs:
        settings = choices.settings(step, study, wildcards)
        found = vars(parser.parse_args(shlex.split(cli.flags(settings))))
        assert {key: found[key] for key in settings} == json.loads(json.dumps(settings))


def command(body, *arguments, stderr=subprocess.PIPE):
    """Run a step made of ``body``, with one text parameter and one of JSON."""
    code = f"from pipeline import cli\ndef main(text: str, number: int = 0) -> None:\n    {body}\ncli.run(main)"
    line = [sys.executable, "-c", code, *arguments]
    return subprocess.run(line, cwd=ROOT, stdout=subprocess.PIPE, stderr=stderr, text=True, check=False)


BAD_INPUT = [
    ("raise ValueError('the loss is nan')", "error: the loss is nan"),
    ("raise ValueError('one\\ntwo')", "error: one two"),
    ("open('no such file')", "error: [Errno 2] No such file or directory: 'no such file'"),
]


@pytest.mark.parametrize(("body", "said"), BAD_INPUT)
def test_bad_input_ends_in_one_line_and_status_1(body, said):
    ours, theirs = pty.openpty()
    run = command(body, "--text", "x", stderr=theirs)
    os.set_blocking(ours, False)
    assert os.read(ours, 10_000).decode() == said + "\r\n"
    assert (run.returncode, run.stdout) == (1, "")
    os.close(theirs)
    os.close(ours)


@pytest.mark.parametrize(("body", "said"), BAD_INPUT)
def test_a_log_keeps_where_bad_input_was_found_and_ends_in_the_line(body, said):
    run = command(body, "--text", "x")
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr.splitlines()[-1] == said
    assert "in main" in run.stderr


def test_a_fault_of_ours_keeps_its_traceback():
    run = command("raise KeyError(text)", "--text", "x")
    assert run.returncode == 1
    assert run.stderr.startswith("Traceback")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--text", "x", "--nmber", "3"], "unrecognized arguments: --nmber 3"),
        (["--text", "x", "--num", "3"], "unrecognized arguments: --num 3"),
        (["--number", "3"], "the following arguments are required: --text"),
        (["--text", "x", "--number", "many"], "argument --number: it must be JSON ("),
    ],
)
def test_unknown_missing_and_garbled_flags_end_in_status_2(arguments, said):
    run = command("print(text)", *arguments)
    assert run.returncode == 2
    assert said in run.stderr
    assert "Traceback" not in run.stderr


def test_messages_and_warnings_go_to_the_log():
    body = "import logging, warnings; logging.info('read %s', text); warnings.warn('old'); print(number)"
    run = command(body, "--text", "x", "--number", "3")
    assert (run.returncode, run.stdout) == (0, "3\n")
    assert run.stderr.splitlines()[0].endswith(" read x")
    assert re.search(r"^\d{4}-\S+ \S+ .*UserWarning: old", run.stderr, flags=re.MULTILINE), run.stderr
