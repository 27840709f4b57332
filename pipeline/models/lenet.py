"""LeNet-5 in its usual modern form.

LeCun et al., "Gradient-Based Learning Applied to Document Recognition", Proceedings of the IEEE 86(11), 1998, section
II.B, with what has become usual since: ReLU for the scaled tanh, max pooling for the trainable subsampling, every
map of the second convolution connected to every map below, and a linear last layer for the radial basis functions.
"""

from collections import OrderedDict

from torch import nn

from pipeline.models._blocks import at_least

LABEL = "LeNet-5"
TARGET_LAYER = "features.4"  # the last ReLU; the last pooling, features.5, follows it


def lenet(*, channels: int, classes: int, size: tuple[int, int]) -> nn.Sequential:
    """Return the untrained network, (N, channels, H, W) normalised -> (N, classes) logits.

    Two pixels of padding stand for LeCun's 28 x 28 digits on 32 x 32 pixels. Its two parts are named ``features``,
    which ends with (N, 16, H//4 - 2, W//4 - 2), and ``classifier``. For 10 classes it has 61,706 parameters on images
    of 1 x 28 x 28, the number usually cited, and 83,126 on images of 3 x 32 x 32.

    Args:
        channels: of the images.
        classes: of the answer.
        size: (H, W) of the images.

    Raises:
        ValueError: if a side of ``size`` is shorter than 12 pixels.
    """
    at_least(12, size)
    features = nn.Sequential(
        nn.Conv2d(channels, 6, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
    )
    flat = 16 * ((size[0] // 2 - 4) // 2) * ((size[1] // 2 - 4) // 2)
    classifier = nn.Sequential(
        nn.Flatten(), nn.Linear(flat, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, classes)
    )
    return nn.Sequential(OrderedDict[str, nn.Module](features=features, classifier=classifier))
