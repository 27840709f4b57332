"""Layer activation: what a layer gives, averaged over its channels, whatever the class.

The ConvOutput ("CO") of TooTouch, "WhiteBox-Part1", 2020. Where no activation is negative it is, but for the factor
1 / C, the attention map F_sum of Zagoruyko & Komodakis, "Paying More Attention to Attention", ICLR 2017
(arXiv:1612.03928), section 3.1.
"""

from torch import Tensor, nn

from pipeline.attribution._layers import layer_output, to_image_size

LABEL = "Layer activation"
FAMILY = "cam"
REDUCE = "sum"
REQUIRES = ("target_layer",)
PASSES = {"forward": "1", "backward": "0"}


def layer_activation(model: nn.Module, images: Tensor, targets: Tensor, *, layer: str = "auto") -> Tensor:
    """Return the mean of the layer's activations over its channels, the same for every class.

    Args:
        model: classifier in eval mode, (N, C, H, W) -> (N, K) logits.
        images: (N, C, H, W), normalised as in training.
        targets: not used.
        layer: dotted name of the layer; "auto" stands for the network's own choice and is replaced by its name before
            this function is called.

    Returns:
        (N, 1, H, W) signed, in the layer's units, enlarged bilinearly from its size.

    Raises:
        ValueError: if the layer is "auto" or unknown, or does not give exactly one tensor.
    """
    return to_image_size(layer_output(model, images, layer).mean(1, keepdim=True), images)
