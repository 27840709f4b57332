"""Step: gather a few images with what every method says of them, for the figures that show maps."""

from typing import Any

import numpy as np
import torch

from pipeline import cli, gallery, provenance, store
from pipeline.evaluation._reduce import reduce_channels
from pipeline.plan import split_address

SKIPPED = "every method was skipped"
NOT_CHOSEN = "none of the images that are explained is of a chosen pair of classes"


def main(
    data: str,
    maps: list[str],
    pictures: str,
    dataset: str,
    model: str,
    methods: dict[str, Any],
    choice: int | dict[str, Any],
) -> None:
    """Read the images and the maps, reduce the maps' channels, write the chosen ones.

    Args:
        data: marker of the data set's store.
        maps: markers of the stores of maps, one for each of the methods, in their order.
        pictures: marker of the store to write.
        dataset: name of the data set.
        model: name of the network.
        methods: entry -> {address: {"label", "family", "reduce", "bounds"}} of each of its maps.
        choice: images of each class, or {"pairs": [[true class, explained class]], "count": images of each pair}.
    """
    settings = {"dataset": dataset, "model": model, "methods": methods, "choice": choice}
    made_by = provenance.made("exhibit", settings, dict(zip(methods, maps, strict=True)) | {"data": data})

    images, labels = store.read(data, "images", "labels")
    classes = store.attributes(data)["classes"]
    shown = {entry: marker for entry, marker in zip(methods, maps, strict=True) if not store.skipped(marker)}
    arrays: dict[str, Any] = {}
    kept = []
    for entry, marker in shown.items():
        ids, targets = store.read(marker, "ids", "targets")
        rows = gallery.choose(choice, classes, labels[ids], targets, ids)
        rising = np.sort(rows)  # of thousands of maps only those that are shown are read
        arrays |= {"ids": ids[rows], "targets": targets[rows], "labels": labels[ids[rows]], "image": images[ids[rows]]}
        for address, facts in methods[entry].items():
            (values,) = store.read(marker, split_address(address)[1], rows=rising)
            saliency = reduce_channels(torch.from_numpy(values), facts["reduce"]).numpy()
            arrays[address] = saliency[np.searchsorted(rising, rows)]
            kept.append({"method": address, **facts})
    without = NOT_CHOSEN if arrays else SKIPPED
    gallery.write(
        pictures, made_by, arrays, methods=kept, without=without, dataset=dataset, model=model, classes=classes
    )


if __name__ == "__main__":
    cli.run(main)
