"""Step: gather what methods say of a few images while the network's layers are drawn anew, for the figure of that."""

import json
from collections.abc import Iterable
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pipeline import cli, gallery, provenance, store
from pipeline.evaluation._reduce import reduce_channels
from pipeline.plan import array_name, split_address

MOST = 3  # images
NONE = "no image was explained by all methods while layers were drawn anew"


def main(
    data: str,
    maps: list[str],
    indexes: list[str],
    pictures: str,
    dataset: str,
    model: str,
    methods: dict[str, Any],
    layered: dict[str, dict[str, str]],
) -> None:
    """Read the maps of the trained network and those that the metrics kept of the randomised ones; write the first few.

    Args:
        data: marker of the data set's store.
        maps: markers of the stores of maps, one for each of the methods, in their order.
        indexes: JSON files beside which the metrics' stores lie, likewise.
        pictures: marker of the store to write.
        dataset: name of the data set.
        model: name of the network.
        methods: entry -> {address: {"label", "family", "reduce"}} of each of its maps.
        layered: metric -> {"mode", "protocol"} of each metric that keeps maps of randomised networks.
    """
    settings = {"dataset": dataset, "model": model, "methods": methods, "layered": layered}
    read = {f"{entry}/maps": each for entry, each in zip(methods, maps, strict=True)}
    read |= {f"{entry}/index": each for entry, each in zip(methods, indexes, strict=True)}
    made_by = provenance.made("exhibit_randomised", settings, read | {"data": data})

    judged = {entry: _judged(index, layered) for entry, index in zip(methods, indexes, strict=True)}
    there = {entry: marker for entry, marker in zip(methods, maps, strict=True) if judged[entry]}
    ids = _common([store.read(marker, "ids")[0] for entry in there for marker in judged[entry].values()])[:MOST]
    images, labels = store.read(data, "images", "labels", rows=ids)
    arrays: dict[str, Any] = {}
    kept = []
    for entry, marker in there.items():
        explained, targets = store.read(marker, "ids", "targets")
        rows = np.searchsorted(explained, ids)  # ids rise, in every store
        arrays |= {"ids": ids, "targets": targets[rows], "labels": labels, "image": images}
        for address, facts in methods[entry].items():
            (values,) = store.read(marker, split_address(address)[1], rows=rows)
            trained = reduce_channels(torch.from_numpy(values), facts["reduce"]).numpy()
            shown, planes = [gallery.TRAINED], [trained[:, None]]
            for metric, own in judged[entry].items():
                planes.append(_randomised(own, address, ids))
                told = {"metric": metric, **layered[metric]}
                shown += [{**told, "layers": count} for count in range(1, planes[-1].shape[1] + 1)]
            arrays[address] = np.concatenate(planes, axis=1)
            kept.append({"method": address, **facts, "shown": shown})
    classes = store.attributes(data)["classes"]
    names = {"dataset": dataset, "model": model, "classes": classes}
    gallery.write(pictures, made_by, arrays, methods=kept, without=NONE, **names)


def _judged(index: str, metrics: Iterable[str]) -> dict[str, Path]:
    """Return {metric: marker of its store} of those that were not left out for a method."""
    found = json.loads(Path(index).read_text(encoding="utf-8"))["stores"]
    return {metric: Path(index).with_name(f"{metric}.zarr") / "zarr.json" for metric in metrics if metric in found}


def _common(ids: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Return the numbers that all of ``ids`` have, ascending."""
    return reduce(np.intersect1d, ids) if ids else np.zeros(0, np.int64)


def _randomised(marker: Path, address: str, ids: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the maps (N, L, H, W) that a metric kept of some images."""
    rows = np.searchsorted(store.read(marker, "ids")[0], ids)
    (maps,) = store.read(marker, array_name(address, "maps"), rows=rows)
    return maps.astype(np.float32)


if __name__ == "__main__":
    cli.run(main)
