"""Whether relevance is conserved by all that a network does between its layers: found by number, on a few images."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from pipeline.attribution._linear import LINEAR, layer_of
from pipeline.attribution._relevance import PASSING, constant_gates, passing
from pipeline.attribution._through import Hook, hooked

Gradients = dict[int, Tensor | None]  # by the id of the tensor; None where it has no part in the logits


class Flow(NamedTuple):
    """A module, what it was given and what it gave."""

    module: nn.Module
    given: list[Tensor]
    gave: Tensor


def loss(model: nn.Module, images: Tensor) -> str | None:
    """Return what does not conserve relevance, or None where all does.

    Tried on the network without the constants of its layers: then what a module gives, times the gradient there, must
    be what it was given, times the gradient there, and so must the logits and the image. Gates count as constants.

    Args:
        model: in eval mode, in double precision: rounding errors count as a loss.
        images: a few, (N, C, H, W), normalised.
    """
    images = images.detach().requires_grad_()
    with torch.enable_grad(), _observed(model) as flows:
        logits = model(images).amax(1)
    tensors = [tensor for flow in flows for tensor in (*flow.given, flow.gave)]
    found = torch.autograd.grad(logits.sum(), [images, *tensors], allow_unused=True)
    gradients: Gradients = dict(zip(map(id, [images, *tensors]), found, strict=True))
    names = {module: name for name, module in model.named_modules()}
    for flow in flows:
        if said := _said(flow, gradients):
            return f"{names[flow.module]!r}, a {type(flow.module).__name__}, {said}"
    gap = _gap([images], logits, gradients | {id(logits): torch.ones_like(logits)})
    return f"what happens outside the network's modules loses {gap:.1%} of it" if gap else None


def _said(flow: Flow, gradients: Gradients) -> str | None:
    """Return what is wrong with a module, if it bears relevance."""
    if gradients[id(flow.gave)] is None:
        return None
    own = any(True for _ in flow.module.parameters(recurse=False))
    if own and type(flow.module) not in LINEAR and not isinstance(flow.module, PASSING):
        return "has weights, but no rule"
    gap = _gap(flow.given, flow.gave, gradients)
    return f"loses {gap:.1%} of it" if gap else None


def _gap(given: list[Tensor], gave: Tensor, gradients: Gradients) -> float:
    """Return which part of the relevance is lost on the way from ``gave`` to ``given``; 0 for rounding errors."""
    due, *found = ((each * slope).detach() for each in [gave, *given] if (slope := gradients[id(each)]) is not None)
    gap = float(
        (due.sum() - sum(each.sum() for each in found)).abs() / due.abs().sum().clamp(min=torch.finfo(due.dtype).tiny)
    )
    return gap if not gap <= torch.finfo(gave.dtype).eps ** 0.5 else 0.0


@contextmanager
def _observed(model: nn.Module) -> Iterator[list[Flow]]:
    """Run the network without its layers' constants, and note what goes into and comes out of every module."""
    flows: list[Flow] = []
    given: dict[nn.Module, list[Tensor]] = {}

    def enter(module: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        aliases = tuple(each.view_as(each) if isinstance(each, Tensor) else each for each in inputs)
        given[module] = [each for each in aliases if isinstance(each, Tensor) and each.requires_grad]
        return aliases

    def leave(module: nn.Module, inputs: object, output: object) -> Tensor | None:
        if not isinstance(output, Tensor) or not output.requires_grad:
            return None
        flows.append(Flow(module, given[module], output))
        return output.clone()  # for the network may go on in place

    leaves = [each for each in model.modules() if _is_leaf(each)]
    with ExitStack() as undo:
        undo.enter_context(hooked(model, _without_constant))
        for module in leaves:
            undo.callback(module.register_forward_pre_hook(enter).remove)
        undo.enter_context(constant_gates(model))
        for module in leaves:
            undo.callback(module.register_forward_hook(leave).remove)
        yield flows


def _is_leaf(module: nn.Module) -> bool:
    own = any(True for _ in module.parameters(recurse=False))
    return own or not any(True for _ in module.children())


def _without_constant(module: nn.Module) -> Hook | None:
    if type(module) not in LINEAR:
        return passing(module)
    layer = layer_of(module)  # evaluated anew: to subtract the constant would leave rounding errors of its size
    return lambda _module, inputs, _output: layer.apply(inputs[0], layer.weight, None)
