"""What several steps read alike: a data set on a device, and the network trained on it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pipeline import plugins, signatures, store, weights
from pipeline.data._dataset import TEST, TRAIN
from pipeline.data._splits import explained

IMAGENET = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}  # RGB, as torchvision's networks expect


@dataclass(frozen=True)
class Data:
    """A data set as the steps use it; images, labels and statistics lie on one device.

    Attributes:
        images: (N, C, H, W) uint8.
        labels: (N,) int64.
        split: (N,) int8 array, TRAIN or TEST.
        classes: K names.
        mean: (C,) channel means that the network's images are normalised with, in [0, 1] units.
        std: (C,) the standard deviations likewise.
    """

    images: Tensor
    labels: Tensor
    split: np.ndarray
    classes: list[str]
    mean: Tensor
    std: Tensor

    def places(self, split: str, explain: int = 0) -> np.ndarray:
        """Return the ids of a split: train, test, or the ``explain`` test images that the metrics use."""
        if split == "explain":
            return explained(self.labels.cpu().numpy(), self.split, explain)
        return np.flatnonzero(self.split == {"train": TRAIN, "test": TEST}[split])


def data(marker: str, device: torch.device, model: Mapping[str, Any]) -> Data:
    """Read the data set whose store has this marker, with the mean and std by which the network of ``model`` sees it.

    Args:
        marker: of the store.
        device: where the tensors shall lie.
        model: the network's entry; its ``normalise`` is "imagenet", {"mean", "std"}, or absent for those of
            the training images.

    Raises:
        ValueError: if ``normalise`` states statistics of another number of channels.
    """
    found = store.attributes(marker)
    images, labels, split = store.read(marker, "images", "labels", "split")
    stated = model.get("normalise", found)
    stated = IMAGENET if stated == "imagenet" else stated
    mean, std = (torch.tensor(stated[key], dtype=torch.float32, device=device) for key in ("mean", "std"))
    if not len(mean) == len(std) == images.shape[1]:
        counts = f"{len(mean)} means and {len(std)} standard deviations"
        raise ValueError(f"normalise: it has {counts}; the images have {images.shape[1]} channels")
    pixels, truth = (torch.from_numpy(array).to(device) for array in (images, labels))
    return Data(pixels, truth, split, found["classes"], mean, std)


def masks(marker: str) -> Tensor | None:
    """Return where the object is in every image of a data set, (N, H, W) bool, or None where the data set has no masks.

    They are read apart from the images, on the CPU: only metrics look at them.
    """
    there = "masks" in store.attributes(marker)["blocks"]
    return torch.from_numpy(store.read(marker, "masks")[0]) if there else None


def untrained(entry: Mapping[str, Any], dataset: Data) -> nn.Module:
    """Return the untrained network of a model's entry for this data set, on its device."""
    _, channels, height, width = dataset.images.shape
    model = plugins.network(entry, channels=channels, classes=len(dataset.classes), size=(height, width))
    return model.to(dataset.images.device)


def initialised(entry: Mapping[str, Any], dataset: Data, seed: int) -> nn.Module:
    """Return the network with the first weights that ``seed`` gives, whatever was drawn before."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return untrained(entry, dataset)


def training_images(dataset: Data) -> tuple[Tensor, Tensor]:
    """Return images and labels of the training split, validation images included."""
    chosen = torch.from_numpy(dataset.split == TRAIN).to(dataset.images.device)
    return dataset.images[chosen], dataset.labels[chosen]


def trained(entry: Mapping[str, Any], path: str, dataset: Data) -> nn.Module:
    """Return the network with the weights of a file, in eval mode, its parameters frozen.

    Raises:
        ValueError: if the weights are not those of this network.
    """
    model = untrained(entry, dataset)
    weights.fill(model, weights.read(path), f"{path} does not fit {entry['use']}")
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return model.eval().requires_grad_(False)


def target_layer(method: Mapping[str, Any], model: Mapping[str, Any]) -> str | None:
    """Return the layer that a method's entry (or its base) looks at: its own word, else the network's TARGET_LAYER.

    Where neither states one this is None; pipeline/models/_target.py finds the layer then.
    """
    entry = method.get("base", method)
    layer = entry.get("layer", "auto")
    return signatures.constant("models", model["use"], "TARGET_LAYER") if layer == "auto" else layer


def targets(wish: str | int, predictions: str, dataset: Data) -> Tensor:
    """Return the class to explain of every image of the data set, (N,) int64.

    Args:
        wish: "predicted", "label", a class name or its index.
        predictions: marker of the network's predictions.
        dataset: the data set.

    Raises:
        ValueError: if there is no such class.
    """
    device = dataset.labels.device
    if wish == "predicted":
        (found,) = store.read(predictions, "predicted")
        return torch.from_numpy(found).to(device)
    if wish == "label":
        return dataset.labels
    names = dict(zip(dataset.classes, range(len(dataset.classes)), strict=True))
    index = wish if isinstance(wish, int) else names.get(wish)
    if index is None or not 0 <= index < len(names):
        raise ValueError(
            f"target: no class is called {wish!r}; say predicted, label or one of {json.dumps(list(names))}"
        )
    return torch.full_like(dataset.labels, index)
