"""Class Activation Mapping: the layer's channels, weighed by the classifier that follows their pooling.

Zhou, Khosla, Lapedriza, Oliva & Torralba, "Learning Deep Features for Discriminative Localization", CVPR 2016
(arXiv:1512.04150), equation 2.
"""

import torch
from torch import Tensor, nn

from pipeline.attribution._layers import last_linear, layer_output, to_image_size

LABEL = "CAM"
FAMILY = "cam"
REDUCE = "sum"
REQUIRES = ("target_layer", "global_average_pooling")
PASSES = {"forward": "1", "backward": "0"}


@torch.no_grad()
def cam(model: nn.Module, images: Tensor, targets: Tensor, *, layer: str = "auto") -> Tensor:
    """Weigh the layer's channels by the target's row of the classifier, and add them up; nothing is cut off.

    Before it is enlarged, the map's spatial mean is the target's logit less the classifier's bias.

    Args:
        model: classifier in eval mode, (N, C, H, W) -> (N, K) logits, whose last linear layer acts on the spatial
            mean of ``layer``'s output.
        images: (N, C, H, W), normalised as in training.
        targets: (N,) int64, the class explained for each image.
        layer: dotted name of the layer before the pooling; "auto" stands for the network's own choice and is
            replaced by its name before this function is called.

    Returns:
        (N, 1, H, W) signed, in logits, enlarged bilinearly from the layer's size.

    Raises:
        ValueError: if the layer is "auto" or unknown, does not give exactly one tensor, or no linear layer exists.
    """
    features, weights = layer_output(model, images, layer), last_linear(model).weight[targets]
    return to_image_size(torch.einsum("nc,nchw->nhw", weights, features)[:, None], images)
