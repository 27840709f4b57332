"""One update of a network: forward, backward, optimiser; on a GPU replayed as one CUDA graph.

A small network's step is some hundred short kernels, and starting them one by one takes longer than their work; a
graph starts them all at once (https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs).
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from pipeline.training._augment import Views

Objective = Callable[[Views], tuple[Tensor, Tensor]]
Update = Callable[[Views, float], tuple[Tensor, Tensor]]
WARM_UP = 3  # updates before the capture, in which libraries choose their kernels


def updating(optimizer: torch.optim.Optimizer, objective: Objective, after: Callable[[], None] | None = None) -> Update:
    """Return ``update(views, learning rate) -> (loss, number of right answers)``, both still on the device.

    Args:
        optimizer: of the parameters that ``objective`` depends on.
        objective: batch -> (loss, number of right answers).
        after: what else belongs to an update, such as a running mean of the weights.
    """

    def update(views: Views, rate: float) -> tuple[Tensor, Tensor]:
        set_rate(optimizer, rate)
        loss, correct = objective(views)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if after is not None:
            after()
        return loss.detach(), correct

    return update


def graphed(optimizer: torch.optim.Optimizer, update: Update, state: Iterable[Tensor]) -> Update:
    """Return ``update`` as a CUDA graph, captured at the first call; all batches must have the shape of the first.

    Args:
        optimizer: the one of ``update``, whose learning rate is a tensor on the GPU.
        update: as ``updating`` gives it.
        state: all tensors that an update changes, beside the optimiser's; what the capture does to them is undone.
    """
    captured: list[tuple[torch.cuda.CUDAGraph, Views, tuple[Tensor, Tensor]]] = []

    def replay(views: Views, rate: float) -> tuple[Tensor, Tensor]:
        if not captured:
            before = kept(optimizer, state)
            captured.append(_captured(update, views, rate))
            restore(optimizer, before)
        ((graph, given, (loss, correct)),) = captured
        set_rate(optimizer, rate)
        for static, tensor in zip(given, views, strict=True):
            static.copy_(tensor)
        graph.replay()
        return loss.clone(), correct.clone()

    return replay


def _captured(update: Update, views: Views, rate: float) -> tuple[torch.cuda.CUDAGraph, Views, tuple[Tensor, Tensor]]:
    """Return a graph of ``update``, the batch that it reads and the results that it writes."""
    given = Views(*(tensor.clone() for tensor in views))
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(WARM_UP):
            update(given, rate)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        results = update(given, rate)
    return graph, given, results


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate, in place where it is a tensor: a graph reads it from there, and must not set it itself."""
    for group in optimizer.param_groups:
        if not isinstance(group["lr"], Tensor):
            group["lr"] = rate
        elif not (group["lr"].is_cuda and torch.cuda.is_current_stream_capturing()):
            group["lr"].fill_(rate)


def running_mean(model: nn.Module) -> dict[str, Tensor]:
    """Return a zero for each floating-point entry of the network's state: the sums that ``include`` carries on."""
    state = model.state_dict().items()
    return {name: torch.zeros_like(tensor) for name, tensor in state if tensor.is_floating_point()}


@torch.no_grad()
def include(sums: dict[str, Tensor], model: nn.Module, decay: float) -> None:
    """Take the network's state into its exponential running mean, in place."""
    state = model.state_dict()
    torch._foreach_lerp_(list(sums.values()), [state[name] for name in sums], 1 - decay)


def corrected(sums: dict[str, Tensor], decay: float, updates: int) -> dict[str, Tensor]:
    """Return the running mean after so many updates, freed of its start at zero.

    Kingma & Ba, "Adam", ICLR 2015 (arXiv:1412.6980), section 3.
    """
    return {name: total / (1 - decay**updates) for name, total in sums.items()}


@contextmanager
def averaged(model: nn.Module, sums: dict[str, Tensor], decay: float, updates: int) -> Iterator[None]:
    """Give the network its running mean for the time of a ``with`` block; without ``sums`` it stays as it is."""
    kept = {name: tensor.clone() for name, tensor in model.state_dict().items() if name in sums}
    model.load_state_dict(corrected(sums, decay, updates), strict=False)
    try:
        yield
    finally:
        model.load_state_dict(kept, strict=False)


def _buffers(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    state = optimizer.state.values()
    return [tensor for entry in state for tensor in entry.values() if isinstance(tensor, Tensor)]


def kept(optimizer: torch.optim.Optimizer, state: Iterable[Tensor]) -> list[tuple[Tensor, Tensor]]:
    """Return each tensor that an update changes, with a copy of what it holds."""
    return [(tensor, tensor.clone()) for tensor in (*state, *_buffers(optimizer))]


@torch.no_grad()
def restore(optimizer: torch.optim.Optimizer, before: list[tuple[Tensor, Tensor]]) -> None:
    """Undo updates: what was there is as it was, and a momentum that is new is zero, which is how it begins."""
    for tensor in _buffers(optimizer):
        tensor.zero_()
    for tensor, value in before:
        tensor.copy_(value)
