"""Other rules for the way back through a network's rectifiers, for as long as a ``with`` block lasts.

A rectifier lets positive numbers pass and holds negative ones back, sharply (ReLU) or smoothly (SiLU). The papers speak
of ReLU only; carried over to the others, ``guided`` keeps the activation's own derivative, so that a ReLU6 stays shut
above 6 and a LeakyReLU leaks, and ``deconvnet`` replaces it. What does not rectify, such as the sigmoid of a gate, a
tanh or a softmax, keeps its own derivative under every rule.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

RECTIFIERS = (
    *(nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.PReLU, nn.RReLU, nn.Threshold, nn.ELU, nn.CELU, nn.SELU),
    *(nn.GELU, nn.SiLU, nn.Mish, nn.Hardswish, nn.Softplus),
)
Rule = Callable[[nn.Module, tuple[Tensor, ...], Tensor], Tensor | None]


def find_rectifiers(model: nn.Module) -> dict[str, nn.Module]:
    """Return the rectifiers of a network by their dotted names, in the order of ``named_modules``."""
    return {name: module for name, module in model.named_modules() if isinstance(module, RECTIFIERS)}


def guided(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
    """Forward hook: of the gradient at the output only what is positive goes on, to the activation's own derivative.

    For a ReLU of x that is gradient * (gradient > 0) * (x > 0): Springenberg, Dosovitskiy, Brox & Riedmiller,
    "Striving for Simplicity: The All Convolutional Net", ICLR 2015 workshop (arXiv:1412.6806), section 3.4.
    """
    if output.requires_grad:
        output.register_hook(_positive)


def deconvnet(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
    """Forward hook: of the gradient at the output only what is positive goes on, to the input, whatever x was.

    For every rectifier that is gradient * (gradient > 0): Zeiler & Fergus, "Visualizing and Understanding
    Convolutional Networks", ECCV 2014 (arXiv:1311.2901), section 2.1, as Springenberg et al. (above) write it.
    """
    return _Replaced.apply(inputs[0], [output])


@contextmanager
def rectified(model: nn.Module, rule: Rule) -> Iterator[None]:
    """Have every rectifier of ``model`` pass gradients back by ``rule``; the forward pass stays as it is, to the bit.

    The rule belongs to the graphs that are built within, wherever they are used. Afterwards, also after an error, no
    hook is left.

    Args:
        model: network; what ``own_activations`` and ``rectifiers`` of _requirements.py refuse would be explained
            wrongly.
        rule: ``guided`` or ``deconvnet``.

    Raises:
        ValueError: if a rectifier works in place: its input, to which the gradient is due, would be gone.
    """
    found = find_rectifiers(model)
    if name := next((name for name, module in found.items() if getattr(module, "inplace", False)), None):
        raise ValueError(f"the activation {name!r} works in place")
    with ExitStack() as hooks:
        for module in found.values():
            hooks.callback(module.register_forward_hook(rule).remove)
        yield


def _positive(gradient: Tensor) -> Tensor:
    return gradient.clamp(min=0)


class _Replaced(torch.autograd.Function):
    """Gives a stated output, and passes the positive part of its gradient to the input."""

    @staticmethod
    def forward(ctx: Any, features: Tensor, output: list[Tensor]) -> Tensor:  # noqa: ANN401
        # in a list autograd does not see it: neither as an input, nor the result as a view that nobody may change
        return output[0].detach()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:  # noqa: ANN401
        return _positive(gradient), None
