"""T-Grad.

Tran, Mai, Le & Le, "T-Grad: A Trustworthy Gradient Explanation for Convolutional Neural Networks", ICPR 2024,
equations 2 to 8, upon the decomposition of Srinivas & Fleuret, NeurIPS 2019 (arXiv:1905.00780). The paper has VGG-16 in
mind; here every layer that adds a constant counts, batch norms too, and the gradient is taken where the constant is
added, which needs no gate of its own, whatever lies between there and the next ReLU. The weights are not divided by the
logit, in equation 8 as here: the division, found in the authors' program, turns every weight around where the logit is
negative.
"""

from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn

from pipeline.attribution._biases import decompose, enlarged, unit_range

LABEL = "T-Grad"
FAMILY = "decomposition"
REDUCE = "sum"
REQUIRES = ("piecewise_linear",)
PASSES = {"forward": "1", "backward": "1"}


def t_grad(
    model: nn.Module,
    images: Tensor,
    targets: Tensor,
    *,
    bias: Literal["conv", "all"] = "conv",
    rectify: Literal["relu", "abs"] = "relu",
    normalise: Literal["sum", "minmax"] = "sum",
    weight: Literal["share", "one"] = "share",
    keep_layers: bool = False,
) -> dict[str, Tensor]:
    """Weigh the maps of the image and of each layer's constants by the part of the logit that they add, if positive.

    Args:
        model: classifier in eval mode, (N, C, H, W) -> (N, K) logits, piecewise linear.
        images: (N, C, H, W), normalised as in training.
        targets: (N,) int64, the class explained for each image.
        bias: constants of which layers count: "conv", those that lie on a map, or "all". A fully connected layer has
            one place; enlarged, that is an even map, which moves no pixel before another.
        rectify: what is summed over a layer's channels: addends above 0 ("relu"), or all without their sign ("abs").
        normalise: every enlarged map is divided by its "sum", or brought to [0, 1] ("minmax").
        weight: of a layer's map: its "share" of the logit, those below 0 left out, or "one".
        keep_layers: whether to return the layers' maps too: for each image 4 MB with ResNet-18 on 224 x 224 pixels.

    Returns:
        "maps": (N, 1, H, W), at least 0, in logits if ``weight`` is "share". "aux_weights": (N, L), the signed shares
        of the image and of L - 1 layers in the order in which they run, in logits; with ``bias`` "all" they sum to the
        logit. With ``keep_layers`` "aux_layers": (N, L, H, W), the normalised maps before they are weighed.
    """
    _, shares = decompose(model, images, targets, partial(_rectified, rectify=rectify))
    shares = [share for share in shares if share.placed or bias == "all"]
    wide = images.detach().to(shares[0].folded.dtype)
    weights = torch.stack([share.total for share in shares], 1)
    maps, layers = torch.zeros_like(wide[:, :1]), []
    for share in shares:
        layer = _normalised(enlarged(share, wide), normalise)
        maps += layer * (share.total.relu()[:, None, None, None] if weight == "share" else 1)
        layers += [layer] if keep_layers else []
    found = {"maps": maps.to(images.dtype), "aux_weights": weights}
    return found | ({"aux_layers": torch.cat(layers, 1)} if keep_layers else {})


def _rectified(addends: Tensor, rectify: str) -> Tensor:
    """Sum over the channels what is above 0, or all without its sign: (n, C, h, w) -> (n, 1, h, w)."""
    return (addends.relu_() if rectify == "relu" else addends.abs_()).sum(1, keepdim=True)


def _normalised(maps: Tensor, normalise: str) -> Tensor:
    """Divide each map (N, 1, H, W) by its sum, or bring it to [0, 1]; where that cannot be, it becomes 0."""
    if normalise == "sum":
        total = maps.sum((2, 3), keepdim=True)
        return maps / total.masked_fill(total == 0, torch.inf)
    return unit_range(maps, (2, 3))
