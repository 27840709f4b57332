"""D-RISE for classification."""

import importlib
import inspect
from pathlib import Path

import pytest
import torch
from scipy.stats import spearmanr
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional

from pipeline.attribution.d_rise import bounds, d_rise, parts
from pipeline.attribution.rise import rise
from pipeline.randomness import seeded

FOLDER = Path(__file__).parents[2] / "pipeline" / "similarity"
MODULES = {p.stem: importlib.import_module(f"pipeline.similarity.{p.stem}") for p in sorted(FOLDER.glob("[!_]*.py"))}
ALL = {name: getattr(module, name) for name, module in MODULES.items()}


def explain(model, images, targets, names=tuple(ALL), seed=0, **parameters):
    grey = torch.full((images.shape[1],), 0.4, dtype=torch.float64)
    given = {"mean": grey, "std": grey, "generator": seeded(seed), "samples": 60, "grid": 3, **parameters}
    return d_rise(model, images, targets, similarity={name: ALL[name] for name in names}, **given)


def test_there_is_a_map_for_each_similarity_in_the_order_of_the_entry(pooled, images, targets):
    names = ("logit", "cosine", "dot")
    found = explain(pooled, images, targets, names)
    assert tuple(found) == (*parts({"use": "d_rise", "similarity": list(names)}), "aux_std_error", "aux_masks")
    assert found["aux_std_error"].shape == (4, 3, 6, 8)
    for place, name in enumerate(names):
        alone = explain(pooled, images, targets, [name])
        torch.testing.assert_close(alone[name], found[name], rtol=1e-12, atol=0)
        torch.testing.assert_close(alone["aux_std_error"], found["aux_std_error"][:, [place]], rtol=1e-9, atol=0)


def test_with_the_class_probability_it_is_rise(pooled, images, targets):
    grey = torch.full((3,), 0.4, dtype=torch.float64)
    given = {"mean": grey, "std": grey, "samples": 60, "grid": 3, "probability": 0.3, "fill": "black"}
    expected = rise(pooled, images, targets, generator=seeded(0), **given)
    found = explain(pooled, images, targets, probability=0.3, fill="black")
    for name in ("class_probability", "dot"):
        torch.testing.assert_close(found[name], expected["maps"], rtol=1e-12, atol=0)
    place = list(ALL).index("class_probability")
    torch.testing.assert_close(found["aux_std_error"][:, [place]], expected["aux_std_error"], rtol=1e-12, atol=0)


def test_all_similarities_together_take_as_many_forwards_as_there_are_masks(counted, pooled, images, targets):
    model = counted(pooled)
    assert len(explain(model, images, targets)) == len(ALL) + 2 == 10
    assert model.batches == [4 * 60]


def test_the_sum_as_it_stands_is_the_expected_share_times_the_masks_that_show_a_pixel(pooled, images, targets):
    share = explain(pooled, images, targets, probability=0.3)
    total = explain(pooled, images, targets, probability=0.3, normalise="none")
    assert torch.equal(total.pop("aux_masks"), share["aux_masks"])
    for name, maps in total.items():
        torch.testing.assert_close(maps, 60 * 0.3 * share[name], rtol=1e-12, atol=0)


@pytest.mark.parametrize("normalise", ["none", "expected"])
@pytest.mark.parametrize("name", ALL)
def test_a_map_lies_between_its_bounds_and_touches_them(name, normalise, images):
    """A network that is certain whatever shows, of the class asked about or of another; full masks have no chance."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(144, 5)).double()
    model[1].weight.data.zero_()
    model[1].bias.data = torch.tensor([2000.0, 0, 0, 0, 0], dtype=torch.float64)
    settings = {"probability": 1.0, "normalise": normalise}
    right = explain(model, images, torch.zeros(4, dtype=torch.int64), [name], **settings)[name]
    wrong = explain(model, images, torch.ones(4, dtype=torch.int64), [name], **settings)[name]
    low, high = bounds(settings | {"samples": 60, "similarity": {name: MODULES[name].RANGE}})[name]
    assert (low, high).count(None) == MODULES[name].RANGE.count(None)
    assert high is None or (right - high).abs().max() < 1e-9
    assert low is None or (wrong - low).abs().max() < 1e-9
    assert (right > wrong).all() or name == "logit"


@pytest.fixture(scope="module")
def digits():
    """A small network that has learnt handwritten digits, and ten of them that it knows: (model, images, labels)."""
    data = load_digits()
    images = torch.from_numpy(data.images / 16 - 0.3).double()[:, None]
    labels = torch.from_numpy(data.target)
    torch.manual_seed(0)
    layers = [nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(128, 10)]
    model = nn.Sequential(*layers).double()
    optimiser = torch.optim.Adam(model.parameters(), 0.02)
    for _ in range(60):
        optimiser.zero_grad()
        functional.cross_entropy(model(images[:600]), labels[:600]).backward()
        optimiser.step()
    model.eval().requires_grad_(False)
    known = (model(images[600:]).argmax(1) == labels[600:]).nonzero()[:10, 0] + 600
    return model, images[known], labels[known]


def agreements(first, second):
    return [spearmanr(a.flatten(), b.flatten()).statistic for a, b in zip(first, second, strict=True)]


@pytest.mark.parametrize("name", [name for name in ALL if name != "logit"])
def test_every_similarity_ranks_pixels_like_the_probability_and_none_upside_down(name, digits):
    found = explain(*digits, ["class_probability", name] if name != "class_probability" else [name], samples=1500)
    assert min(agreements(found[name], found["class_probability"])) > 0.5


def test_the_sign_of_the_cross_entropy_is_what_keeps_its_map_upright(digits):
    model, images, labels = digits
    names = ["negative_cross_entropy", "class_probability"]
    found = explain(model, images, labels, names, samples=1500)
    assert max(agreements(-found[names[0]], found[names[1]])) < -0.5  # as the cross-entropy itself would weigh


def test_it_starts_from_the_papers_settings():
    defaults = {key: value.default for key, value in inspect.signature(d_rise).parameters.items()}
    assert (defaults["samples"], defaults["grid"], defaults["probability"]) == (5000, 16, 0.5)
    assert (defaults["interpolation"], defaults["normalise"], defaults["fill"]) == ("bilinear", "expected", "mean")
