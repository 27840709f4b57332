"""FullGrad.

Srinivas & Fleuret, "Full-Gradient Representation for Neural Network Visualization", NeurIPS 2019 (arXiv:1905.00780):
the decomposition of section 4, and the saliency map of section 5 with psi = enlarge(rescale(|.|)). What the rescaling
takes together is not said there; the authors' program takes all channels of a layer together.
"""

from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn

from pipeline.attribution._biases import decompose, enlarged, unit_range

LABEL = "FullGrad"
FAMILY = "decomposition"
REDUCE = "sum"
REQUIRES = ("piecewise_linear",)
PASSES = {"forward": "1", "backward": "1"}


def full_grad(
    model: nn.Module,
    images: Tensor,
    targets: Tensor,
    *,
    rescale: Literal["layer", "channel", "none"] = "layer",
) -> dict[str, Tensor]:
    """Add up the absolute values of what the image and what each layer's constants add to the logit, where they do.

    The constants are the biases of convolutions, batch norm's effective bias, and the level at which a ReLU6
    saturates. Those of fully connected layers have no place, and are left out of the map, as in the paper.

    Args:
        model: classifier in eval mode, (N, C, H, W) -> (N, K) logits, piecewise linear.
        images: (N, C, H, W), normalised as in training.
        targets: (N,) int64, the class explained for each image.
        rescale: before they are summed, an image's values are brought to [0, 1], those of each "layer" together or
            those of each "channel" alone; or they stay logits, with "none".

    Returns:
        "maps": (N, 1, H, W), at least 0; layers are enlarged bilinearly. "aux_gap": (N,), the logit less all that
        image and constants add to it, those without a place included, in logits; rounding errors only.
    """
    logits, shares = decompose(model, images, targets, partial(_magnitude, rescale=rescale))
    wide = images.detach().to(shares[0].folded.dtype)
    maps = torch.zeros_like(wide[:, :1])
    for share in shares:
        if share.placed:
            maps += enlarged(share, wide)
    gap = logits - torch.stack([share.total for share in shares]).sum(0)
    return {"maps": maps.to(images.dtype), "aux_gap": gap}


def _magnitude(addends: Tensor, rescale: str) -> Tensor:
    """Return the sum over the channels of the absolute values, rescaled: (n, C, h, w) -> (n, 1, h, w).

    Enlarging is linear, and keeps a constant, so that rescaling and adding up may go first.
    """
    values = addends.abs_()
    if rescale == "none":
        return values.sum(1, keepdim=True)
    return unit_range(values, (1, 2, 3) if rescale == "layer" else (2, 3)).sum(1, keepdim=True)
