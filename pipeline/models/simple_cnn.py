"""SimpleCNN: three convolutions and two linear layers.

The network of TooTouch, "WhiteBox-Part1", 2020 (file code/models.py), less the softmax at its end.
"""

from collections import OrderedDict

from torch import nn

from pipeline.models._blocks import plain_classifier, plain_features

LABEL = "SimpleCNN"
TARGET_LAYER = "features.10"  # the last ReLU; the last pooling, features.11, follows it
PUBLISHED = {"mnist": 0.9923, "cifar10": 0.8247}  # WhiteBox-Part1, test_result of its logs, one run each


def simple_cnn(*, channels: int, classes: int, size: tuple[int, int]) -> nn.Sequential:
    """Return the untrained network, (N, channels, H, W) normalised -> (N, classes) logits.

    Its two parts are named ``features``, which ends with (N, 128, H//8, W//8), and ``classifier``. For 10 classes it
    has 2,202,122 parameters on images of 3 x 32 x 32, and 1,284,042 on images of 1 x 28 x 28.

    Args:
        channels: of the images.
        classes: of the answer.
        size: (H, W) of the images.

    Raises:
        ValueError: if a side of ``size`` is shorter than 8 pixels.
    """
    features, classifier = plain_features(channels, size), plain_classifier(size, classes)
    return nn.Sequential(OrderedDict[str, nn.Module](features=features, classifier=classifier))
