"""The CIFAR-10 network of Malekzadeh, "Interpretable Image Classification" (IIC), 2022 (notebooks in training/).

Less the softmax at its end: VGG-16's convolutions (Simonyan & Zisserman, ICLR 2015, arXiv:1409.1556, table 1, D) with
batch norm after each ReLU and dropout between the convolutions of a block.
"""

import math
from collections import OrderedDict
from itertools import pairwise

from torch import nn

LABEL = "VGG-like"
TARGET_LAYER = "features.block5.conv3.1"  # the last ReLU; a batch norm and the last pooling follow it
PUBLISHED = {"cifar10": 0.9350}  # IIC, output of its training notebook, one run

BLOCKS = ((64, 64), (128, 128), (256,) * 3, (512,) * 3, (512,) * 3)


def vgg_like(*, channels: int, classes: int, size: tuple[int, int]) -> nn.Sequential:
    """Return the untrained network, (N, channels, H, W) normalised -> (N, classes) logits.

    Its two parts are named ``features``, which ends with (N, 512, H/32, W/32), and ``classifier``. For 10 classes it
    has 14,991,946 parameters on images of 3 x 32 x 32, with the means and variances of its batch norms 15,001,418, and
    on images of 1 x 28 x 28 it has 14,990,794. Batch norm has PyTorch's own eps (1e-5) and momentum, not Keras's 1e-3
    and 0.99. IIC penalises the squares of the weights with 5e-4 each, which is a ``weight_decay`` of 1e-3.

    Args:
        channels: of the images.
        classes: of the answer.
        size: (H, W) of the images. The poolings keep an incomplete last window, so that less than 32 pixels will do.
    """
    blocks, inputs = OrderedDict[str, nn.Module](), channels
    for number, widths in enumerate(BLOCKS, 1):
        blocks[f"block{number}"] = _block((inputs, *widths), 0.3 if number == 1 else 0.4)
        inputs = widths[-1]
    flat = inputs * math.prod(math.ceil(side / 2 ** len(BLOCKS)) for side in size)
    hidden = (nn.Dropout(0.5), nn.Flatten(), nn.Linear(flat, 512), nn.ReLU(), nn.BatchNorm1d(512))
    classifier = nn.Sequential(*hidden, nn.Dropout(0.5), nn.Linear(512, classes))
    return nn.Sequential(OrderedDict[str, nn.Module](features=nn.Sequential(blocks), classifier=classifier))


def _block(widths: tuple[int, ...], dropout: float) -> nn.Sequential:
    layers = OrderedDict[str, nn.Module]()
    for number, (inputs, outputs) in enumerate(pairwise(widths), 1):
        conv = nn.Conv2d(inputs, outputs, 3, padding=1)
        layers[f"conv{number}"] = nn.Sequential(conv, nn.ReLU(), nn.BatchNorm2d(outputs))
        if number < len(widths) - 1:
            layers[f"dropout{number}"] = nn.Dropout(dropout)
    layers["pool"] = nn.MaxPool2d(2, ceil_mode=True)
    return nn.Sequential(layers)
