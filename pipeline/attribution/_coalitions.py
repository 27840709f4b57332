"""What a network says of an image of which a coalition of segments shows: the ground of LIME and Kernel SHAP."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from pipeline.attribution._masked import Digest, masked_scores
from pipeline.attribution._score import Score
from pipeline.attribution._segments import counts
from pipeline.randomness import seeded

Scores = Callable[[Tensor], Tensor]
Solve = Callable[[Scores, int, torch.Generator], tuple[Tensor, Tensor]]


def explained(
    model: nn.Module,
    images: Tensor,
    targets: Tensor,
    segments: Tensor,
    baseline: Tensor,
    *,
    score: Score,
    generator: torch.Generator,
    solve: Solve,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Explain images of equal numbers of segments together, by coalitions common to all of these.

    The coalitions depend on the generator and on the number of segments, so not on which other images are explained.
    All that ``solve`` sees is float64 on the CPU, whatever the images are.

    Args:
        model: classifier in eval mode, (N, C, H, W) -> (N, K) logits.
        images: (N, C, H, W), normalised as in training.
        targets: (N,) int64, the class explained for each image.
        segments: (N or 1, H, W) int64, the segment of every pixel.
        baseline: (N or 1, C, H, W), what shows in place of hidden segments.
        score: what the network says: the target's "logit" or "probability".
        generator: source of the coalitions.
        solve: a function of three arguments: a function that turns coalitions (M, S) bool into scores (M, n), of one
            forward each; the number S of segments; and a CPU generator. It returns the segments' values and their
            standard errors, both (n, S).

    Returns:
        Values and standard errors, (N, S) float64 on the images' device, 0 beyond an image's own segments; how many
        segments each image has, (N,) int64; and the digest of its coalitions, (N,) int64.
    """
    seed = torch.randint(2**62, (), generator=generator).item()
    own = counts(segments).cpu().expand(len(images))
    values = torch.zeros(2, len(images), int(own.amax()), dtype=torch.float64)
    digests = torch.zeros_like(own, memory_format=torch.contiguous_format)
    for count in own.unique().tolist():
        rows = (own == count).nonzero().squeeze(1)

        def scores(coalitions: Tensor, rows: Tensor = rows) -> Tensor:
            digests[rows] = Digest().add(coalitions).of(rows)
            shown, behind = _of(segments, rows), _of(baseline, rows)
            return _scores(model, _of(images, rows), _of(targets, rows), shown, behind, coalitions, score)

        found = solve(scores, count, seeded("coalitions", seed, count))
        values[:, rows, :count] = torch.stack(found)
    maps, errors = values.to(images.device)
    return maps, errors, own.to(images.device), digests.to(images.device)


def _of(array: Tensor, rows: Tensor) -> Tensor:
    """Return some images' rows of an array, which is common to all images where it has but one row."""
    return array if len(array) in {1, len(rows)} else array[rows.to(array.device)]


def _scores(
    model: nn.Module,
    images: Tensor,
    targets: Tensor,
    segments: Tensor,
    baseline: Tensor,
    coalitions: Tensor,
    score: Score,
) -> Tensor:
    """Return the target's score for each image under each coalition (M, S): (M, N) float64, on the CPU."""
    coalitions = coalitions.to(images.device)

    def shown(first: int, last: int) -> Tensor:
        return coalitions[first:last, segments[:, None]]

    return masked_scores(
        model, images, targets, baseline, shown, len(coalitions), score=score, dtype=torch.float64
    ).cpu()
