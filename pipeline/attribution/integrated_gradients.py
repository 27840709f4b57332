"""Integrated Gradients.

Sundararajan, Taly & Yan, "Axiomatic Attribution for Deep Networks", ICML 2017 (arXiv:1703.01365), equation 1.
"""

from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from pipeline.attribution._target import target_gradient
from pipeline.bounds import AtLeast
from pipeline.data._pixels import normalise

LABEL = "Integrated Gradients"
FAMILY = "gradient"
REDUCE = "sum"
REQUIRES = ()


def integrated_gradients(
    model: nn.Module,
    images: Tensor,
    targets: Tensor,
    *,
    mean: Tensor,
    std: Tensor,
    steps: Annotated[int, AtLeast(1)] = 32,
    baseline: Literal["mean", "black"] = "mean",
) -> Tensor:
    """Average the input gradient along the straight path from the baseline to each image.

    The path integral is a midpoint rule, so an image's map sums to its logit minus the baseline's (completeness)
    with an error that falls as ``steps ** -2`` where the network is smooth. One step is in memory at a time.

    Args:
        model: classifier in eval mode, (N, C, H, W) -> (N, K) logits.
        images: (N, C, H, W), normalised as in training.
        targets: (N,) int64, the class explained for each image.
        mean: (C,), the channels' means over the training images, in [0, 1] units.
        std: (C,), their standard deviations.
        steps: gradient evaluations per image.
        baseline: where the path starts: "mean", the training images' mean colour, or "black", pixels of 0.

    Returns:
        (N, C, H, W), in logits.
    """
    images = images.detach()
    start = torch.zeros_like(images)  # the mean colour, in normalised units
    if baseline == "black":
        start = normalise(start, mean, std)
    path = images - start
    # half-precision images are summed in single precision: the last of many steps would round away
    total = torch.zeros_like(images, dtype=torch.promote_types(images.dtype, torch.float32))
    for step in range(steps):
        total += target_gradient(model, start + (step + 0.5) / steps * path, targets)
    return (path * total / steps).to(images.dtype)
