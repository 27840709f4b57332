"""Step: one data set, as uint8 images with labels, from its source files."""

import logging
from pathlib import Path
from typing import Any

from pipeline import cli, fetching, plugins, provenance, signatures, store


def main(data: str, dataset: dict[str, Any], sources: str) -> None:
    """Fetch what the data set needs, and write its images, labels, split and masks.

    Args:
        data: marker of the store to write, .../data.zarr/zarr.json.
        dataset: the data set's entry, such as {"use": "digits", "size": 16}.
        sources: folder that holds downloaded source files, one folder for each data set; missing ones are fetched.
    """
    folder = Path(sources) / dataset["use"]
    files = signatures.constant("data", dataset["use"], "SOURCES") or {}
    fetched = fetching.fetch(files, folder)
    made_by = provenance.made("download", {"dataset": dataset}, {name: folder / name for name in files})

    found = plugins.bind("data", dataset, root=folder)()
    arrays = {"images": found.images, "labels": found.labels, "split": found.split}
    if found.masks is not None:
        arrays["masks"] = found.masks
    count, _, height, width = found.images.shape
    draft = store.begin(data, made_by, count, store.block_length(height, width, itemsize=1))
    for rows in store.due(draft):
        store.put(draft, rows, {name: array[rows] for name, array in arrays.items()})
    mean, std = found.statistics()
    store.publish(draft, classes=list(found.classes), mean=mean.tolist(), std=std.tolist(), sources=fetched)
    logging.info("%s: %d images of %d classes", dataset["use"], count, len(found.classes))


if __name__ == "__main__":
    cli.run(main)
