"""Residual networks for small images.

He et al., "Deep Residual Learning for Image Recognition", CVPR 2016 (arXiv:1512.03385). Depths 20, 32, 44 and 56 are
the networks of section 4.2, with shortcuts without parameters (option A). Depth 18 has the blocks of table 1 after the
first convolution of section 4.2, with projections (option B): the network of Tang, "D-RISE on CIFAR-10", 2024.
"""

from typing import Literal

from torch import Tensor, nn
from torch.nn import functional

from pipeline.models._branches import Add

LABEL = "ResNet"
TARGET_LAYER = "relu"  # the last ReLU; the global pooling follows it


class ZeroPadding(nn.Module):
    """Option A: every other pixel of the input, between channels of zeros."""

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        self.channels, self.stride = channels, stride

    def forward(self, features: Tensor) -> Tensor:
        """Widen ``features`` by ``channels`` on either side: (N, C, H, W) -> (N, C + 2 * channels, H/s, W/s)."""
        kept = features[:, :, :: self.stride, :: self.stride]
        return functional.pad(kept, (0, 0, 0, 0, self.channels, self.channels))


class Block(nn.Module):
    """Two convolutions and a shortcut, between the ReLU of the sum before and that of its own sum.

    The ReLU that the paper draws at a block's end stands at the beginning of what follows: the network is the same, and
    the last ReLU has one name whatever the depth.
    """

    def __init__(self, inputs: int, outputs: int, stride: int, shortcut: nn.Module) -> None:
        super().__init__()
        self.relu1 = nn.ReLU()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.relu2 = nn.ReLU()
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.shortcut = shortcut
        self.add = Add()

    def forward(self, features: Tensor) -> Tensor:
        """Return the sum before its ReLU: (N, inputs, H, W) -> (N, outputs, H/stride, W/stride)."""
        features = self.relu1(features)
        branch = self.bn2(self.conv2(self.relu2(self.bn1(self.conv1(features)))))
        return self.add(branch, self.shortcut(features))


def cifar_resnet(
    *, channels: int, classes: int, size: tuple[int, int], depth: Literal[18, 20, 32, 44, 56] = 18
) -> nn.Sequential:
    """Return the untrained network, (N, channels, H, W) normalised -> (N, classes) logits.

    The names of its parameters are those of the pretrained networks of option A of Idelbayev, "Proper ResNet
    implementation for CIFAR10/CIFAR100 in PyTorch". For three channels and 10 classes it has 11,173,962 parameters at
    depth 18, and 269,722, 464,154, 658,586 and 853,018 at the others; for one channel 1,152 or 288 fewer. The
    convolutions begin as in He et al. 2015 (arXiv:1502.01852), equation 10.

    Args:
        channels: of the images.
        classes: of the answer.
        size: (H, W) of the images; any will do, since strides round up and the last pooling is global.
        depth: layers with weights.
    """
    del size
    first, stages = (64, 4) if depth == 18 else (16, 3)
    layers: dict[str, nn.Module] = {"conv1": nn.Conv2d(channels, first, 3, padding=1, bias=False)}
    layers["bn1"] = nn.BatchNorm2d(first)
    blocks, inputs = 2 if depth == 18 else (depth - 2) // 6, first
    for stage in range(stages):
        outputs, stride = first * 2**stage, 2 if stage else 1
        shapes: list[tuple[int, int, int]] = [(inputs, outputs, stride)] + [(outputs, outputs, 1)] * (blocks - 1)
        layers[f"layer{stage + 1}"] = nn.Sequential(*(Block(*shape, _shortcut(shape, depth)) for shape in shapes))
        inputs = outputs
    layers |= {"relu": nn.ReLU(), "pool": nn.AdaptiveAvgPool2d(1), "flatten": nn.Flatten()}
    model = nn.Sequential()
    for name, layer in (layers | {"linear": nn.Linear(inputs, classes)}).items():
        model.add_module(name, layer)
    return model.apply(_initialise)


def _shortcut(shape: tuple[int, int, int], depth: int) -> nn.Module:
    inputs, outputs, stride = shape
    if inputs == outputs and stride == 1:
        return nn.Identity()
    if depth != 18:
        return ZeroPadding((outputs - inputs) // 2, stride)
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))


def _initialise(layer: nn.Module) -> None:
    if isinstance(layer, nn.Conv2d):
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
