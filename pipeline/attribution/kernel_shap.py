"""Kernel SHAP: the Shapley values of an image's segments, by least squares over coalitions of them.

Lundberg & Lee, "A Unified Approach to Interpreting Model Predictions", NeurIPS 2017 (arXiv:1705.07874), theorem 2 (the
Shapley kernel). Covert & Lee, "Improving KernelSHAP: Practical Shapley Value Estimation Using Linear Regression",
AISTATS 2021 (arXiv:2012.01536), the sections on the original estimator (coalitions drawn by the kernel, the sum as a
constraint) and on reducing its variance (in pairs of complements).
"""

from functools import partial
from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from pipeline.attribution._coalitions import Scores, explained
from pipeline.attribution._least_squares import least_squares
from pipeline.attribution._segments import areas, filled, painted, segmented
from pipeline.bounds import Above, AtLeast

LABEL = "Kernel SHAP"
FAMILY = "perturbation"
REDUCE = "sum"
REQUIRES = ()
PASSES = {"forward": "samples + 2", "backward": "0"}


@torch.no_grad()
def kernel_shap(
    model: nn.Module,
    images: Tensor,
    targets: Tensor,
    *,
    mean: Tensor,
    std: Tensor,
    generator: torch.Generator,
    samples: Annotated[int, AtLeast(2)] = 1000,
    segments: Literal["grid", "slic"] = "grid",
    count: Annotated[int, AtLeast(1)] = 49,
    fill: Literal["mean", "black", "blur", "noise", "segment"] = "mean",
    blur: Annotated[float, Above(0)] = 0.1,
    score: Literal["logit", "probability"] = "logit",
) -> dict[str, Tensor]:
    """Share the score that the image has beyond the fill alone among the segments, by their Shapley values.

    A segment's value is spread evenly over its pixels, so a map's sum is the score of the image less that of the fill,
    exactly, however few the samples. Where 2 ** segments is at most ``samples``, all coalitions are seen and the values
    are exact. Otherwise coalitions are drawn by the Shapley kernel, each with its complement, and the error falls as
    samples ** -0.5; with fewer pairs than segments, what they leave open is shared equally.

    Args:
        model: classifier in eval mode, (N, C, H, W) -> (N, K) logits.
        images: (N, C, H, W), normalised as in training.
        targets: (N,) int64, the class explained for each image.
        mean: (C,), the channels' means over the training images, in [0, 1] units.
        std: (C,), their standard deviations.
        generator: source of the coalitions, which are common to all images of equally many segments, and of "noise".
        samples: coalitions, and forward passes per image beside those of the image and the fill; an odd one is left.
        segments: "grid", nearly square cells; or "slic", superpixels, each image its own.
        count: segments, about. 49 are cells of 4 x 4 pixels on a digit of 28 x 28 and of 32 x 32 on a photograph of
            224 x 224, and few enough for ``samples``: the error grows with their number.
        fill: what shows in place of hidden segments: "mean", the training images' mean colour; "black", pixels of 0;
            "blur", the image itself, blurred; "noise", uniform in [0, 1], one draw common to all images; "segment",
            each segment's own mean colour.
        blur: standard deviation of the fill's Gaussian blur, as a fraction of the image's shorter side.
        score: what is shared: the target's "logit" or "probability".

    Returns:
        "maps": (N, 1, H, W), in units of the score. "aux_std_error": (N, 1, H, W), their standard error, the jackknife
        over pairs; 0 where exact, infinite where the pairs do not decide all values. "aux_segments": (N,) int64, the
        number of segments. "aux_masks": (N,) int64, a digest of the coalitions.
    """
    labels = segmented(segments, images, count, mean=mean, std=std)
    behind = filled(fill, images, labels, mean=mean, std=std, blur=blur, generator=generator)
    solve = partial(_shapley, samples=samples)
    *shares, own, drawn = explained(
        model, images, targets, labels, behind, score=score, generator=generator, solve=solve
    )
    sizes = areas(labels, shares[0].shape[1]).clamp(min=1)
    maps, errors = (painted(each / sizes, labels) for each in shares)
    wide = torch.promote_types(images.dtype, torch.float32)
    return {"maps": maps.to(images.dtype), "aux_std_error": errors.to(wide), "aux_segments": own, "aux_masks": drawn}


def _shapley(scores: Scores, count: int, generator: torch.Generator, *, samples: int) -> tuple[Tensor, Tensor]:
    """Return the Shapley values of so many segments and their standard errors, both (N, S).

    The kernel weighs a coalition and its complement alike, so half the difference of their scores is what is fitted:
    the rest cancels. To meet the constraint, rows are taken less their mean: the smallest of the fits, which adds up to
    0, is what the values are beyond an equal share.
    """
    exact = 2**count <= samples
    coalitions = _enumerated(count) if exact else _drawn(samples // 2, count, generator)
    whole = torch.cat([torch.ones(1, count, dtype=torch.bool), coalitions])
    above, below = scores(torch.cat([whole, ~whole])).chunk(2)
    halves, shown = (above - below) / 2, coalitions.double()
    gain, part = 2 * halves[0], shown.mean(1, keepdim=True)
    roots = _kernel(count)[coalitions.sum(1)].sqrt()[:, None] if exact else 1
    design, rest = shown - part, halves[1:] - (part - 0.5) * gain
    values, errors = least_squares(roots * design, roots * rest, unknowns=count - 1)
    return (gain / count + values).mT, torch.zeros_like(errors).mT if exact else errors.mT


def _enumerated(count: int) -> Tensor:
    """Return one of every pair of complements, save that of none and all: (2 ** (S - 1) - 1, S) bool."""
    codes = torch.arange(1, 2 ** (count - 1))
    return (codes[:, None] >> torch.arange(count)) % 2 == 1


def _kernel(count: int) -> Tensor:
    """Return the Shapley kernel of coalitions of 0 to S segments, up to a factor: (S + 1,) float64, 0 at both ends."""
    sizes = torch.arange(count + 1, dtype=torch.float64)
    logs = torch.lgamma(sizes + 1) + torch.lgamma(count - sizes + 1)  # of 1 / binomial, up to a factor
    return torch.where((sizes > 0) & (sizes < count), (logs - logs.amax()).exp() / (sizes * (count - sizes)), 0)


def _drawn(pairs: int, count: int, generator: torch.Generator) -> Tensor:
    """Draw coalitions by the Shapley kernel: (P, S) bool. All of one size are equally likely."""
    sizes = torch.arange(1, count, dtype=torch.float64)
    drawn = 1 + torch.multinomial(1 / (sizes * (count - sizes)), pairs, replacement=True, generator=generator)
    order = torch.rand(pairs, count, generator=generator, dtype=torch.float64).argsort(1).argsort(1)
    return order < drawn[:, None]
