"""The arrows of the house, its doors and its sizes, read from the source of every module."""

import ast
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "pipeline"
LAYERS = ["data", "models", "training", "similarity", "attribution", "evaluation", "statistics", "rendering"]
PLUGGABLE = ["data", "models", "similarity", "attribution", "evaluation", "rendering"]  # what configs name lies here
GROUND = {"pipeline.bounds", "pipeline.randomness", "pipeline.vision"}  # what a layer may import beside layers
LIGHT = [
    "bounds",
    "choices",
    "cli",
    "config",
    "files",
    "gpu",
    "outside",
    "plan",
    "provenance",
    "reads",
    "signatures",
]  # what the Snakefile imports
PATHS = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in sorted(PACKAGE.rglob("*.py"))}
PATHS = {name.removesuffix(".__init__"): path for name, path in PATHS.items()}
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in PATHS.items()}


def imported(name):
    """Return every module that module ``name`` imports anywhere, packages and their members alike."""
    found = set()
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "a relative import"
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def ours(name):
    return {module for module in imported(name) if module in PATHS} - {"pipeline"}


def foreign(name):
    return {module.split(".")[0] for module in imported(name)}


def layer(name):
    parts = name.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in LAYERS else None


def functions(name):
    return [node for node in ast.walk(TREES[name]) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


IN_LAYERS = [name for name in PATHS if layer(name)]
PUBLIC = [name for name in IN_LAYERS if name.count(".") == 2 and not name.split(".")[2].startswith("_")]
PLUGINS = [name for name in PUBLIC if layer(name) in PLUGGABLE]
STEPS = [name for name, path in PATHS.items() if "    cli.run(main)\n" in path.read_text(encoding="utf-8")]


def test_the_package_is_made_of_the_layers_the_steps_and_the_ground():
    folders = {path.name for path in PACKAGE.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders == set(LAYERS)
    expected = {"download", "train", "predict", "attribute", "evaluate", "retrain", "summarise", "draw", "verify"}
    assert {f"pipeline.{step}" for step in expected} <= set(STEPS)
    with_main = {name for name in PATHS if any(function.name == "main" for function in functions(name))}
    assert with_main == {*STEPS, "pipeline.gpu", "pipeline.unlock"}


@pytest.mark.parametrize("name", IN_LAYERS)
def test_a_layer_imports_only_leftwards(name):
    before = LAYERS[: LAYERS.index(layer(name)) + 1]
    strangers = {module for module in ours(name) - GROUND if layer(module) not in before}
    assert not strangers, f"{name} imports {strangers}"


@pytest.mark.parametrize("name", [name for name, path in PATHS.items() if path.name == "__init__.py"])
def test_an_init_is_a_docstring_only(name):
    assert len(TREES[name].body) == 1
    assert ast.get_docstring(TREES[name])


@pytest.mark.parametrize("name", PATHS)
def test_nothing_imports_a_step(name):
    assert not ours(name) & set(STEPS)


@pytest.mark.parametrize(
    ("library", "doors"),
    [
        ("zarr", {"pipeline.store"}),
        ("torchvision", {"pipeline.vision"}),
        ("snakemake", {"pipeline.verify"}),
        ("safetensors", {"pipeline.weights"}),
        ("jsonschema", {"pipeline.config"}),
    ],
)
def test_a_library_has_its_doors(library, doors):
    assert {name for name in PATHS if library in foreign(name)} == doors


def test_only_rendering_and_the_step_that_draws_know_how_to_plot():
    users = {name for name in PATHS if foreign(name) & {"matplotlib", "seaborn", "mpl_toolkits"}}
    assert "pipeline.draw" in users
    assert {name for name in users if layer(name) != "rendering"} == {"pipeline.draw"}


def closure(name):
    found, waiting = set(), [name]
    while waiting:
        module = waiting.pop()
        if module not in found:
            found.add(module)
            waiting.extend(ours(module))
    return found


@pytest.mark.parametrize("name", LIGHT)
def test_what_the_snakefile_imports_has_no_torch_in_its_source(name):
    heavy = {"torch", "zarr", "numpy", "pandas", "matplotlib", "torchvision"}
    assert {module: foreign(module) & heavy for module in closure(f"pipeline.{name}") if foreign(module) & heavy} == {}


def test_what_the_snakefile_imports_loads_no_torch():
    code = f"import sys; from pipeline import {', '.join(LIGHT)}; print(*sorted(set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "pipeline.plan" in run.stdout.split()
    assert not {"torch", "numpy", "zarr", "pandas"} & set(run.stdout.split())


def test_the_rules_import_only_what_is_light():
    rules = [ROOT / "Snakefile", *(ROOT / "workflow" / "rules").glob("*.smk")]
    lines = "\n".join(path.read_text(encoding="utf-8") for path in rules).splitlines()
    tree = ast.parse("\n".join(line for line in lines if line.startswith(("from pipeline", "import pipeline"))))
    names = {f"{n.module}.{a.name}" for n in tree.body if isinstance(n, ast.ImportFrom) for a in n.names}
    modules = {name if name in PATHS else name.rpartition(".")[0] for name in names}
    assert modules
    assert modules <= {f"pipeline.{name}" for name in LIGHT}


@pytest.mark.parametrize("name", PATHS)
def test_every_module_says_what_it_is(name):
    assert ast.get_docstring(TREES[name])


@pytest.mark.parametrize("name", IN_LAYERS)
def test_every_function_of_a_layer_is_annotated_and_the_public_ones_documented(name):
    for function in functions(name):
        arguments = function.args
        named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
        bare = [a.arg for a in named if a and not a.annotation and a.arg not in {"self", "cls"}]
        assert not bare, f"{function.name}: {bare} not annotated"
        assert function.returns is not None or function.name == "__init__", function.name
    for function in TREES[name].body:
        if isinstance(function, ast.FunctionDef | ast.ClassDef) and not function.name.startswith("_"):
            assert ast.get_docstring(function), function.name


@pytest.mark.parametrize("name", PLUGINS)
def test_a_plugin_offers_a_function_of_its_name_that_explains_its_parameters(name):
    offered = next(node for node in TREES[name].body if getattr(node, "name", None) == name.split(".")[2])
    assert isinstance(offered, ast.FunctionDef)
    docstring = ast.get_docstring(offered)
    arguments = [argument.arg for argument in (*offered.args.args, *offered.args.kwonlyargs)]
    silent = [argument for argument in arguments if f"\n    {argument}: " not in docstring]
    assert not silent, f"the docstring does not explain {silent}"


@pytest.mark.parametrize("name", PATHS)
def test_no_function_is_longer_than_forty_lines_without_its_docstring(name):
    for function in functions(name):
        first = function.body[0]
        documented = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
        docstring = first.end_lineno - first.lineno + 1 if documented else 0
        assert function.end_lineno - function.lineno + 1 - docstring <= 40, function.name


def test_functions_are_short():
    lengths = []
    for name in PATHS:
        for function in functions(name):
            start = function.body[1 if ast.get_docstring(function) and len(function.body) > 1 else 0]
            lengths.append(function.end_lineno - start.lineno + 1)
    lengths.sort()
    assert lengths[len(lengths) // 2] <= 10
    assert lengths[int(0.9 * len(lengths))] <= 20


def test_the_layers_stand_in_one_order():
    edges = {(layer(a), layer(b)) for a in IN_LAYERS for b in ours(a) if layer(b) and layer(a) != layer(b)}
    assert edges  # the arrows are not vacuous
    assert all(LAYERS.index(later) > LAYERS.index(earlier) for later, earlier in edges)
    assert all(LAYERS.index(a) < LAYERS.index(b) for a, b in pairwise(LAYERS))
