"""Step: how often a network is right on the test images, and how much more often where it is more confident."""

import logging

from pipeline import cli, files, provenance, store
from pipeline.data._dataset import TEST
from pipeline.statistics.summaries import accuracy_rows, coverage_rows


def main(data: str, predictions: str, accuracy: str, coverage: str, published: float | None = None) -> None:
    """Count the right answers of a network.

    Args:
        data: marker of the data set's store.
        predictions: marker of the store of the network's predictions.
        accuracy: CSV to write: class, correct, n, estimate and its 95 % Wilson interval; parameters of the network;
            the accuracy published for it.
        coverage: CSV to write: accuracy where only the most confident answers count, over the share of these.
        published: test accuracy that the network's source states for this data set, or None.
    """
    inputs = {"data": data, "predictions": predictions}
    made_by = provenance.record("tally", {"published": published}, inputs)
    labels, split = store.read(data, "labels", "split")
    predicted, confidence = store.read(predictions, "predicted", "confidence")

    test = split == TEST
    found = accuracy_rows(labels[test], predicted[test], store.attributes(data)["classes"])
    found = found.assign(parameters=store.attributes(predictions)["parameters"], published=published)
    files.write(accuracy, found.to_csv(index=False))
    rows = coverage_rows(confidence[test], predicted[test] == labels[test])
    files.write(coverage, rows.to_csv(index=False))
    provenance.seal(made_by, accuracy, coverage)
    logging.info("test accuracy %.4f", found["estimate"].iloc[-1])


if __name__ == "__main__":
    cli.run(main)
