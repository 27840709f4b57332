"""The probability of the class: what RISE weighs its masks by.

Petsiuk, Das & Saenko, "RISE: Randomized Input Sampling for Explanation of Black-box Models", BMVC 2018
(arXiv:1806.07421), section 3.1: the score of a masked image.
"""

from torch import Tensor

LABEL = "class probability"
RANGE = (0, 1)


def class_probability(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the softmax probability of each row's class.

    Args:
        outputs: (M, K) logits.
        targets: (M,) int64, the class of each row.

    Returns:
        (M,), a probability.
    """
    return outputs.softmax(1).gather(1, targets[:, None]).squeeze(1)
