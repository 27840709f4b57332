"""The one training loop: every network, on whole or degraded images, goes through it.

The images stay on the device as uint8; a step takes a batch of places, augments, normalises and updates. SGD with
Nesterov momentum; the learning rate follows one cycle (Smith & Topin 2018, arXiv:1708.07120, section 3).
"""

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Annotated, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipeline.bounds import Above, AtLeast, Between
from pipeline.data._pixels import normalise
from pipeline.data._splits import validation as validation_split
from pipeline.randomness import seeded
from pipeline.training._augment import flipped, shifted
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
    validation: Annotated[float, Between(0, 0.5)] = 0.1,
    shift: Annotated[int, AtLeast(0)] = 0,
    flip: bool = False,
) -> Iterator[dict[str, Any]]:
    """Train ``model`` in place and yield, after each epoch, all that is needed to go on from there.

    What an epoch draws (order, shifts, flips, dropout) depends on ``seed`` and the epoch's number only, so that a run
    resumed from any yielded state ends in the same weights as one that was never interrupted.

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
        validation: share of the images of each class that is held out; the same images whatever the seed.
        shift: largest random shift, in pixels.
        flip: whether to mirror images at random.

    Yields:
        {"model", "optimizer", "history"}; history has one dict an epoch: epoch, loss, accuracy (of the updates),
        validation_accuracy (NaN without validation images) and the learning rate at its end.

    Raises:
        ValueError: if the loss is no longer finite.
    """
    held_out = torch.as_tensor(validation_split(labels.cpu().numpy(), validation, "validation"), device=labels.device)
    kept = (~held_out).nonzero().squeeze(1)
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.SGD(
        model.parameters(), learning_rate, momentum, weight_decay=weight_decay, nesterov=momentum > 0, fused=True
    )
    history = _resumed(model, optimizer, resume) if resume else []
    for epoch in range(len(history), epochs):
        generator = seeded("fit", seed, epoch)
        batches = _batches(kept, batch_size, generator)
        steps = len(batches)
        rates = [one_cycle((epoch * steps + step) / (epochs * steps), learning_rate) for step in range(steps)]
        augment = partial(_augmented, generator=generator, mean=mean, std=std, shift=shift, flip=flip)
        with torch.random.fork_rng(devices=[images.device] if images.is_cuda else []):
            torch.manual_seed(generator.initial_seed())  # dropout draws from the global generator
            loss, accuracy = _epoch(model, optimizer, images, labels, batches, rates, augment)
        if not math.isfinite(loss):
            raise ValueError(f"the loss is {loss} in epoch {epoch + 1}, learning rate {rates[-1]:.3g}; lower the rate")
        held_out_accuracy = _accuracy(model, images[held_out], labels[held_out], mean, std)
        row = {"epoch": epoch + 1, "loss": loss, "accuracy": accuracy, "validation_accuracy": held_out_accuracy}
        history = [*history, row | {"learning_rate": rates[-1]}]
        yield {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "history": history}


def one_cycle(progress: float, peak: float, *, rise: float = 0.25) -> float:
    """Return the learning rate after a share ``progress`` of all updates: up to ``peak`` in a straight line, and down.

    The line starts at ``peak / 10``, is at ``peak`` after the share ``rise``, and ends at 0.
    """
    if progress < rise:
        return peak * (0.1 + 0.9 * progress / rise)
    return peak * (1 - progress) / (1 - rise)


def _resumed(model: nn.Module, optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> list[dict[str, float]]:
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    return list(state["history"])


def _batches(places: Tensor, batch_size: int, generator: torch.Generator) -> Tensor:
    """Return the places in a random order, cut into whole batches: (S, batch_size), or (1, N) where they are fewer."""
    batch_size = min(batch_size, len(places))
    order = places[torch.randperm(len(places), generator=generator).to(places.device)]
    return order[: len(places) // batch_size * batch_size].view(-1, batch_size)


def _epoch(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    images: Tensor,
    labels: Tensor,
    batches: Tensor,
    rates: list[float],
    augment: Callable[[Tensor], Tensor],
) -> tuple[float, float]:
    """Update once for each row of ``batches``; return the mean loss and accuracy. Nothing is read back in between."""
    model.train()
    loss = torch.zeros((), device=images.device)
    correct = torch.zeros((), device=images.device, dtype=torch.int64)
    for places, rate in zip(batches, rates, strict=True):
        for group in optimizer.param_groups:
            group["lr"] = rate
        outputs = model(augment(images[places]))
        step_loss = functional.cross_entropy(outputs, labels[places])
        optimizer.zero_grad()
        step_loss.backward()
        optimizer.step()
        loss += step_loss.detach()
        correct += (outputs.detach().argmax(1) == labels[places]).sum()
    return float(loss) / len(batches), float(correct) / batches.numel()


def _augmented(
    batch: Tensor, *, generator: torch.Generator, mean: Tensor, std: Tensor, shift: int, flip: bool
) -> Tensor:
    batch = shifted(batch, shift, generator)
    batch = flipped(batch, generator) if flip else batch
    return normalise(batch, mean, std).contiguous(memory_format=torch.channels_last)


def _accuracy(model: nn.Module, images: Tensor, labels: Tensor, mean: Tensor, std: Tensor) -> float:
    if len(images) == 0:
        return math.nan
    return float((logits(model, images, mean, std).argmax(1) == labels).double().mean())
