"""Average drop: the share of the class's probability that is lost when only what the map marks is shown.

Chattopadhay, Sarkar, Howlader & Balasubramanian, "Grad-CAM++: Generalized Gradient-based Visual Explanations for Deep
Convolutional Networks", WACV 2018 (arXiv:1710.11063): max(0, Y - O) / Y of an image, with Y the probability for the
whole image and O that for the image times the map scaled to [0, 1]. Their tables give the mean over the images in per
cent; here it is a share. A gain counts as no loss, so two maps may tie at 0: ``increase_in_confidence`` tells them
apart. Muting is Wang et al., "Score-CAM: Score-Weighted Visual Explanations for Convolutional Neural Networks", CVPR
Workshops 2020 (arXiv:1910.01279), who hide half of the pixels (``mute: 0.5``).
"""

from collections.abc import Callable
from typing import Annotated

import torch
from torch import Tensor, nn

from pipeline.bounds import Between, Fill, Follow
from pipeline.evaluation._confidence import confidence_ratio

LABEL = "Average drop"
FAMILY = "confidence"
HIGHER_IS_BETTER = False
RANGE = (0.0, 1.0)
PASSES = {"forward": "1", "explain": "0"}


@torch.no_grad()
def average_drop(
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
    """Show each pixel as far as the map, scaled by its own minimum and maximum, lets it through.

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
        fill: what shows instead: image * m + fill * (1 - m). With "mean" that is the product in normalised units, as
            in the code of the sources; with "zero" the product in pixel units, in which 0 is black.

    Returns:
        "score": (N,) float64, the share of the probability that is lost, 0 where it rises; lower is better.
    """
    ratio = confidence_ratio(
        model, images, targets, saliency,
        ids=ids, labels=labels, fills=fills, logits=logits, follow=follow, mute=mute, fill=fill,
    )  # fmt: skip
    return {"score": 1 - ratio.clamp(max=0).exp()}
