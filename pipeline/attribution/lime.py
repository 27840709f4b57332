"""LIME: the coefficients of a local linear model of the network, in which an image's segments show or are hidden.

Ribeiro, Singh & Guestrin, "Why Should I Trust You? Explaining the Predictions of Any Classifier", KDD 2016
(arXiv:1602.04938), equation 2, section 3.3 (sampling) and section 3.4 (the kernel, the lasso). For images the authors'
program takes the cosine distance of coalitions, where the paper has the L2 distance of the pictures, and ridge
regression. So does this module, where the lasso is a choice.
"""

from collections.abc import Callable
from functools import partial
from typing import Annotated, Literal

import torch
from sklearn.linear_model import Lasso
from torch import Tensor, nn

from pipeline.attribution._coalitions import Scores, explained
from pipeline.attribution._least_squares import least_squares
from pipeline.attribution._segments import filled, painted, segmented
from pipeline.bounds import Above, AtLeast

LABEL = "LIME"
FAMILY = "perturbation"
REDUCE = "sum"
REQUIRES = ()
PASSES = {"forward": "samples", "backward": "0"}
Fit = Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]
ALPHA = {"ridge": 1.0, "lasso": 0.001}


@torch.no_grad()
def lime(
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
    kernel_width: Annotated[float, Above(0)] = 0.25,
    regression: Literal["ridge", "lasso"] = "ridge",
    alpha: Annotated[float, Above(0)] | None = None,
    fill: Literal["mean", "black", "blur", "noise", "segment"] = "mean",
    blur: Annotated[float, Above(0)] = 0.1,
    score: Literal["probability", "logit"] = "probability",
) -> dict[str, Tensor]:
    """Fit the target's score by which segments show, near to the image as it is; each pixel gets its segment's slope.

    The first coalition is the image itself; in the others each segment shows or is hidden with equal chances. One
    weighs exp(-D ** 2 / kernel_width ** 2), where D is the cosine distance to the first: with a share p of the segments
    showing, 1 - p ** 0.5. The authors' program takes the root of this kernel: its 0.25 is 0.354 here.

    Args:
        model: classifier in eval mode, (N, C, H, W) -> (N, K) logits.
        images: (N, C, H, W), normalised as in training.
        targets: (N,) int64, the class explained for each image.
        mean: (C,), the channels' means over the training images, in [0, 1] units.
        std: (C,), their standard deviations.
        generator: source of the coalitions, which are common to all images of equally many segments, and of "noise".
        samples: coalitions, and forward passes per image.
        segments: "grid", nearly square cells; or "slic", superpixels, each image its own.
        count: segments, about. 49 are cells of 4 x 4 pixels on a digit of 28 x 28 and of 32 x 32 on a photograph of
            224 x 224, and few enough for ``samples``: the error grows with their number.
        kernel_width: of the weights, in cosine distance.
        regression: "ridge", or "lasso", which leaves out segments of little influence.
        alpha: penalty, as scikit-learn's Ridge and Lasso count it, the intercept being free; unless it is stated, 1
            for ridge and 0.001 for lasso.
        fill: what shows in place of hidden segments: "mean", the training images' mean colour; "black", pixels of 0;
            "blur", the image itself, blurred; "noise", uniform in [0, 1], one draw common to all images; "segment",
            each segment's own mean colour.
        blur: standard deviation of the fill's Gaussian blur, as a fraction of the image's shorter side.
        score: what is fitted: the target's "probability", the paper's, or its "logit".

    Returns:
        "maps": (N, 1, H, W), in units of the score. "aux_std_error": (N, 1, H, W), their standard error, the jackknife
        over coalitions, infinite where these are too few to decide all slopes; with the lasso, that of the fit without
        penalty by the segments that it leaves in, and 0 elsewhere. "aux_segments": (N,) int64, the number of segments.
        "aux_masks": (N,) int64, a digest of the coalitions.
    """
    labels = segmented(segments, images, count, mean=mean, std=std)
    behind = filled(fill, images, labels, mean=mean, std=std, blur=blur, generator=generator)
    fit = partial({"ridge": _ridge, "lasso": _lasso}[regression], alpha=alpha or ALPHA[regression])
    solve = partial(_slopes, samples=samples, width=kernel_width, fit=fit)
    *slopes, own, drawn = explained(
        model, images, targets, labels, behind, score=score, generator=generator, solve=solve
    )
    maps, errors = (painted(each, labels) for each in slopes)
    wide = torch.promote_types(images.dtype, torch.float32)
    return {"maps": maps.to(images.dtype), "aux_std_error": errors.to(wide), "aux_segments": own, "aux_masks": drawn}


def _slopes(
    scores: Scores, count: int, generator: torch.Generator, *, samples: int, width: float, fit: Fit
) -> tuple[Tensor, Tensor]:
    """Return the slopes of so many segments and their standard errors, both (N, S)."""
    coalitions = torch.rand(samples, count, generator=generator, dtype=torch.float64) < 0.5
    coalitions[0] = True
    found = scores(coalitions)
    shown = coalitions.double()
    weights = (-(((1 - shown.mean(1).sqrt()) / width) ** 2)).exp()
    return fit(shown, found - found[0], weights)  # where no score differs from the image's, all are exactly 0


def _ridge(shown: Tensor, scores: Tensor, weights: Tensor, *, alpha: float) -> tuple[Tensor, Tensor]:
    """Minimise sum(weights * errors ** 2) + alpha * sum(slopes ** 2), the intercept being free."""
    shares = weights / weights.sum()  # the intercept takes out the weighted means
    design, rest = (weights.sqrt()[:, None] * (each - shares @ each) for each in (shown, scores))
    slopes, errors = least_squares(design, rest, unknowns=shown.shape[1], penalty=alpha, leverage=shares)
    return slopes.mT, errors.mT


def _lasso(shown: Tensor, scores: Tensor, weights: Tensor, *, alpha: float) -> tuple[Tensor, Tensor]:
    """Minimise sum(weights * errors ** 2) / (2 * sum(weights)) + alpha * sum(|slopes|), the intercept being free."""
    model = Lasso(alpha=alpha, tol=1e-8, max_iter=100_000)
    fitted = model.fit(shown.numpy(), scores.numpy(), sample_weight=weights.numpy())
    slopes = torch.from_numpy(fitted.coef_).view(scores.shape[1], -1)
    errors = torch.zeros_like(slopes)
    for image, left_in in enumerate(slopes != 0):
        errors[image, left_in] = _ridge(shown[:, left_in], scores[:, image, None], weights, alpha=0.0)[1]
    return slopes, errors
