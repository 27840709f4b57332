"""How a layer divides the relevance of what it gives among what it was given: the rules of LRP.

Each rule is ``rule(layer, features, value, relevance)`` and returns, over ``features``, the relevance that each feature
gets per unit of its value, which is what a gradient is. ``value`` is what the layer gave, ``relevance`` that of it.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from pipeline.attribution._linear import Layer, contributions, weighed

Rule = Callable[[Layer, Tensor, Tensor, Tensor], Tensor]


class Share(NamedTuple):
    """What a rule's sum counts: positive and negative contributions, by two factors."""

    positive: float
    negative: float


def stabilised(values: Tensor, epsilon: float) -> Tensor:
    """Return ``values`` moved away from 0 by ``epsilon``; 0 itself goes up."""
    return torch.full((), epsilon, dtype=values.dtype, device=values.device).copysign(values).add_(values)


def divided(layer: Layer, features: Tensor, relevance: Tensor, share: Share, epsilon: float) -> Tensor:
    """Divide ``relevance`` in proportion to the layer's contributions, each weighed by its factor of ``share``.

    The biases get their part as well, which then goes no further.
    """
    with torch.enable_grad():
        given = features.detach().requires_grad_()
        total = contributions(layer, given, share.positive, share.negative)
    ratio = relevance / stabilised(total.detach(), epsilon)
    return torch.autograd.grad(total, given, ratio.to(total.dtype))[0]


def alpha_beta(alpha: float, epsilon: float) -> Rule:
    """The alpha-beta rule, beta = alpha - 1; alpha = 1 is the z+ rule.

    Positive contributions get alpha times the relevance, beta times are taken from negative ones: Bach et al. 2015
    (doi:10.1371/journal.pone.0130140), equation 60.
    """

    def rule(layer: Layer, features: Tensor, value: Tensor, relevance: Tensor) -> Tensor:
        given = divided(layer, features, alpha * relevance, Share(1, 0), epsilon)
        if alpha == 1:
            return given
        return given - divided(layer, features, (alpha - 1) * relevance, Share(0, 1), epsilon)

    return rule


def gamma_rule(favour: float, epsilon: float) -> Rule:
    """The gamma rule: contributions of the sign of what they add up to count 1 + ``favour`` times.

    Montavon et al. 2019 (doi:10.1007/978-3-030-28954-6_10), section 10.2, for positive values of positive features;
    for negative values, such as a branch's before its sum, the same with the signs exchanged.
    """

    def rule(layer: Layer, features: Tensor, value: Tensor, relevance: Tensor) -> Tensor:
        positive, negative = relevance * (value > 0), relevance * (value < 0)
        given = divided(layer, features, positive, Share(1 + favour, 1), epsilon)
        if not negative.any():  # as where a ReLU follows
            return given
        return given + divided(layer, features, negative, Share(1, 1 + favour), epsilon)

    return rule


def box(layer: Layer, pixels: Tensor, low: Tensor, high: Tensor, relevance: Tensor, epsilon: float) -> Tensor:
    """The z-box rule: the relevance itself of pixels that lie between ``low`` and ``high``, all of one shape.

    Montavon et al. 2019 (doi:10.1007/978-3-030-28954-6_10), table 10.1, z^B: contributions are counted from the bound
    that makes each of them positive, so that no bias takes a part.
    """
    factors = ((pixels, 1, Share(1, 1)), (low, -1, Share(1, 0)), (high, -1, Share(0, 1)))
    with torch.enable_grad():
        starts = [start.detach().requires_grad_() for start, _, _ in factors]
        signed = [
            layer.apply(start, sign * weighed(layer.weight, *share), None)
            for start, (_, sign, share) in zip(starts, factors, strict=True)
        ]
        total = torch.stack(signed).sum(0)
    ratio = relevance / stabilised(total.detach(), epsilon)
    parts = torch.autograd.grad(total, starts, ratio.to(total.dtype))
    return torch.stack([start.detach() * part for start, part in zip(starts, parts, strict=True)]).sum(0)
