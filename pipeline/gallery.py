"""The pictures of the coherence figure: a few images of each class, and what every method says of them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline import store

COLUMNS = ["dataset", "model", "method", "label", "family", "id", "class", "target", "pixels"]


def choose(labels: NDArray[np.int64], ids: NDArray[np.int64], per_class: int) -> NDArray[np.int64]:
    """Return the rows of the first ``per_class`` images of each class, class after class, in the order of their ids."""
    order = np.argsort(ids, kind="stable")
    rows = [order[labels[order] == name][:per_class] for name in np.unique(labels)]
    return np.concatenate(rows)


def write(
    marker: str,
    made_by: Mapping[str, Any],
    arrays: Mapping[str, NDArray[Any]],
    methods: Sequence[Mapping[str, Any]],
    **names: Any,
) -> None:
    """Publish the store: ``image`` and one array for each method, rows are images; ``names`` become attributes."""
    if not arrays:
        store.skip(marker, made_by, "every method was skipped")
        return
    length = len(arrays["ids"])
    draft = store.begin(marker, made_by, length, length)
    for rows in store.due(draft):
        store.put(draft, rows, arrays)
    store.publish(draft, methods=list(methods), **names)


def read(marker: str | Path) -> pd.DataFrame:
    """Return the tidy frame of a gallery: one row for each image and method, the picture itself first.

    Columns: dataset, model, method, label, family, id, class, target, and pixels: (H, W) or (H, W, 3) uint8 of the
    picture where method is "image", else (H, W) float32 saliency.
    """
    found = store.attributes(marker)
    if not found["blocks"]:
        return pd.DataFrame(columns=COLUMNS)
    ids, labels, targets, images = store.read(marker, "ids", "labels", "targets", "image")
    entries = [{"method": "image", "label": "Image", "family": "image"}, *found["methods"]]
    rows = []
    for entry in entries:
        pixels = _pictures(images) if entry["method"] == "image" else store.read(marker, entry["method"])[0]
        for place in range(len(ids)):
            row = {"id": int(ids[place]), "class": found["classes"][labels[place]], "pixels": pixels[place]}
            rows.append(entry | row | {"target": found["classes"][targets[place]]})
    frame = pd.DataFrame(rows).assign(dataset=found["dataset"], model=found["model"])
    return frame[COLUMNS]


def _pictures(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    pictures = images.transpose(0, 2, 3, 1)
    return pictures[..., 0] if pictures.shape[-1] == 1 else pictures
