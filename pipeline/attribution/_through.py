"""A tensor as it is going forwards, with another way back: what LRP and DeepLIFT put at the layers of a network."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

Back = Callable[..., Tensor]
Hook = Callable[[nn.Module, tuple[Any, ...], Any], Any]


class Through(torch.autograd.Function):
    """Give a tensor as it is, and to ``source`` the gradient ``back(gradient, *kept)``."""

    @staticmethod
    def forward(ctx: Any, source: Tensor, value: list[Tensor], back: Back, *kept: Tensor) -> Tensor:  # noqa: ANN401
        """Return the value, which comes in a list: as an argument of its own it would leave as a view of itself."""
        ctx.save_for_backward(*kept)
        ctx.back = back
        return value[0]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401 (as in torch)
        """Return the gradient at ``source``, none for the rest."""
        return ctx.back(gradients[0], *ctx.saved_tensors), *[None] * (2 + len(ctx.saved_tensors))


def through(source: Tensor, value: Tensor, back: Back, *kept: Tensor) -> Tensor:
    """Return ``value``, whose gradient goes to ``source`` as ``back(gradient, *kept)``.

    The way back raises RuntimeError if something kept has been changed in place since.
    """
    # detached: an edge of the graph from what is kept would have all that lies behind it run as well
    return Through.apply(source, [value.detach()], back, *[each.detach() for each in kept])


def came_through(features: Tensor) -> Any:  # noqa: ANN401 (a node of the graph)
    """Return the node of ``Through`` that gave ``features``, or None where something else did."""
    node = features.grad_fn
    return node if getattr(node, "_forward_cls", None) is Through else None


@contextmanager
def hooked(model: nn.Module, choose: Callable[[nn.Module], Hook | None]) -> Iterator[None]:
    """Have ``choose(module)``, where it is not None, run after each module; what works in place does not for a while.

    Afterwards, also after an error, no hook is left and the modules work in place again.
    """
    in_place = [module for module in model.modules() if getattr(module, "inplace", False)]
    with ExitStack() as undo:
        for module in in_place:
            undo.callback(setattr, module, "inplace", True)
            setattr(module, "inplace", False)  # noqa: B010 (an attribute that only some modules have)
        for module in model.modules():
            if (hook := choose(module)) is not None:
                undo.callback(module.register_forward_hook(hook).remove)
        yield
