"""The logit of the class, which the other classes cannot push down as they push its probability.

Simonyan, Vedaldi & Zisserman, "Deep Inside Convolutional Networks: Visualising Image Classification Models and Saliency
Maps", ICLR workshop 2014 (arXiv:1312.6034), section 2, on unnormalised scores instead of probabilities.
"""

from torch import Tensor

LABEL = "logit"
RANGE = (None, None)


def logit(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the logit of each row's class.

    Args:
        outputs: (M, K) logits.
        targets: (M,) int64, the class of each row.

    Returns:
        (M,), in logits.
    """
    return outputs.gather(1, targets[:, None]).squeeze(1)
