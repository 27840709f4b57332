"""Whether a network keeps the promises that methods rest on, found by running it on a few images.

What runs counts, not how it is written. Functional activations silently turn guided backpropagation into the plain
gradient, reused ones break DeepLIFT, a softmax inside changes every explanation, and so does a network whose answer to
an image depends on the others of its batch.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from pipeline.models._watch import Finding, Seen, Watch, watched

# What each kind of finding rules out: the methods that name this requirement, or (None) every method.
RULES_OUT = {
    "functional": "own_activations",
    "reused": "own_activations",
    "in place": "own_activations",
    "shape": None,
    "random": None,
    "batch": None,
    "probabilities": None,
}
LAST = ("softmax", "log_softmax", "sigmoid", "logsigmoid")  # as the last thing before the output, not to be there
OFF_BY = 1e-3  # how far from 1 the sum of what is taken for probabilities may be


def findings(model: nn.Module, images: Tensor, classes: int | None = None) -> list[Finding]:
    """Return what is wrong with a network; it, its mode and the global random numbers are left as found.

    Args:
        model: the network.
        images: a few images to try, (N, C, H, W), normalised; N should be 2 or more.
        classes: how many classes its answer must have, or None where that is unknown.
    """
    cuda = [images.device] if images.is_cuda else []
    with torch.no_grad(), torch.random.fork_rng(devices=cuda), _evaluating(model):
        torch.manual_seed(0)
        watch = watched(model, images[:1], judge=True)
        return [*watch.found, *_answers(model, images, classes, watch)]


def fault(model: nn.Module, images: Tensor, classes: int) -> str | None:
    """Return why no method can explain this network, or None if some can; arguments as those of ``findings``."""
    return next((str(each) for each in findings(model, images, classes) if RULES_OUT[each.kind] is None), None)


def _answers(model: nn.Module, images: Tensor, classes: int | None, watch: Watch) -> Iterator[Finding]:
    """Yield what is wrong with the network's answers."""
    answer = watch.answer
    if not isinstance(answer, Tensor) or answer.ndim != 2 or classes not in {None, answer.shape[1]}:
        given = tuple(answer.shape) if isinstance(answer, Tensor) else f"a {type(answer).__name__}"
        due = f"logits (N, {classes or 'K'})"
        yield Finding("shape", "", "", f"the network gives {given} for one image, where {due} are due")
        return
    yield from _unsteady(model, images)
    last = watch.last if watch.last and watch.last[2] is answer and watch.last[0] in LAST else None
    if last or _probable(torch.cat([answer, *(model(image[None]) for image in images)])):
        name, line = last[:2] if last else ("", "")
        ends = f"the network ends in {name}" if last else "the network's answers are probabilities or their logarithms"
        yield Finding("probabilities", "", line, f"{ends}, where logits are due")


def _unsteady(model: nn.Module, images: Tensor) -> Iterator[Finding]:
    """Yield whether an image's logits depend on chance, or else on the other images of its batch."""
    first, again = (_seeded(model, images, seed) for seed in (1, 2))
    if not _alike(first.answer, again.answer):
        where, line = _parting(first.seen, again.seen)
        said = f"two forwards in eval mode give different logits; they part first in the output of {where!r}"
        yield Finding("random", where, line, said)
        return
    flipped = model(images.flip(0)).flip(0)
    alone = [watched(model, image[None]) for image in images]
    if not (_alike(first.answer, flipped) and _alike(first.answer, torch.cat([each.answer for each in alone]))):
        where, line = _parting([each._replace(mark=each.mark[:1]) for each in first.seen], alone[0].seen)
        said = f"an image's logits depend on its batch in eval mode; this shows first in the output of {where!r}"
        yield Finding("batch", where, line, said)


def _seeded(model: nn.Module, images: Tensor, seed: int) -> Watch:
    torch.manual_seed(seed)
    return watched(model, images)


def _alike(first: Tensor, second: Tensor) -> bool:
    """Say whether two tensors are equal, to the square root of the machine precision, relative to the largest."""
    bound = torch.finfo(first.dtype).eps ** 0.5 * first.abs().max()
    return first.shape == second.shape and bool(((first - second).abs() <= bound).all())


def _parting(first: list[Seen], second: list[Seen]) -> tuple[str, str]:
    """Return module and line of the first output that two forwards do not share."""
    pairs = zip(first, second, strict=False)
    return next((one[:2] for one, other in pairs if one[0] != other[0] or not _alike(one.mark, other.mark)), ("", ""))


def _probable(answers: Tensor) -> bool:
    """Say whether answers (N, K) are probabilities of K classes, or the logarithms of probabilities."""
    sums = (answers.sum(1), answers.exp().sum(1))
    whole = [bool(((total - 1).abs() < OFF_BY).all()) for total in sums]
    return answers.shape[1] > 1 and ((whole[0] and bool((answers >= 0).all())) or whole[1])


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """Have every module in eval mode for a while."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode
