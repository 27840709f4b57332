"""Sobol indices: each cell's share in the variance of the target's score when all cells fade at random.

Fel, Cadene, Chalvidal, Cord, Vigouroux & Serre, "Look at the Variance! Efficient Black-box Explanations with
Sobol-based Sensitivity Analysis", NeurIPS 2021 (arXiv:2111.04138), section 3: total indices of a grid of inpainting
masks from a quasi-random sequence, by Jansen's estimator. The estimator is that of Saltelli et al., "Variance based
sensitivity analysis of model output", Computer Physics Communications 2010 (doi:10.1016/j.cpc.2009.09.018), table 2:
the variance is taken over both of the independent designs, of which the authors' program uses one.
"""

from typing import Annotated, Literal

import torch
from torch import Tensor, nn
from torch.quasirandom import SobolEngine

from pipeline.attribution._baselines import baseline_images
from pipeline.attribution._masked import Digest, masked_scores
from pipeline.bounds import Above, AtLeast, Between

LABEL = "Sobol indices"
FAMILY = "perturbation"
REDUCE = "sum"
REQUIRES = ()
PASSES = {"forward": "samples * (grid**2 + 2)", "backward": "0"}
ROUNDING = 16  # units of the last place of the largest score: a spread of so few is none


@torch.no_grad()
def sobol(
    model: nn.Module,
    images: Tensor,
    targets: Tensor,
    *,
    mean: Tensor,
    std: Tensor,
    generator: torch.Generator,
    samples: Annotated[int, AtLeast(2)] = 32,
    grid: Annotated[int, Between(1, 100)] = 8,
    fill: Literal["black", "mean", "blur", "noise"] = "mean",
    blur: Annotated[float, Above(0)] = 0.1,
    score: Literal["logit", "probability"] = "logit",
) -> dict[str, Tensor]:
    """Fade the cells of a grid at random towards the fill, and give each cell its total Sobol index.

    That is the share of the score's variance that would be left on average if all other cells were known: what the
    cell does alone and together with others. It tells strength, not sign: evidence against the target is as strong
    as evidence for it. Where the score does not vary, the map is 0. In half precision rounding counts as variance:
    where the score varies by a few units of its last place, the shares are those of the rounding.

    Args:
        model: classifier in eval mode, (N, C, H, W) -> (N, K) logits.
        images: (N, C, H, W), normalised as in training.
        targets: (N,) int64, the class explained for each image.
        mean: (C,), the channels' means over the training images, in [0, 1] units.
        std: (C,), their standard deviations.
        generator: source of the masks, which are common to all images, and of the fill "noise".
        samples: points of each of the designs, which cover the cube of masks most evenly for a power of two.
        grid: cells along either side; no more than the image has pixels there.
        fill: what a cell fades to: "mean", the training images' mean colour; "black", pixels of 0; "blur", the image
            itself, blurred; "noise", uniform in [0, 1], one draw common to all images.
        blur: standard deviation of the fill's Gaussian blur, as a fraction of the image's shorter side.
        score: the target's "logit" or "probability".

    Returns:
        "maps": (N, 1, H, W), at least 0, the same for all pixels of a cell, in shares of the variance, which add up
        to 1 over the cells where these do not interact, and to more where they do. "aux_std_error": (N, 1, H, W), of
        the index, as if the masks were independent draws; being spread evenly they mostly do better. "aux_masks":
        (N,) int64, a digest of the masks.
    """
    start = baseline_images(fill, images, mean=mean, std=std, blur=blur, generator=generator)
    cells = _cells(images, grid)
    count = int(cells.max()) + 1
    points = _points(samples, 2 * count, generator).to(images.device)

    def shown(first: int, last: int) -> Tensor:
        masks = _design(points, torch.arange(first, last, device=images.device))
        return masks[:, cells][:, None, None]

    wide, runs = torch.promote_types(images.dtype, torch.float32), samples * (count + 2)
    scores = masked_scores(model, images, targets, start, shown, runs, score=score, dtype=wide)
    found, error = (each.T[:, None, cells] for each in total_indices(scores.unflatten(0, (-1, samples))))
    digest = Digest(grid).add(points.cpu())
    return {"maps": found.to(images.dtype), "aux_std_error": error, "aux_masks": digest.of(images)}


def _cells(images: Tensor, grid: int) -> Tensor:
    """Return the number of each pixel's cell, as nearest-neighbour enlargement of the grid has it: (H, W)."""
    height, width = images.shape[-2:]
    tall, wide = min(grid, height), min(grid, width)
    rows, columns = torch.arange(height) * tall // height, torch.arange(width) * wide // width
    return (rows[:, None] * wide + columns).to(images.device)


def _points(samples: int, dimensions: int, generator: torch.Generator) -> Tensor:
    """Return the first points of a scrambled Sobol sequence in the unit cube: (samples, dimensions) float64."""
    seed = int(torch.randint(2**62, (1,), generator=generator))
    return SobolEngine(dimensions, scramble=True, seed=seed).draw(samples, dtype=torch.float64)


def _design(points: Tensor, places: Tensor) -> Tensor:
    """Return the masks at so many places of the whole plan: (M, D).

    The plan is, one block after the other: the designs A and B, the two halves of the points' dimensions, and for
    each cell A with the cell's column taken from B.
    """
    first, second = points.chunk(2, dim=1)
    block, row = places[:, None] // len(points) - 2, places % len(points)
    exchanged = (block == torch.arange(first.shape[1], device=places.device)) | (block == -1)
    return torch.where(exchanged, second[row], first[row])


def total_indices(scores: Tensor) -> tuple[Tensor, Tensor]:
    """Return Jansen's estimates of the total indices and their standard errors, both (D, N), 0 where nothing varies.

    The error is that of a ratio of means over independent points, to first order.

    Args:
        scores: (2 + D, S, N), of the designs A, B and A with one column of B after the other.
    """
    samples = scores.shape[1]
    variances = (scores[:2] - scores[:2].mean((0, 1))).square().mean(0)
    variance, change = variances.mean(0), (scores[0] - scores[2:]).square() / 2
    varies = variance > (ROUNDING * torch.finfo(scores.dtype).eps * scores.abs().amax((0, 1))).square()
    variance = variance.where(varies, 1)
    found = (change.mean(1) / variance).where(varies, 0)
    spread = (change - found[:, None] * variances).square().sum(1)
    error = (spread / (samples * (samples - 1))).sqrt() / variance
    return found, error.where(varies, 0)
