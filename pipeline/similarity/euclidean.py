"""The negative Euclidean distance between probabilities and class.

Brier, "Verification of forecasts expressed in terms of probability", Monthly Weather Review 1950
(doi:10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2), the equation of the score P, of which this is the root for one
forecast. The farthest answer is certain of another class.
"""

from torch import Tensor
from torch.nn import functional

LABEL = "negative Euclidean distance"
RANGE = (-1.4142135623730951, 0)


def euclidean(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the negative distance between each row's probabilities and its class.

    Args:
        outputs: (M, K) logits.
        targets: (M,) int64, the class of each row.

    Returns:
        (M,), at most 0.
    """
    certain = functional.one_hot(targets, outputs.shape[1]).to(outputs)
    return -(outputs.softmax(1) - certain).norm(dim=1)
