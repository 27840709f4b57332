"""Which layer of a network gives the last maps, where its module states none."""

from torch import Tensor, nn

from pipeline.models._watch import Seen, watched


def last_map(model: nn.Module, images: Tensor) -> str | None:
    """Return the dotted name of the last activation of its own that gives maps before they are pooled away, or None.

    A map is (N, C, h, w) with h and w within the image's, and more than one place: so neither the gates of squeeze and
    excitation nor outputs whose channels come last are taken for one.

    Args:
        model: in eval mode.
        images: a few to try, (N, C, H, W) normalised.
    """
    watch = watched(model, images, judge=True)
    return next(
        (each.module for each in reversed(watch.seen) if each.module in watch.own and _maps(each, images)), None
    )


def _maps(seen: Seen, images: Tensor) -> bool:
    if len(seen.shape) != 4:
        return False
    (height, width), (most, broadest) = seen.shape[2:], images.shape[2:]
    return height * width > 1 and height <= most and width <= broadest
