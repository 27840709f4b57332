"""HiResCAM: gradient times activation at every place of a layer.

Draelos & Carin, "Use HiResCAM instead of Grad-CAM for faithful explanations of convolutional neural networks", 2020
(arXiv:2011.08891), the equation that defines HiResCAM.
"""

from torch import Tensor, nn

from pipeline.attribution._layers import layer_gradient, to_image_size

LABEL = "HiResCAM"
FAMILY = "cam"
REDUCE = "sum"
REQUIRES = ("target_layer",)
PASSES = {"forward": "1", "backward": "1"}


def hires_cam(model: nn.Module, images: Tensor, targets: Tensor, *, layer: str = "auto") -> Tensor:
    """Multiply the layer's activations by the logit's gradient there, place by place, and add up the channels.

    Where only one linear layer follows, the map's sum, before it is enlarged, is the target's logit less the bias.
    Where the gradient is the same at every place, as before global average pooling, it is Grad-CAM without its ReLU.

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
    return to_image_size((slope * features).sum(1, keepdim=True), images)
