"""Step: ROAR or KAR for one map of one method: degrade the images by its ranks, train anew, test on degraded images.

Hooker et al., "A Benchmark for Interpretability Methods in Deep Neural Networks", NeurIPS 2019 (arXiv:1806.10758),
section 3. Training, validation and test images are degraded alike; degraded images live in memory only.
"""

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from pipeline import checkpoint, cli, files, loaded, machine, provenance, store
from pipeline.data._dataset import TEST
from pipeline.evaluation._degrade import degraded
from pipeline.evaluation._ranking import saliency_rank
from pipeline.evaluation._reduce import reduce_channels
from pipeline.progress import progress
from pipeline.training.inference import logits


def main(
    data: str,
    results: str,
    model: dict[str, Any],
    training: dict[str, Any],
    seeds: list[int],
    train_maps: str = "",
    test_maps: str = "",
    mode: str = "",
    part: str = "maps",
    reduce: str = "",
    fractions: list[float] | None = None,
    gpu: int = 0,
    threads: int = 1,
) -> None:
    """Train from scratch for every fraction and seed, and write the test accuracies; finished runs are taken over.

    Args:
        data: marker of the data set's store.
        results: CSV to write: fraction, seed, accuracy.
        model: the network's entry.
        training: keyword parameters of pipeline/training/fit.py, the same for every run.
        seeds: of the runs, such as [0, 1, 2].
        train_maps: marker of the maps of the training images; none for the undegraded images (fraction 0).
        test_maps: marker of the maps of the test images.
        mode: roar, which removes the most salient pixels, or kar, which removes the least salient.
        part: which of the method's maps.
        reduce: how the channels of the map become one saliency number.
        fractions: shares of the pixels to remove, such as [0.1, 0.3, 0.5, 0.7, 0.9].
        gpu: 1 to run on a GPU, 0 on the CPU.
        threads: CPU threads.
    """
    device = machine.prepare(threads, gpu)
    settings: dict[str, Any] = {"model": model, "training": training, "seeds": seeds}
    inputs = {"data": data}
    if mode:
        settings |= {"mode": mode, "part": part, "reduce": reduce, "fractions": fractions}
        inputs |= {"train_maps": train_maps, "test_maps": test_maps}
    made_by = provenance.made("retrain", settings, inputs, device.type)
    if mode and (reason := store.skipped(train_maps)):
        logging.warning("skipped: %s", reason)
        _write(results, made_by, [])
        return

    dataset = loaded.data(data, device, model)
    ranks = _ranks(dataset, (train_maps, test_maps), part, reduce) if mode else None
    work = Path(results).with_suffix("")
    runs = [(fraction, seed) for fraction in (fractions or [0.0]) for seed in seeds]
    done = {run: row for run in runs if (row := _finished(work, run, made_by))}
    logging.info("%s: took over %d of %d runs", work.name, len(done), len(runs))
    files.report(results, taken_over=len(done), computed=len(runs) - len(done), unit="runs")
    for run in progress([run for run in runs if run not in done], len(runs) - len(done), "runs"):
        images = dataset.images if ranks is None else degraded(dataset.images, ranks, mode, run[0], dataset.mean)
        done[run] = _run(dataset, images, run, work, made_by)
    _write(results, made_by, [done[run] for run in runs])


def _ranks(dataset: loaded.Data, markers: tuple[str, str], part: str, reduce: str) -> Tensor:
    """Return the ranks of the pixels of every image of the data set, (N, H, W)."""
    count, _, height, width = dataset.images.shape
    ranks = torch.empty((count, height, width), dtype=torch.int32)
    for marker in markers:
        maps, ids = (torch.from_numpy(array) for array in store.read(marker, part, "ids"))
        ranks[ids] = saliency_rank(reduce_channels(maps, reduce), ids).to(torch.int32)
    return ranks.to(dataset.images.device)


def _run(
    dataset: loaded.Data, images: Tensor, run: tuple[float, int], work: Path, made_by: Mapping[str, Any]
) -> dict[str, float]:
    """Train one network on degraded images, and return its accuracy on the degraded test images."""
    fraction, seed = run
    one = _one(made_by, run)
    settings = one["settings"]
    test = torch.from_numpy(dataset.split == TEST).to(images.device)
    network = loaded.initialised(settings["model"], dataset, seed)
    options = settings["training"] | {"mean": dataset.mean, "std": dataset.std, "seed": seed}
    state = work / f"{fraction}-{seed}.pt"
    checkpoint.train(network, images[~test], dataset.labels[~test], state, one, **options)
    answers = logits(network, images[test], dataset.mean, dataset.std).argmax(1)
    row = {"fraction": fraction, "seed": seed, "accuracy": float((answers == dataset.labels[test]).double().mean())}
    files.write(state.with_suffix(".json"), json.dumps({"made_by": one, "row": row}, sort_keys=True))
    state.unlink(missing_ok=True)  # another writer of the same run may have been here
    return row


def _finished(work: Path, run: tuple[float, int], made_by: Mapping[str, Any]) -> dict[str, float] | None:
    try:
        found = json.loads((work / f"{run[0]}-{run[1]}.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return found["row"] if found["made_by"] == _one(made_by, run) else None


def _one(made_by: Mapping[str, Any], run: tuple[float, int]) -> dict[str, Any]:
    """Return what determines one run: all but the other fractions and seeds."""
    settings = {key: value for key, value in made_by["settings"].items() if key not in {"fractions", "seeds"}}
    return {**made_by, "settings": settings | {"fraction": run[0], "seed": run[1]}}


def _write(results: str, made_by: dict[str, Any], rows: list[dict[str, float]]) -> None:
    frame = pd.DataFrame(rows, columns=["fraction", "seed", "accuracy"])
    files.write(results, frame.to_csv(index=False))
    provenance.seal(made_by, results)


if __name__ == "__main__":
    cli.run(main)
