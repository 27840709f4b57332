"""LayerCAM: positive gradient times activation at every place of a layer.

Jiang, Zhang, Hou, Cheng & Wei, "LayerCAM: Exploring Hierarchical Class Activation Maps for Localization", IEEE
Transactions on Image Processing 30, 2021 (doi:10.1109/TIP.2021.3089943), the equations of weights and map.
"""

from torch import Tensor, nn

from pipeline.attribution._layers import layer_gradient, to_image_size

LABEL = "LayerCAM"
FAMILY = "cam"
REDUCE = "sum"
REQUIRES = ("target_layer",)
PASSES = {"forward": "1", "backward": "1"}


def layer_cam(model: nn.Module, images: Tensor, targets: Tensor, *, layer: str = "auto") -> Tensor:
    """Weigh every activation by the positive part of the logit's gradient there, add up the channels, cut below zero.

    Args:
        model: classifier in eval mode, (N, C, H, W) -> (N, K) logits.
        images: (N, C, H, W), normalised as in training.
        targets: (N,) int64, the class explained for each image.
        layer: dotted name of the layer whose feature maps are weighed; "auto" stands for the network's own choice
            and is replaced by its name before this function is called.

    Returns:
        (N, 1, H, W), at least 0, in logits, enlarged bilinearly from the layer's size.

    Raises:
        ValueError: if the layer is "auto" or unknown, or does not give exactly one tensor.
    """
    features, slope = layer_gradient(model, images, targets, layer)
    return to_image_size((slope.relu() * features).sum(1, keepdim=True).relu(), images)
