"""The one training loop: every network, on whole or degraded images, goes through it.

The images stay on the device as uint8; a step takes a batch of views, normalises and updates. SGD with Nesterov
momentum; the learning rate follows one cycle (Smith & Topin 2018, arXiv:1708.07120, section 3).
"""

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Annotated, Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipeline.bounds import Above, AtLeast, Between
from pipeline.data._pixels import normalise
from pipeline.data._splits import validation as validation_split
from pipeline.randomness import seeded
from pipeline.training._augment import Views, drawn, padded, viewed
from pipeline.training._update import Update, averaged, corrected, graphed, include, running_mean, updating
from pipeline.training.inference import logits


def fit(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    mean: Tensor,
    std: Tensor,
    seed: int,
    resume: dict[str, Any] | None = None,
    epochs: Annotated[int, AtLeast(1)] = 20,
    batch_size: Annotated[int, AtLeast(1)] = 128,
    learning_rate: Annotated[float, Above(0)] = 0.05,
    momentum: Annotated[float, Between(0, 1)] = 0.9,
    weight_decay: Annotated[float, AtLeast(0)] = 5e-4,
    label_smoothing: Annotated[float, Between(0, 1)] = 0.0,
    average: Annotated[float, Between(0, 0.99999)] = 0.0,
    validation: Annotated[float, Between(0, 0.5)] = 0.1,
    shift: Annotated[int, AtLeast(0)] = 0,
    flip: bool = False,
    precision: Literal["float32", "bfloat16"] = "float32",
) -> Iterator[dict[str, Any]]:
    """Train ``model`` in place and yield, after each epoch, all that is needed to go on from there.

    What an epoch draws (order, shifts, flips, dropout) depends on ``seed`` and the epoch's number only, so that a run
    resumed from any yielded state ends in the same weights as one that was never interrupted.

    The loss is the mean cross-entropy, plus ``model.penalty(n)`` where the network has one, n being the number of
    images that it learns from.

    Args:
        model: classifier, (N, C, H, W) normalised -> (N, K) logits, on the images' device.
        images: (N, C, H, W) uint8, the training images, validation included.
        labels: (N,) int64.
        mean: (C,) channel means in [0, 1] units.
        std: (C,) channel standard deviations in [0, 1] units.
        seed: of all that is drawn.
        resume: a state yielded by an earlier call with equal arguments, or None to start.
        epochs: passes over the training images.
        batch_size: images of one update; the rest of an epoch that does not fill a batch is left out of it.
        learning_rate: the peak of the cycle.
        momentum: of SGD, Nesterov's form.
        weight_decay: of all parameters.
        label_smoothing: share of the target that is spread over all classes (Szegedy et al. 2016, arXiv:1512.00567,
            section 7).
        average: decay per update of the exponential running mean of weights and running statistics, with which the
            network ends; 0 ends with the last weights.
        validation: share of the images of each class that is held out; the same images whatever the seed.
        shift: largest random shift, in pixels.
        flip: whether to mirror images at random.
        precision: in which the network computes; the weights, the loss and the update stay in float32.

    Yields:
        {"model", "optimizer", "average", "history"}; history has one dict an epoch: epoch, loss, accuracy (of the
        updates), validation_accuracy (NaN without validation images) and the learning rate at its end.

    Raises:
        ValueError: if the loss is no longer finite.
    """
    held_out = torch.as_tensor(validation_split(labels.cpu().numpy(), validation, "validation"), device=labels.device)
    kept = (~held_out).nonzero().squeeze(1)
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = _optimizer(model, learning_rate, momentum, weight_decay)
    sums = running_mean(model) if average else {}
    history = _resumed(model, optimizer, sums, resume) if resume else []
    view = partial(_inputs, padded(images, shift), shift, mean, std)
    objective = partial(_objective, model, view, labels, len(kept), label_smoothing, getattr(torch, precision))
    update = _update(model, optimizer, objective, sums, average)
    steps = max(1, len(kept) // batch_size)
    for epoch in range(len(history), epochs):
        rates = [one_cycle((epoch * steps + step) / (epochs * steps), learning_rate) for step in range(steps)]
        views = _views(kept, batch_size, shift, flip, seed, epoch)
        row = {"epoch": epoch + 1, **_epoch(model, update, views, rates, seed, epoch)}
        with averaged(model, sums, average, steps * (epoch + 1)):
            row["validation_accuracy"] = _accuracy(model, images[held_out], labels[held_out], mean, std)
        history = [*history, row | {"learning_rate": rates[-1]}]
        yield {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "average": sums, "history": history}
    model.load_state_dict(corrected(sums, average, steps * epochs), strict=False)


def one_cycle(progress: float, peak: float, *, rise: float = 0.25) -> float:
    """Return the learning rate after a share ``progress`` of all updates: up to ``peak`` in a straight line, and down.

    The line starts at ``peak / 10``, is at ``peak`` after the share ``rise``, and ends at 0.
    """
    if progress < rise:
        return peak * (0.1 + 0.9 * progress / rise)
    return peak * (1 - progress) / (1 - rise)


def _optimizer(model: nn.Module, learning_rate: float, momentum: float, weight_decay: float) -> torch.optim.SGD:
    """Return fused SGD; on a GPU its learning rate is a tensor there, which a CUDA graph reads anew at each replay."""
    parameters = list(model.parameters())
    rate = torch.tensor(learning_rate, device=parameters[0].device) if parameters[0].is_cuda else learning_rate
    return torch.optim.SGD(parameters, rate, momentum, weight_decay=weight_decay, nesterov=momentum > 0, fused=True)


def _resumed(
    model: nn.Module, optimizer: torch.optim.Optimizer, sums: dict[str, Tensor], state: dict[str, Any]
) -> list[dict[str, float]]:
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    for name, total in sums.items():
        total.copy_(state["average"][name])
    return list(state["history"])


def _update(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    objective: Callable[[Views], tuple[Tensor, Tensor]],
    sums: dict[str, Tensor],
    average: float,
) -> Update:
    """Return one update of the network and of its running mean; on a GPU it is one CUDA graph."""
    update = updating(optimizer, objective, partial(include, sums, model, average) if sums else None)
    if not next(model.parameters()).is_cuda:
        return update
    return graphed(optimizer, update, [*model.state_dict().values(), *sums.values()])


def _views(places: Tensor, batch_size: int, shift: int, flip: bool, seed: int, epoch: int) -> Views:
    """Return what an epoch shows: whole batches (S, batch_size) in a random order, or (1, N) where there are fewer."""
    generator = seeded("fit", seed, epoch, device=places.device)
    batch_size = min(batch_size, len(places))
    order = places[torch.randperm(len(places), generator=generator, device=generator.device)]
    return drawn(order[: len(places) // batch_size * batch_size].view(-1, batch_size), shift, flip, generator)


def _inputs(source: Tensor, shift: int, mean: Tensor, std: Tensor, views: Views) -> Tensor:
    return normalise(viewed(source, views, shift), mean, std)


def _objective(
    model: nn.Module,
    inputs: Callable[[Views], Tensor],
    labels: Tensor,
    count: int,
    label_smoothing: float,
    precision: torch.dtype,
    views: Views,
) -> tuple[Tensor, Tensor]:
    """Return the loss of a batch and how many of its images are answered rightly."""
    with torch.autocast(labels.device.type, precision, enabled=precision != torch.float32):
        outputs = model(inputs(views))
    truth = labels[views.places]
    loss = functional.cross_entropy(outputs.float(), truth, label_smoothing=label_smoothing)
    if penalty := getattr(model, "penalty", None):
        loss = loss + penalty(count)
    return loss, (outputs.detach().argmax(1) == truth).sum()


def _epoch(
    model: nn.Module, update: Update, views: Views, rates: list[float], seed: int, epoch: int
) -> dict[str, float]:
    """Update once for each batch; return the mean loss and accuracy. Nothing is read back in between.

    Raises:
        ValueError: if a loss is not finite.
    """
    model.train()
    with torch.random.fork_rng(devices=[views.places.device] if views.places.is_cuda else []):
        torch.manual_seed(seeded("fit", seed, epoch).initial_seed())  # dropout draws from the global generator
        found = [update(_batch(views, step), rate) for step, rate in enumerate(rates)]
    losses, correct = (torch.stack(each).cpu() for each in zip(*found, strict=True))
    if len(bad := (~losses.isfinite()).nonzero()):
        step = int(bad[0])
        raise ValueError(
            f"the loss is {float(losses[step])} in epoch {epoch + 1}, batch {step + 1} of {len(rates)},"
            f" at the learning rate {rates[step]:.3g}; lower the rate"
        )
    return {"loss": float(losses.mean()), "accuracy": float(correct.sum()) / views.places.numel()}


def _batch(views: Views, step: int) -> Views:
    return Views(*(each[step] for each in views))


def _accuracy(model: nn.Module, images: Tensor, labels: Tensor, mean: Tensor, std: Tensor) -> float:
    if len(images) == 0:
        return math.nan
    return float((logits(model, images, mean, std).argmax(1) == labels).double().mean())
