"""Names become functions with their parameters filled in, from the config first and from the step where it is asked."""

import copy
import functools

import pytest
import torch
from torch import nn

from pipeline import plugins, signatures
from pipeline.attribution.grad_cam import grad_cam
from pipeline.attribution.gradient import gradient
from pipeline.attribution.integrated_gradients import integrated_gradients
from pipeline.attribution.smoothgrad import smoothgrad

LAYERS = ["data", "models", "similarity", "attribution", "evaluation", "rendering"]


@pytest.mark.parametrize(("layer", "name"), [(layer, name) for layer in LAYERS for name in signatures.names(layer)])
def test_the_file_is_the_registration(layer, name):
    function = plugins.load(layer, name)
    assert (function.__name__, function.__module__) == (name, f"pipeline.{layer}.{name}")


@pytest.mark.parametrize("name", ["grad_cma", "_layers", "__init__", "gradient.py", "", "../models/simple_cnn"])
def test_what_is_no_module_is_refused_with_those_that_are(name):
    with pytest.raises(ValueError, match=r"no module of attribution is called .*; there are: .*grad_cam, .*gradient"):
        plugins.load("attribution", name)


def test_the_entry_fills_in_its_parameters_and_the_step_what_is_asked_for():
    mean, std = torch.ones(1), torch.ones(1)
    bound = plugins.bind(
        "attribution", {"use": "integrated_gradients", "steps": 3}, mean=mean, std=std, ids=None, labels=None
    )
    assert bound.func is integrated_gradients
    assert bound.keywords == {"steps": 3, "mean": mean, "std": std}


def test_what_the_entry_says_goes_before_what_the_step_gives():
    assert plugins.bind("attribution", {"use": "grad_cam", "layer": "features.2"}, layer="x").keywords == {
        "layer": "features.2"
    }
    assert plugins.bind("attribution", {"use": "grad_cam", "layer": "auto"}, layer="x").keywords == {"layer": "x"}
    assert plugins.bind("attribution", {"use": "grad_cam"}, layer="x").keywords == {"layer": "x"}


def test_what_only_the_steps_read_is_not_passed_on():
    assert plugins.bind("attribution", {"use": "gradient", "reduce": "sum"}).keywords == {}
    entry = {"use": "simple_cnn", "datasets": ["digits"], "training": {"epochs": 3}}
    entry |= {"weights": "w.pth", "normalise": "imagenet"}
    model = plugins.network(entry, channels=3, classes=7, size=(8, 16))
    assert model(torch.zeros(2, 3, 8, 16)).shape == (2, 7)


def test_a_base_is_bound_with_the_same_gifts_to_its_first_map():
    generator = torch.Generator()
    inner = {"use": "smoothgrad", "samples": 1, "base": {"use": "grad_cam"}}
    bound = plugins.bind(
        "attribution", {"use": "smoothgrad", "samples": 2, "base": inner}, generator=generator, layer="l"
    )
    assert bound.func is smoothgrad
    assert bound.keywords["generator"] is generator
    middle = bound.keywords["base"].__wrapped__
    assert middle is smoothgrad
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 3))
    images, targets = torch.randn(2, 1, 2, 2), torch.tensor([0, 2])
    plain = plugins.bind(
        "attribution", {"use": "smoothgrad", "noise": 0, "base": {"use": "gradient"}}, generator=generator
    )
    nested = {"use": "smoothgrad", "noise": 0, "base": {"use": "smoothgrad", "noise": 0, "base": {"use": "gradient"}}}
    found = plugins.bind("attribution", nested, generator=generator)(model, images, targets)
    torch.testing.assert_close(found["mean"], gradient(model, images, targets))
    torch.testing.assert_close(found, plain(model, images, targets))


def test_similarities_become_functions_by_their_names_in_a_base_too():
    entry = {"use": "d_rise", "similarity": ["logit", "cosine"]}
    expected = {"logit": plugins.load("similarity", "logit"), "cosine": plugins.load("similarity", "cosine")}
    assert list(plugins.bind("attribution", entry).keywords["similarity"].items()) == list(expected.items())
    outer = plugins.bind("attribution", {"use": "smoothgrad", "samples": 1, "noise": 0.0, "base": entry})
    first = outer.keywords["base"]
    assert first.__wrapped__ is plugins.load("attribution", "d_rise")
    assert signatures.parts(entry) == ("logit", "cosine")
    assert signatures.addresses("d", entry) == ["d.logit", "d.cosine"]


@pytest.mark.parametrize(
    "entry",
    [
        {"use": "smoothgrad", "base": {"use": "grad_cam", "layer": "auto"}, "reduce": "sum"},
        {"use": "d_rise", "similarity": ["cosine"]},
    ],
)
def test_binding_changes_no_entry(entry):
    before = copy.deepcopy(entry)
    bound = plugins.bind("attribution", entry, layer="x", generator=torch.Generator())
    assert entry == before
    assert isinstance(bound, functools.partial)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"use": "gradient", "steps": 3}, "gradient takes no 'steps'"),
        ({"use": "integrated_gradients", "steps": 0}, "at least 1"),
        ({"use": "smoothgrad"}, "smoothgrad needs 'base'"),
        ({"use": "smoothgrad", "base": {"use": "gradeint"}}, "did you mean 'gradient'"),
        ({}, "no plug-in is called None"),
    ],
)
def test_an_entry_is_checked_before_it_is_bound(entry, message):
    with pytest.raises(ValueError, match=message):
        plugins.bind("attribution", entry)


IMAGES = torch.zeros(2, 1, 8, 8)


def networks():
    """Return {model: (network, its target layer)}."""
    found = {}
    for name in ("simple_cnn", "simple_cnn_cam"):
        model = plugins.network({"use": name}, channels=1, classes=3, size=(8, 8)).eval()
        found[name] = (model, signatures.constant("models", name, "TARGET_LAYER"))
    return found


def test_a_method_is_refused_with_the_reason_where_the_network_lacks_what_it_needs():
    models = networks()
    for name, method, refused in [
        ("simple_cnn", {"use": "cam"}, True),
        ("simple_cnn_cam", {"use": "cam"}, False),
        ("simple_cnn", {"use": "grad_cam"}, False),
        ("simple_cnn", {"use": "gradient"}, False),
        ("simple_cnn", {"use": "smoothgrad", "base": {"use": "cam"}}, True),
        ("simple_cnn_cam", {"use": "smoothgrad", "base": {"use": "cam"}}, False),
        ("simple_cnn", {"use": "smoothgrad", "base": {"use": "smoothgrad", "base": {"use": "cam"}}}, True),
    ]:
        model, layer = models[name]
        reason = plugins.refusal(method, layer, model, IMAGES)
        assert bool(reason) is refused, (name, method, reason)
    model, _ = models["simple_cnn"]
    assert plugins.refusal({"use": "grad_cam"}, None, model, IMAGES) == "the network states no target layer"
    assert plugins.refusal({"use": "gradient"}, None, model, IMAGES) is None
    assert "features.99" in plugins.refusal({"use": "grad_cam"}, "features.99", model, IMAGES)


def test_constants_are_read_without_an_import():
    assert signatures.constant("attribution", "smoothgrad", "REDUCE") == dict(
        zip(("mean", "square", "variance"), ("abs_max", "sum", "sum"), strict=True)
    )
    assert signatures.constant("data", "digits", "SOURCES") is None
    assert grad_cam.__module__ == "pipeline.attribution.grad_cam"
