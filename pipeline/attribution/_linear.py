"""A network's layers that are linear up to a constant, and what their contributions to the next layer are."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)
LINEAR = (nn.Conv2d, nn.Linear, *NORMS)


@dataclass(frozen=True)
class Layer:
    """A layer that gives ``apply(features, weight, bias)``.

    Attributes:
        weight: of the layer, with the scale of the batch norm after it where that has been folded.
        bias: (outputs,), or None.
        apply: linear in its first two arguments.
        conv: whether it is a convolution.
    """

    weight: Tensor
    bias: Tensor | None
    apply: Callable[[Tensor, Tensor, Tensor | None], Tensor]
    conv: bool


def layer_of(module: nn.Module) -> Layer:
    """Return a convolution, a linear layer or a batch norm (in eval mode, its eps included) as a ``Layer``."""
    if isinstance(module, nn.Conv2d):
        return Layer(module.weight.detach(), _detached(module.bias), module._conv_forward, True)
    if isinstance(module, nn.Linear):
        return Layer(module.weight.detach(), _detached(module.bias), functional.linear, False)
    return Layer(*_scale_and_shift(module), _scaled, False)


def folded(layer: Layer, norm: nn.Module) -> Layer:
    """Return ``layer`` with the batch norm that follows it."""
    scale, shift = _scale_and_shift(norm)
    weight = layer.weight * scale.view(-1, *[1] * (layer.weight.ndim - 1))
    bias = shift if layer.bias is None else layer.bias * scale + shift
    return Layer(weight, bias, layer.apply, layer.conv)


def contributions(layer: Layer, features: Tensor, positive: float, negative: float) -> Tensor:
    """Return what the positive and the negative products of feature and weight add up to, weighed by two factors.

    Biases count as products of their own. Where no feature is negative, as after a ReLU, one evaluation does.
    """
    bias = None if layer.bias is None else weighed(layer.bias, positive, negative)
    weight = weighed(layer.weight, positive, negative)
    if features.amin() >= 0:
        return layer.apply(features, weight, bias)
    parts = features.clamp(min=0), features.clamp(max=0)
    weights = weight, weighed(layer.weight, negative, positive)
    if features.shape[1] == layer.weight.shape[1]:  # no groups: both at once, as twice the channels
        return layer.apply(torch.cat(parts, 1), torch.cat(weights, 1), bias)
    return layer.apply(parts[0], weights[0], bias) + layer.apply(parts[1], weights[1], None)


def weighed(values: Tensor, positive: float, negative: float) -> Tensor:
    """Return ``values``, the positive ones and the negative ones each times a factor."""
    if positive == negative:
        return positive * values
    return positive * values.clamp(min=0) + negative * values.clamp(max=0)


def _detached(values: Tensor | None) -> Tensor | None:
    return None if values is None else values.detach()


def _scale_and_shift(norm: nn.Module) -> tuple[Tensor, Tensor]:
    """Return the two numbers of each channel by which a batch norm multiplies, and which it adds: twice (C,)."""
    mean, variance, weight, bias = (getattr(norm, name) for name in ("running_mean", "running_var", "weight", "bias"))
    scale = torch.rsqrt(variance + norm.eps)
    scale = scale if weight is None else scale * weight.detach()
    return scale, -mean * scale if bias is None else bias.detach() - mean * scale


def _scaled(features: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    shape = (-1, *[1] * (features.ndim - 2))
    scaled = features * weight.view(shape)
    return scaled if bias is None else scaled + bias.view(shape)
