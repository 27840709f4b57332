"""What every metric promises, checked for every module of pipeline/evaluation."""

import ast
import copy
import importlib
import inspect
import math
import re
from functools import cache, partial
from pathlib import Path
from typing import get_args, get_type_hints

import pytest
import torch
from torch import nn

from pipeline import plugins, protocols, signatures
from pipeline.catalogue import METRIC_FAMILIES
from pipeline.data._pixels import denormalise, normalise
from pipeline.evaluation import _requirements
from pipeline.evaluation._fills import FILLS, fill_pixels
from pipeline.evaluation._ranking import ranks
from pipeline.evaluation._reduce import reduce_channels
from pipeline.randomness import seeded

X = {"fraction of pixels", "fraction of regions", "samples", "layers"}
FOLDER = Path(__file__).parents[2] / "pipeline" / "evaluation"
NAMES = sorted(path.stem for path in FOLDER.glob("[!_]*.py"))
MODULES = {name: importlib.import_module(f"pipeline.evaluation.{name}") for name in NAMES}
RANKED = [name for name in NAMES if "ranks" in inspect.signature(getattr(MODULES[name], name)).parameters]
CHOICES = {name: get_args(get_type_hints(getattr(MODULES[name], name)).get("fill")) for name in NAMES}
WHOLE = {"deletion", "insertion", "degradation_keep", "degradation_remove"}  # curves from nothing exchanged to all
SHAPES = [(2, 6, 7), (1, 8, 5)]
MEAN, STD = torch.tensor([0.4, 0.5]), torch.tensor([0.25, 0.2])


def evaluate(name, case, order=slice(None), explained=None, **chosen):
    """Call the metric on some images of the case, with all that a step would fill in."""
    model, *tensors = case
    images, targets, saliency, labels, ids = (tensor[order] for tensor in tensors)
    shown = {"ids": ids, "mean": MEAN[: images.shape[1]], "std": STD[: images.shape[1]]}
    fills, maps = cache(partial(fill_pixels, images=images, **shown)), saliency[:, None]
    given = {
        "labels": labels,
        "masks": marked(images),
        "generator": seeded("contract"),
        "maps": maps,
        "ranks": cache(lambda unit="pixel", ties="random": ranks(saliency, maps, images.shape[1], ids, unit, ties)),
        "fills": fills,
        "logits": cache(lambda name: answer(model, images if name == "image" else fills(name))),
        "attribute": explained or partial(again, shown=shown),
    }
    metric = plugins.bind("evaluation", {"use": name, **chosen}, **shown, **given)
    return metric(model, images, targets, saliency)


@torch.no_grad()
def answer(model, images):
    """The network's answer, with a mark on the counter of a test that counts, if there is one."""
    counter = getattr(model, "uncounted", None)
    if counter is None:
        return model(images)
    counter.append(True)
    try:
        return model(images)
    finally:
        counter.pop()


def marked(images):
    """An object of two rows and four columns, in the upper left corner."""
    masks = torch.zeros(len(images), *images.shape[2:], dtype=torch.bool)
    masks[:, :2, :4] = True
    return masks


def again(model, images, targets, *, seed=0, shown, **changes):
    """A method that draws samples, as a step would have it explain the images again: RISE, in few samples."""
    entry = {"use": "rise", "samples": 8, "grid": 3, **changes}
    method = plugins.bind("attribution", entry, generator=seeded("attribute", seed), **shown)
    return reduce_channels(method(model, images, targets)["maps"], "sum")


def repeated(saliency, model, images, targets, *, seed=0, **changes):
    """A method that finds the same map again."""
    return saliency


@pytest.fixture(params=SHAPES, ids=str)
def case(request):
    """A random network and six images: model, images, targets, saliency with ties, labels, ids."""
    torch.manual_seed(0)
    channels, height, width = request.param
    model = nn.Sequential(nn.Conv2d(channels, 4, 3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(3)).double().eval()
    images, saliency = torch.randn(6, *request.param).double(), torch.randn(6, height, width).double()
    saliency[1:3].round_()
    model(images)  # the lazy layer takes its size
    return (
        model,
        images,
        torch.tensor([0, 1, 2, 0, 1, 2]),
        saliency,
        torch.tensor([0, 0, 1, 2, 1, 0]),
        torch.arange(6) * 5,
    )


def same(found, expected):
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        torch.testing.assert_close(found[key], value)


@pytest.mark.parametrize("name", NAMES)
def test_scores_are_one_per_image_detached_and_within_their_range(name, case):
    model, *tensors = case
    for scale in (1, 1000):
        model[-1].weight.data *= scale
        found = evaluate(name, (model, *tensors))
        assert found["score"].shape == (6,)
        low, high = (torch.tensor(math.nan if bound is None else bound) for bound in MODULES[name].RANGE)
        assert not ((found["score"] < low) | (found["score"] > high)).any()
        assert all(len(value) == 6 and value.isfinite().all() for value in found.values())
        assert not any(value.requires_grad for value in found.values())
        assert found["score"].dtype == torch.float64


@pytest.mark.parametrize("name", NAMES)
def test_a_curve_has_its_places_rising_and_states_what_they_count(name, case):
    found = evaluate(name, case)
    assert ("curve" in found) == ("x" in found) == hasattr(MODULES[name], "X")
    if "curve" in found:
        assert found["curve"].shape == found["x"].shape
        assert (found["x"].diff(dim=1) > 0).all()
        assert (found["x"] == found["x"][0]).all()
        assert MODULES[name].X in X
    if getattr(MODULES[name], "X", "").startswith("fraction"):
        assert ((found["x"] >= 0) & (found["x"] <= 1)).all()
    if name in WHOLE:
        assert found["x"][:, [0, -1]].tolist() == [[0, 1]] * 6


@pytest.mark.parametrize("name", NAMES)
def test_an_image_is_scored_alike_in_any_batch_and_order(name, case):
    together = evaluate(name, case)
    for size in (1, 4):
        parts = [evaluate(name, case, slice(start, start + size)) for start in range(0, 6, size)]
        same({key: torch.cat([part[key] for part in parts]) for key in together}, together)
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    same(evaluate(name, case, order), {key: value[order] for key, value in together.items()})


@pytest.mark.parametrize("rescale", [lambda s: 3.7 * s, lambda s: s**3, torch.exp, lambda s: s - 10], ids=range(4))
@pytest.mark.parametrize("name", RANKED)
def test_only_the_order_of_the_saliency_counts(name, case, rescale):
    model, images, targets, saliency, labels, ids = case
    same(evaluate(name, (model, images, targets, rescale(saliency), labels, ids)), evaluate(name, case))


@pytest.mark.parametrize("name", NAMES)
def test_network_and_tensors_are_left_as_found(name, case):
    model, *tensors = case
    state, before = copy.deepcopy(model.state_dict()), [tensor.clone() for tensor in tensors]
    evaluate(name, case)
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert not any(part._forward_hooks or part._backward_hooks or part.training for part in model.modules())
    assert all(map(torch.equal, tensors, before))


class PatchDetector(nn.Module):
    """Class 0 where the 2 x 4 pixels in the upper left corner are of one colour, all of them; class 1 elsewhere."""

    def __init__(self, colour):
        super().__init__()
        self.colour = colour

    def forward(self, images):
        pixels = denormalise(images, MEAN, STD)[:, :, :2, :4]
        logit = 20 * (0.05 - (pixels - self.colour).abs().mean((1, 2, 3)))
        return torch.stack([logit, -logit], dim=1)


@pytest.mark.parametrize(("name", "fill"), [(name, fill) for name in RANKED for fill in CHOICES[name] or (None,)])
def test_the_best_map_beats_its_reverse(name, fill):
    colour = 0 if fill == "white" else 1  # what is filled in must not be the object itself
    pixels = (1 - colour - torch.rand(4, 2, 6, 7, generator=torch.Generator().manual_seed(0)) / 2).abs()
    pixels[:, :, :2, :4] = colour
    saliency, label = torch.zeros(4, 6, 7), torch.zeros(4, dtype=torch.long)
    saliency[:, :2, :4] = 1  # 8 pixels of 42, as many as the fifth that degradation keeps
    model, images = PatchDetector(colour), normalise(pixels, MEAN, STD)
    chosen = {"fill": fill} if fill else {}
    best, worst = (
        evaluate(name, (model, images, label, found, label, label), explained=partial(repeated, found), **chosen)
        for found in (saliency, -saliency)
    )
    better = best["score"] > worst["score"] if MODULES[name].HIGHER_IS_BETTER else best["score"] < worst["score"]
    assert better.all()


@pytest.mark.parametrize("name", NAMES)
def test_a_module_states_its_label_direction_range_and_source(name):
    assert isinstance(MODULES[name].LABEL, str)
    assert MODULES[name].FAMILY in METRIC_FAMILIES
    assert MODULES[name].LABEL
    assert isinstance(MODULES[name].HIGHER_IS_BETTER, bool)
    low, high = MODULES[name].RANGE
    assert low is None or high is None or low < high
    assert re.search(r"\b(19|20)\d\d\b", MODULES[name].__doc__)
    assert set(CHOICES[name] or ()) <= set(FILLS)


@pytest.mark.parametrize("name", NAMES)
def test_the_details_are_numbers_of_the_images(name, case):
    found = evaluate(name, case)
    assert all(found[key].shape == (6,) for key in getattr(MODULES[name], "DETAILS", {}))


@pytest.mark.parametrize("name", NAMES)
def test_what_counts_images_is_all_or_nothing_of_most(name, case):
    stated = getattr(MODULES[name], "COUNTS", {})
    assert stated.keys() <= {"score", *getattr(MODULES[name], "DETAILS", {})}
    needed = {key for parameters in stated.values() for key in parameters or ()}
    assert needed <= signatures.parameters("evaluation", name).keys()
    found = evaluate(name, case)
    for key in signatures.counted({"use": name}):
        assert ((found[key] >= 0) & (found[key] <= 1)).all()
        assert found[key].frac().eq(0).double().mean() > 0.5


@pytest.mark.parametrize("name", [name for name in NAMES if getattr(MODULES[name], "X", "") == "layers"])
def test_what_goes_over_layers_says_how_and_keeps_the_maps(name, case):
    assert "mode" in signatures.parameters("evaluation", name)
    found = evaluate(name, case)
    assert found["maps"].shape == (*found["curve"].shape, *case[3].shape[1:])
    assert found["maps"].dtype == torch.float32


ENTRIES = [(name, {}) for name in NAMES]
ENTRIES += [(name, stated) for found in protocols.known().values() for name, stated in found["metrics"].items()]


@pytest.mark.parametrize(("name", "chosen"), ENTRIES)
def test_the_passes_are_as_many_as_the_module_says(name, chosen, case):
    """Counted in images that go through the network, what ``logits`` gives apart, and in calls of ``attribute``."""
    model, images = case[:2]
    counted, model.uncounted = {"forward": 0, "explain": 0}, []

    def explained(network, images, targets, *, seed=0, **changes):
        counted["explain"] += 1
        return images.abs().sum(1) * (seed + 1)

    def watch(network, inputs):
        counted["forward"] += 0 if network.uncounted else len(inputs[0])

    model.register_forward_pre_hook(watch)
    stated = {key: ast.literal_eval(text) for key, text in signatures.defaults("evaluation", name).items()}
    stated |= chosen | ({"steps": min(chosen["steps"], 8)} if "steps" in chosen else {})  # the images are small
    stated |= {"step_size": 5} if stated.get("step_size") else {}
    evaluate(name, case, explained=explained, **stated)
    sizes = {
        "images": len(images),
        "pixels_of_image": images[0, 0].numel(),
        "layers": 2,
        "channels": images.shape[1],
        "len": len,
        "sum": sum,
    }
    sizes |= stated
    said = {key: eval(text, sizes.copy()) for key, text in MODULES[name].PASSES.items()}
    assert counted == {"forward": len(images) * said["forward"], "explain": said["explain"]}


@pytest.mark.parametrize("name", NAMES)
def test_a_metric_that_no_order_decides_has_a_test_of_its_own_for_its_direction(name):
    """Those that an order decides are held against the best order above."""
    tree = ast.parse((Path(__file__).parents[1] / "evaluation" / f"test_{name}.py").read_text(encoding="utf-8"))
    tests = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    assert name in RANKED or any("best" in test for test in tests)


@pytest.mark.parametrize("name", NAMES)
def test_what_a_module_requires_can_be_asked_and_is_what_it_uses(name):
    needs = getattr(MODULES[name], "REQUIRES", ())
    assert all(callable(getattr(_requirements, need)) for need in needs)
    asked = inspect.signature(getattr(MODULES[name], name)).parameters
    assert ("masks" in asked) <= ("marked" in needs)
    assert ("draws" in needs) <= ("attribute" in asked)  # without which it cannot tell
