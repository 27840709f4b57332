"""Score-CAM: the layer's channels, each weighed by the target's probability when it masks the image.

Wang et al., "Score-CAM: Score-Weighted Visual Explanations for Convolutional Neural Networks", CVPR workshops 2020
(arXiv:1910.01279), section 3, definitions of the channel-wise increase of confidence and of Score-CAM.
"""

from collections.abc import Callable
from functools import partial
from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from pipeline.attribution._layers import layer_output, to_image_size
from pipeline.bounds import AtLeast
from pipeline.data._pixels import normalise
from pipeline.models._folded import folded

LABEL = "Score-CAM"
FAMILY = "cam"
REDUCE = "sum"
REQUIRES = ("target_layer",)
PASSES = {"forward": "(top or channels) + 1", "backward": "0", "batch": "1"}
CHUNK = 32  # masked images at a time, where fewer are explained: small batches are slow


@torch.no_grad()
def score_cam(
    model: nn.Module,
    images: Tensor,
    targets: Tensor,
    *,
    mean: Tensor,
    std: Tensor,
    layer: str = "auto",
    baseline: Literal["mean", "black", "none"] = "mean",
    channel_softmax: bool = False,
    top: Annotated[int, AtLeast(1)] | None = None,
) -> Tensor:
    """Weigh the layer's channels by how sure they leave the network of the target, add them up, cut below zero.

    Each channel, enlarged and stretched to [0, 1], is a mask: the image where it is 1, the baseline where it is 0. Its
    weight is the target's probability for the masked image less that for the baseline alone. One forward each, and
    none for a channel that is the same everywhere, which shows nothing and weighs nothing. Where no mask makes the
    network surer of the target than the baseline does, the map is empty.

    Args:
        model: classifier in eval mode, (N, C, H, W) -> (N, K) logits.
        images: (N, C, H, W), normalised as in training.
        targets: (N,) int64, the class explained for each image.
        mean: (C,), the channels' means over the training images, in [0, 1] units.
        std: (C,), their standard deviations.
        layer: dotted name of the layer whose feature maps are weighed; "auto" stands for the network's own choice
            and is replaced by its name before this function is called.
        baseline: "mean", the training images' mean colour, with which masking is multiplying in normalised units, as
            in the paper; "black", pixels of 0; or "none", masking as with "mean" and nothing subtracted, as in the
            authors' program.
        channel_softmax: weigh by the softmax over the channels of the masked images' logits instead: the variant of
            most libraries, in which every weight is positive and what would be subtracted cancels.
        top: weigh only so many channels of each image, those that vary most over it, as in Faster Score-CAM
            (https://github.com/tabayashi0117/Score-CAM); None weighs them all.

    Returns:
        (N, 1, H, W), at least 0, enlarged bilinearly from the layer's size.

    Raises:
        ValueError: if the layer is "auto" or unknown, or does not give exactly one tensor.
    """
    features = layer_output(model, images, layer)
    start = torch.zeros_like(images[:1])  # the mean colour, in normalised units
    if baseline == "black":
        start = normalise(start, mean, std)
    classify = partial(_classify, model, probabilities=not channel_softmax)
    live = features.amax((2, 3)) > features.amin((2, 3))
    if top is not None:
        live &= _most_varied(features, top)
    with folded(model):
        scores = _scores(classify, images, targets, features, live, start)
        before = classify(start)[0, targets, None] if baseline != "none" and not channel_softmax else 0
    weights = scores.masked_fill(~live, -torch.inf).softmax(1) if channel_softmax else scores - before
    weights = weights.masked_fill(~live, 0)[..., None, None]
    return to_image_size((weights * features).sum(1, keepdim=True).relu(), images)


def _most_varied(features: Tensor, count: int) -> Tensor:
    """Return which channels (N, C) are among the ``count`` of their image that vary most."""
    wide = features.to(torch.promote_types(features.dtype, torch.float32))
    variance = wide.flatten(2).var(2, correction=0)
    chosen = variance.topk(min(count, variance.shape[1])).indices
    return torch.zeros_like(variance, dtype=torch.bool).scatter(1, chosen, value=True)


def _scores(
    classify: Callable[[Tensor], Tensor], images: Tensor, targets: Tensor, features: Tensor, live: Tensor, start: Tensor
) -> Tensor:
    """Return the target's score for every image under every live channel, 0 for the others: (N, C)."""
    scores = torch.zeros_like(live, dtype=torch.promote_types(images.dtype, torch.float32))
    places, most = live.nonzero(), max(CHUNK, len(images))
    for first in range(0, len(places), most):
        rows, channels = places[first : first + most].unbind(1)
        masked = start + _masks(features[rows, channels], images) * (images[rows] - start)
        scores[rows, channels] = classify(masked).gather(1, targets[rows, None]).squeeze(1)
    return scores


def _masks(maps: Tensor, images: Tensor) -> Tensor:
    """Return maps (M, h, w) enlarged to the images' size, each then stretched from 0 to 1: (M, 1, H, W)."""
    enlarged = to_image_size(maps[:, None], images)
    low, high = enlarged.amin((2, 3), keepdim=True), enlarged.amax((2, 3), keepdim=True)
    return (enlarged - low) / (high - low).clamp(min=torch.finfo(enlarged.dtype).tiny)


def _classify(model: nn.Module, images: Tensor, *, probabilities: bool) -> Tensor:
    """Return the probabilities or the logits of all classes, (N, K), at least in single precision."""
    logits = model(images)
    wide = logits.to(torch.promote_types(images.dtype, torch.float32))  # small differences are to come
    return wide.softmax(1) if probabilities else wide
