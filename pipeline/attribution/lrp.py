"""Layer-wise Relevance Propagation, by composites of rules.

Bach et al., "On Pixel-Wise Explanations for Non-Linear Classifier Decisions by Layer-Wise Relevance Propagation",
PLOS ONE 10(7), 2015 (doi:10.1371/journal.pone.0130140), equations 56 to 60; Montavon, Binder, Lapuschkin, Samek &
Müller, "Layer-Wise Relevance Propagation: An Overview", 2019 (doi:10.1007/978-3-030-28954-6_10), section 10.2 and
table 10.1. The composites are like those of Kohlbrenner et al., "Towards Best Practice in Explaining Neural Network
Decisions with LRP", 2020 (arXiv:1910.09840).
"""

from dataclasses import replace
from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from pipeline.attribution._relevance import Rules, propagated
from pipeline.attribution._rules import Rule, alpha_beta, gamma_rule
from pipeline.attribution._target import target_logit
from pipeline.bounds import Above, AtLeast
from pipeline.data._pixels import normalise

LABEL = "LRP"
FAMILY = "propagation"
REDUCE = "sum"
REQUIRES = ("conserves_relevance",)
PASSES = {"forward": "1", "backward": "1"}


def lrp(
    model: nn.Module,
    images: Tensor,
    targets: Tensor,
    *,
    mean: Tensor,
    std: Tensor,
    composite: Literal["epsilon", "epsilon_plus", "epsilon_gamma_box", "alpha_beta"] = "epsilon_plus",
    epsilon: Annotated[float, Above(0)] = 1e-6,
    gamma: Annotated[float, AtLeast(0)] = 0.25,
    alpha: Annotated[float, AtLeast(1)] = 2.0,
) -> Tensor:
    """Hand the target's logit down, layer by layer, to the pixels, in proportion to contributions.

    Convolutions have the rule of the composite; all else that has weights has the epsilon rule. A batch norm that
    follows a convolution or a linear layer is one with it; elsewhere it is a linear layer of its own. Sums of branches
    and average pooling divide in proportion, max pooling hands all to the winner, activations pass on what they have,
    and gates count as constants.

    The map adds up to the logit less what biases and epsilon absorb. By the epsilon rule, a bias absorbs its part of
    the sum that it is in. By the z+ and the alpha-beta rule, a positive bias absorbs its part of the positive
    contributions (alpha times), a negative one its part of the negative ones (minus beta times). By the gamma rule it
    counts like any contribution, and the z-box rule has no bias take a part. So without biases a map adds up to the
    logit, but for epsilon; by the z+ and the alpha-beta rule as long as every value that bears relevance has
    contributions of the signs that it goes to: where there is none of a sign, that part finds no taker.

    Args:
        model: classifier in eval mode, (N, C, H, W) -> (N, K) logits.
        images: (N, C, H, W), normalised as in training.
        targets: (N,) int64, the class explained for each image.
        mean: (C,), the channels' means over the training images, in [0, 1] units; the z-box rule's bounds need them.
        std: (C,), their standard deviations.
        composite: the rule of convolutions: "epsilon"; "epsilon_plus", z+; "epsilon_gamma_box", gamma, and z-box with
            the bounds black and white at the layer that reads the image; "alpha_beta".
        epsilon: added to every denominator, away from 0.
        gamma: how much more the gamma rule counts contributions of the sum's own sign.
        alpha: of the alpha-beta rule; beta is alpha - 1.

    Returns:
        (N, C, H, W), in logits.

    Raises:
        ValueError: if the z-box rule is due at a layer that reads the image in another form.
    """
    images = images.detach()
    convolutions: dict[str, Rule | None] = {
        "epsilon": None,
        "epsilon_plus": alpha_beta(1, epsilon),
        "epsilon_gamma_box": gamma_rule(gamma, epsilon),
        "alpha_beta": alpha_beta(alpha, epsilon),
    }
    black = torch.zeros_like(images[:1])
    bounds = (images, normalise(black, mean, std), normalise(black + 1, mean, std))
    rules = Rules(epsilon, convolutions[composite], bounds if composite == "epsilon_gamma_box" else None)
    try:
        return _relevance(model, images, targets, rules)
    except RuntimeError as error:  # networks that add in place are few, and copies cost every other one time
        if "inplace operation" not in str(error):
            raise
    return _relevance(model, images, targets, replace(rules, copies=True, boxed=[]))


def _relevance(model: nn.Module, images: Tensor, targets: Tensor, rules: Rules) -> Tensor:
    images = images.detach().requires_grad_()
    with torch.enable_grad(), propagated(model, rules):
        total = target_logit(model, images, targets).sum()
        (gradient,) = torch.autograd.grad(total, images)
    return sum(rules.boxed, images.detach() * gradient)
