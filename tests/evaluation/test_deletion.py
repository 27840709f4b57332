"""Deletion against hand-worked curves, torchcam's metric and a computation pixel by pixel."""

from contextlib import nullcontext
from functools import partial

import numpy as np
import pytest
import torch

from pipeline import vision  # noqa: F401  (before torchcam)
from pipeline.evaluation._ranking import saliency_rank
from pipeline.evaluation.deletion import deletion
from pipeline.evaluation.insertion import insertion


def measure(metric, model, images, targets, saliency, replacement=0.0, **chosen):
    """Score ``saliency`` with one constant as every fill."""
    ranks, filled = saliency_rank(saliency, torch.arange(len(images))), torch.full_like(images, replacement)
    return metric(model, images, targets, saliency, ranks=ranks, fills=lambda _name: filled, **chosen)


def test_curve_and_area_of_a_worked_example(brightness):
    image = torch.tensor([[[[3.0, 1.0], [0.0, -1.0]]]], dtype=torch.float64)
    found = measure(deletion, brightness, image, torch.tensor([0]), image[:, 0], steps=4)
    curve = torch.tensor([3.0, 0.0, -1.0, -1.0, 0.0], dtype=torch.float64).sigmoid()  # what is left of 3 + 1 + 0 - 1
    torch.testing.assert_close(found["curve"], curve[None])
    torch.testing.assert_close(found["x"], torch.tensor([[0, 0.25, 0.5, 0.75, 1]], dtype=torch.float64))
    torch.testing.assert_close(found["score"], ((curve[:-1] + curve[1:]) / 2).mean()[None])


def test_the_area_is_over_the_fraction_really_removed(brightness):
    image = torch.tensor([[[[1.0, 2.0, 4.0, 8.0, 16.0]]]], dtype=torch.float64)
    found = measure(deletion, brightness, image, torch.tensor([1]), image[:, 0], replacement=-1.0, steps=2)
    a, b, c = 1 - torch.tensor([31.0, 5.0, -5.0], dtype=torch.float64).sigmoid()  # 0, 2 and 5 pixels became -1
    torch.testing.assert_close(found["x"], torch.tensor([[0, 0.4, 1]], dtype=torch.float64))
    torch.testing.assert_close(found["curve"], torch.stack([a, b, c])[None])
    torch.testing.assert_close(found["score"], (0.4 * (a + b) / 2 + 0.6 * (b + c) / 2)[None])


def test_the_fill_asked_for_is_the_one_used(brightness):
    image, ranks = torch.zeros(1, 1, 1, 2), torch.tensor([[[0, 1]]])
    asked = {"ranks": ranks, "fills": {"mean": image + 2, "blur": image + 3}.__getitem__, "steps": 1}
    given = brightness, image, torch.tensor([0]), image[:, 0]
    assert deletion(*given, **asked)["curve"][0, 1] == torch.tensor(4.0).sigmoid()
    assert deletion(*given, **asked, fill="blur")["curve"][0, 1] == torch.tensor(6.0).sigmoid()
    assert insertion(*given, **asked)["curve"][0, 0] == torch.tensor(4.0).sigmoid()
    assert insertion(*given, **asked, fill="blur")["curve"][0, 0] == torch.tensor(6.0).sigmoid()


class Ranked:
    """What torchcam wants of a method, giving the map that it was made with."""

    def __init__(self, model, saliency):
        self.model, self.saliency = model, saliency

    def __call__(self, class_idx=None, scores=None, **_):
        return [self.saliency]

    def fuse_cams(self, cams):
        return cams[0]

    def _hooks_off(self):
        return nullcontext()


def test_torchcam_finds_the_same_areas(network):
    from torchcam.metrics import DeletionInsertionMetric

    generator = torch.Generator().manual_seed(1)
    images = torch.randn(5, 2, 4, 8, generator=generator, dtype=torch.float64)
    saliency, targets = torch.randn(5, 4, 8, generator=generator, dtype=torch.float64), torch.tensor([0, 2, 1, 2, 0])
    # 8 steps of 4 pixels: torchcam's portions are whole, its fractions (float32) are exact; the map has no ties
    for replacement in (0.0, 0.7):
        found = [
            measure(metric, network, images, targets, saliency, replacement, steps=8)["score"]
            for metric in (deletion, insertion)
        ]
        for i in range(5):
            judge = DeletionInsertionMetric(
                Ranked(network, saliency[[i]]),
                partial(torch.softmax, dim=-1),
                steps=8,
                baseline=torch.full_like(images[[i]], replacement),
            )
            judge.update(images[[i]], class_idx=targets[i].item())
            expected = judge.summary()
            torch.testing.assert_close(found[0][i].item(), expected["deletion_auc"], atol=1e-12, rtol=0)
            torch.testing.assert_close(found[1][i].item(), expected["insertion_auc"], atol=1e-12, rtol=0)


def slow_curve(model, image, saliency, target, counts):
    """Damage one image pixel by pixel, with numpy's arithmetic."""
    order = sorted(np.ndindex(*saliency.shape), key=lambda place: -saliency[place])
    points = []
    for count in counts:
        damaged = image.clone()
        for row, column in order[:count]:
            damaged[:, row, column] = 0.3
        odds = np.exp(model(damaged[None]).detach().numpy()[0])
        points.append(odds[target] / odds.sum())
    return points


@pytest.mark.parametrize("steps", [1, 7, 13, 35])
def test_a_computation_pixel_by_pixel_finds_the_same_curve(network, steps):
    generator = torch.Generator().manual_seed(2)
    images = torch.randn(3, 2, 5, 7, generator=generator, dtype=torch.float64)
    saliency, targets = torch.randn(3, 5, 7, generator=generator, dtype=torch.float64), torch.tensor([2, 0, 1])
    found = measure(deletion, network, images, targets, saliency, 0.3, steps=steps)
    counts = [round(step * 35 / steps) for step in range(steps + 1)]
    for i in range(3):
        expected = slow_curve(network, images[i], saliency[i].numpy(), targets[i].item(), counts)
        np.testing.assert_allclose(found["curve"][i], expected, atol=1e-12)
        np.testing.assert_allclose(found["x"][i], np.array(counts) / 35, atol=1e-12)
        np.testing.assert_allclose(found["score"][i], np.trapezoid(expected, np.array(counts) / 35), atol=1e-12)


@pytest.mark.parametrize(("chosen", "points"), [({"steps": 11}, 12), ({}, 29)])
@pytest.mark.parametrize("metric", [deletion, insertion])
def test_a_curve_costs_one_forward_of_the_whole_batch_per_point(metric, chosen, points, network):
    sizes = []
    network.register_forward_pre_hook(lambda _module, inputs: sizes.append(len(inputs[0])))
    images = torch.randn(3, 2, 5, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    measure(metric, network, images, torch.tensor([0, 1, 2]), images[:, 0], **chosen)
    assert sizes == [3] * points


@pytest.mark.parametrize("metric", [deletion, insertion])
def test_more_steps_than_pixels_are_refused(metric, brightness):
    image = torch.zeros(1, 1, 2, 2)
    with pytest.raises(ValueError, match="at most 4, the number of pixels of an image, got 5"):
        measure(metric, brightness, image, torch.tensor([0]), image[:, 0], steps=5)


@pytest.mark.parametrize("metric", [deletion, insertion])
def test_a_certain_network_scores_one_and_no_more(metric, brightness):
    images = torch.full((1, 1, 13, 11), 99.0)
    for steps in range(1, 143):
        assert measure(metric, brightness, images, torch.tensor([0]), images[:, 0], 98.0, steps=steps)["score"] == 1
