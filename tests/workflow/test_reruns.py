"""A partial rerun reruns exactly what changed: which jobs are due after which edit, by dry runs of the finished study."""

import ast
import os
from pathlib import Path

import pytest

pytestmark = pytest.mark.workflow

METHODS = ("gradient", "smoothgrad", "integrated_gradients", "cam", "random_map")
ADDRESSES = ("smoothgrad.square", "random_map")
MAPS = {f"attribute explain {method}" for method in METHODS} | {
    f"attribute {split} {method}" for split in ("train", "test") for method in ("smoothgrad", "random_map")
}
SCORES = {f"evaluate {method}" for method in METHODS}
RETRAINED = {f"retrain {mode} {address}" for mode in ("roar", "kar") for address in ADDRESSES}
# What follows changed scores or accuracies, and what follows changed maps.
TOLD = {"summarise", "tabulate accuracy", "tabulate scores", "tabulate left_out", "draw scores_dots", "page"}
SHOWN = {"exhibit", "draw coherence"}
ALL = {"download", "train", "predict", "retrain_undegraded"} | MAPS | SCORES | RETRAINED | TOLD | SHOWN

# The jobs that use each method: its maps of every split, its scores, retraining on its maps.
GRADIENT = {"attribute explain gradient", "evaluate gradient"}
SMOOTHGRAD = {
    *(f"attribute {split} smoothgrad" for split in ("explain", "train", "test")),
    "evaluate smoothgrad",
    "retrain roar smoothgrad.square",
    "retrain kar smoothgrad.square",
}
INTEGRATED = {"attribute explain integrated_gradients", "evaluate integrated_gradients"}
CAM = {"attribute explain cam", "evaluate cam"}

EDITS = {
    "the arithmetic of a method that another wraps": (
        ("pipeline/attribution/gradient.py", "return target_gradient(", "return 2 * target_gradient("),
        GRADIENT | SMOOTHGRAD | TOLD | SHOWN,
    ),
    "the arithmetic of a method that wraps another": (
        (
            "pipeline/attribution/smoothgrad.py",
            "variance = deviation / samples",
            "variance = deviation / (samples + 1)",
        ),
        SMOOTHGRAD | TOLD | SHOWN,
    ),
    "the arithmetic of a method of its own": (
        ("pipeline/attribution/integrated_gradients.py", "(step + 0.5) / steps", "(step + 1) / steps"),
        INTEGRATED | TOLD | SHOWN,
    ),
    "what several methods share": (
        ("pipeline/attribution/_target.py", ".squeeze(1)", ".squeeze(1) / 2"),
        GRADIENT | SMOOTHGRAD | INTEGRATED | CAM | TOLD | SHOWN,
    ),
    "a method that the study does not use": (
        ("pipeline/attribution/input_x_gradient.py", 'LABEL = "', 'LABEL = "Another '),
        set(),
    ),
    "a rule that refuses networks": (
        ("pipeline/attribution/_requirements.py", "** 0.5 *", "** 0.25 *"),
        CAM | TOLD | SHOWN,
    ),
    "a method's parameter": (("toy.yaml", "steps: 4}\n  cam", "steps: 5}\n  cam"), INTEGRATED | TOLD | SHOWN),
    "a base's parameter": (
        ("toy.yaml", "base: {use: gradient}", "base: {use: integrated_gradients, steps: 1}"),
        SMOOTHGRAD | TOLD | SHOWN,
    ),
    "a method's reduction of channels": (
        ("toy.yaml", "{use: gradient}\n  smooth", "{use: gradient, reduce: abs_sum}\n  smooth"),
        {"evaluate gradient"} | TOLD | SHOWN,
    ),
    "a metric's arithmetic": (
        ("pipeline/evaluation/insertion.py", "return exchange_curve(", "return {} or exchange_curve("),
        SCORES | TOLD,
    ),
    "a metric's parameter": (("toy.yaml", "insertion, steps: 4", "insertion, steps: 5"), SCORES | TOLD),
    "the ranking of pixels": (
        ("pipeline/evaluation/_ranking.py", "flatten(1) + 0.0", "flatten(1) + 1.0"),
        SCORES | RETRAINED | {"retrain_undegraded"} | TOLD,
    ),
    "a training parameter": (("toy.yaml", "{epochs: 2}", "{epochs: 2, momentum: 0.8}"), ALL - {"download"}),
    "the epochs, which retraining has of its own": (
        ("toy.yaml", "{epochs: 2}", "{epochs: 3}"),
        ALL - {"download", "retrain_undegraded"},
    ),
    "the arithmetic of training": (
        ("pipeline/training/fit.py", "peak * (0.1 + 0.9 *", "peak * (0.2 + 0.8 *"),
        ALL - {"download"},
    ),
    "the network": (("pipeline/models/simple_cnn.py", "1024), nn.ReLU", "1024), nn.Tanh"), ALL - {"download"}),
    "another network": (("pipeline/models/simple_cnn_cam.py", 'LABEL = "', 'LABEL = "Another '), set()),
    "the data set": (("pipeline/data/digits.py", "* 255 / 16)", "* 254 / 16)"), ALL),
    "another data set": (("pipeline/data/planted_digits.py", "STROKE = 0.3", "STROKE = 0.4"), set()),
    "the number of images explained": (
        ("toy.yaml", "explain: 16", "explain: 17"),
        {job for job in MAPS if " explain " in job} | SCORES | TOLD | SHOWN,
    ),
    "the class explained": (
        ("toy.yaml", "target: predicted", "target: label"),
        MAPS | SCORES | RETRAINED | TOLD | SHOWN,
    ),
    "the seeds of retraining": (
        ("toy.yaml", "seeds: [0, 1]", "seeds: [0, 1, 2]"),
        RETRAINED | {"retrain_undegraded"} | TOLD,
    ),
    "the fractions of retraining": (("toy.yaml", "[0.5, 0.9]", "[0.5, 0.7]"), RETRAINED | TOLD),
    "a figure": (
        ("pipeline/rendering/scores_dots.py", "ACROSS = 4", "ACROSS = 3"),
        {"draw scores_dots", "page"},
    ),
    "a table": (("pipeline/rendering/accuracy.py", "CLASSES = 20", "CLASSES = 5"), {"tabulate accuracy", "page"}),
    "a caption": (("workflow/report/scores.rst", "The score of", "A score of"), {"page"}),
    "the template of the page": (("pipeline/rendering/page.html.j2", "<main", "<main lang=en"), {"page"}),
    "the title": (("toy.yaml", "A toy study", "Another study"), {"page"}),
    "a figure left out": (("toy.yaml", "[coherence, scores_dots]", "[scores_dots]"), {"page"}),
    "a figure more": (
        ("toy.yaml", "[coherence, scores_dots]", "[coherence, scores_dots, curves]"),
        {"draw curves", "page"},
    ),
    "a metric more": (
        ("toy.yaml", "  keep_20:", "  keep_30: {use: degradation, keep: 0.3}\n  keep_20:"),
        SCORES | TOLD,
    ),
    "a method less": (
        ("toy.yaml", "  integrated_gradients: {use: integrated_gradients, steps: 4}\n", ""),
        TOLD | SHOWN,
    ),
    "the checks of the config": (("pipeline/config.py", '"gallery": 2', '"gallery": 1 + 1'), set()),
    "the command line": (("pipeline/cli.py", "(%(asctime)s %(message)s)"[1:-1], "%(message)s"), set()),
    "where results lie and what is due": (("pipeline/plan.py", "HERE = ", "THERE = HERE = "), set()),
}


@pytest.fixture(scope="module")
def study(built, tmp_path_factory):
    return built.copied(tmp_path_factory.mktemp("reruns") / "study")


@pytest.fixture
def own_study(built, tmp_path):
    return built.copied(tmp_path / "study")


def test_a_study_that_has_not_run_is_due_whole(new_study):
    assert new_study("toy.yaml").due() == ALL


@pytest.mark.parametrize("what", EDITS)
def test_an_edit_makes_due_what_depends_on_it_and_nothing_else(study, what):
    edit, expected = EDITS[what]

    with study.edited(*edit):
        assert study.due() == expected


def test_batch_size_device_and_data_folder_make_nothing_due(study):
    with (
        study.edited("toy.yaml", "batch_size: 8", "batch_size: 7\ndata_dir: elsewhere"),
        study.edited("toy.yaml", "device: cpu", "device: auto"),
    ):
        assert study.due() == set()


def test_a_new_method_needs_a_file_and_a_line_and_makes_due_its_own_jobs_and_those_that_collect(own_study):
    text = (own_study.folder / "pipeline/attribution/gradient.py").read_text()
    (own_study.folder / "pipeline/attribution/steepness.py").write_text(text.replace("def gradient", "def steepness"))

    with own_study.edited("toy.yaml", "  cam:", "  steepness: {use: steepness}\n  cam:"):
        assert own_study.due() == {"attribute explain steepness", "evaluate steepness"} | TOLD | SHOWN


def test_comments_docstrings_and_layout_make_nothing_due(own_study):
    for path in sorted((own_study.folder / "pipeline").rglob("*.py")):
        path.write_text(f"# a comment\n{_rewritten(path.read_text(encoding='utf-8'))}\n", encoding="utf-8")

    assert own_study.due() == set()


def test_new_times_of_every_source_file_make_nothing_due(own_study):
    for part in ("Snakefile", "toy.yaml", "pipeline", "workflow", "envs"):
        path = own_study.folder / part
        for file in [path, *path.rglob("*")]:
            os.utime(file)

    assert own_study.due() == set()


def test_a_changed_metric_recomputes_alone(own_study):
    def times(metric: str) -> dict[Path, tuple[int, int]]:
        paths = own_study.run.glob(f"scores/*/{metric}.zarr/**/*")
        return {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in paths if path.is_file()}

    before = {metric: times(metric) for metric in ("deletion", "insertion", "keep_20")}
    assert len(before["insertion"]) == 3 * 7 + 19  # curve, score, x; the last for the three maps of smoothgrad

    with own_study.edited("toy.yaml", "insertion, steps: 4", "insertion, steps: 5"):
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
