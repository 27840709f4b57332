"""Increase in confidence: whether the network is surer of the class when only what the map marks is shown.

Chattopadhay, Sarkar, Howlader & Balasubramanian, "Grad-CAM++: Generalized Gradient-based Visual Explanations for Deep
Convolutional Networks", WACV 2018 (arXiv:1710.11063): 1 where O > Y, else 0, with Y the probability for the whole image
and O that for the image times the map scaled to [0, 1]. Their tables give the mean over the images in per cent; here it
is a share. Muting is Wang et al., "Score-CAM: Score-Weighted Visual Explanations for Convolutional Neural Networks",
CVPR Workshops 2020 (arXiv:1910.01279), who hide half of the pixels (``mute: 0.5``).
"""

from collections.abc import Callable
from typing import Annotated

import torch
from torch import Tensor, nn

from pipeline.bounds import Between, Fill, Follow
from pipeline.evaluation._confidence import confidence_ratio

LABEL = "Increase in confidence"
FAMILY = "confidence"
HIGHER_IS_BETTER = True
RANGE = (0.0, 1.0)
PASSES = {"forward": "1", "explain": "0"}
COUNTS = {"score": None}


@torch.no_grad()
def increase_in_confidence(
    model: nn.Module,
    images: Tensor,
    targets: Tensor,
    saliency: Tensor,
    *,
    ids: Tensor,
    labels: Tensor,
    fills: Callable[[str], Tensor],
    logits: Callable[[str], Tensor],
    follow: Follow = "target",
    mute: Annotated[float, Between(0, 1)] = 0.0,
    fill: Fill = "mean",
) -> dict[str, Tensor]:
    """Show each pixel as far as the map, scaled by its own minimum and maximum, lets it through: as ``average_drop``.

    Args:
        model: classifier in eval mode, (N, C, H, W) -> (N, K) logits.
        images: (N, C, H, W), normalised as in training.
        targets: (N,) int64, the class explained for each image.
        saliency: (N, H, W); its values count, not its order alone. A constant map shows nothing of the image.
        ids: (N,) int64, the images' places in their data set.
        labels: (N,) int64, the true classes.
        fills: gives the replacement pixels, (N, C, H, W), of a fill's name.
        logits: gives the network's answer to the whole images, (N, K).
        follow: whose probability: that of the target, of the class predicted for the whole image, or of the label.
        mute: share of the pixels, the least salient, of which nothing is shown.
        fill: what shows instead: image * m + fill * (1 - m).

    Returns:
        "score": (N,) float64, 1 where the probability rises, 0 where it falls or stays: their mean is the share of the
        images in which it rises.
    """
    ratio = confidence_ratio(
        model, images, targets, saliency,
        ids=ids, labels=labels, fills=fills, logits=logits, follow=follow, mute=mute, fill=fill,
    )  # fmt: skip
    return {"score": (ratio > 0).to(ratio)}
