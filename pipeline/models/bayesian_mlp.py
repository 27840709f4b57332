"""A Bayesian network of one hidden layer, its posterior a mean field of normal distributions.

The network and the prior N(0, 1) of Malekzadeh, "Interpretable Image Classification" (IIC), 2022 (notebook in
bayesian-nn/); the posterior of Blundell et al., "Weight Uncertainty in Neural Networks", ICML 2015 (arXiv:1505.05424),
section 3.2; trained with local reparameterisation, Kingma, Salimans & Welling, "Variational Dropout and the Local
Reparameterization Trick", NIPS 2015 (arXiv:1506.02557), equation 6.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipeline.bounds import Above

LABEL = "Bayesian MLP"
TARGET_LAYER = None
PUBLISHED = {"mnist": 0.89}  # IIC, forced accuracy of ten sampled networks, printed as a whole percentage

HIDDEN = 1024


class BayesianLinear(nn.Module):
    """A linear layer whose weights and biases are normal, with means and standard deviations softplus(rho)."""

    def __init__(self, inputs: int, outputs: int, deviation: float) -> None:
        super().__init__()
        start, rho = nn.Linear(inputs, outputs), math.log(math.expm1(deviation))
        self.weight_mean, self.bias_mean = start.weight, start.bias
        self.weight_rho = nn.Parameter(torch.full_like(start.weight, rho))
        self.bias_rho = nn.Parameter(torch.full_like(start.bias, rho))
        self.drawn: tuple[Tensor, Tensor] | None = None

    def forward(self, features: Tensor) -> Tensor:
        """Return (N, inputs) -> (N, outputs): of the draw if there is one, noisy in training, else of the means."""
        if self.drawn is not None:
            return functional.linear(features, *self.drawn)
        mean = functional.linear(features, self.weight_mean, self.bias_mean)
        if not self.training:
            return mean
        weight, bias = self.deviations()
        variance = functional.linear(features.square(), weight.square(), bias.square())
        return mean + variance.sqrt() * torch.randn_like(mean)

    def deviations(self) -> tuple[Tensor, Tensor]:
        """Return the standard deviations of weight and bias."""
        return functional.softplus(self.weight_rho), functional.softplus(self.bias_rho)

    def divergence(self) -> Tensor:
        """Return the Kullback-Leibler divergence of the posterior from the prior N(0, 1), in nats."""
        pairs = zip((self.weight_mean, self.bias_mean), self.deviations(), strict=True)
        terms = [(mean.square() + std.square() - 1) / 2 - std.log() for mean, std in pairs]
        return terms[0].sum() + terms[1].sum()

    @torch.no_grad()
    def sampled(self, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return one draw of weight and bias, from a CPU generator."""
        pairs = zip((self.weight_mean, self.bias_mean), self.deviations(), strict=True)
        weight, bias = (mean + std * torch.randn(mean.shape, generator=generator).to(std) for mean, std in pairs)
        return weight, bias


class BayesianMLP(nn.Module):
    """Two layers and the ReLU between them."""

    def __init__(self, inputs: int, classes: int, deviation: float) -> None:
        super().__init__()
        self.flatten = nn.Flatten()
        self.hidden = BayesianLinear(inputs, HIDDEN, deviation)
        self.relu = nn.ReLU()
        self.output = BayesianLinear(HIDDEN, classes, deviation)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits: (N, C, H, W) -> (N, K)."""
        return self.output(self.relu(self.hidden(self.flatten(images))))

    def penalty(self, count: int) -> Tensor:
        """Return the divergence of the posterior from the prior, for one of ``count`` training images.

        The mean cross-entropy of a batch and this are together an estimate of the negative ELBO of one image.
        """
        return (self.hidden.divergence() + self.output.divergence()) / count

    @contextmanager
    def draw(self, generator: torch.Generator) -> Iterator[None]:
        """Within, and in either mode, the weights are one draw from the posterior, the same for every forward pass.

        Gradients flow to the images through a draw, and not to the parameters.

        Args:
            generator: CPU source of the draw.
        """
        layers = (self.hidden, self.output)
        before = [layer.drawn for layer in layers]
        try:
            for layer in layers:
                layer.drawn = layer.sampled(generator)
            yield
        finally:
            for layer, drawn in zip(layers, before, strict=True):
                layer.drawn = drawn


def bayesian_mlp(
    *, channels: int, classes: int, size: tuple[int, int], deviation: Annotated[float, Above(0)] = 0.03
) -> BayesianMLP:
    """Return the untrained network, (N, channels, H, W) normalised -> (N, classes) logits.

    In eval mode it answers with the posterior's means. Trained with ``weight_decay: 0``: the prior is in the penalty,
    and decay would draw every rho towards 0, which is a standard deviation of 0.69. For 10 classes it has 1,628,180
    parameters, a mean and a rho for each of 814,090 weights, on images of 1 x 28 x 28, and 6,314,004 on 3 x 32 x 32.

    Args:
        channels: of the images.
        classes: of the answer.
        size: (H, W) of the images.
        deviation: standard deviation of every weight before training.
    """
    return BayesianMLP(channels * math.prod(size), classes, deviation)
