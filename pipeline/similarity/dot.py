"""The dot product of probabilities and class: the cosine that D-RISE uses, undivided.

Petsiuk et al., "Black-box Explanation of Object Detectors via Saliency Maps", CVPR 2021 (arXiv:2006.03204), section 3,
the similarity of class probabilities, before it is divided by the norms. The class being certain, it is that class's
probability, number for number.
"""

from torch import Tensor
from torch.nn import functional

LABEL = "dot product"
RANGE = (0, 1)


def dot(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the dot product of each row's probabilities and its class.

    Args:
        outputs: (M, K) logits.
        targets: (M,) int64, the class of each row.

    Returns:
        (M,), a probability.
    """
    certain = functional.one_hot(targets, outputs.shape[1]).to(outputs)
    return (outputs.softmax(1) * certain).sum(1)
