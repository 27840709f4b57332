"""Residual attention networks for small images.

Wang et al., "Residual Attention Network for Image Classification", CVPR 2017 (arXiv:1704.06904): section 3, figure 2
with p = 1, t = 2 and r = 1, and table 2; the first layers are those of TooTouch, "WhiteBox-Part1", 2020 (file
code/models.py), who have half the width in the attention modules and one residual unit for a whole mask branch.
"""

from collections import OrderedDict
from typing import Literal

from torch import Tensor, nn
from torch.nn import functional

from pipeline.models._branches import Add, Multiply

LABEL = "Residual attention"
TARGET_LAYER = "relu"  # the last ReLU; the global pooling follows it
PUBLISHED = {"mnist": 0.9935, "cifar10": 0.8103}  # WhiteBox-Part1's RAN-56, test_result of its logs, one run each

MODULES = {56: (1, 1, 1), 92: (1, 2, 3)}  # attention modules of each stage, table 2
SKIPS = (2, 1, 0)  # of a mask branch in each stage: it pools once more, down to an eighth of the first stage's side


class Unit(nn.Module):
    """A pre-activated bottleneck residual unit (He et al. 2016, arXiv:1603.05027), the basic unit of section 3.1."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        inner = outputs // 4
        self.enter = nn.Sequential(nn.BatchNorm2d(inputs), nn.ReLU())
        self.branch = nn.Sequential(
            nn.Conv2d(inputs, inner, 1, bias=False),
            nn.BatchNorm2d(inner),
            nn.ReLU(),
            nn.Conv2d(inner, inner, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(inner),
            nn.ReLU(),
            nn.Conv2d(inner, outputs, 1, bias=False),
        )
        self.projection = None
        if inputs != outputs or stride != 1:
            self.projection = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
        self.add = Add()

    def forward(self, features: Tensor) -> Tensor:
        """Return the unit's sum: (N, inputs, H, W) -> (N, outputs, H/stride, W/stride)."""
        entered = self.enter(features)
        shortcut = features if self.projection is None else self.projection(entered)
        return self.add(self.branch(entered), shortcut)


class Mask(nn.Module):
    """The soft mask branch: down and up again, figure 2, with ``skips`` connections from the way down to the way up."""

    def __init__(self, width: int, skips: int) -> None:
        super().__init__()
        self.pool = nn.MaxPool2d(2, ceil_mode=True)
        self.down = nn.ModuleList([Unit(width, width) for _ in range(skips)])
        self.bottom = nn.Sequential(Unit(width, width), Unit(width, width))
        self.add = nn.ModuleList([Add() for _ in range(skips)])
        self.up = nn.ModuleList([Unit(width, width) for _ in range(skips)])
        self.answer = nn.Sequential(nn.Conv2d(width, width, 1), nn.Conv2d(width, width, 1), nn.Sigmoid())

    def forward(self, features: Tensor) -> Tensor:
        """Return a weight in [0, 1] for every entry of ``features``: (N, C, H, W) -> (N, C, H, W)."""
        kept = [features]
        for unit in self.down:
            kept.append(unit(self.pool(kept[-1])))
        mask: Tensor = self.bottom(self.pool(kept[-1]))
        for unit, add in zip(self.up, self.add, strict=True):
            skip = kept.pop()
            mask = unit(add(_enlarged(mask, skip), skip))
        return self.answer(_enlarged(mask, features))


class Attention(nn.Module):
    """An attention module, section 3: between two units, the trunk branch T times one plus the mask branch M."""

    def __init__(self, width: int, skips: int) -> None:
        super().__init__()
        self.before, self.after = Unit(width, width), Unit(width, width)
        self.trunk = nn.Sequential(Unit(width, width), Unit(width, width))
        self.mask = Mask(width, skips)
        self.multiply, self.add = Multiply(), Add()

    def forward(self, features: Tensor) -> Tensor:
        """Return equation 3, (1 + M) * T, after its last unit: (N, C, H, W) -> (N, C, H, W)."""
        features = self.before(features)
        trunk = self.trunk(features)
        return self.after(self.add(self.multiply(trunk, self.mask(features)), trunk))


def residual_attention(
    *, channels: int, classes: int, size: tuple[int, int], depth: Literal[56, 92] = 56
) -> nn.Sequential:
    """Return the untrained network, (N, channels, H, W) normalised -> (N, classes) logits.

    A mask is enlarged (bilinear) to the exact size of what it meets, so that odd sides do no harm. For three channels
    and 10 classes it has 29,353,162 parameters at depth 56 and 49,723,594 at depth 92, for one channel 3,200 fewer.

    Args:
        channels: of the images.
        classes: of the answer.
        size: (H, W) of the images; any will do, since poolings and strides round up and the last pooling is global.
        depth: layers with weights along the trunk.
    """
    del size
    stem = (nn.Conv2d(channels, 64, 5, padding=2, bias=False), nn.BatchNorm2d(64), nn.ReLU())
    layers = OrderedDict[str, nn.Module](stem=nn.Sequential(*stem, nn.MaxPool2d(2, ceil_mode=True)))
    inputs = 64
    for stage, (modules, skips) in enumerate(zip(MODULES[depth], SKIPS, strict=True)):
        width = 256 * 2**stage
        attention = [Attention(width, skips) for _ in range(modules)]
        layers[f"stage{stage + 1}"] = nn.Sequential(Unit(inputs, width, 2 if stage else 1), *attention)
        inputs = width
    layers["stage4"] = nn.Sequential(Unit(inputs, 2048), Unit(2048, 2048), Unit(2048, 2048))
    layers["norm"], layers["relu"] = nn.BatchNorm2d(2048), nn.ReLU()
    layers["classifier"] = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2048, classes))
    return nn.Sequential(layers)


def _enlarged(mask: Tensor, like: Tensor) -> Tensor:
    return functional.interpolate(mask, size=like.shape[2:], mode="bilinear", align_corners=False)
