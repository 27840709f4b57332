"""Whose maps are judged, and what metrics are given: what is known of the images, and the method, to ask again."""

import json
from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any, NamedTuple

from torch import Tensor, nn

from pipeline import explainer, loaded
from pipeline.evaluation._fills import fill_pixels
from pipeline.evaluation._reduce import reduce_channels

Attribute = Callable[..., Tensor]


class Subject(NamedTuple):
    """What is judged, alike for all images: ``masks`` (N, H, W) bool where there are, ``method`` where it is asked."""

    network: nn.Module
    dataset: loaded.Data
    masks: Tensor | None
    reduce: Mapping[str, str]
    method: explainer.Method | None


def given(subject: Subject, ids: Tensor, images: Tensor) -> dict[str, Any]:
    """Return what metrics are given of one batch for all of the method's maps alike, by the names that they ask for.

    Args:
        subject: whose maps are judged.
        ids: (N,) int64, the images' places in the data set.
        images: (N, C, H, W), normalised.
    """
    dataset, places = subject.dataset, ids.to(images.device)
    fills = cache(lambda name: fill_pixels(name, images, ids, dataset.mean, dataset.std))
    found = {"ids": ids, "labels": dataset.labels[places], "mean": dataset.mean, "std": dataset.std, "fills": fills}
    return found if subject.masks is None else found | {"masks": subject.masks[ids].to(images.device)}


def attributes(subject: Subject, ids: Tensor, images: Tensor, targets: Tensor) -> dict[str, Attribute]:
    """Return {part: ``attribute``} of one batch, the functions that a metric calls to have its images explained again.

    ``attribute(model, images, targets, *, seed=0, **changes) -> (N, H, W)``, as ``explainer.explained``, with channels
    reduced as those of the stored map. What is asked for of the batch as it stands serves all metrics and all parts,
    which come from the same passes; what is asked for of other images or networks is computed anew each time.

    Args:
        subject: whose maps are judged.
        ids: (N,) int64, the places of the batch's images in the data set.
        images: (N, C, H, W), normalised.
        targets: (N,) int64, the class explained for each image.
    """
    method = subject.method
    if method is None:
        return {}
    batch = (subject.network, images, targets)

    def saliency(model: nn.Module, images: Tensor, targets: Tensor, seed: int, changes: str) -> dict[str, Tensor]:
        maps = explainer.explained(method, model, ids, images, targets, seed=seed, **json.loads(changes))
        return {part: reduce_channels(maps[part], how) for part, how in subject.reduce.items()}

    own = cache(partial(saliency, *batch))

    def attribute(
        part: str, model: nn.Module, images: Tensor, targets: Tensor, *, seed: int = 0, **changes: Any
    ) -> Tensor:
        asked = (model, images, targets)
        as_it_stands = all(one is other for one, other in zip(asked, batch, strict=True))
        found = own if as_it_stands else partial(saliency, *asked)
        return found(seed, json.dumps(changes, sort_keys=True))[part]

    return {part: partial(attribute, part) for part in subject.reduce}
