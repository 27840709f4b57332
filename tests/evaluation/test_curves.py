"""The walk that curves share, the class and the number they follow, and how their points become a score."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.evaluation._curves import (
    End,
    area_under,
    exchange_counts,
    followed,
    gathered,
    probabilities,
    reading,
    walk,
)

POINTS = torch.tensor([[8.0, 4.0, 1.0, 2.0, 6.0]], dtype=torch.float64)
PLACES = [0, 1, 3, 6, 10]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_probabilities_have_single_precision_at_least(dtype):
    logits = torch.tensor([[2.0, -1.0, 0.5]], dtype=dtype)
    expected = logits.double().exp() / logits.double().exp().sum()
    found = probabilities(logits)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), expected, atol=1e-7, rtol=0)


def test_probabilities_keep_double_precision():
    logits = torch.tensor([[2.0, -1.0], [0.0, 700.0]], dtype=torch.float64)
    expected = torch.tensor([[1 / (1 + torch.e**-3), 1 / (1 + torch.e**3)], [0.0, 1.0]], dtype=torch.float64)
    torch.testing.assert_close(probabilities(logits), expected, atol=1e-15, rtol=0)


def test_the_number_read_is_the_logit_or_the_probability_of_each_images_class():
    logits = torch.tensor([[2.0, -1.0], [0.5, 3.0]], dtype=torch.bfloat16)
    classes = torch.tensor([1, 0])
    assert torch.equal(reading(logits, classes, "logit"), torch.tensor([-1.0, 0.5]))
    torch.testing.assert_close(reading(logits, classes), torch.tensor([-3.0, -2.5]).sigmoid())


@pytest.mark.parametrize(("follow", "expected"), [("target", [0, 1]), ("predicted", [2, 0]), ("label", [1, 2])])
def test_the_class_followed_is_the_one_explained_predicted_or_true(follow, expected):
    answers = {"image": torch.tensor([[0.0, 1.0, 2.0], [5.0, 1.0, 2.0]])}
    found = followed(follow, torch.tensor([0, 1]), torch.tensor([1, 2]), answers.__getitem__)
    assert found.tolist() == expected


def test_only_the_predicted_class_asks_the_network():
    def refuse(_name):
        raise AssertionError

    followed("target", torch.tensor([0]), torch.tensor([1]), refuse)
    followed("label", torch.tensor([0]), torch.tensor([1]), refuse)


@pytest.mark.parametrize(
    ("size", "steps", "step_size", "expected"),
    [
        (10, 4, None, [0, 2, 5, 8, 10]),
        (10, 99, 4, [0, 4, 8, 10]),
        (10, 3, 5, [0, 5, 10]),
        (10, 3, 10, [0, 10]),
        (3, 1, 1, [0, 1, 2, 3]),
    ],
)
def test_a_step_is_an_equal_portion_or_of_a_given_size_of_which_the_last_may_be_smaller(
    size, steps, step_size, expected
):
    assert exchange_counts(size, "pixel", steps, step_size) == expected


@pytest.mark.parametrize(
    ("unit", "steps", "step_size", "message"),
    [
        ("pixel", 7, None, "steps must be at most 6, the number of pixels of an image, got 7"),
        ("entry", 7, None, "steps must be at most 6, the number of entries of an image, got 7"),
        ("entry", 7, 8, "step_size must be at most 6, the number of entries of an image, got 8"),
    ],
)
def test_more_steps_or_larger_ones_than_the_image_has_are_refused(unit, steps, step_size, message):
    with pytest.raises(ValueError, match=message):
        exchange_counts(6, unit, steps, step_size)


@pytest.mark.parametrize("shape", [(3,), (2, 3)])
def test_points_are_gathered_one_by_one_and_must_be_as_many_as_said(shape):
    points = torch.rand(4, *shape)
    assert torch.equal(gathered(iter(points), 4), points.movedim(0, -1))
    for wrong in (3, 5):
        with pytest.raises(ValueError, match=r"zip\(\)"):
            gathered(iter(points), wrong)


def test_the_walk_takes_the_ends_as_given_and_asks_for_the_rest():
    before = End(torch.zeros(2, 2, 1, 3), torch.tensor([[7.0], [8.0]]))
    after = End(torch.ones(2, 2, 1, 3), torch.tensor([[70.0], [80.0]]))
    ranks = torch.tensor([[[[2, 0, 1]]], [[[0, 1, 2]]]])
    seen = []

    def model(images):
        seen.append(images)
        return images.sum((1, 2, 3))[:, None]

    found = list(walk(model, before, after, ranks, [0, 1, 2, 3]))
    assert torch.cat(found, dim=1).tolist() == [[7, 2, 4, 70], [8, 2, 4, 80]]
    assert len(seen) == 2
    assert seen[0][:, 0, 0].tolist() == [[0, 1, 0], [1, 0, 0]]
    assert seen[1][:, 1, 0].tolist() == [[0, 1, 1], [1, 1, 0]]


@pytest.mark.parametrize(
    ("ends", "area", "expected"),
    [
        ("both", "trapezoid", (1 * 6 + 2 * 2.5 + 3 * 1.5 + 4 * 4) / 10),
        ("last", "trapezoid", (2 * 2.5 + 3 * 1.5 + 4 * 4) / 9),
        ("neither", "trapezoid", (2 * 2.5 + 3 * 1.5) / 5),
        ("both", "index", (6 + 2.5 + 1.5 + 4) / 4),
        ("last", "index", (2.5 + 1.5 + 4) / 3),
        ("neither", "index", (2.5 + 1.5) / 2),
        ("both", "mean", 21 / 5),
        ("last", "mean", 13 / 4),
        ("neither", "mean", 7 / 3),
    ],
)
def test_the_score_of_a_worked_curve(ends, area, expected):
    assert area_under(POINTS, PLACES, ends, area).item() == pytest.approx(expected, abs=1e-15)


@pytest.mark.parametrize("area", ["trapezoid", "index", "mean"])
def test_a_single_point_counts_as_it_is_and_none_is_refused(area):
    assert area_under(POINTS[:, :3], [0, 2, 9], "neither", area).tolist() == [4]
    assert area_under(POINTS[:, :2], [0, 2], "last", area).tolist() == [4]
    with pytest.raises(ValueError, match="with neither of its ends, none of the 2 points of a curve enters the score"):
        area_under(POINTS[:, :2], [0, 2], "neither", area)


@given(
    constant=st.floats(-50, 50),
    places=st.sets(st.integers(1, 200), min_size=3, max_size=30),
    ends=st.sampled_from(["both", "last", "neither"]),
    area=st.sampled_from(["trapezoid", "index", "mean"]),
)
@settings(max_examples=60, deadline=None)
def test_a_constant_curve_scores_its_constant_whatever_the_choices(constant, places, ends, area):
    counts = [0, *sorted(places)]
    curve = torch.full((2, len(counts)), constant, dtype=torch.float64)
    torch.testing.assert_close(area_under(curve, counts, ends, area), curve[:, 0], atol=1e-12, rtol=1e-13)


def test_the_choices_are_the_formulas_of_their_sources_up_to_a_constant():
    y, n = POINTS[0].numpy(), POINTS.shape[1]
    found = {(ends, area): area_under(POINTS, PLACES, ends, area).item() for ends in ("both", "last", "neither")
             for area in ("trapezoid", "index", "mean")}  # fmt: skip
    assert found["both", "trapezoid"] == pytest.approx(np.trapezoid(y, np.array(PLACES) / 10))  # torchcam
    assert found["both", "index"] == pytest.approx((y.sum() - y[0] / 2 - y[-1] / 2) / (n - 1))  # RISE
    assert found["both", "index"] == pytest.approx(((y[1:] + y[:-1]) / 2).mean())  # xplique
    assert found["last", "mean"] == pytest.approx(y[1:].mean())  # PolyCAM and T-Grad
    inner = y[1:-1]
    assert found["neither", "index"] * (len(inner) - 1) / len(inner) == pytest.approx(
        np.trapezoid(inner, dx=1 / len(inner))  # LATEC
    )
    assert found["last", "index"] * (n - 2) == pytest.approx(np.trapezoid(y[1:]))  # Quantus
