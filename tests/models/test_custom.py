"""The user's own function is found in the working directory, called with what it asks for, and must give a network."""

import json
import sys

import pytest
import torch

from pipeline.models.custom import custom

SOURCE = """
from torch import nn
from helping_{name} import WIDTH

def build(classes, size, *, width=WIDTH):
    assert size == (6, 7)
    return nn.Sequential(nn.Flatten(), nn.Linear(2 * 6 * 7, width), nn.ReLU(), nn.Linear(width, classes))

def everything(channels, classes, size):
    return nn.Linear(channels, classes)

def number(classes):
    return classes

class Net(nn.Module):
    def __init__(self, channels, bias=True):
        super().__init__()
        self.layer = nn.Conv2d(channels, 1, 1, bias=bias)

LIMIT = 3
"""
GIVEN = {"channels": 2, "classes": 3, "size": (6, 7)}


@pytest.fixture
def module(tmp_path, monkeypatch, request):
    """Name of a module in the working directory, another for every test: a process imports a name only once."""
    monkeypatch.chdir(tmp_path)
    name = f"nets_{abs(hash(request.node.name))}"
    (tmp_path / f"{name}.py").write_text(SOURCE.format(name=name))
    (tmp_path / f"helping_{name}.py").write_text("WIDTH = 4\n")
    path = list(sys.path)
    yield name
    assert sys.path == path
    for each in [each for each in sys.modules if name in each]:
        del sys.modules[each]


def test_a_function_gets_what_it_asks_for(module):
    model = custom(**GIVEN, entry=f"{module}:build")
    assert model(torch.zeros(5, 2, 6, 7)).shape == (5, 3)
    assert model[1].out_features == 4
    assert custom(**GIVEN, entry=f"{module}:everything").weight.shape == (3, 2)


def test_arguments_are_handed_on(module):
    assert custom(**GIVEN, entry=f"{module}:build", arguments={"width": 9})[1].out_features == 9
    assert custom(**GIVEN, entry=f"{module}:build", arguments={})[1].out_features == 4


def test_a_class_is_called_alike(module):
    assert custom(**GIVEN, entry=f"{module}:Net", arguments={"bias": False}).layer.bias is None


def test_a_module_of_a_package_is_found(module, tmp_path):
    (tmp_path / f"{module}_pack" / "inner").mkdir(parents=True)
    (tmp_path / f"{module}_pack" / "inner" / "net.py").write_text(f"from {module} import everything as build\n")
    assert custom(**GIVEN, entry=f"{module}_pack.inner.net:build").weight.shape == (3, 2)


@pytest.mark.parametrize(
    ("function", "arguments", "says"),
    [
        ("number", None, "must return a torch.nn.Module; it returns int"),
        ("LIMIT", None, "has no function 'LIMIT'"),
        ("absent", None, "has no function 'absent'"),
        (
            "build",
            {"depth": 3},
            "cannot be called with classes, size, depth: got an unexpected keyword argument 'depth'",
        ),
        ("build", {"classes": 9}, ""),
    ],
)
def test_what_gives_no_network_is_refused_in_one_sentence(module, function, arguments, says):
    if not says:  # what is stated goes before what the data set says; the guard refuses the answer
        assert custom(**GIVEN, entry=f"{module}:{function}", arguments=arguments)[3].out_features == 9
        return
    with pytest.raises(ValueError, match=r"^entry: ") as refusal:
        custom(**GIVEN, entry=f"{module}:{function}", arguments=arguments)
    assert says in str(refusal.value)


def test_a_name_that_an_installed_module_has_is_refused(module, tmp_path):
    (tmp_path / "json.py").write_text("def build(): pass\n")
    assert json
    with pytest.raises(ValueError, match=r"^entry: json is .*, and not in the working directory, .*; rename yours\Z"):
        custom(**GIVEN, entry="json:build")
