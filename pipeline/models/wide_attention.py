"""A wide residual network that attends and rectifies (WARN).

Rodriguez et al., "A Painless Attention Mechanism for Convolutional Neural Networks", 2018, and "Attend and Rectify: a
Gated Attention Mechanism for Fine-Grained Recovery", ECCV 2018 (arXiv:1807.07320), section 3, upon WRN-28-4 of
Zagoruyko & Komodakis, "Wide Residual Networks", BMVC 2016 (arXiv:1605.07146), table 1. What the papers leave open, such
as kernels and the batch norm of the gates, is as in the authors' program, which WhiteBox-Part1 took over.
"""

from typing import Annotated

import torch
from torch import Tensor, nn

from pipeline.bounds import AtLeast
from pipeline.models._blocks import at_least
from pipeline.models._branches import Add
from pipeline.models._hypothesis import Attention

LABEL = "Wide attention"
TARGET_LAYER = "norms.2.1"  # the last ReLU before the global pooling

STEM = 16
WIDTHS = (64, 128, 256)  # four times those of a residual network of 16, 32 and 64 channels
STRIDES = (1, 2, 2)
BLOCKS = 4  # of a group: (28 - 4) / 6


class Unit(nn.Module):
    """Two convolutions and a shortcut; the first convolution reads what has been normed and rectified before."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False),
            *_norm(outputs),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
        )
        self.shortcut: nn.Module = nn.Identity()
        if inputs != outputs:
            self.shortcut = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
        self.add = Add()

    def forward(self, features: Tensor, activated: Tensor) -> Tensor:
        """Return the unit's sum: twice (N, inputs, H, W) -> (N, outputs, H/stride, W/stride)."""
        return self.add(self.branch(activated), self.shortcut(features))


class Block(nn.Module):
    """A unit with its own norm and ReLU before it."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.enter, self.unit = _norm(width), Unit(width, width)

    def forward(self, features: Tensor) -> Tensor:
        """Return the unit's sum: (N, C, H, W) -> (N, C, H, W)."""
        return self.unit(features, self.enter(features))


class WideAttention(nn.Module):
    """The network: three groups, what each lets its attention read, and the gates of their hypotheses."""

    def __init__(self, channels: int, classes: int, heads: int, overlap: float) -> None:
        super().__init__()
        inputs = (STEM, *WIDTHS[:2])
        self.stem = nn.Sequential(nn.Conv2d(channels, STEM, 3, padding=1, bias=False), *_norm(STEM))
        self.enter = _norm(STEM)
        self.firsts = nn.ModuleList([Unit(*shape) for shape in zip(inputs, WIDTHS, STRIDES, strict=True)])
        self.groups = nn.ModuleList([nn.Sequential(*(Block(width) for _ in range(BLOCKS - 1))) for width in WIDTHS])
        self.norms = nn.ModuleList([_norm(width) for width in WIDTHS])
        self.attentions = nn.ModuleList([Attention(width, classes, heads) for width in WIDTHS])
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.classifier = nn.Linear(WIDTHS[-1], classes)
        norm = nn.BatchNorm1d(len(WIDTHS) + 1)
        linear = nn.Linear(WIDTHS[-1], len(WIDTHS) + 1, bias=False)
        self.gates = nn.Sequential(linear, norm, nn.Tanh(), nn.Softmax(1))
        self.weight = overlap

    def forward(self, images: Tensor) -> Tensor:
        """Return the gated sum of the hypotheses, of the attention modules' and of the network's own."""
        features = self.stem(images)
        activated, hypotheses = self.enter(features), []
        for first, group, norm, attention in zip(self.firsts, self.groups, self.norms, self.attentions, strict=True):
            features = group(first(features, activated))
            activated = norm(features)  # what the next group's first convolution reads as well
            hypotheses.append(attention(activated))
        pooled = self.pool(activated)
        hypotheses.append(self.classifier(pooled))
        return torch.einsum("nl,nlk->nk", self.gates(pooled), torch.stack(hypotheses, 1))

    def penalty(self, count: int) -> Tensor:
        """Return what the training loss is to be increased by: how much the masks of the last batch overlap.

        Args:
            count: of the training images; without effect here.

        Raises:
            RuntimeError: if the last forward pass, if any, was not in training mode.
        """
        del count
        overlaps = [attention.overlap for attention in self.attentions if isinstance(attention.overlap, Tensor)]
        if not overlaps:
            raise RuntimeError("the overlap of the masks is known after a forward pass in training mode only")
        return self.weight * torch.stack(overlaps).mean()


def wide_attention(
    *,
    channels: int,
    classes: int,
    size: tuple[int, int],
    heads: Annotated[int, AtLeast(1)] = 4,
    overlap: Annotated[float, AtLeast(0)] = 0.001,
) -> WideAttention:
    """Return the untrained network, (N, channels, H, W) normalised -> (N, classes) logits.

    The paper's output is the gated sum of the hypotheses' log-probabilities; the network returns the gated sum of their
    logits, which differs by one number for all classes: the softmax of either is the same. The authors minimise the
    paper's sum as it stands, which is no distribution; a cross-entropy of these logits is that of the distribution
    in proportion to it. For three channels and 10 classes it has 6,043,650 parameters, for one channel 288 fewer. All
    convolutions and linear layers begin as in He et al. 2015 (arXiv:1502.01852), equation 10.

    Args:
        channels: of the images.
        classes: of the answer.
        size: (H, W) of the images.
        heads: of each of the three attention modules.
        overlap: weight of the regulariser in the loss, the mean square of the product of two heads' masks. Each mask
            sums to 1 over all places, so that at the authors' weight this is far below the cross-entropy.

    Raises:
        ValueError: if a side of ``size`` is shorter than 5 pixels, so that the last masks could not be pooled.
    """
    at_least(5, size)
    return WideAttention(channels, classes, heads, overlap).apply(_initialise)


def _norm(width: int) -> nn.Sequential:
    return nn.Sequential(nn.BatchNorm2d(width), nn.ReLU())


def _initialise(layer: nn.Module) -> None:
    if isinstance(layer, nn.Conv2d | nn.Linear):
        nn.init.kaiming_normal_(layer.weight)
