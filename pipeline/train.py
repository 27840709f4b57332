"""Step: train one network on one data set, from one seed."""

import logging
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline import checkpoint, cli, files, loaded, machine, plugins, provenance
from pipeline import weights as states
from pipeline.data._pixels import normalise

HISTORY = ["epoch", "loss", "accuracy", "validation_accuracy", "learning_rate"]
PROBE = 4  # images that the guard tries


def main(
    data: str,
    weights: str,
    history: str,
    model: dict[str, Any],
    training: dict[str, Any] | None,
    seed: int,
    initial: str = "",
    pretrained: dict[str, str] | None = None,
    sources: str = "data",
    gpu: int = 0,
    threads: int = 1,
) -> None:
    """Train a network, going on from the last epoch of a run that was cut short; or take it as its weights make it.

    Args:
        data: marker of the data set's store.
        weights: safetensors file to write; checkpoint.pt beside it keeps the last epoch.
        history: CSV to write, one row an epoch.
        model: the network's entry, such as {"use": "simple_cnn"}.
        training: keyword parameters of pipeline/training/fit.py, such as {"epochs": 20}, or null for no training.
        seed: of the first weights and of all that training draws.
        initial: file of weights to start from.
        pretrained: what is known of that file, {"sha256"}; or where to have it from, {"url", "sha256"} or {"name"}.
        sources: folder of downloaded files; weights lie in the folder weights below it.
        gpu: 1 to run on a GPU, 0 on the CPU.
        threads: CPU threads.
    """
    device = machine.prepare(threads, gpu)
    settings: dict[str, Any] = {"model": model, "training": training, "seed": seed}
    settings |= {"pretrained": pretrained} if pretrained else {}
    inputs = {"data": data} | ({"initial": initial} if initial else {})
    made_by = provenance.made("train", settings, inputs, device.type)

    dataset = loaded.data(data, device, model)
    network = loaded.initialised(model, dataset, seed)
    source = plugins.source(model, pretrained or {})
    if file := states.locate(source, initial, Path(sources, "weights")):
        states.fill(network, states.read(file), f"{file.name} does not fit {model['use']}")
    images, labels = loaded.training_images(dataset)
    probe = normalise(dataset.images[:PROBE], dataset.mean, dataset.std)
    for remark in plugins.guarded(network, probe, len(dataset.classes)):
        logging.warning("%s", remark)

    rows, done = [], 0
    if training is not None:
        options = training | {"mean": dataset.mean, "std": dataset.std, "seed": seed}
        state = Path(weights).with_name("checkpoint.pt")
        done = checkpoint.epochs_done(state, made_by)
        rows = checkpoint.train(network, images, labels, state, made_by, **options)
    files.report(weights, taken_over=done, computed=len(rows) - done, unit="epochs")
    states.write(weights, network, made_by)
    files.write(history, pd.DataFrame(rows, columns=None if rows else HISTORY).to_csv(index=False))
    provenance.seal(made_by, weights, history)


if __name__ == "__main__":
    cli.run(main)
