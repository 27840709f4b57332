"""The logarithm of the probability of the class: the cross-entropy with its sign changed, so that higher is better.

Good, "Rational decisions", Journal of the Royal Statistical Society B 1952 (doi:10.1111/j.2517-6161.1952.tb00104.x), in
the section on fair fees: the logarithmic score. With its own sign the cross-entropy falls as the answer improves, and a
map weighed by it would show the image upside down.
"""

from torch import Tensor
from torch.nn import functional

LABEL = "negative cross-entropy"
RANGE = (None, 0)


def negative_cross_entropy(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the negative cross-entropy of each row's probabilities to its class.

    Args:
        outputs: (M, K) logits.
        targets: (M,) int64, the class of each row.

    Returns:
        (M,), in nats, at most 0.
    """
    return -functional.cross_entropy(outputs, targets, reduction="none")
