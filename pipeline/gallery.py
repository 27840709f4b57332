"""The pictures that figures show: a few images of each class or pair of classes, and what every method says of them."""

import json
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline import store

COLUMNS = [
    *("dataset", "model", "method", "label", "family", "metric", "mode", "protocol", "layers"),
    *("id", "class", "target", "low", "high", "pixels"),
]
TRAINED = {"metric": "", "mode": "", "protocol": "", "layers": 0}  # a map of the network as it is


def choose(
    choice: int | Mapping[str, Any],
    classes: Sequence[str],
    labels: NDArray[np.int64],
    targets: NDArray[np.int64],
    ids: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Return the rows of the images to show, group after group, each in the order of its ids.

    Args:
        choice: images of each class; or {"pairs": [[true class, explained class]], "count": images of each pair}, with
            names or indices of classes. Where there are fewer, those are shown.
        classes: the names of all classes.
        labels: (N,), the class of each image.
        targets: (N,), the class explained for it.
        ids: (N,), its place in the data set.

    Raises:
        ValueError: if there is no such class.
    """
    order = np.argsort(ids, kind="stable")
    if isinstance(choice, Mapping):
        count, pairs = choice["count"], [[_index(name, classes) for name in pair] for pair in choice["pairs"]]
        groups = [(labels == true) & (targets == explained) for true, explained in dict.fromkeys(map(tuple, pairs))]
    else:
        count, groups = choice, [labels == index for index in np.unique(labels)]
    return np.concatenate([order[group[order]][:count] for group in groups])


def _index(name: str | int, classes: Sequence[str]) -> int:
    names = dict(zip(classes, range(len(classes)), strict=True))
    index = name if isinstance(name, int) else names.get(name)
    if index is None or not 0 <= index < len(names):
        raise ValueError(f"gallery.pairs: no class is called {name!r}; there are {json.dumps(list(names))}")
    return index


def write(
    marker: str,
    made_by: Mapping[str, Any],
    arrays: Mapping[str, NDArray[Any]],
    methods: Sequence[Mapping[str, Any]],
    *,
    without: str,
    **names: Any,
) -> None:
    """Publish the store.

    Args:
        marker: of the store.
        made_by: what made it.
        arrays: ``ids``, ``labels``, ``targets``, ``image`` and one for each of the methods: rows are images.
        methods: what is known of each; where it has ``shown``, a list of what TRAINED says of the one map of a plain
            gallery, its array is (N, len(shown), H, W), else (N, H, W).
        without: why there are no images, where there are none.
        names: further attributes: dataset, model, classes.
    """
    length = len(arrays.get("ids", ()))
    if not length:
        store.skip(marker, made_by, without)
        return
    draft = store.begin(marker, made_by, length, length)
    for rows in store.due(draft):
        store.put(draft, rows, arrays)
    store.publish(draft, methods=list(methods), **names)


def read(marker: str | Path) -> pd.DataFrame:
    """Return the tidy frame of a gallery: one row for each image and method, the picture itself first.

    Columns: dataset, model, method, label, family; metric, mode, protocol and layers, where layers of the network were
    drawn anew: for which metric, how, and at which place of its x axis, else "" and 0; id, class, target; low and high,
    between which the saliency lies but for the chance of the method's draws, nan where there is no bound; and pixels:
    (H, W) or (H, W, 3) uint8 of the picture where method is "image", else (H, W) float32 saliency.
    """
    found = store.attributes(marker)
    if not found["blocks"]:
        return pd.DataFrame(columns=COLUMNS)
    ids, labels, targets, images = store.read(marker, "ids", "labels", "targets", "image")
    entries = [{"method": "image", "label": "Image", "family": "image"}, *found["methods"]]
    rows = []
    for entry in entries:
        pixels = _pictures(images) if entry["method"] == "image" else store.read(marker, entry["method"])[0]
        low, high = (np.nan if end is None else float(end) for end in entry.get("bounds", (None, None)))
        planes = pixels if "shown" in entry else pixels[:, None]
        for place, (column, shown) in product(range(len(ids)), enumerate(entry.get("shown", [TRAINED]))):
            names = {"class": found["classes"][labels[place]], "target": found["classes"][targets[place]]}
            row = {"id": int(ids[place]), "low": low, "high": high, "pixels": planes[place, column]}
            rows.append(entry | names | shown | row)
    frame = pd.DataFrame(rows).assign(dataset=found["dataset"], model=found["model"])
    return frame[COLUMNS]


def _pictures(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    pictures = images.transpose(0, 2, 3, 1)
    return pictures[..., 0] if pictures.shape[-1] == 1 else pictures
