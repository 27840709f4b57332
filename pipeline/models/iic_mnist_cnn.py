"""The MNIST network of Malekzadeh, "Interpretable Image Classification" (IIC), 2022 (notebooks in training/).

Less the softmax at its end. There every digit is repeated over three channels; here the network takes as many channels
as the images have.
"""

from collections import OrderedDict

from torch import nn

from pipeline.models._blocks import at_least

LABEL = "IIC MNIST CNN"
TARGET_LAYER = "features.4"  # the last ReLU; the last pooling, features.5, follows it
PUBLISHED = {"mnist": 0.9917}  # IIC, output of its training notebook, one run


def iic_mnist_cnn(*, channels: int, classes: int, size: tuple[int, int]) -> nn.Sequential:
    """Return the untrained network, (N, channels, H, W) normalised -> (N, classes) logits.

    Its convolutions are not padded. Its two parts are named ``features`` and ``classifier``: flattening, dropout of one
    half, linear layer. For 10 classes it has 35,402 parameters on images of 3 x 28 x 28, and 34,826 on 1 x 28 x 28.

    Args:
        channels: of the images.
        classes: of the answer.
        size: (H, W) of the images.

    Raises:
        ValueError: if a side of ``size`` is shorter than 10 pixels.
    """
    at_least(10, size)
    features = nn.Sequential(
        nn.Conv2d(channels, 32, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2)
    )
    height, width = (((side - 2) // 2 - 2) // 2 for side in size)
    classifier = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(64 * height * width, classes))
    return nn.Sequential(OrderedDict[str, nn.Module](features=features, classifier=classifier))
