"""What the large networks learn in 200 updates on the CPU: that each trains at all, where no GPU is to be had.

The accuracies themselves take a GPU: ``make run CONFIG=workflow/studies/cifar10_networks_gpu.yaml`` is that run.
"""

import argparse
from pathlib import Path

import pandas as pd
import torch

from pipeline import loaded, machine
from pipeline.training.fit import fit

EPOCHS, STEPS, BATCH = 4, 50, 32
BOUND = 2.0  # mean loss of the last 50 updates; ln 10 = 2.303 is that of a network that knows nothing
NETWORKS = {"residual_attention": 0.05, "wide_attention": 0.05, "cifar_resnet": 0.02, "vgg_like": 0.01}  # peak rates


def main() -> None:
    """Print the table, and write it where the command line says; end with an error if a loss stays above the bound."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", help="marker of the store of CIFAR-10, .../data.zarr/zarr.json")
    parser.add_argument("--networks", nargs="*", default=list(NETWORKS), choices=list(NETWORKS), help="which")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    parser.add_argument("--markdown", type=Path, help="file to write the table to")
    given = parser.parse_args()
    device = machine.prepare(given.threads, 0)
    dataset = loaded.data(given.data, device, {})
    rows = [learn(name, dataset) for name in given.networks]
    table = pd.DataFrame(rows).to_markdown(index=False, floatfmt=".3f") + "\n"
    print(table)
    if given.markdown:
        given.markdown.write_text(table, encoding="utf-8")
    if failed := [row["network"] for row in rows if not row["last 50"] < BOUND]:
        raise SystemExit(f"the loss stays above {BOUND}: {', '.join(map(str, failed))}")


def learn(name: str, dataset: loaded.Data) -> dict[str, object]:
    """Return the mean loss of each 50 updates of a network."""
    model = loaded.initialised({"use": name}, dataset, 0)
    images, labels = loaded.training_images(dataset)
    chosen = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))[: STEPS * BATCH]
    given = {"mean": dataset.mean, "std": dataset.std, "seed": 0, "epochs": EPOCHS, "batch_size": BATCH}
    recipe = {"learning_rate": NETWORKS[name], "validation": 0.0, "precision": "bfloat16"}
    for state in fit(model, images[chosen], labels[chosen], **given, **recipe):
        history = state["history"]
        print(f"{name}: {len(history) * STEPS} updates, loss {history[-1]['loss']:.3f}", flush=True)
    first, last = history[0]["loss"], history[-1]["loss"]
    return {"network": name, "updates": EPOCHS * STEPS, "first 50": first, "last 50": last, "bound": BOUND}


if __name__ == "__main__":
    main()
