"""Least squares against scikit-learn and LAPACK, and its standard error against fits without one row."""

import pytest
import torch
from sklearn.linear_model import Ridge

from pipeline.attribution._least_squares import RIDGE, least_squares
from pipeline.randomness import seeded


def made(rows, columns):
    generator = seeded("least squares")
    design = torch.randn(rows, columns, dtype=torch.float64, generator=generator)
    return design, torch.randn(rows, 3, dtype=torch.float64, generator=generator)


def test_with_a_penalty_it_is_ridge_regression():
    design, scores = made(30, 7)
    theirs = Ridge(alpha=2.5, fit_intercept=False).fit(design.numpy(), scores.numpy()).coef_
    torch.testing.assert_close(least_squares(design, scores, unknowns=4, penalty=2.5)[0], torch.from_numpy(theirs).mT)


@pytest.mark.parametrize(("rows", "columns"), [(30, 7), (7, 7), (4, 7)])
@pytest.mark.parametrize("degenerate", [False, True])
def test_without_a_penalty_it_is_the_smallest_of_the_best_fits(rows, columns, degenerate):
    design, scores = made(rows, columns)
    if degenerate:
        design = design - design.mean(1, keepdim=True)  # as if values added up to 0
    expected = torch.linalg.lstsq(design, scores, driver="gelsd", rcond=1e-12).solution
    torch.testing.assert_close(least_squares(design, scores, unknowns=4)[0], expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("rows", "columns", "penalty"), [(30, 7, 2.5), (5, 7, 2.5), (30, 7, 0.0), (5, 7, 0.0)])
def test_the_standard_error_is_the_jackknifes(rows, columns, penalty):
    design, scores = made(rows, columns)
    slight = max(penalty, RIDGE * design.square().sum().item())  # the fit that is compared has at least this penalty
    whole, _ = least_squares(design, scores, unknowns=4, penalty=slight)
    kept = [torch.arange(rows) != row for row in range(rows)]
    without = torch.stack([least_squares(design[rest], scores[rest], unknowns=4, penalty=slight)[0] for rest in kept])
    expected = (without - whole).square().sum(0).sqrt()
    _, found = least_squares(design, scores, unknowns=4, penalty=penalty)
    torch.testing.assert_close(found, expected, rtol=1e-7 if penalty else 1e-2, atol=0)


def test_an_intercept_joins_through_its_leverage():
    design, scores = made(20, 4)
    ones = torch.ones(20, 1, dtype=torch.float64)
    joint = torch.cat([design, ones], dim=1)
    whole = torch.linalg.lstsq(joint, scores).solution
    kept = [torch.arange(20) != row for row in range(20)]
    without = torch.stack([torch.linalg.lstsq(joint[rest], scores[rest]).solution for rest in kept])
    values, found = least_squares(
        design - design.mean(0), scores - scores.mean(0), unknowns=4, leverage=ones[:, 0] / 20
    )
    torch.testing.assert_close(values, whole[:-1])
    torch.testing.assert_close(found, (without - whole).square().sum(0).sqrt()[:-1], rtol=1e-3, atol=0)


def test_scores_or_rows_of_zeros_give_zeros():
    design, scores = made(6, 4)
    for each in (least_squares(design, 0 * scores, unknowns=4), least_squares(0 * design, scores, unknowns=0)):
        assert not any(found.any() for found in each)
    assert least_squares(design[:0], scores[:0], unknowns=4)[0].tolist() == [[0.0] * 3] * 4


@pytest.mark.parametrize("penalty", [0.0, 2.5])
def test_of_values_that_the_rows_do_not_decide_the_error_is_not_known(penalty):
    design, scores = made(5, 6)
    values, found = least_squares(design, scores, unknowns=6, penalty=penalty)
    assert values.isfinite().all()
    assert found.isinf().all()
    doubled = torch.cat([design, design])  # ten rows, and no more is known
    assert least_squares(doubled, torch.cat([scores, scores]), unknowns=6, penalty=penalty)[1].isinf().all()
    assert least_squares(*made(6, 6), unknowns=6, penalty=penalty)[1].isfinite().all()
