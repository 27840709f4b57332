"""A partial rerun reruns exactly what changed: which jobs are due after which edit of the finished study."""

import ast
import os
from pathlib import Path

import pytest

pytestmark = pytest.mark.workflow

METHODS = ("gradient", "smoothgrad", "integrated_gradients", "cam", "random_map")
MAPS = {
    *(f"attribute explain {method}" for method in METHODS),
    *(f"attribute {split} {method}" for split in ("train", "test") for method in ("smoothgrad", "random_map")),
}
SCORES = {f"evaluate {method}" for method in METHODS}
RETRAINED = {f"retrain {mode} {address}" for mode in ("roar", "kar") for address in ("smoothgrad.square", "random_map")}
# What follows changed scores or accuracies, what follows other scores' indexes, and what follows changed maps.
TOLD = {"summarise", "tabulate accuracy", "tabulate scores", "tabulate left_out", "draw scores_dots", "page"}
ANEW = {"exhibit_randomised", "draw randomised_maps"}
SHOWN = {"exhibit", "draw coherence"} | ANEW
ALL = {"download", "train", "predict", "tally", "retrain_undegraded"} | MAPS | SCORES | RETRAINED | TOLD | SHOWN

# The jobs of each method: its maps of every split, its scores, retraining on its maps.
GRADIENT = {"attribute explain gradient", "evaluate gradient"}
SMOOTHGRAD = {
    *(f"attribute {split} smoothgrad" for split in ("explain", "train", "test")),
    "evaluate smoothgrad",
    "retrain roar smoothgrad.square",
    "retrain kar smoothgrad.square",
}
INTEGRATED = {"attribute explain integrated_gradients", "evaluate integrated_gradients"}
CAM = {"attribute explain cam", "evaluate cam"}

# What changes -> the file, its text, the text instead; and the jobs that are due then.
CODE = {
    "a method that another wraps": (
        ("pipeline/attribution/gradient.py", "return target_gradient(", "return 2 * target_gradient("),
        GRADIENT | SMOOTHGRAD | TOLD | SHOWN,
    ),
    "a method that wraps another": (
        ("pipeline/attribution/smoothgrad.py", "mean**2 + variance", "mean**2 - variance"),
        SMOOTHGRAD | TOLD | SHOWN,
    ),
    "a method by itself": (
        ("pipeline/attribution/integrated_gradients.py", "(step + 0.5) / steps", "(step + 1) / steps"),
        INTEGRATED | TOLD | SHOWN,
    ),
    "what several methods share": (
        ("pipeline/attribution/_target.py", ".squeeze(1)", ".squeeze(1) / 2"),
        GRADIENT | SMOOTHGRAD | INTEGRATED | CAM | TOLD | SHOWN,
    ),
    "a reason to refuse a network": (
        ("pipeline/attribution/_requirements.py", "features.mean((2, 3))", "features.amax((2, 3))"),
        CAM | TOLD | SHOWN,
    ),
    "what is held against every network": (
        ("pipeline/models/_guard.py", "OFF_BY = 1e-3", "OFF_BY = 1e-2"),
        MAPS | SCORES | RETRAINED | TOLD | SHOWN,
    ),
    "a metric": (
        ("pipeline/evaluation/insertion.py", "return exchange_curve(", "return {} or exchange_curve("),
        SCORES | TOLD | ANEW,
    ),
    "the ranking of pixels": (
        ("pipeline/evaluation/_ranking.py", "flatten(1) + 0.0", "flatten(1) + 1.0"),
        SCORES | RETRAINED | {"retrain_undegraded"} | TOLD | ANEW,
    ),
    "training": (("pipeline/training/fit.py", "peak * (0.1 + 0.9 *", "peak * (0.2 + 0.8 *"), ALL - {"download"}),
    "the network": (("pipeline/models/_blocks.py", "1024), nn.ReLU", "1024), nn.Tanh"), ALL - {"download"}),
    "the data set": (("pipeline/data/digits.py", "np.rint(levels * 255", "np.rint(levels * 254"), ALL),
    "a statistic": (("pipeline/statistics/intervals.py", "+ z**2 / 4)", "+ z**2 / 5)"), {"tally"} | TOLD),
    "a figure": (("pipeline/rendering/scores_dots.py", "ACROSS = 4", "ACROSS = 3"), {"draw scores_dots", "page"}),
    "a table": (("pipeline/rendering/accuracy.py", "CLASSES = 20", "CLASSES = 5"), {"tabulate accuracy", "page"}),
    "a caption": (("workflow/report/scores.rst", "The score of", "A score of"), {"page"}),
    "the template of the page": (("pipeline/rendering/page.html.j2", "<main", "<main lang=en"), {"page"}),
}
CONFIG = {
    "a method's parameter": (("steps: 4}\n  cam", "steps: 5}\n  cam"), INTEGRATED | TOLD | SHOWN),
    "what a method wraps": (("base: {use: gradient}", "base: {use: random_map}"), SMOOTHGRAD | TOLD | SHOWN),
    "how channels become one number": (
        ("{use: gradient}\n  smooth", "{use: gradient, reduce: abs_sum}\n  smooth"),
        {"evaluate gradient"} | TOLD | SHOWN,
    ),
    "a metric's parameter": (("insertion, steps: 4", "insertion, steps: 5"), SCORES | TOLD | ANEW),
    "a metric more": (
        ("  keep_20:", "  keep_30: {use: degradation_keep, fraction: 0.3}\n  keep_20:"),
        SCORES | TOLD | ANEW,
    ),
    "a method less": (("  integrated_gradients: {use: integrated_gradients, steps: 4}\n", ""), TOLD | SHOWN),
    "a training parameter": (("{epochs: 2}", "{epochs: 2, momentum: 0.8}"), ALL - {"download"}),
    "the epochs, of which retraining has its own": (
        ("{epochs: 2}", "{epochs: 3}"),
        ALL - {"download", "retrain_undegraded"},
    ),
    "how many images are explained": (
        ("explain: 16", "explain: 17"),
        {job for job in MAPS if " explain " in job} | SCORES | TOLD | SHOWN,
    ),
    "the class explained": (("target: predicted", "target: label"), MAPS | SCORES | RETRAINED | TOLD | SHOWN),
    "seeds of retraining": (
        ("seeds: [0, 1]", "seeds: [0, 1, 2]"),
        RETRAINED | {"retrain_undegraded"} | TOLD,
    ),
    "fractions of retraining": (("[0.5, 0.9]", "[0.5, 0.7]"), RETRAINED | TOLD),
    "a figure more": (
        ("scores_dots, randomised_maps]", "scores_dots, randomised_maps, curves]"),
        {"draw curves", "page"},
    ),
}
# Plug-ins that the study does not use.
UNUSED = ("attribution/input_x_gradient", "models/simple_cnn_cam", "data/planted_digits", "rendering/curves")
# Modules that check, route and report: they cannot change a number.
NEUTRAL = ("cli", "config", "outside", "plan", "progress", "provenance")


@pytest.fixture(scope="module")
def study(built, tmp_path_factory):
    return built.copied(tmp_path_factory.mktemp("reruns") / "study")


@pytest.fixture
def own_study(built, tmp_path):
    return built.copied(tmp_path / "study")


def test_a_study_that_has_not_run_is_due_whole(built, tmp_path):
    assert built.anew(tmp_path / "study").due() == ALL


@pytest.mark.parametrize("what", CODE)
def test_an_edit_of_code_makes_due_what_depends_on_it_and_nothing_else(study, what):
    edit, expected = CODE[what]

    with study.edited(*edit):
        assert study.due() == expected


@pytest.mark.parametrize("what", CONFIG)
def test_an_edit_of_the_config_makes_due_what_depends_on_it_and_nothing_else(study, what):
    edit, expected = CONFIG[what]

    with study.edited(study.config, *edit):
        assert study.due() == expected


def test_what_cannot_change_a_number_of_the_study_makes_nothing_due(own_study):
    for module in (*UNUSED, *NEUTRAL):
        path = own_study.folder / "pipeline" / f"{module}.py"
        path.write_text(f"{path.read_text(encoding='utf-8')}\nADDED = 1\n", encoding="utf-8")
    config = own_study.folder / own_study.config
    text = config.read_text(encoding="utf-8").replace("batch_size: 8", "batch_size: 7\ndata_dir: elsewhere")
    config.write_text(text.replace("device: cpu", "device: auto"), encoding="utf-8")

    assert own_study.due() == set()


def test_comments_docstrings_layout_and_file_times_make_nothing_due(own_study):
    for path in sorted((own_study.folder / "pipeline").rglob("*.py")):
        path.write_text(f"# a comment\n{_rewritten(path.read_text(encoding='utf-8'))}\n", encoding="utf-8")
    for part in ("Snakefile", own_study.config, "pipeline", "workflow", "envs"):
        path = own_study.folder / part
        for file in [path, *path.rglob("*")]:
            os.utime(file)

    assert own_study.due() == set()


def test_a_new_method_is_a_file_and_a_line_and_makes_due_its_own_jobs_and_those_that_collect(own_study):
    text = (own_study.folder / "pipeline/attribution/gradient.py").read_text()
    (own_study.folder / "pipeline/attribution/steepness.py").write_text(text.replace("def gradient", "def steepness"))

    with own_study.edited(own_study.config, "  cam:", "  steepness: {use: steepness}\n  cam:"):
        assert own_study.due() == {"attribute explain steepness", "evaluate steepness"} | TOLD | SHOWN


def test_a_changed_metric_recomputes_alone(own_study):
    def times(metric: str) -> dict[Path, tuple[int, int]]:
        paths = own_study.run.glob(f"scores/*/{metric}.zarr/**/*")
        return {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in paths if path.is_file()}

    before = {metric: times(metric) for metric in ("deletion", "insertion", "keep_20")}
    # ids, curve, score, x of three methods, and of the three maps of smoothgrad: two files each, and a marker a store
    assert len(before["insertion"]) == 3 * (1 + 4 * 2) + (1 + 10 * 2)

    with own_study.edited(own_study.config, "insertion, steps: 4", "insertion, steps: 5"):
        own_study.build("--until", "evaluate")

    assert times("deletion") == before["deletion"]
    assert times("keep_20") == before["keep_20"]
    assert set(times("insertion")) == set(before["insertion"])
    assert all(times("insertion")[path] != before["insertion"][path] for path in before["insertion"])


def _rewritten(source: str) -> str:
    """Return the same program in Python's own layout, without its comments and with other docstrings."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body[0].value.value = "Other words."
    return ast.unparse(tree)
