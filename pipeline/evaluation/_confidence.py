"""How sure the network is of what a saliency map lets through, against the whole image.

Chattopadhay, Sarkar, Howlader & Balasubramanian, "Grad-CAM++: Generalized Gradient-based Visual Explanations for Deep
Convolutional Networks", WACV 2018 (arXiv:1710.11063): both of its confidence metrics compare the same two
probabilities.
"""

from collections.abc import Callable

from torch import Tensor, nn

from pipeline.bounds import Fill, Follow
from pipeline.evaluation._curves import followed
from pipeline.evaluation._ranking import saliency_rank


def confidence_ratio(
    model: nn.Module,
    images: Tensor,
    targets: Tensor,
    saliency: Tensor,
    *,
    ids: Tensor,
    labels: Tensor,
    fills: Callable[[str], Tensor],
    logits: Callable[[str], Tensor],
    follow: Follow,
    mute: float,
    fill: Fill,
) -> Tensor:
    """Return log(O / Y), the class's probability in what the map lets through over that in the whole image.

    In logarithms and double precision, so that neither a probability that rounds to 0 nor two that round to 1 get lost.

    Args:
        model: classifier in eval mode, (N, C, H, W) -> (N, K) logits; called once.
        images: (N, C, H, W), normalised as in training.
        targets: (N,) int64, the class explained for each image.
        saliency: (N, H, W); an image is multiplied by its ``light``.
        ids: (N,) int64, the images' places in their data set.
        labels: (N,) int64, the true classes.
        fills: gives the replacement pixels, (N, C, H, W), of a fill's name.
        logits: gives the network's answer to the whole images, (N, K).
        follow: whose probability counts: that of the target, of the class predicted for the whole image or the label.
        mute: share of the pixels, the least salient, that are hidden altogether.
        fill: what shows where the map lets nothing through, and shines through where it lets half.

    Returns:
        (N,) float64.
    """
    whole = logits("image")
    mask = light(saliency, ids, mute).to(images)[:, None]
    shown = model(images * mask + fills(fill) * (1 - mask))
    classes = followed(follow, targets, labels, logits)[:, None]
    before, after = (x.double().log_softmax(dim=1).gather(1, classes).squeeze(1) for x in (whole, shown))
    return after - before


def light(saliency: Tensor, ids: Tensor, mute: float) -> Tensor:
    """Return the share of each pixel that a map lets through, from 0 to 1, (N, H, W) float64.

    That is the map scaled by its own minimum and maximum. A constant map, which has no such scale, lets nothing
    through: it points at nothing, and were it to let all through, no map could do better.

    Args:
        saliency: (N, H, W), possibly signed.
        ids: (N,) int64, by which equally salient pixels are told apart.
        mute: share of the pixels, the least salient, that are set to 0 after the scaling: exactly
            round(mute * H * W) of them, and those that are 0 anyway.
    """
    values = saliency.double()
    low, high = values.amin((1, 2), keepdim=True), values.amax((1, 2), keepdim=True)
    mask = (values - low) / (high - low).where(high > low, 1)
    if not mute:
        return mask
    pixels = mask[0].numel()
    return mask.where(saliency_rank(saliency, ids) < pixels - round(mute * pixels), 0)
