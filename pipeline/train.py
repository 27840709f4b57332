"""Step: train one network on one data set, from one seed."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
from safetensors.torch import save

from pipeline import checkpoint, cli, files, loaded, machine, provenance


def main(
    data: str,
    weights: str,
    history: str,
    model: dict[str, Any],
    training: dict[str, Any],
    seed: int,
    gpu: int = 0,
    threads: int = 1,
) -> None:
    """Train a network, going on from the last epoch of a run that was cut short.

    Args:
        data: marker of the data set's store.
        weights: safetensors file to write; checkpoint.pt beside it keeps the last epoch.
        history: CSV to write, one row an epoch.
        model: the network's entry, such as {"use": "simple_cnn"}.
        training: keyword parameters of pipeline/training/fit.py, such as {"epochs": 20}.
        seed: of the first weights and of all that training draws.
        gpu: 1 to run on a GPU, 0 on the CPU.
        threads: CPU threads.
    """
    device = machine.prepare(threads, gpu)
    made_by = provenance.made(
        "train", {"model": model, "training": training, "seed": seed}, {"data": data}, device.type
    )

    dataset = loaded.data(data, device)
    network = loaded.initialised(model, dataset, seed)
    images, labels = loaded.training_images(dataset)
    options = training | {"mean": dataset.mean, "std": dataset.std, "seed": seed}
    state = Path(weights).with_name("checkpoint.pt")
    done = checkpoint.epochs_done(state, made_by)
    rows = checkpoint.train(network, images, labels, state, made_by, **options)
    files.report(weights, taken_over=done, computed=len(rows) - done, unit="epochs")

    content = {name: tensor.contiguous().cpu() for name, tensor in network.state_dict().items()}
    with files.replacing(weights) as path:
        path.write_bytes(save(content, {"provenance": json.dumps(made_by, sort_keys=True)}))
    files.write(history, pd.DataFrame(rows).to_csv(index=False))
    provenance.seal(made_by, weights, history)


if __name__ == "__main__":
    cli.run(main)
