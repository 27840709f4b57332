"""What every attribution method promises, checked for every module of pipeline/attribution."""

import ast
import contextlib
import copy
import functools
import importlib
import inspect
import math
import re
from collections import OrderedDict
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from pipeline import signatures
from pipeline.attribution import _requirements
from pipeline.attribution.gradient import gradient
from pipeline.models._branches import Add
from pipeline.randomness import seeded
from pipeline.similarity.class_probability import class_probability
from pipeline.similarity.cosine import cosine

FOLDER = Path(__file__).parents[2] / "pipeline" / "attribution"
NAMES = sorted(path.stem for path in FOLDER.glob("[!_]*.py"))
MODULES = {name: importlib.import_module(f"pipeline.attribution.{name}") for name in NAMES}
CONTROLS = [name for name in NAMES if MODULES[name].FAMILY == "control"]
EXPLAINERS = [name for name in NAMES if name not in CONTROLS]
CLASS_FREE = {"eigen_cam", "layer_activation"}  # they show what the layer gives, whichever class is asked about
FAMILIES = {"gradient", "ensemble", "cam", "decomposition", "propagation", "perturbation", "posterior", "control"}
# A pixel of theirs tells what the network says when that pixel shows, not how much more: without any evidence, it tells
# the same of every pixel, but for how many of the masks happened to show it.
CONDITIONAL_MEANS = {"rise", "d_rise"}
SIMILARITY = {"class_probability": class_probability, "cosine": cosine}
GIVEN = {"generator", "ids", "labels", "masks", "mean", "std", "references", "base", "similarity", "layer"}
CLASSES = 5
HALF = 0.5  # relative distance: one other winner of a max pooling moves these small maps by up to 0.4


class Block(nn.Module):
    """A residual block whose activations are modules of their own."""

    def __init__(self, width):
        super().__init__()
        self.first, self.inner = nn.Conv2d(width, width, 3, padding=1), nn.ReLU()
        self.second, self.norm = nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width)
        self.add, self.outer = Add(), nn.ReLU()

    def forward(self, features):
        return self.outer(self.add(self.norm(self.second(self.inner(self.first(features)))), features))


class Uncertain(nn.Sequential):
    """A network with a posterior over the weights of its first layer."""

    @contextlib.contextmanager
    def draw(self, generator):
        mean = self.a.weight
        drawn = mean.detach() * (1 + 0.2 * torch.randn(mean.shape, generator=generator).to(mean))
        self.a.weight = nn.Parameter(drawn, mean.requires_grad)
        try:
            yield
        finally:
            self.a.weight = mean


def pooled(channels):
    layers = [nn.Conv2d(channels, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2)]
    layers += [nn.Conv2d(4, 6, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return Uncertain(OrderedDict(zip("abcdefgh", layers, strict=True), head=nn.Linear(6, CLASSES)))


def residual(channels):
    layers = [nn.Conv2d(channels, 6, 3, padding=1, stride=2), nn.ReLU(), Block(6), nn.AdaptiveAvgPool2d(1)]
    return nn.Sequential(OrderedDict(zip("abcd", layers, strict=True), e=nn.Flatten(), head=nn.Linear(6, CLASSES)))


def flattened(channels):
    layers = [nn.Conv2d(channels, 4, 3), nn.ReLU(inplace=True), nn.AvgPool2d(2), nn.Conv2d(4, 6, 3, padding=1)]
    layers += [nn.ReLU(), nn.AdaptiveMaxPool2d(2), nn.Flatten()]
    return nn.Sequential(OrderedDict(zip("abcdefg", layers, strict=True), head=nn.Linear(24, CLASSES)))


NETWORKS = {"pooled": (pooled, "f"), "residual": (residual, "c.outer"), "flattened": (flattened, "e")}


@dataclass(frozen=True)
class Case:
    """A network, the layer to look at, and what is to be explained."""

    model: nn.Module
    layer: str
    images: Tensor
    targets: Tensor
    ids: Tensor

    def take(self, index):
        return replace(self, images=self.images[index], targets=self.targets[index], ids=self.ids[index])

    def to(self, *where):
        return replace(self, model=copy.deepcopy(self.model).to(*where), images=self.images.to(*where))


def made(network="pooled", shape=(4, 3, 12, 9)):
    build, layer = NETWORKS[network]
    torch.manual_seed(4)  # a network whose Grad-CAM maps are not empty
    model = build(shape[1]).double().eval()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            for values in (module.weight, module.bias, module.running_mean, module.running_var):
                nn.init.uniform_(values, 0.5, 1.5)
    images = 4 * torch.randn(shape, dtype=torch.float64)  # answers differ by more than half precision rounds away
    targets, ids = torch.tensor([0, 3, 3, 4])[: shape[0]], torch.tensor([7, 0, 2, 11])[: shape[0]]
    return Case(model, layer, images, targets, ids)


def refusal(name, case):
    """Return why the method refuses the network, or None."""
    needs = (getattr(_requirements, need) for need in MODULES[name].REQUIRES)
    return next(filter(None, (need(case.model, case.images, case.layer) for need in needs)), None)


CASES = {network: made(network) for network in NETWORKS}
PAIRS = [(name, network) for name in NAMES for network in NETWORKS if refusal(name, CASES[network]) is None]


@pytest.fixture
def case(request):
    """The first network that the method accepts."""
    return made(dict(reversed(PAIRS)).get(request.node.callspec.params["name"], "pooled"))


def references(images, count):
    return torch.randn(count, *images.shape[1:], generator=seeded("references")).to(images)


def explain(name, case, seed=0):
    """Call the method with what a step would fill in, and few evaluations; return {part: maps, aux_...: array}."""
    function = getattr(MODULES[name], name)
    channels = case.images.shape[1]
    given = {"generator": seeded("contract", seed), "ids": case.ids, "layer": case.layer, "base": gradient}
    given |= {"mean": torch.full((channels,), 0.4), "std": torch.full((channels,), 0.2), "samples": 4, "steps": 4}
    given |= {"labels": case.targets, "masks": case.images[:, 0] > 0}
    given |= {"references": functools.partial(references, case.images), "similarity": SIMILARITY}
    wanted = {key: value for key, value in given.items() if key in inspect.signature(function).parameters}
    maps = function(case.model, case.images, case.targets, **wanted)
    return maps if isinstance(maps, dict) else {"maps": maps}


def maps_of(found):
    """Leave out the arrays that are kept beside the maps."""
    return {part: maps for part, maps in found.items() if not part.startswith("aux_")}


def assert_equal_maps(found, expected, **tolerance):
    assert list(found) == list(expected)
    for part in found:
        torch.testing.assert_close(found[part], expected[part], **tolerance or {"rtol": 0, "atol": 0})


def state(model):
    """Return everything about a network that a method could leave behind."""
    tensors = {key: value.clone() for key, value in model.state_dict(keep_vars=False).items()}
    tensors |= {f"{key}.grad": value.grad.clone() for key, value in model.named_parameters() if value.grad is not None}
    flags = {key: value.requires_grad for key, value in model.named_parameters()}
    modules = {name: (id(module), type(module), settings(module)) for name, module in model.named_modules()}
    hooks = {(n, k): len(v) for n, m in model.named_modules() for k, v in vars(m).items() if "hooks" in k and v}
    hooks |= {name: bool(value._backward_hooks) for name, value in model.named_parameters()}
    return tensors, (flags, modules, hooks)


def settings(module):
    """Return the names of all attributes of a module, and the values of the plain ones."""
    return {key: value if isinstance(value, int | float | str | tuple) else ... for key, value in vars(module).items()}


def assert_same_state(found, expected):
    assert found[1] == expected[1]
    assert found[0].keys() == expected[0].keys()
    assert all(torch.equal(found[0][key], expected[0][key]) for key in found[0])


SHAPES = [(4, 3, 12, 9), (2, 1, 12, 9), (2, 3, 8, 8)]


def test_every_method_accepts_one_of_the_networks():
    assert {name for name, _ in PAIRS} == set(NAMES)


def known(part, array):
    """Say whether all numbers are finite; a standard error may be infinite, where too few samples tell nothing."""
    return array.isfinite().all() or (part == "aux_std_error" and not array.isnan().any())


def assert_sound(found, shape, dtype):
    for part, array in found.items():
        assert len(array) == shape[0]
        assert known(part, array)
        assert not array.requires_grad
        assert array.grad_fn is None
        assert part.startswith("aux_") or array.dtype == dtype
        assert part.startswith("aux_") or array.shape in {shape, (shape[0], 1, *shape[2:])}


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(("name", "network"), PAIRS)
def test_maps_are_detached_finite_and_of_the_images_size_and_dtype(name, network, shape):
    assert_sound(explain(name, made(network, shape).to(torch.float32)), shape, torch.float32)


@pytest.mark.parametrize("name", NAMES)
def test_so_they_are_for_large_images(name):
    network, shape = dict(reversed(PAIRS))[name], (1, 3, 224, 224)
    assert_sound(explain(name, made(network, shape).to(torch.float32)), shape, torch.float32)


@pytest.mark.parametrize("grads", [False, True], ids=["without gradients", "with gradients"])
@pytest.mark.parametrize("training", [False, True], ids=["in eval mode", "with one module in training mode"])
@pytest.mark.parametrize("name", NAMES)
def test_the_network_is_left_as_found(name, training, grads, case):
    case.model.g.train(training)
    for parameter in case.model.parameters():
        parameter.grad = torch.ones_like(parameter) if grads else None
    before = state(case.model)
    explain(name, case)
    assert_same_state(state(case.model), before)


@pytest.mark.parametrize("layer", ["a", "head"])
@pytest.mark.parametrize("name", EXPLAINERS)
def test_the_network_is_left_as_found_when_its_first_or_last_forward_fails(name, layer, case):
    runs = []
    hook = getattr(case.model, layer).register_forward_pre_hook(lambda *_: runs.append(0))
    explain(name, case)
    hook.remove()
    for last in {1, len(runs)}:
        getattr(case.model, layer).register_forward_pre_hook(FailsAt(last))
        before = state(case.model)
        with pytest.raises(ZeroDivisionError):
            explain(name, case)
        assert_same_state(state(case.model), before)


@pytest.mark.parametrize("name", EXPLAINERS)
def test_the_network_is_left_as_found_when_the_way_back_fails(name, case):
    failed = []

    def fail(_):
        failed.append(0)
        raise ZeroDivisionError

    def lay(_module, inputs):
        if inputs[0].requires_grad:
            inputs[0].register_hook(fail)

    case.model.head.register_forward_pre_hook(lay)
    before = state(case.model)
    with contextlib.suppress(ZeroDivisionError):
        explain(name, case)
        assert not failed
    assert_same_state(state(case.model), before)


class FailsAt:
    """A hook that raises at one of its calls."""

    def __init__(self, last):
        self.left = last

    def __call__(self, *_):
        self.left -= 1
        if self.left == 0:
            raise ZeroDivisionError


@pytest.mark.parametrize("name", NAMES)
def test_images_the_random_state_and_the_gradient_mode_are_left_as_found(name, case):
    before, random = case.images.clone(), torch.get_rng_state()
    explain(name, case)
    assert torch.equal(case.images, before)
    assert not case.images.requires_grad
    assert torch.equal(torch.get_rng_state(), random)
    assert torch.is_grad_enabled()


@pytest.mark.parametrize("name", NAMES)
def test_images_that_track_gradients_give_the_same_detached_maps(name, case):
    tracked = replace(case, images=case.images.clone().requires_grad_())
    found = explain(name, tracked)
    assert_equal_maps(found, explain(name, case))
    assert not any(array.requires_grad for array in found.values())
    assert tracked.images.grad is None


@pytest.mark.parametrize("name", NAMES)
def test_an_image_is_explained_alike_alone_and_in_a_batch(name, case):
    alone = [explain(name, case.take(slice(i, i + 1))) for i in range(4)]
    together = {part: torch.cat([maps[part] for maps in alone]) for part in alone[0]}
    assert_equal_maps(explain(name, case), together, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_the_order_of_the_images_does_not_matter(name, case):
    order = torch.tensor([2, 0, 3, 1])
    expected = {part: maps[order] for part, maps in explain(name, case).items()}
    assert_equal_maps(explain(name, case.take(order)), expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_the_memory_layout_of_the_images_does_not_matter(name, case):
    strided = replace(case, images=case.images.to(memory_format=torch.channels_last))
    assert_equal_maps(explain(name, strided), explain(name, case), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", EXPLAINERS)
def test_every_class_is_explained_like_any_other(name, case):
    swapped, rows = copy.deepcopy(case.model), torch.tensor([3, 1, 2, 0, 4])
    swapped.head.weight.data, swapped.head.bias.data = case.model.head.weight[rows], case.model.head.bias[rows]
    found = explain(name, replace(case, model=swapped, targets=rows[case.targets]))
    assert_equal_maps(found, explain(name, case), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", EXPLAINERS)
def test_another_target_gives_another_map(name, case):
    other = explain(name, replace(case, targets=(case.targets + 1) % CLASSES))
    for part, maps in maps_of(explain(name, case)).items():
        changed, shown = (
            (each != 0).flatten(1).any(1) for each in (maps - other[part], maps.abs() + other[part].abs())
        )
        assert (changed | ~shown).all() == (name not in CLASS_FREE), part
        assert shown.any()


@pytest.mark.parametrize("name", CONTROLS)
def test_a_control_ignores_target_and_network(name, case):
    other = replace(case, targets=(case.targets + 1) % CLASSES, model=made("residual").model)
    assert_equal_maps(explain(name, other), explain(name, case))


@pytest.mark.parametrize("name", NAMES)
def test_equal_seeds_give_equal_maps(name, case):
    assert_equal_maps(explain(name, case, seed=7), explain(name, case, seed=7))


TAKEN = {name: set(inspect.signature(getattr(MODULES[name], name)).parameters) for name in NAMES}
DRAWN = [name for name, taken in TAKEN.items() if {"generator", "samples"} <= taken]


@pytest.mark.parametrize("name", DRAWN)
def test_unequal_seeds_give_unequal_maps(name, case):
    other = explain(name, case, seed=8)
    assert all(not torch.equal(maps, other[part]) for part, maps in maps_of(explain(name, case, seed=7)).items())


MASKED = [name for name in DRAWN if MODULES[name].FAMILY == "perturbation"]


@pytest.mark.parametrize("name", MASKED)
def test_the_masks_are_common_to_all_images_and_their_digest_tells_them_from_others(name, case):
    (first, *rest), other = explain(name, case, seed=7)["aux_masks"].tolist(), explain(name, case, seed=8)["aux_masks"]
    assert rest == [first] * 3
    assert first not in other.tolist()
    assert explain(name, case.take(slice(2, 3)).to(torch.float32), seed=7)["aux_masks"].tolist() == [first]


@pytest.mark.parametrize("name", NAMES)
def test_a_frozen_network_and_a_caller_without_gradients_change_nothing(name, case):
    expected = explain(name, case)
    with torch.no_grad():
        assert_equal_maps(explain(name, case), expected)
    case.model.requires_grad_(False)
    assert_equal_maps(explain(name, case), expected)
    assert not any(parameter.requires_grad for parameter in case.model.parameters())


@pytest.mark.parametrize("name", NAMES)
def test_a_network_of_zeros_gives_maps_of_zeros_and_never_nan(name, case):
    for tensor in (*case.model.parameters(), *case.model.buffers()):
        tensor.data.zero_()
    found = explain(name, case)
    assert all(known(part, array) for part, array in found.items())
    assert name in CONTROLS or without_evidence(name, found)


@pytest.mark.parametrize("name", [name for name in EXPLAINERS if name not in CLASS_FREE])
def test_a_network_that_always_gives_the_same_logits_has_maps_of_zeros(name, case):
    case.model.head.weight.data.zero_()
    found = explain(name, case)
    assert all(known(part, array) for part, array in found.items())
    assert without_evidence(name, found)


def without_evidence(name, found):
    """Say whether maps show nothing: all zero, or, of a conditional mean, the masks alone, alike for all images."""
    if name not in CONDITIONAL_MEANS:
        return not any(maps.any() for maps in maps_of(found).values())
    shown = [maps / maps.sum((1, 2, 3), keepdim=True) for maps in maps_of(found).values()]
    return all(torch.allclose(maps, maps[:1].expand_as(maps), rtol=1e-12, atol=0) for maps in shown)


@pytest.mark.parametrize("name", NAMES)
def test_black_images_give_finite_maps(name, case):
    for part, array in explain(name, replace(case, images=torch.zeros_like(case.images))).items():
        assert known(part, array)


def assert_near(found, expected, most):
    for part, maps in maps_of(found).items():
        distance, size = (each.flatten(1).norm(dim=1) for each in (maps.double() - expected[part], expected[part]))
        assert (distance <= most * size).all(), (part, distance / size)  # a map cut off below 0 may be empty


@pytest.mark.parametrize("name", NAMES)
def test_single_and_half_precision_give_nearly_the_maps_of_double_precision(name, case):
    expected = explain(name, case)
    for dtype, most in ((torch.float32, 1e-5), (torch.bfloat16, HALF)):
        found = explain(name, case.to(dtype))
        assert all(maps.dtype == dtype for maps in maps_of(found).values())
        assert_near(found, expected, most)


@pytest.mark.parametrize("name", NAMES)
def test_automatic_half_precision_gives_nearly_the_same_maps_in_the_images_dtype(name, case):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = explain(name, case.to(torch.float32))
    assert all(maps.dtype == torch.float32 for maps in maps_of(found).values())
    assert_near(found, explain(name, case), HALF)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("name", NAMES)
def test_a_gpu_gives_the_maps_of_the_cpu_and_keeps_them_there(name, case):
    there = replace(case.to("cuda"), targets=case.targets.cuda(), ids=case.ids.cuda())
    found = explain(name, there)
    assert all(maps.is_cuda for maps in found.values())
    assert_equal_maps({part: maps.cpu() for part, maps in found.items()}, explain(name, case), rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("name", NAMES)
def test_the_parameters_are_keywords_with_a_default_unless_the_step_gives_them(name):
    first, rest = [], []
    for parameter in inspect.signature(getattr(MODULES[name], name)).parameters.values():
        (rest if parameter.kind is parameter.KEYWORD_ONLY else first).append(parameter)
    assert [parameter.name for parameter in first] == ["model", "images", "targets"]
    assert all(parameter.name in GIVEN or parameter.default is not parameter.empty for parameter in rest)


@pytest.mark.parametrize("name", NAMES)
def test_a_module_states_its_constants_as_literals(name):
    tree = ast.parse((FOLDER / f"{name}.py").read_text())
    stated = {node.targets[0].id: node.value for node in tree.body if isinstance(node, ast.Assign)}
    values = {key: ast.literal_eval(stated[key]) for key in ("LABEL", "FAMILY", "REDUCE", "REQUIRES", "PASSES")}
    assert values["LABEL"]
    assert values["FAMILY"] in FAMILIES
    reductions = values["REDUCE"].values() if isinstance(values["REDUCE"], dict) else [values["REDUCE"]]
    assert {*reductions} <= {"abs_max", "abs_sum", "sum", "positive_sum"}
    assert isinstance(values["REQUIRES"], tuple)
    needs = [getattr(_requirements, need) for need in values["REQUIRES"]]
    assert all(list(inspect.signature(need).parameters) == ["model", "images", "layer"] for need in needs)


@pytest.mark.parametrize(("name", "network"), PAIRS)
def test_the_passes_are_as_many_as_the_module_says(name, network):
    """Counted in images that go through the network, and in images whose gradient sets out from the logits."""
    case, counted = made(network), {"forward": 0, "backward": 0}

    def count(key, tensor):
        counted[key] += len(tensor)

    def watch(_module, inputs, logits):
        count("forward", inputs[0])
        if logits.requires_grad:
            logits.register_hook(functools.partial(count, "backward"))

    case.model.register_forward_hook(watch)
    explain(name, case)
    sizes = {"samples": 4, "steps": 4, "channels": 6, "base": 1, "grid": 8, "windows": 11 * 8, "top": None}
    sizes["ceil"] = math.ceil
    said = {key: eval(text, sizes.copy()) for key, text in MODULES[name].PASSES.items()}
    images = len(case.images)
    expected = {"forward": images * said["forward"] + said.get("batch", 0), "backward": images * said["backward"]}
    assert counted == expected


@pytest.mark.parametrize("name", NAMES)
def test_a_module_names_its_paper_and_the_place_in_it(name):
    assert re.search(r"arXiv:\d{4}\.\d{4,5}|doi:10\.", MODULES[name].__doc__)
    assert re.search(r"section|equation|table|algorithm|abstract", MODULES[name].__doc__)


def test_no_two_methods_share_a_label():
    assert len({module.LABEL for module in MODULES.values()}) == len(NAMES)


@pytest.mark.parametrize("name", [name for name in NAMES if hasattr(MODULES[name], "bounds")])
def test_bounds_are_those_of_maps_of_one_channel_and_need_no_import(name, case):
    assert signatures.constant("attribution", name, "REDUCE") == "sum"  # which leaves one channel as it is
    found = signatures.map_bounds({"use": name, "similarity": list(SIMILARITY)})
    maps = maps_of(explain(name, case))
    assert list(found) == list(maps)
    assert all(values.shape[1] == 1 for values in maps.values())
    assert all(low is None or high is None or low < high for low, high in found.values())
    assert any(end is not None for ends in found.values() for end in ends)


@pytest.mark.parametrize("name", NAMES)
def test_parts_name_the_maps_and_their_reductions_and_need_no_import(name, case):
    tree = ast.parse((FOLDER / f"{name}.py").read_text())
    found = list(maps_of(explain(name, case)))
    alone = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == "parts":
            exec(ast.unparse(node), alone)
    if "parts" in alone:
        assert found == list(alone["parts"]({"use": name, "similarity": list(SIMILARITY)}))
        assert isinstance(MODULES[name].REDUCE, str) or found == list(MODULES[name].REDUCE)
    else:
        assert found == ["maps"]
        assert isinstance(MODULES[name].REDUCE, str)
