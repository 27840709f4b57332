"""Least squares with its standard error, for many right-hand sides that share one design."""

import torch
from torch import Tensor

RANK = 1e-20  # squared singular values below this share of their sum are rounding
RIDGE = 1e-5  # the least penalty of the fit whose errors are taken, as a share of the same sum


def least_squares(
    design: Tensor, scores: Tensor, *, unknowns: int, penalty: float = 0.0, leverage: Tensor | float = 0.0
) -> tuple[Tensor, Tensor]:
    """Minimise |scores - design @ values|^2 + penalty * |values|^2; without penalty, the smallest of the solutions.

    The standard error is the jackknife's: the root of the summed squares of what leaving out one row changes, which a
    row's residual and leverage tell without another fit (the estimate HC3 of MacKinnon & White, "Some
    heteroskedasticity-consistent covariance matrix estimators with improved finite sample properties", Journal of
    Econometrics 1985, doi:10.1016/0304-4076(85)90158-7). It holds where the rows are drawn independently and the scores
    are not linear in them, and errs on the large side where rows are few. A fit of as many values as rows leaves no
    residual: there it is that of a fit with a slight penalty, and so still says how far every row decides alone. Where
    the rows do not decide all values, nothing tells how far off these are: the error is infinite.

    Args:
        design: (M, S), each row times the root of its weight.
        scores: (M, N), likewise.
        unknowns: how many directions of values the rows would have to decide.
        penalty: of the values' squares.
        leverage: (M,), what an intercept, taken out of design and scores before, adds to the rows' leverage.

    Returns:
        The values and their standard errors, both (S, N).
    """
    left, sizes, right = torch.linalg.svd(design, full_matrices=False)
    squares, total = sizes.square(), design.square().sum()
    inverse = torch.where(squares > RANK * total, sizes / (squares + penalty), 0)
    solver = (right.mT * inverse) @ left.mT

    slight = (RIDGE * total).clamp(min=max(penalty, torch.finfo(design.dtype).tiny))
    kept = squares / (squares + slight)
    residuals = scores - (left * kept) @ (left.mT @ scores)
    slack = (1 - leverage - left.square() @ kept).clamp(min=torch.finfo(design.dtype).eps)
    changes = residuals / slack[:, None]
    errors = (solver.square() @ changes.square()).sqrt()
    return solver @ scores, errors if (squares > RANK * total).sum() >= unknowns else torch.full_like(errors, torch.inf)
