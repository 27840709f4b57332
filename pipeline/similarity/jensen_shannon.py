"""The negative Jensen-Shannon divergence between probabilities and class: bounded where Kullback-Leibler's is not.

Lin, "Divergence measures based on the Shannon entropy", IEEE Transactions on Information Theory 1991
(doi:10.1109/18.61115), its section on this divergence, with equal weights. The other classes add up in it, so that it
rises with the probability p of the class and depends on nothing else: (1 + p) / 2 log2(1 + p) - p / 2 log2(p) - 1.
"""

import math

import torch
from torch import Tensor

LABEL = "negative Jensen-Shannon divergence"
RANGE = (-1, 0)


def jensen_shannon(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the negative divergence between each row's probabilities and its class.

    Args:
        outputs: (M, K) logits.
        targets: (M,) int64, the class of each row.

    Returns:
        (M,), in bits.
    """
    probability = outputs.softmax(1).gather(1, targets[:, None]).squeeze(1)
    half, more = probability / 2, 1 + probability
    return torch.xlogy(more / 2, more) / math.log(2) - torch.xlogy(half, probability) / math.log(2) - 1
