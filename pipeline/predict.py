"""Step: what a trained network answers to every image of its data set, and how often it is right."""

import logging
from typing import Any

from pipeline import cli, files, loaded, machine, provenance, store
from pipeline.data._dataset import TEST
from pipeline.statistics.summaries import accuracy_rows
from pipeline.training.inference import logits


def main(
    data: str,
    weights: str,
    predictions: str,
    accuracy: str,
    model: dict[str, Any],
    batch_size: int = 256,
    gpu: int = 0,
    threads: int = 1,
) -> None:
    """Write logits and predicted class of every image, and the test accuracy of each class and over all.

    Args:
        data: marker of the data set's store.
        weights: safetensors file of the trained network.
        predictions: marker of the store to write.
        accuracy: CSV to write: class, correct, n, estimate and its 95 % Wilson interval; parameters of the network.
        model: the network's entry.
        batch_size: images of one forward pass.
        gpu: 1 to run on a GPU, 0 on the CPU.
        threads: CPU threads.
    """
    device = machine.prepare(threads, gpu)
    made_by = provenance.made("predict", {"model": model}, {"data": data, "weights": weights}, device.type)

    dataset = loaded.data(data, device)
    network = loaded.trained(model, weights, dataset)
    outputs = logits(network, dataset.images, dataset.mean, dataset.std, batch_size=batch_size).cpu()
    answers = {"logits": outputs.numpy(), "predicted": outputs.argmax(1).numpy()}
    draft = store.begin(predictions, made_by, len(outputs), len(outputs))
    for rows in store.due(draft):
        store.put(draft, rows, answers)
    store.publish(draft)

    test = dataset.split == TEST
    accuracies = accuracy_rows(dataset.labels.cpu().numpy()[test], answers["predicted"][test], dataset.classes)
    accuracies["parameters"] = sum(parameter.numel() for parameter in network.parameters())
    files.write(accuracy, accuracies.to_csv(index=False))
    provenance.seal(made_by, accuracy)
    logging.info("test accuracy %.4f", accuracies["estimate"].iloc[-1])


if __name__ == "__main__":
    cli.run(main)
