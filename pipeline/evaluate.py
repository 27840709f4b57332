"""Step: every metric on every map of one method, on one trained network."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline import cli, explainer, files, judged, loaded, machine, plugins, provenance, signatures, store
from pipeline.data._pixels import normalise
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
    method: dict[str, Any] | None = None,
    precision: str = "float32",
    batch_size: int = 256,
    gpu: int = 0,
    threads: int = 1,
) -> None:
    """Score the maps; a metric whose store stands as it should is taken over, one that makes no sense is left out.

    Args:
        data: marker of the data set's store.
        weights: safetensors file of the trained network.
        maps: marker of the store of the method's maps.
        index: JSON file to write: the digest of each metric's store beside it, or why there is none.
        model: the network's entry.
        reduce: how the channels of each map become one saliency number, such as {"maps": "abs_max"}.
        metrics: name -> entry of each metric, such as {"deletion": {"use": "deletion", "steps": 28}}.
        method: the method's entry, where a metric asks for ``attribute``.
        precision: in which the network computed the maps, where a metric asks for ``attribute``.
        batch_size: images of one call of a metric.
        gpu: 1 to run on a GPU, 0 on the CPU.
        threads: CPU threads.
    """
    device = machine.prepare(threads, gpu)
    inputs = {"data": data, "weights": weights, "maps": maps}
    settings = {"model": model, "reduce": reduce}
    again = {"method": method, "precision": precision} if method else {}
    made_by = provenance.record("evaluate", settings | {"metrics": metrics} | again, inputs)
    if reason := store.skipped(maps):
        _write_index(index, {"provenance": made_by, "skipped": reason, "left_out": {}, "stores": {}})
        return

    dataset = loaded.data(data, device, model)
    network = loaded.trained(model, weights, dataset)
    (ids,) = map(torch.from_numpy, store.read(maps, "ids"))
    prepared = explainer.prepared(method, precision, model, network, dataset, ids) if method else None
    subject = judged.Subject(network, dataset, loaded.masks(data), reduce, prepared)
    left_out = _left_out(subject, ids, metrics)
    kept = {name: entry for name, entry in metrics.items() if name not in left_out}
    drafts = {}
    for name, entry in kept.items():
        asked = again if _asks(entry) else {}
        own = settings | {"metric": entry} | asked
        one = provenance.made("evaluate", own, inputs, device.type, precision if asked else "float32")
        marker = Path(index).with_name(f"{name}.zarr") / "zarr.json"
        drafts[name] = store.begin(marker, one, len(ids), store.block_length(*dataset.images.shape[2:]))
    _fill(drafts, subject, maps, kept, batch_size)
    digests = {name: store.attributes(draft.marker)["digest"] for name, draft in drafts.items()}
    _write_index(index, {"provenance": made_by, "skipped": None, "left_out": left_out, "stores": digests})


def array_name(part: str, key: str) -> str:
    """Return the name of a metric's array in its store: ``score``, or ``<part>.score`` for a method of several maps."""
    return key if part == "maps" else f"{part}.{key}"


def _asks(entry: Mapping[str, Any]) -> bool:
    return signatures.asks("evaluation", entry, "attribute")


def _left_out(subject: judged.Subject, ids: Tensor, metrics: Mapping[str, Any]) -> dict[str, str]:
    """Return {metric: why it can say nothing of this method, data set or network}."""
    probe = explainer.probe(subject.dataset, ids)
    masks = None if subject.masks is None else subject.masks[ids]
    reasons = {}
    for name, entry in metrics.items():
        method = subject.method.entry if subject.method and _asks(entry) else None
        reasons[name] = plugins.unfit(entry, subject.network, probe, method=method, masks=masks)
    return {name: reason for name, reason in reasons.items() if reason}


def _fill(
    drafts: Mapping[str, store.Draft], subject: judged.Subject, maps: str, metrics: Mapping[str, Any], batch_size: int
) -> None:
    """Write the blocks of every metric's store that are due, each map being read once, and publish the stores."""
    due = {name: {rows.start: rows for rows in store.due(draft)} for name, draft in drafts.items()}
    blocks = {start: rows for own in due.values() for start, rows in own.items()}
    for start in progress(sorted(blocks), len(blocks), "blocks"):
        found = store.read(maps, "ids", "targets", *subject.reduce, rows=blocks[start])
        ids, targets, *values = map(torch.from_numpy, found)
        wanted = {name: metrics[name] for name in drafts if start in due[name]}
        for name, arrays in _block(subject, ids, targets, values, wanted, batch_size).items():
            store.put(drafts[name], blocks[start], arrays)
    for draft in drafts.values():
        store.publish(draft)


def _block(
    subject: judged.Subject,
    ids: Tensor,
    targets: Tensor,
    maps: list[Tensor],
    metrics: Mapping[str, Any],
    batch_size: int,
) -> dict[str, dict[str, NDArray[Any]]]:
    """Return the arrays of each metric for one block, computed in batches."""
    split = zip(*(x.split(batch_size) for x in (ids, targets, *maps)), strict=True)
    batches = [_batch(subject, part[0], part[1], part[2:], metrics) for part in split]
    return {
        name: {key: torch.cat([batch[name][key] for batch in batches]).cpu().numpy() for key in batches[0][name]}
        for name in metrics
    }


def _batch(
    subject: judged.Subject, ids: Tensor, targets: Tensor, maps: Sequence[Tensor], metrics: Mapping[str, Any]
) -> dict[str, dict[str, Tensor]]:
    """Return what each metric gives for one batch, the arrays of each of the method's maps under their own names.

    Ranks are shared between the metrics, fills and what the method says when it is asked again between the maps too.
    """
    dataset = subject.dataset
    places, targets = ids.to(dataset.images.device), targets.to(dataset.images.device)
    images = normalise(dataset.images[places], dataset.mean, dataset.std)
    given, again = judged.given(subject, ids, images), judged.attributes(subject, ids, images, targets)
    found: dict[str, dict[str, Tensor]] = {name: {} for name in metrics}
    for (part, how), values in zip(subject.reduce.items(), maps, strict=True):
        saliency = reduce_channels(values, how).to(places.device)
        own = given | {"ranks": saliency_rank(saliency, ids), "attribute": again.get(part)}
        for name, entry in metrics.items():
            arrays = plugins.bind("evaluation", entry, **own)(subject.network, images, targets, saliency)
            found[name] |= {array_name(part, key): array for key, array in arrays.items()}
    return found


def _write_index(index: str, content: Mapping[str, Any]) -> None:
    files.write(index, json.dumps(content, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    cli.run(main)
