"""Step: what a trained network answers to every image of its data set."""

from typing import Any

from pipeline import cli, loaded, machine, provenance, store
from pipeline.training.inference import logits, probabilities


def main(
    data: str,
    weights: str,
    predictions: str,
    model: dict[str, Any],
    batch_size: int = 256,
    gpu: int = 0,
    threads: int = 1,
) -> None:
    """Write logits, predicted class and confidence for every image.

    The prediction is the most probable class, the confidence its probability: of the softmax of the logits, or, for a
    network whose weights have a posterior, of the mean of it over draws. The logits are always those of eval mode.

    Args:
        data: marker of the data set's store.
        weights: safetensors file of the trained network.
        predictions: marker of the store to write.
        model: the network's entry.
        batch_size: images of one forward pass.
        gpu: 1 to run on a GPU, 0 on the CPU.
        threads: CPU threads.
    """
    device = machine.prepare(threads, gpu)
    made_by = provenance.made("predict", {"model": model}, {"data": data, "weights": weights}, device.type)

    dataset = loaded.data(data, device, model)
    network = loaded.trained(model, weights, dataset)
    asked = (network, dataset.images, dataset.mean, dataset.std)
    outputs = logits(*asked, batch_size=batch_size)
    confidence, predicted = probabilities(*asked, outputs, batch_size=batch_size).max(1)
    found = {"logits": outputs, "predicted": predicted, "confidence": confidence}
    answers = {name: tensor.cpu().numpy() for name, tensor in found.items()}
    draft = store.begin(predictions, made_by, len(outputs), len(outputs))
    for rows in store.due(draft):
        store.put(draft, rows, answers)
    store.publish(draft, parameters=sum(parameter.numel() for parameter in network.parameters()))


if __name__ == "__main__":
    cli.run(main)
