"""What every network promises, checked for every module of pipeline/models that holds a network of its own."""

import ast
import copy
import importlib
import re
from collections import Counter
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from pipeline.models._guard import findings

FOLDER = Path(__file__).parents[2] / "pipeline" / "models"
DOORS = {
    "torchvision",
    "custom",
}  # to networks of others, which keep these promises or are refused: see their own tests
NAMES = sorted(path.stem for path in FOLDER.glob("[!_]*.py") if path.stem not in DOORS)
MODULES = {name: importlib.import_module(f"pipeline.models.{name}") for name in NAMES}
SHAPES = [(3, 32, 32), (1, 28, 28), (2, 24, 17)]
SMALL = (3, 16, 16)
VARIANTS = {  # parameters that change the layers
    "cifar_resnet": [{"depth": 20}],
    "simple_cnn_cbam": [{"spatial_relu": True}],
}
DROPOUTS = {"native_dropout", "feature_dropout", "alpha_dropout", "bernoulli_"}
KERNELS = "relu relu6 hardtanh elu gelu silu mish softplus hardswish leaky_relu sigmoid hardsigmoid tanh log_sigmoid"
ACTIVATIONS = {*KERNELS.split(), "_softmax", "_log_softmax", "_prelu_kernel", "clamp_min", "threshold"}


def build(name, shape, classes=5, seed=0, **options):
    torch.manual_seed(seed)
    return getattr(MODULES[name], name)(channels=shape[0], classes=classes, size=shape[1:], **options)


def batch(shape, seed=1, **kind):
    return torch.randn(4, *shape, generator=torch.Generator().manual_seed(seed), **kind)


class Kernels(TorchDispatchMode):
    """Counts the activation kernels that run, whoever calls them; in-place ones bear their underscore."""

    def __init__(self):
        super().__init__()
        self.found = Counter()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name = function.overloadpacket.__name__
        if name in ACTIVATIONS or name.removesuffix("_") in ACTIVATIONS:
            self.found[name] += 1
        return function(*args, **kwargs or {})


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_images_become_logits(name, shape):
    model = build(name, shape, classes=7)
    assert isinstance(model, nn.Module)
    logits = model.eval()(batch(shape))
    assert logits.shape == (4, 7)
    assert logits.isfinite().all()
    assert not torch.allclose(logits[0], logits[1]), "the images do not matter"


@pytest.mark.parametrize("name", NAMES)
def test_there_is_no_softmax_at_the_end(name):
    logits = build(name, SMALL).eval()(batch(SMALL))
    for sums in (logits.sum(1), logits.exp().sum(1)):
        assert not torch.allclose(sums, torch.ones(4), atol=1e-3)


@pytest.mark.parametrize(
    ("name", "options"), [(name, options) for name in NAMES for options in ({}, *VARIANTS.get(name, ()))], ids=str
)
def test_every_activation_is_a_module_of_its_own_used_once_and_not_in_place(name, options):
    model, used = build(name, SMALL, **options).eval(), Counter()
    activations = {key: part for key, part in model.named_modules() if type(part).__module__.endswith(".activation")}
    for key, part in activations.items():
        part.register_forward_hook(lambda *_, key=key: used.update([key]))
    with Kernels() as kernels:
        model(batch(SMALL))
    assert used == dict.fromkeys(activations, 1)
    assert sum(kernels.found.values()) == len(activations) > 0, "an activation runs outside of a module"
    assert not any(kernel.endswith("_") for kernel in kernels.found), "an activation works in place"
    assert findings(model, batch(SMALL), classes=5) == []


class Dropped(TorchDispatchMode):
    """Counts the kernels that drop out or add noise to what passes."""

    def __init__(self):
        super().__init__()
        self.found = Counter()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.found[function.overloadpacket.__name__] += 1
        return function(*args, **kwargs or {})


@pytest.mark.parametrize("name", NAMES)
def test_every_dropout_is_a_module_of_its_own(name):
    model = build(name, SMALL).train()
    with Dropped() as kernels:
        model(batch(SMALL))
    modules = sum(type(part).__module__.endswith(".dropout") for part in model.modules())
    assert sum(kernels.found[kernel] for kernel in DROPOUTS) == modules


@pytest.mark.parametrize("side", [1, 4, 11])
@pytest.mark.parametrize("name", NAMES)
def test_small_images_are_classified_or_refused_in_one_sentence(name, side):
    try:
        model = build(name, (1, side, side + 1))
    except ValueError as refusal:
        least = int(
            re.fullmatch(rf"images must have at least (\d+) pixels a side, got {side} x {side + 1}", str(refusal))[1]
        )
        assert side < least
        assert build(name, (1, least, least)).eval()(batch((1, least, least))).shape == (4, 5)
        return
    assert model.eval()(batch((1, side, side + 1))).isfinite().all()


@pytest.mark.parametrize("name", NAMES)
def test_channels_last_changes_nothing(name):
    model, images = build(name, SMALL).double().eval(), batch(SMALL, dtype=torch.float64)
    expected = model(images)
    found = model.to(memory_format=torch.channels_last)(images.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_the_target_layer_gives_maps(name, shape):
    if MODULES[name].TARGET_LAYER is None:
        return
    model, kept = build(name, shape).eval(), []
    model.get_submodule(MODULES[name].TARGET_LAYER).register_forward_hook(lambda *given: kept.append(given[-1]))
    model(batch(shape))
    (maps,) = kept
    assert maps.ndim == 4
    assert len(maps) == 4


@pytest.mark.parametrize("name", NAMES)
def test_an_image_is_classified_alike_alone_and_in_a_batch(name):
    model, images = build(name, SMALL).double().eval(), batch(SMALL, dtype=torch.float64)
    torch.testing.assert_close(model(images), torch.cat([model(image[None]) for image in images]))


@pytest.mark.parametrize("name", NAMES)
def test_weights_make_the_network(name):
    first, second = build(name, SMALL, seed=0), build(name, SMALL, seed=1)
    first(batch(SMALL))  # in training mode: the running statistics move
    images = batch(SMALL, seed=2)
    assert not torch.equal(first.eval()(images), second.eval()(images))
    second.load_state_dict(first.state_dict())
    assert torch.equal(first(images), second(images))


@pytest.mark.parametrize("name", NAMES)
def test_the_gradient_reaches_every_parameter(name):
    # In training mode a bias before a batch norm is without effect, in eval mode the spread of a posterior.
    model = build(name, SMALL)
    for norm in (part for part in model.modules() if isinstance(part, nn.modules.batchnorm._BatchNorm)):
        norm.momentum = 1.0  # or what has not been normed yet saturates the gates, which then have no gradient
    model.train()(batch(SMALL))
    model.train(hasattr(model, "draw"))
    model(batch(SMALL)).square().sum().backward()
    assert [key for key, value in model.named_parameters() if value.grad is None or not value.grad.any()] == []


PENALISED = ["bayesian_mlp", "wide_attention"]
DRAWN = ["bayesian_mlp"]


@pytest.mark.parametrize("name", PENALISED)
def test_the_penalty_is_a_finite_scalar_with_a_gradient(name):
    model = build(name, SHAPES[1]).train()
    model(batch(SHAPES[1]))
    penalty = model.penalty(1000)
    assert penalty.shape == ()
    assert penalty.isfinite()
    assert penalty > 0
    penalty.backward()
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    assert any(gradient.any() for gradient in gradients)
    assert all(gradient.isfinite().all() for gradient in gradients)


@pytest.mark.parametrize("name", DRAWN)
def test_a_draw_changes_the_network_for_as_long_as_it_lasts(name):
    model, images = build(name, SHAPES[1]).eval(), batch(SHAPES[1])
    state, before = copy.deepcopy(model.state_dict()), model(images)
    with model.draw(torch.Generator().manual_seed(0)):
        drawn = model(images)
        assert torch.equal(model(images), drawn)
    assert not torch.allclose(drawn, before)
    assert torch.equal(model(images), before)
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())
    with model.draw(torch.Generator().manual_seed(0)):
        assert torch.equal(model(images), drawn)


@pytest.mark.parametrize("name", NAMES)
def test_a_penalty_and_draws_are_offered_by_those_tested_for_them(name):
    with torch.device("meta"):
        model = build(name, SHAPES[1])
    assert hasattr(model, "penalty") == (name in PENALISED)
    assert hasattr(model, "draw") == (name in DRAWN)


def literals(name):
    """The constants of a module, as a reader of its source sees them."""
    tree = ast.parse((FOLDER / f"{name}.py").read_text(encoding="utf-8"))
    assigned = [node for node in tree.body if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)]
    known = {"LABEL", "TARGET_LAYER", "PUBLISHED"}
    return {node.targets[0].id: ast.literal_eval(node.value) for node in assigned if node.targets[0].id in known}


@pytest.mark.parametrize("name", NAMES)
def test_a_module_states_its_label_its_layer_and_what_was_published(name):
    stated = literals(name)
    assert isinstance(stated["LABEL"], str)
    assert stated["LABEL"]
    assert isinstance(stated["TARGET_LAYER"], str | None)
    assert all(isinstance(key, str) and 0.5 < value < 1 for key, value in stated.get("PUBLISHED", {}).items())
    assert stated == {key: getattr(MODULES[name], key) for key in stated}


def test_no_two_networks_have_one_label():
    assert len({MODULES[name].LABEL for name in NAMES}) == len(NAMES)
