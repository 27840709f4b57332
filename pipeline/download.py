"""Step: one data set, as uint8 images with labels, from its source files."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline import cli, fetching, plugins, provenance, signatures, store
from pipeline.data._sources import needed, present, stated
from pipeline.data._splits import hold_out


def main(data: str, dataset: dict[str, Any], sources: str, holdout: int | None = None, listing: str = "") -> None:
    """Fetch what the data set needs, and write its images, labels, split and masks.

    Args:
        data: marker of the store to write, .../data.zarr/zarr.json.
        dataset: the data set's entry, such as {"use": "digits", "size": 16}.
        sources: folder that holds downloaded source files, one folder for each data set; missing ones are fetched.
        holdout: so many training images become the test images, and the official test images are left out.
        listing: what was seen of the folders that the entry names, as pipeline/listing.py tells it, for the record.
    """
    files, folder = _files(dataset, Path(sources), holdout)
    fetched = fetching.fetch(files, folder)
    settings = {"dataset": dataset, "holdout": holdout, "listing": listing or None}
    decided = {key: value for key, value in settings.items() if value is not None}
    made_by = provenance.made("download", decided, {name: folder / name for name in files})

    found = plugins.bind("data", dataset, root=folder)()
    if holdout is not None:
        found = hold_out(found, holdout)
    arrays = {"images": found.images, "labels": found.labels, "split": found.split}
    if found.masks is not None:
        arrays["masks"] = found.masks
    count, _, height, width = found.images.shape
    draft = store.begin(data, made_by, count, store.block_length(height, width, itemsize=1))
    for rows in store.due(draft):
        store.put(draft, rows, {name: array[rows] for name, array in arrays.items()})
    mean, std = found.statistics()
    own = {"files": found.files, "skipped_files": found.skipped} if found.files else {}
    store.publish(draft, classes=list(found.classes), mean=mean.tolist(), std=std.tolist(), sources=fetched, **own)
    logging.info("%s: %d images of %d classes", dataset["use"], count, len(found.classes))


def _files(dataset: Mapping[str, Any], sources: Path, holdout: int | None) -> tuple[Mapping[str, Any], Path]:
    """Return the source files of a data set and their folder: the first form that is there, else the one to fetch."""
    name = dataset["use"]
    constants = {key: signatures.constant("data", name, key) for key in ("SOURCES", "ALTERNATIVES", "FOLDERS")}
    forms = [stated(form, dataset) for form in (constants["SOURCES"] or {}, *(constants["ALTERNATIVES"] or ()))]
    folders = [sources / folder for folder in constants["FOLDERS"] or (name,)]
    files, folder = present(forms, folders) or (forms[0], folders[0])
    absent = [each for each in files if each not in needed(files) and not (folder / each).exists()]
    if absent and holdout is None:
        advice = "put it there, or state holdout: to test on images taken out of the training images"
        raise ValueError(f"{folder / absent[0]} is missing, which holds the test images; {advice}")
    if absent:
        logging.info("%s: there are no official test images; %d training images take their place", name, holdout)
    return {each: source for each, source in files.items() if each not in absent}, folder


if __name__ == "__main__":
    cli.run(main)
