"""Step: gather a few images of each class with what every method says of them, for the coherence figure."""

from typing import Any

import torch

from pipeline import cli, gallery, provenance, store
from pipeline.evaluation._reduce import reduce_channels
from pipeline.plan import split_address


def main(
    data: str, maps: list[str], pictures: str, dataset: str, model: str, methods: dict[str, Any], per_class: int
) -> None:
    """Read the images and the maps, reduce the maps' channels, write the chosen ones.

    Args:
        data: marker of the data set's store.
        maps: markers of the stores of maps, one for each of the methods, in their order.
        pictures: marker of the store to write.
        dataset: name of the data set.
        model: name of the network.
        methods: entry -> {address: {"label", "family", "reduce"}} of each of its maps.
        per_class: images of each class.
    """
    settings = {"dataset": dataset, "model": model, "methods": methods, "per_class": per_class}
    made_by = provenance.made("exhibit", settings, dict(zip(methods, maps, strict=True)) | {"data": data})

    images, labels = store.read(data, "images", "labels")
    shown = {entry: marker for entry, marker in zip(methods, maps, strict=True) if not store.skipped(marker)}
    arrays: dict[str, Any] = {}
    kept = []
    for entry, marker in shown.items():
        ids, targets = store.read(marker, "ids", "targets")
        rows = gallery.choose(labels[ids], ids, per_class)
        arrays |= {"ids": ids[rows], "targets": targets[rows], "labels": labels[ids[rows]], "image": images[ids[rows]]}
        for address, facts in methods[entry].items():
            (values,) = store.read(marker, split_address(address)[1])
            arrays[address] = reduce_channels(torch.from_numpy(values[rows]), facts["reduce"]).numpy()
            kept.append({"method": address, **facts})
    classes = store.attributes(data)["classes"]
    gallery.write(pictures, made_by, arrays, methods=kept, dataset=dataset, model=model, classes=classes)


if __name__ == "__main__":
    cli.run(main)
