"""Completeness: whether a map adds up to what the network's answer owes to the image.

Sundararajan, Taly & Yan, "Axiomatic Attribution for Deep Networks", ICML 2017 (arXiv:1703.01365), section 3: the
attributions of an image sum to f(x) - f(baseline), f the logit of the target. There it is an axiom, held or not; here
it is measured how far a map is from it. Only methods that share out the logit can hold it, and only with respect to
their own baseline: state the same one here (the fill "zero" is a method's "black").
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from pipeline.bounds import Fill
from pipeline.evaluation._completeness import balance

LABEL = "Completeness gap"
FAMILY = "axiom"
HIGHER_IS_BETTER = False
RANGE = (0.0, 1.0)
PASSES = {"forward": "0", "explain": "0"}
DETAILS = {"gap": "Sum of the map less the drop (logits)", "drop": "Drop of the logit from image to baseline"}


@torch.no_grad()
def completeness(
    model: nn.Module,
    images: Tensor,
    targets: Tensor,
    saliency: Tensor,
    *,
    maps: Tensor,
    logits: Callable[[str], Tensor],
    baseline: Fill = "mean",
) -> dict[str, Tensor]:
    """Compare the sum of the map as stored, signed and over all channels, with the drop f(x) - f(baseline).

    The score is |sum - drop| / (|sum| + |drop|). Relative to the drop alone it would have no bound where the drop is
    small; so it lies in [0, 1], a sum k times too large counts as one k times too small, (k - 1) / (k + 1), and 1
    means that the sum is 0 or of the wrong sign, or that there is no drop to share out. Where both are 0 it is 0.

    Args:
        model: classifier; unused, since all it has to answer comes from ``logits``.
        images: (N, C, H, W); unused, likewise.
        targets: (N,) int64, the class explained for each image.
        saliency: (N, H, W); unused: the reduction to one number per pixel may have lost the signs.
        maps: (N, C or 1, H, W), in logits; one with a value that is not finite counts as zero throughout.
        logits: gives the network's answer, (N, K), to the images and to a fill.
        baseline: the image without content from which the method starts: "mean" is 0 in normalised units, "zero" black.

    Returns:
        "score": (N,) float64, lower is better. "gap": (N,), sum - drop, in logits. "drop": (N,), likewise.
    """
    found = balance(maps, targets, logits, baseline)
    return {"score": found.share, "gap": found.gap, "drop": found.drop}
