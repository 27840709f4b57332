"""What a network says of masked images: the one forward each that perturbation methods live on."""

from collections.abc import Callable, Iterator
from hashlib import sha256

import torch
from torch import Tensor, nn

from pipeline.attribution._score import Score, target_score
from pipeline.models._folded import folded

CHUNK = 256  # masked images in one forward; more only where more images than that are explained at once


@torch.no_grad()
def masked_logits(
    model: nn.Module, images: Tensor, baseline: Tensor, masks: Callable[[int, int], Tensor], count: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield masks, a chunk at a time, with the logits of all images under them; memory does not grow with ``count``.

    Args:
        model: classifier in eval mode, (N, C, H, W) -> (N, K) logits.
        images: (N, C, H, W), normalised as in training.
        baseline: (N or 1, C, H, W), what is shown where a mask is 0; the image itself is where it is 1.
        masks: a function, (first, last) -> the masks of these places, (M, N or 1, C or 1, H, W), in [0, 1].
        count: how many masks there are.

    Yields:
        The masks, and the logits (M, N, K).
    """
    images, most = images.detach(), max(1, CHUNK // len(images))
    layout = torch.channels_last if images.is_contiguous(memory_format=torch.channels_last) else torch.contiguous_format
    for first in range(0, count, most):
        shown = masks(first, min(first + most, count))
        mixed = torch.lerp(baseline, images, shown.to(images)).flatten(0, 1)  # exact where a mask is 0 or 1
        yield shown, model(mixed.contiguous(memory_format=layout)).unflatten(0, (len(shown), len(images)))


@torch.no_grad()
def masked_scores(
    model: nn.Module,
    images: Tensor,
    targets: Tensor,
    baseline: Tensor,
    masks: Callable[[int, int], Tensor],
    count: int,
    *,
    score: Score,
    dtype: torch.dtype,
) -> Tensor:
    """Return the target's score for each image under each mask: (count, N), on the images' device.

    Args:
        model: classifier in eval mode, (N, C, H, W) -> (N, K) logits; its batch norms are folded meanwhile.
        images: (N, C, H, W), normalised as in training.
        targets: (N,) int64, the class explained for each image.
        baseline: as of ``masked_logits``.
        masks: as of ``masked_logits``.
        count: how many masks there are.
        score: the target's "logit" or "probability".
        dtype: of the scores, at least single precision.
    """
    # One block from the start: small ones kept between a forward's large ones leave holes that the next do not fit.
    scores, first = torch.empty(count, len(images), dtype=dtype, device=images.device), 0
    with folded(model):
        for shown, logits in masked_logits(model, images, baseline, masks, count):
            scores[first : first + len(shown)] = target_score(score, logits.to(dtype), targets)
            first += len(shown)
    return scores


class Digest:
    """A number that stands for the masks drawn so far: the same numbers, the same masks, however many at a time."""

    def __init__(self, *about: object) -> None:
        """Begin with all that makes masks of numbers."""
        self._seen = sha256(repr(about).encode())

    def add(self, drawn: Tensor) -> "Digest":
        """Take in what was drawn next, on the CPU."""
        self._seen.update(drawn.contiguous().numpy().tobytes())
        return self

    def of(self, images: Tensor) -> Tensor:
        """Return the number, 63 bits, once for each image, which all saw the same masks: (N,) int64."""
        return torch.full((len(images),), int.from_bytes(self._seen.digest()[:8], "big") >> 1, device=images.device)
