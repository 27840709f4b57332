"""SimpleCNN with a convolutional block attention module after each convolution.

Woo et al., "CBAM: Convolutional Block Attention Module", ECCV 2018 (arXiv:1807.06521), sections 3.1 and 3.2, equations
2 and 3; placed between convolution and batch norm as in TooTouch, "WhiteBox-Part1", 2020 (file code/models.py).
"""

import functools
from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipeline.models._blocks import plain_classifier, plain_features
from pipeline.models._branches import Multiply

LABEL = "SimpleCNN + CBAM"
TARGET_LAYER = "features.13"  # the last ReLU; the last pooling, features.14, follows it
PUBLISHED = {"mnist": 0.9926, "cifar10": 0.8181}  # WhiteBox-Part1, test_result of its logs, one run each

REDUCTION = 16


class ChannelGate(nn.Module):
    """One weight for each channel, equation 2: the sigmoid of an MLP's answers to the mean and the maximum."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(width, width // REDUCTION), nn.ReLU(), nn.Linear(width // REDUCTION, width))
        self.sigmoid = nn.Sigmoid()
        self.multiply = Multiply()

    def forward(self, features: Tensor) -> Tensor:
        """Weigh the channels of ``features``: (N, C, H, W) -> (N, C, H, W)."""
        # Stacked, the two pooled vectors pass the shared MLP in one call, so that its ReLU runs once.
        # Pooling takes a twentieth of the time of amax, whose gradient is shared among equals.
        means, maxima = features.permute(0, 2, 3, 1).mean((1, 2)), functional.adaptive_max_pool2d(features, 1)
        pooled = torch.stack([means, maxima.flatten(1)])
        gate: Tensor = self.sigmoid(self.mlp(pooled).sum(0))
        return self.multiply(features, gate[:, :, None, None])


class SpatialGate(nn.Module):
    """One weight for each place, equation 3: the sigmoid of a 7 x 7 convolution over the channels' maximum and mean."""

    def __init__(self, relu: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 1, 7, padding=3)
        self.rectify = nn.Sequential(nn.BatchNorm2d(1), nn.ReLU()) if relu else nn.Identity()
        self.sigmoid = nn.Sigmoid()
        self.multiply = Multiply()

    def forward(self, features: Tensor) -> Tensor:
        """Weigh the places of ``features``: (N, C, H, W) -> (N, C, H, W)."""
        places = features.permute(0, 2, 3, 1)
        pooled = torch.stack([places.max(3).values, places.mean(3)], 1)
        return self.multiply(features, self.sigmoid(self.rectify(self.conv(pooled))))


def simple_cnn_cbam(*, channels: int, classes: int, size: tuple[int, int], spatial_relu: bool = False) -> nn.Sequential:
    """Return the untrained network, (N, channels, H, W) normalised -> (N, classes) logits.

    Its two parts are named ``features``, which ends with (N, 128, H//8, W//8), and ``classifier``. The spatial gate is
    equation 3 as it stands, a convolution with bias and then a sigmoid; the authors' program has a batch norm in place
    of the bias, and WhiteBox has both and a ReLU, which holds the gate at one half or more. Over SimpleCNN's count
    the three gates add 3,223 parameters, with ``spatial_relu`` 3,229: WhiteBox's published total exceeds SimpleCNN's by
    these and by 1,290 of a linear layer that it never uses.

    Args:
        channels: of the images.
        classes: of the answer.
        size: (H, W) of the images.
        spatial_relu: put WhiteBox's batch norm and ReLU between the spatial gate's convolution and its sigmoid.

    Raises:
        ValueError: if a side of ``size`` is shorter than 8 pixels.
    """
    features = plain_features(channels, size, functools.partial(_attention, relu=spatial_relu))
    return nn.Sequential(OrderedDict(features=features, classifier=plain_classifier(size, classes)))


def _attention(width: int, relu: bool) -> nn.Sequential:
    return nn.Sequential(OrderedDict(channel=ChannelGate(width), spatial=SpatialGate(relu)))
