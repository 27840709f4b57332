"""What a network takes from outside is checked before any job, without importing it, and counts for provenance."""

import sys

import pytest

from pipeline import outside, provenance

NETS = """raise RuntimeError("this module was imported")
from torch.nn import Linear as Layer
import torch

LIMIT = 3

class Net(torch.nn.Module):
    def build_part(self): pass

def build(channels, classes): pass
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty working directory, and a provenance that has seen nothing."""
    monkeypatch.chdir(tmp_path)
    forget()
    yield tmp_path
    forget()


def forget():
    for cached in (provenance._tree, provenance._imports, provenance._meaning):
        cached.cache_clear()


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({}, {}),
        ({"weights": "w.pth"}, {"file": "w.pth"}),
        ({"weights": "DEFAULT"}, {"file": "DEFAULT"}),
        ({"weights": {"file": "w.pth", "sha256": "01234567"}}, {"file": "w.pth", "sha256": "01234567"}),
        ({"weights": {"url": "https://a/w.pth", "sha256": "0"}}, {"url": "https://a/w.pth", "sha256": "0"}),
    ],
)
def test_weights_come_from_a_file_or_an_address(entry, expected):
    assert outside.origin({"use": "simple_cnn", **entry}) == expected


def test_networks_of_torchvision_have_weights_by_name():
    assert outside.origin({"use": "torchvision", "weights": "DEFAULT"}) == {"name": "DEFAULT"}
    assert outside.origin({"use": "torchvision", "weights": "IMAGENET1K_V2"}) == {"name": "IMAGENET1K_V2"}
    assert outside.origin({"use": "torchvision", "weights": "./DEFAULT"}) == {"file": "./DEFAULT"}


def test_a_network_is_pretrained_where_it_has_weights_and_no_training():
    assert outside.pretrained({"weights": "w.pth"})
    assert not outside.pretrained({"weights": "w.pth", "training": {}})
    assert not outside.pretrained({})


@pytest.mark.parametrize("name", ["w.pth", "w.th", "w.safetensors", "w.bin.gz", "w.pth.xz", "a folder/w.pt"])
def test_a_file_that_is_there_is_accepted(here, name):
    (here / name).parent.mkdir(exist_ok=True)
    (here / name).touch()
    outside.check("models.m", {"use": "simple_cnn", "weights": name})
    (here / name).unlink()
    with pytest.raises(
        ValueError, match=r"^config, models\.m\.weights: there is no file '.*'; it is looked up from the w"
    ):
        outside.check("models.m", {"use": "simple_cnn", "weights": name})


@pytest.mark.parametrize("entry", ["my_nets:build", "my_nets:Net", "my_nets:Layer", "pack:build", "pack.inner:build"])
def test_a_function_a_class_or_an_import_of_a_module_in_the_working_directory_is_accepted(here, entry):
    (here / "my_nets.py").write_text(NETS)
    (here / "pack").mkdir()
    (here / "pack" / "__init__.py").write_text("from pack.inner import build")
    (here / "pack" / "inner.py").write_text("def build(): pass")
    outside.check_custom("models.m", entry)
    assert not {"my_nets", "pack", "pack.inner"} & set(sys.modules)


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ("my_nets:biuld", "my_nets.py has no function 'biuld'; did you mean 'build'? there are: Net, build, Layer"),
        ("my_nets:build_part", "has no function 'build_part'; did you mean 'build'?"),
        ("my_nets:LIMIT", "has no function 'LIMIT'; there are: Net, build, Layer"),
        ("mynets:build", "there is no module 'mynets'; put it at mynets.py in the working directory"),
        ("broken:build", "broken.py is no sound Python: "),
        ("empty:build", "has no function 'build'; there are: none"),
        ("my_nets", "it must be module:function, such as my_nets:build; it is 'my_nets'"),
        ("my_nets.py:build()", "it must be module:function"),
        ("../my_nets:build", "it must be module:function"),
        (3, "it must be module:function, such as my_nets:build; it is 3"),
    ],
)
def test_what_is_no_function_in_the_working_directory_is_refused(here, entry, says):
    for name, source in {"my_nets": NETS, "broken": "def build(:\n", "empty": ""}.items():
        (here / f"{name}.py").write_text(source)
    with pytest.raises(ValueError, match=r"^config, models\.m\.entry: .*\Z") as refusal:
        outside.check_custom("models.m", entry)
    assert says in str(refusal.value)


SOURCES = {
    "nets/__init__.py": "from . import layers\n",
    "nets/small.py": "from ..elsewhere import x\nfrom .parts.gate import Gate\nimport torch\ndef build(): return 1\n",
    "nets/layers.py": "import helpers\nfrom pipeline.models._blocks import WIDTHS\n",
    "nets/parts/gate.py": "import json\nGate = 1\n",
    "helpers.py": "X = 1\n",
    "unused.py": "X = 1\n",
    "torch_like.py": "X = 1\n",
}


def code(here, **changes):
    for path, source in (SOURCES | changes).items():
        (here / path).parent.mkdir(parents=True, exist_ok=True)
        (here / path).write_text(source)
    forget()
    return provenance.code("train", {"model": {"use": "custom", "entry": "nets.small:build"}})


def test_the_source_of_a_custom_network_and_all_of_the_users_that_it_imports_count(here):
    found = code(here)
    theirs = {name for name in found if not name.startswith("pipeline")}
    assert theirs == {"nets", "nets.small", "nets.layers", "nets.parts.gate", "helpers"}
    assert {"pipeline.train", "pipeline.models.custom", "pipeline.models._blocks"} <= set(found)
    assert "pipeline.models.simple_cnn" not in found


@pytest.mark.parametrize("path", [path for path in SOURCES if path not in {"unused.py", "torch_like.py"}])
def test_an_edit_of_the_users_source_is_named_and_a_comment_is_none(here, path):
    before = code(here)
    assert code(here, **{path: SOURCES[path] + "# a comment\n"}) == before
    after = code(here, **{path: SOURCES[path] + "MORE = 1\n"})
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")}


def test_other_modules_of_the_working_directory_do_not_count(here):
    assert code(here) == code(here, **{"unused.py": "X = 2\n", "torch_like.py": "X = 2\n"})
    torch = here / "torch.py"
    torch.write_text("X = 1\n")
    assert not {"torch", "unused"} & set(provenance.code("train", {"model": {"use": "simple_cnn"}}))
