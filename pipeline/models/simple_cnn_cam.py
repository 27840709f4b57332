"""SimpleCNN with global average pooling before its one linear layer, the form that class activation mapping needs.

Zhou et al., "Learning Deep Features for Discriminative Localization", CVPR 2016 (arXiv:1512.04150), section 2, upon
the features of TooTouch, "WhiteBox-Part1", 2020 (file code/models.py).
"""

from collections import OrderedDict

from torch import nn

from pipeline.models._blocks import WIDTHS, plain_features

LABEL = "SimpleCNN + CAM"

# The map that goes into the global pooling, so the output of the last max pooling and not the ReLU before it: the mean
# of the class activation map over this layer is the logit less its bias, exactly. Max pooling changes the mean of a
# map, so over features.10 this would not hold.
TARGET_LAYER = "features.11"
PUBLISHED = {"mnist": 0.9885, "cifar10": 0.7453}  # WhiteBox-Part1, test_result of its logs, one run each


def simple_cnn_cam(*, channels: int, classes: int, size: tuple[int, int]) -> nn.Sequential:
    """Return the untrained network, (N, channels, H, W) normalised -> (N, classes) logits.

    Its two parts are named ``features``, which ends with (N, 128, H//8, W//8), and ``classifier``: pooling, flattening,
    linear layer. For 10 classes it has 94,986 parameters with three channels and 94,410 with one.

    Args:
        channels: of the images.
        classes: of the answer.
        size: (H, W) of the images.

    Raises:
        ValueError: if a side of ``size`` is shorter than 8 pixels.
    """
    classifier = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(WIDTHS[-1], classes))
    return nn.Sequential(OrderedDict(features=plain_features(channels, size), classifier=classifier))
