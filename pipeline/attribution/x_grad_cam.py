"""XGrad-CAM: the layer's channels, each weighed by its gradient where it is active.

Fu, Hu, Dong, Guo, Gao & Li, "Axiom-based Grad-CAM: Towards Accurate Visualization and Explanation of CNNs", BMVC 2020
(arXiv:2008.02312), the equation of the weights of XGrad-CAM.
"""

import torch
from torch import Tensor, nn

from pipeline.attribution._layers import layer_gradient, to_image_size

LABEL = "XGrad-CAM"
FAMILY = "cam"
REDUCE = "sum"
REQUIRES = ("target_layer",)
PASSES = {"forward": "1", "backward": "1"}


def x_grad_cam(model: nn.Module, images: Tensor, targets: Tensor, *, layer: str = "auto") -> Tensor:
    """Weigh the layer's channels by the mean of the logit's gradient, each place counted by its share of the channel.

    Before it is enlarged, the map sums to the sum of gradient times activation over the whole layer: the paper's
    conservation, to first order. The shares are those of activations that are nowhere negative, as after a ReLU; a
    channel that sums to 0 counts for nothing, and one of both signs whose sum is nearly 0 weighs very much.

    Args:
        model: classifier in eval mode, (N, C, H, W) -> (N, K) logits.
        images: (N, C, H, W), normalised as in training.
        targets: (N,) int64, the class explained for each image.
        layer: dotted name of the layer whose feature maps are weighed; "auto" stands for the network's own choice
            and is replaced by its name before this function is called.

    Returns:
        (N, 1, H, W) signed, in logits, enlarged bilinearly from the layer's size.

    Raises:
        ValueError: if the layer is "auto" or unknown, or does not give exactly one tensor.
    """
    features, slope = layer_gradient(model, images, targets, layer)
    total = features.sum((2, 3), keepdim=True)
    weights = torch.where(total == 0, 0, (slope * features).sum((2, 3), keepdim=True) / total)
    return to_image_size((weights * features).sum(1, keepdim=True), images)
