"""The walk between an image and its fill that deletion and insertion share."""

import torch
from torch import Tensor, nn

from pipeline.evaluation._ranking import removal_counts


def probabilities(logits: Tensor) -> Tensor:
    """Return the softmax of logits (N, K), in single precision at least."""
    return logits.softmax(dim=1, dtype=torch.promote_types(logits.dtype, torch.float32))


def exchange_curve(
    model: nn.Module, before: Tensor, after: Tensor, targets: Tensor, ranks: Tensor, steps: int
) -> dict[str, Tensor]:
    """Turn ``before`` into ``after``, the most salient pixels first, and follow the probability of the target.

    Args:
        model: classifier in eval mode, (N, C, H, W) -> (N, K) logits; called ``steps + 1`` times on N images.
        before: (N, C, H, W), where the walk starts.
        after: (N, C, H, W), where it ends. A pixel goes as a whole, over all its channels.
        targets: (N,) int64, the class whose probability is followed.
        ranks: (N, H, W) int64, 0 for the pixel that goes first.
        steps: number of equal portions, up to rounding to whole pixels.

    Returns:
        "curve": (N, steps + 1), probability of the target after 0, 1, ... all portions.
        "x": (N, steps + 1), the fraction of pixels that has been exchanged by then, from 0 to 1.
        "score": (N,), area under the curve against that fraction, by the trapezoid rule.

    Raises:
        ValueError: if there are more steps than pixels.
    """
    pixels = ranks[0].numel()
    counts = removal_counts(pixels, steps)
    points = []
    for count in counts:
        images = torch.where((ranks < count)[:, None], after, before)
        points.append(probabilities(model(images)).gather(1, targets[:, None]))
    curve = torch.cat(points, dim=1)
    exchanged = torch.tensor(counts).to(curve)
    # Whole pixel counts, not fractions: so the area rounds to no more than ``pixels``, and the score to no more than 1.
    area = torch.trapezoid(curve, exchanged) / pixels
    return {"score": area, "curve": curve, "x": (exchanged / pixels).repeat(len(curve), 1)}
