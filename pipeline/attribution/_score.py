"""The number of each masked image that perturbation methods compare: the target's logit, or its probability."""

from typing import Literal

import torch
from torch import Tensor

Score = Literal["logit", "probability"]


def target_score(score: Score, logits: Tensor, targets: Tensor) -> Tensor:
    """Return the score of each image's own target class: (..., N), at least in single precision.

    Args:
        score: "logit", or "probability", the softmax's.
        logits: (..., N, K).
        targets: (N,) int64.
    """
    wide = logits.to(torch.promote_types(logits.dtype, torch.float32))  # small differences are to come
    values = wide.softmax(-1) if score == "probability" else wide
    return values.gather(-1, targets.expand(logits.shape[:-1])[..., None]).squeeze(-1)
