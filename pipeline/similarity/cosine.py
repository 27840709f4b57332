"""The cosine of the angle between probabilities and class: how D-RISE compares what two detections show.

Petsiuk et al., "Black-box Explanation of Object Detectors via Saliency Maps", CVPR 2021 (arXiv:2006.03204), section 3,
the similarity of class probabilities. Where all classes are equally likely it is 1 / sqrt(K), not 1 / K.
"""

from torch import Tensor

LABEL = "cosine"
RANGE = (0, 1)


def cosine(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the probability of each row's class, divided by the norm of all its probabilities.

    Args:
        outputs: (M, K) logits.
        targets: (M,) int64, the class of each row.

    Returns:
        (M,), a cosine.
    """
    probabilities = outputs.softmax(1)
    return probabilities.gather(1, targets[:, None]).squeeze(1) / probabilities.norm(dim=1)
