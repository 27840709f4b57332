"""Hooks by which every layer of a network hands relevance down.

What flows back is relevance over value: a layer's output z that has the gradient g has the relevance z * g. So sums of
branches, average pooling and whatever else is linear without a constant divide relevance in proportion to
contributions, and ReLU and max pooling hand it to the one input that counts, without a rule: their own gradients do.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from pipeline.attribution._linear import LINEAR, NORMS, Layer, folded, layer_of
from pipeline.attribution._rules import Rule, box, stabilised
from pipeline.attribution._through import Back, Hook, Through, came_through, hooked, through
from pipeline.models._branches import Multiply

# Activations that give 0 for 0, so that what they give is a multiple of what they get; for ReLU and LeakyReLU, their
# own gradient is that multiple.
PASSING = (nn.ReLU6, nn.ELU, nn.CELU, nn.SELU, nn.GELU, nn.SiLU, nn.Mish, nn.Hardswish, nn.Tanh, nn.Softsign, nn.PReLU)


@dataclass(frozen=True)
class Rules:
    """Which rule which layer has.

    Attributes:
        epsilon: of the epsilon rule, which linear layers and batch norms have that follow no convolution.
        conv: the rule of convolutions, or None where they have the epsilon rule too.
        box: images (N, C, H, W) and the bounds of their pixels, twice (1, C, H, W), for the z-box rule at the layers
            that read the images; or None.
        copies: whether what the rules need is copied, as the network goes on with it in place.
        boxed: gathers the relevance that the z-box rule has given to pixels.
    """

    epsilon: float
    conv: Rule | None = None
    box: tuple[Tensor, Tensor, Tensor] | None = None
    copies: bool = False
    boxed: list[Tensor] = field(default_factory=list)


@contextmanager
def propagated(model: nn.Module, rules: Rules) -> Iterator[None]:
    """Have gradients be relevance over value, for graphs that are built and used within; afterwards nothing is left."""

    def choose(module: nn.Module) -> Hook | None:
        return partial(_ruled, rules) if type(module) in LINEAR else passing(module)

    with hooked(model, choose), constant_gates(model):
        yield


def passing(module: nn.Module) -> Hook | None:
    """Return the hook by which an activation hands on the relevance that it has, where its gradient does not."""
    return _passed if isinstance(module, PASSING) else None


@contextmanager
def constant_gates(model: nn.Module) -> Iterator[None]:
    """Have gates count as constants, so that all of a product's relevance goes to its signal.

    Arras et al., "Explaining Recurrent Neural Network Predictions in Sentiment Analysis", 2017 (arXiv:1706.07206),
    on multiplicative interactions.
    """
    hooks = [each.register_forward_pre_hook(_constant) for each in model.modules() if isinstance(each, Multiply)]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _constant(module: nn.Module, inputs: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    return inputs[0], inputs[1].detach()


def _passed(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
    features = inputs[0].detach()
    return through(inputs[0], output, torch.mul, torch.where(features == 0, 0, output.detach() / features))


def _ruled(rules: Rules, module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor | None:
    """Put a layer's rule on its output; a batch norm that follows a layer is one with it, and its rule takes over."""
    features, layer = inputs[0], layer_of(module)
    if not features.requires_grad:
        return None
    before: Any = came_through(features)
    folds = isinstance(module, NORMS) and _folds(getattr(before, "layer", None), features)
    if folds:
        layer, features = folded(before.layer, module), before.given
    source, back, kept = _way_back(rules, layer, features, output)
    if folds and source is output:  # the way back leads through the layer before, which has its rule here already
        before.back = _unchanged
    found = through(source, output, back, *[each.clone() for each in kept] if rules.copies else kept)
    node: Any = came_through(found)
    node.layer, node.given = layer, features
    return found


def _folds(layer: Layer | None, features: Tensor) -> bool:
    """Say whether a batch norm over ``features`` has one scale for each output of the layer that gave them."""
    return layer is not None and (layer.conv or (layer.weight.ndim == 2 and features.ndim == 2))


def _way_back(rules: Rules, layer: Layer, features: Tensor, output: Tensor) -> tuple[Tensor, Back, tuple[Tensor, ...]]:
    """Return where the gradient of a layer's rule goes, how, and what that needs."""
    if rules.box is not None and _first(features):
        return features, partial(_boxed, rules, layer), (features, output)
    if rules.conv is not None and layer.conv:
        return features, partial(_shared, rules.conv, layer), (features, output)
    return output, partial(_epsilon, rules.epsilon), (output,)  # and from there by the layer's own gradient


def _unchanged(gradient: Tensor, value: Tensor) -> Tensor:
    return gradient


def _epsilon(epsilon: float, gradient: Tensor, value: Tensor) -> Tensor:
    return gradient * (value / stabilised(value, epsilon))


def _shared(rule: Rule, layer: Layer, gradient: Tensor, features: Tensor, value: Tensor) -> Tensor:
    return rule(layer, features, value, gradient * value)


def _boxed(rules: Rules, layer: Layer, gradient: Tensor, features: Tensor, value: Tensor) -> Tensor:
    """Keep the relevance of the pixels, which is no multiple of what they are; none flows on."""
    assert rules.box is not None
    images, *bounds = rules.box
    if features.numel() != images.numel() or not torch.equal(features.reshape(images.shape), images):
        raise ValueError(f"the z-box rule is for a layer that reads the image itself; one reads {list(features.shape)}")
    low, high = (bound.expand_as(images).reshape(features.shape) for bound in bounds)
    found = box(layer, features, low, high, gradient * value, rules.epsilon)
    rules.boxed.append(found.reshape(images.shape))
    return torch.zeros_like(features)


def _first(features: Tensor) -> bool:
    """Say whether no layer with a rule lies between the image and ``features``."""
    nodes = [features.grad_fn]
    while nodes:
        node = nodes.pop()
        if getattr(node, "_forward_cls", None) is Through:
            return False
        nodes += [each for each, _ in node.next_functions] if node is not None else []
    return True
