"""Step: every metric on every map of one method, on one trained network."""

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pipeline import cli, files, loaded, machine, plugins, provenance, store
from pipeline.data._pixels import normalise
from pipeline.evaluation._fills import fill_pixels
from pipeline.evaluation._ranking import saliency_rank
from pipeline.evaluation._reduce import reduce_channels
from pipeline.progress import progress


def main(
    data: str,
    weights: str,
    maps: str,
    index: str,
    model: dict[str, Any],
    reduce: dict[str, str],
    metrics: dict[str, dict[str, Any]],
    batch_size: int = 256,
    gpu: int = 0,
    threads: int = 1,
) -> None:
    """Score the maps; a metric whose store stands as it should is taken over.

    Args:
        data: marker of the data set's store.
        weights: safetensors file of the trained network.
        maps: marker of the store of the method's maps.
        index: JSON file to write: the digest of each metric's store beside it, or why there is none.
        model: the network's entry.
        reduce: how the channels of each map become one saliency number, such as {"maps": "abs_max"}.
        metrics: name -> entry of each metric, such as {"deletion": {"use": "deletion", "steps": 28}}.
        batch_size: images of one call of a metric.
        gpu: 1 to run on a GPU, 0 on the CPU.
        threads: CPU threads.
    """
    device = machine.prepare(threads, gpu)
    inputs = {"data": data, "weights": weights, "maps": maps}
    made_by = provenance.record("evaluate", {"model": model, "reduce": reduce, "metrics": metrics}, inputs)
    if reason := store.skipped(maps):
        _write_index(index, {"provenance": made_by, "skipped": reason, "stores": {}})
        return

    dataset = loaded.data(data, device, model)
    network = loaded.trained(model, weights, dataset)
    ids, targets = map(torch.from_numpy, store.read(maps, "ids", "targets"))
    block = store.block_length(*dataset.images.shape[2:])
    drafts = {}
    for name, entry in metrics.items():
        one = provenance.made("evaluate", {"model": model, "reduce": reduce, "metric": entry}, inputs, device.type)
        drafts[name] = store.begin(Path(index).with_name(f"{name}.zarr") / "zarr.json", one, len(ids), block)
    due = {name: {rows.start for rows in store.due(draft)} for name, draft in drafts.items()}
    starts = sorted(set().union(*due.values()))
    for start in progress(starts, len(starts), "blocks"):
        rows = slice(start, min(start + block, len(ids)))
        wanted = {name: entry for name, entry in metrics.items() if start in due[name]}
        maps_of = dict(zip(reduce, store.read(maps, *reduce, rows=rows), strict=True))
        images = _Images(dataset, ids[rows], targets[rows])
        for name, arrays in _block(network, images, maps_of, reduce, wanted, batch_size).items():
            store.put(drafts[name], rows, arrays)
    for draft in drafts.values():
        store.publish(draft)
    digests = {name: store.attributes(draft.marker)["digest"] for name, draft in drafts.items()}
    _write_index(index, {"provenance": made_by, "skipped": None, "stores": digests})


def array_name(part: str, key: str) -> str:
    """Return the name of a metric's array in its store: ``score``, or ``<part>.score`` for a method of several maps."""
    return key if part == "maps" else f"{part}.{key}"


class _Images(NamedTuple):
    """What is known of the images of one block."""

    dataset: loaded.Data
    ids: Tensor
    targets: Tensor


def _block(
    network: nn.Module,
    images: _Images,
    maps: Mapping[str, NDArray[Any]],
    reduce: Mapping[str, str],
    metrics: Mapping[str, Any],
    batch_size: int,
) -> dict[str, dict[str, NDArray[Any]]]:
    """Return the arrays of each metric for one block, those of each of the method's maps under their own names."""
    scores: dict[str, dict[str, NDArray[Any]]] = {name: {} for name in metrics}
    for part, how in reduce.items():
        saliency = reduce_channels(torch.from_numpy(maps[part]), how)
        for name, arrays in _scores(network, images, saliency, metrics, batch_size).items():
            scores[name] |= {array_name(part, key): array for key, array in arrays.items()}
    return scores


def _scores(
    network: nn.Module, found: _Images, saliency: Tensor, metrics: Mapping[str, Any], batch_size: int
) -> dict[str, dict[str, NDArray[Any]]]:
    """Return the arrays of each metric for one block, computed in batches."""
    batches = []
    for ids, targets, part in zip(*(x.split(batch_size) for x in (found.ids, found.targets, saliency)), strict=True):
        batches.append(_batch(network, found.dataset, ids, targets, part, metrics))
    return {
        name: {key: torch.cat([batch[name][key] for batch in batches]).cpu().numpy() for key in batches[0][name]}
        for name in metrics
    }


def _batch(
    network: nn.Module, dataset: loaded.Data, ids: Tensor, targets: Tensor, saliency: Tensor, metrics: Mapping[str, Any]
) -> dict[str, dict[str, Tensor]]:
    """Return what each metric gives for one batch; ranks and fills are shared between them."""
    device = dataset.images.device
    places, saliency = ids.to(device), saliency.to(device)
    images = normalise(dataset.images[places], dataset.mean, dataset.std)
    given = {
        "ids": ids,
        "labels": dataset.labels[places],
        "mean": dataset.mean,
        "std": dataset.std,
        "ranks": saliency_rank(saliency, ids),
        "fills": functools.cache(lambda name: fill_pixels(name, images, ids, dataset.mean, dataset.std)),
    }
    return {
        name: plugins.bind("evaluation", entry, **given)(network, images, targets.to(device), saliency)
        for name, entry in metrics.items()
    }


def _write_index(index: str, content: Mapping[str, Any]) -> None:
    files.write(index, json.dumps(content, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    cli.run(main)
