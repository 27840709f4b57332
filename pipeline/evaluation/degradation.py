"""Degradation: whether the most salient pixels alone suffice to recognise the image.

The keep-20 % test of Malekzadeh, "Interpretable Image Classification", 2021 (notebooks degradation-comparison):
accuracy on images of which only the 20 % most salient pixels are left, all others black.
"""

from collections.abc import Callable
from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from pipeline.bounds import Between
from pipeline.evaluation._curves import probabilities

LABEL = "Accuracy on kept pixels"
HIGHER_IS_BETTER = True
RANGE = (0.0, 1.0)


@torch.no_grad()
def degradation(
    model: nn.Module,
    images: Tensor,
    targets: Tensor,
    saliency: Tensor,
    *,
    labels: Tensor,
    ranks: Tensor,
    fills: Callable[[str], Tensor],
    keep: Annotated[float, Between(0, 1)] = 0.2,
    fill: Literal["zero", "mean", "salt_and_pepper"] = "zero",
) -> dict[str, Tensor]:
    """Keep the most salient pixels, replace all others, and see whether the image is still classified rightly.

    Args:
        model: classifier in eval mode, (N, C, H, W) -> (N, K) logits.
        images: (N, C, H, W), normalised as in training.
        targets: (N,) int64, the class explained; unused, since the truth is asked for.
        saliency: (N, H, W); only its order counts, which ``ranks`` gives.
        labels: (N,) int64, the true classes.
        ranks: (N, H, W) int64, 0 for the most salient pixel.
        fills: gives the replacement pixels, (N, C, H, W), of a fill's name.
        keep: fraction of the pixels that stays, rounded to whole pixels.
        fill: what replaces the others.

    Returns:
        "score": (N,), 1 where the predicted class is the label, else 0: their mean is the accuracy.
        "probability": (N,), of the label.
    """
    kept = (ranks < round(keep * ranks[0].numel()))[:, None]
    logits = model(torch.where(kept, images, fills(fill)))
    probability = probabilities(logits).gather(1, labels[:, None]).squeeze(1)
    return {"score": (logits.argmax(dim=1) == labels).to(probability), "probability": probability}
