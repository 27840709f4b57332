"""A method as the steps call it: bound to all that it asks for, its draws decided by a seed alone."""

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from pipeline import loaded, plugins, references, signatures
from pipeline.data._pixels import normalise
from pipeline.models._target import last_map
from pipeline.randomness import seeded

Maps = dict[str, Tensor]
PROBE = 3  # images that the guard and the requirements try


class Method(NamedTuple):
    """The entry of a method, and what every batch of a job gives it alike."""

    entry: Mapping[str, Any]
    precision: str
    dataset: loaded.Data
    given: dict[str, Any]


def probe(dataset: loaded.Data, ids: Tensor) -> Tensor:
    """Return the first few of the images with these ids, normalised."""
    return normalise(dataset.images[ids[:PROBE].to(dataset.images.device)], dataset.mean, dataset.std)


def prepared(
    entry: Mapping[str, Any],
    precision: str,
    model: Mapping[str, Any],
    network: nn.Module,
    dataset: loaded.Data,
    ids: Tensor,
) -> Method:
    """Return a method with what it asks for: the layer that it looks at, and the images that it compares with.

    Args:
        entry: the method's entry.
        precision: in which the network computes, float32 or bfloat16.
        model: the network's entry.
        network: the trained network.
        dataset: the data set.
        ids: of all images that the job explains.

    Returns:
        The method; its ``given["references"]`` is None where it asks for images to compare with and none is left.
    """
    given: dict[str, Any] = {"layer": loaded.target_layer(entry, model) or last_map(network, probe(dataset, ids))}
    if signatures.asks("attribution", entry, "references"):
        places = references.eligible(dataset, ids)
        given["references"] = partial(references.draw, dataset, places) if len(places) else None
    return Method(entry, precision, dataset, given)


def explained(
    method: Method, network: nn.Module, ids: Tensor, images: Tensor, targets: Tensor, *, seed: int = 0, **changes: Any
) -> Maps:
    """Return the maps of one batch by name, float32, and what is kept beside them. Every batch draws alike.

    Args:
        method: the method.
        network: the network to explain.
        ids: (N,) int64, the images' places in the data set.
        images: (N, C, H, W), normalised.
        targets: (N,) int64, the class explained for each image.
        seed: of what the method draws; 0 for the maps of the store.
        changes: parameters of the method that shall differ from its entry.

    Raises:
        ValueError: if the method has no such parameter, or it cannot be so; if ids and images are not equally many.
    """
    if len(ids) != len(images):
        raise ValueError(f"{len(ids)} images are explained together, got {len(images)}")
    dataset, places = method.dataset, ids.to(method.dataset.labels.device)
    given = method.given | {"ids": ids, "labels": dataset.labels[places], "mean": dataset.mean, "std": dataset.std}
    if given.get("references"):
        given["references"] = partial(given["references"], seed=seed)
    generator = seeded("attribute", seed) if seed else seeded("attribute")
    attribute = plugins.bind("attribution", {**method.entry, **changes}, generator=generator, **given)
    images = images.contiguous(memory_format=torch.channels_last)  # as the network's weights lie
    # Its cache would keep every noisy copy of the images, leaves that require gradients as weights do; ours are frozen.
    with torch.autocast(images.device.type, torch.bfloat16, method.precision == "bfloat16", cache_enabled=False):
        maps = attribute(network, images, targets)
    parts = maps if isinstance(maps, dict) else {"maps": maps}
    return {name: part.float() if part.is_floating_point() else part for name, part in parts.items()}
