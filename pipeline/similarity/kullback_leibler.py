"""The negative Kullback-Leibler divergence of the probabilities from the class.

Kullback & Leibler, "On information and sufficiency", Annals of Mathematical Statistics 1951
(doi:10.1214/aoms/1177729694), its section on information: the mean one, of the class, as a distribution, against the
answer. A class that is certain has no entropy, so that this is the negative cross-entropy, number for number. The
divergence the other way round is infinite for any answer that is not certain too.
"""

from torch import Tensor
from torch.nn import functional

LABEL = "negative Kullback-Leibler divergence"
RANGE = (None, 0)


def kullback_leibler(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the negative divergence of each row's probabilities from its class.

    Args:
        outputs: (M, K) logits.
        targets: (M,) int64, the class of each row.

    Returns:
        (M,), in nats, at most 0.
    """
    certain = functional.one_hot(targets, outputs.shape[1]).to(outputs)
    return -functional.kl_div(outputs.log_softmax(1), certain, reduction="none").sum(1)
