"""Control: the edges of the image.

Hooker, Erhan, Kindermans & Kim, "A Benchmark for Interpretability Methods in Deep Neural Networks", NeurIPS 2019
(arXiv:1806.10758), section 4.1, the Sobel filter among the control variants. Adebayo et al., "Sanity Checks for
Saliency Maps", NeurIPS 2018 (arXiv:1810.03292), show how much some explanations look like an edge detector's output.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

LABEL = "Edges"
FAMILY = "control"
REDUCE = "sum"
REQUIRES = ()
PASSES = {"forward": "0", "backward": "0"}


@torch.no_grad()
def edge_map(model: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
    """Return the Sobel magnitude of the normalised image, added up over its channels.

    Channels are added after the magnitude is taken, so that edges of opposite sign in two channels do not cancel.
    Beyond the border the border's values go on; a constant image gives exactly zero.

    Args:
        model: not used.
        images: (N, C, H, W), normalised as in training.
        targets: not used.

    Returns:
        (N, 1, H, W), at least 0; a ramp that rises by one normalised unit per pixel in one channel gives 8.
    """
    padded = functional.pad(images, (1, 1, 1, 1), mode="replicate")
    return torch.hypot(_slope(padded), _slope(padded.mT).mT).sum(1, keepdim=True)


def _slope(padded: Tensor) -> Tensor:
    """Return the Sobel derivative along the last axis; differences come first, so that equal values cancel exactly."""
    change = padded[..., 2:] - padded[..., :-2]
    return change[..., :-2, :] + 2 * change[..., 1:-1, :] + change[..., 2:, :]
