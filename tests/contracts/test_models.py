"""What every network promises, checked for every module of pipeline/models."""

import importlib
from collections import Counter
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

FOLDER = Path(__file__).parents[2] / "pipeline" / "models"
NAMES = sorted(path.stem for path in FOLDER.glob("[!_]*.py"))
MODULES = {name: importlib.import_module(f"pipeline.models.{name}") for name in NAMES}
SHAPES = [(3, 32, 32), (1, 28, 28), (2, 24, 17)]
KERNELS = "relu relu6 hardtanh elu gelu silu mish softplus hardswish leaky_relu sigmoid hardsigmoid tanh log_sigmoid"
ACTIVATIONS = {*KERNELS.split(), "_softmax", "_log_softmax", "_prelu_kernel", "clamp_min", "threshold"}


def build(name, shape, classes=5, seed=0):
    torch.manual_seed(seed)
    return getattr(MODULES[name], name)(channels=shape[0], classes=classes, size=shape[1:])


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
    logits = build(name, shape, classes=7).eval()(batch(shape))
    assert logits.shape == (4, 7)
    assert logits.isfinite().all()
    assert not torch.allclose(logits[0], logits[1]), "the images do not matter"


@pytest.mark.parametrize("name", NAMES)
def test_there_is_no_softmax_at_the_end(name):
    logits = build(name, SHAPES[0]).eval()(batch(SHAPES[0]))
    for sums in (logits.sum(1), logits.exp().sum(1)):
        assert not torch.allclose(sums, torch.ones(4), atol=1e-3)


@pytest.mark.parametrize("name", NAMES)
def test_every_activation_is_a_module_of_its_own_used_once_and_not_in_place(name):
    model, used = build(name, SHAPES[0]).eval(), Counter()
    activations = {key: part for key, part in model.named_modules() if type(part).__module__.endswith(".activation")}
    for key, part in activations.items():
        part.register_forward_hook(lambda *_, key=key: used.update([key]))
    with Kernels() as kernels:
        model(batch(SHAPES[0]))
    assert used == dict.fromkeys(activations, 1)
    assert sum(kernels.found.values()) == len(activations) > 0, "an activation runs outside of a module"
    assert not any(kernel.endswith("_") for kernel in kernels.found), "an activation works in place"


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
    model, images = build(name, SHAPES[2]).double().eval(), batch(SHAPES[2], dtype=torch.float64)
    torch.testing.assert_close(model(images), torch.cat([model(image[None]) for image in images]))


@pytest.mark.parametrize("name", NAMES)
def test_weights_make_the_network(name):
    first, second = build(name, SHAPES[1], seed=0), build(name, SHAPES[1], seed=1)
    first(batch(SHAPES[1]))  # in training mode: the running statistics move
    images = batch(SHAPES[1], seed=2)
    assert not torch.equal(first.eval()(images), second.eval()(images))
    second.load_state_dict(first.state_dict())
    assert torch.equal(first(images), second(images))


@pytest.mark.parametrize("name", NAMES)
def test_the_gradient_reaches_every_parameter(name):
    model = build(name, SHAPES[0]).eval()  # in training mode a bias before a batch norm is without effect
    model(batch(SHAPES[0])).square().sum().backward()
    assert [key for key, value in model.named_parameters() if value.grad is None or not value.grad.any()] == []


@pytest.mark.parametrize("name", NAMES)
def test_a_module_states_its_label_and_its_layer(name):
    assert isinstance(MODULES[name].LABEL, str)
    assert MODULES[name].LABEL
    assert isinstance(MODULES[name].TARGET_LAYER, str | None)
    assert isinstance(build(name, SHAPES[0]), nn.Module)
