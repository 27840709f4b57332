"""Any classification network of torchvision, by its name there, rewritten so that methods can look into it.

https://pytorch.org/vision/stable/models.html#classification
"""

import difflib
import re
from collections.abc import Mapping
from typing import Any

from torch import nn

from pipeline.models._rewrite import own_activations
from pipeline.vision import torchvision as library

LABEL = "{arch}"
TARGET_LAYER = None  # the last activation that gives maps, found by trying: it depends on arch
NAMED_WEIGHTS = True  # weights: IMAGENET1K_V1 and the like are known by name

# What some networks must be told beside the number of classes; the auxiliary heads, for training from scratch, are off.
# The first two were trained on images normalised in another way, and convert what ImageNet's statistics give.
OPTIONS: dict[str, dict[str, Any]] = {
    "googlenet": {"aux_logits": False, "init_weights": True, "transform_input": True},
    "inception_v3": {"aux_logits": False, "init_weights": True, "transform_input": True},
}
UNUSED = {"googlenet": ("aux1.", "aux2."), "inception_v3": ("AuxLogits.",)}


def torchvision(*, channels: int, classes: int, size: tuple[int, int], arch: str) -> nn.Module:
    """Return the untrained network, (N, channels, H, W) normalised -> (N, classes) logits.

    Its layers and weights have torchvision's names. Every activation is a module of its own, used once, not in place,
    and sums of branches are modules too; a network that cannot be traced stays as it is, and the guard says so.

    Args:
        channels: of the images; where they are not 3, the first convolution is another one.
        classes: of the answer.
        size: (H, W) of the images.
        arch: name of the network, such as "resnet50".

    Raises:
        ValueError: if torchvision has no such network, or it cannot take such images.
    """
    options = {**OPTIONS.get(_known(arch), {}), **_sizes(arch, size)}
    if channels != 3:
        options = {key: value for key, value in options.items() if key != "transform_input"}
    model = library.models.get_model(arch, weights=None, num_classes=classes, **options)
    if channels != 3:
        _widen(model, channels)
    model = own_activations(model)
    model.unused_weights = UNUSED.get(arch, ())  # type: ignore[assignment]
    return model


def named_weights(name: str, entry: Mapping[str, Any]) -> dict[str, str]:
    """Return {"url", "sha256"} of the weights that torchvision calls ``name``; the sha256 is its first digits.

    Args:
        name: such as "IMAGENET1K_V1" or "DEFAULT".
        entry: the model's entry, with its ``arch``.

    Raises:
        ValueError: if there are none of this name.
    """
    known = library.models.get_model_weights(_known(entry["arch"])).__members__
    if name not in known:
        raise ValueError(f"weights: {entry['arch']} has none called {name!r}; there are: {', '.join(known)}")
    url = known[name].url
    (digits,) = re.findall(r"-([0-9a-f]{8,64})\.pth$", url)
    return {"url": url, "sha256": digits}


def _known(arch: str) -> str:
    """Return ``arch``, or raise ValueError with the names that are near it."""
    names = library.models.list_models(module=library.models)
    if arch not in names:
        close = difflib.get_close_matches(arch, names, n=3)
        hint = f"did you mean {' or '.join(map(repr, close))}?" if close else f"there are: {', '.join(names)}"
        raise ValueError(f"arch: torchvision has no classification network {arch!r}; {hint}")
    return arch


def _sizes(arch: str, size: tuple[int, int]) -> dict[str, Any]:
    """Return what networks that are built for one size of image must be told of it."""
    if arch.startswith("vit_"):
        if size[0] != size[1]:
            raise ValueError(f"arch: {arch} takes square images, got {size[0]} x {size[1]}")
        return {"image_size": size[0]}
    return {"input_size": size} if arch.startswith("maxvit_") else {}


def _widen(model: nn.Module, channels: int) -> None:
    """Have the first convolution take images of so many channels."""
    first = next(module for module in model.modules() if isinstance(module, nn.Conv2d))
    first.in_channels = channels
    first.weight = nn.Parameter(first.weight.new_empty(first.out_channels, channels, *first.kernel_size))
    first.reset_parameters()
