"""Eigen-CAM: the layer's activations along their first principal direction, whatever the class.

Muhammad & Yeasin, "Eigen-CAM: Class Activation Map using Principal Components", IJCNN 2020 (arXiv:2008.00299),
the equation that projects the layer's output on its first eigenvector.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipeline.attribution._layers import layer_output, to_image_size

LABEL = "Eigen-CAM"
FAMILY = "cam"
REDUCE = "sum"
REQUIRES = ("target_layer",)
PASSES = {"forward": "1", "backward": "0"}


@torch.no_grad()
def eigen_cam(
    model: nn.Module, images: Tensor, targets: Tensor, *, layer: str = "auto", centred: bool = False
) -> Tensor:
    """Project each place's activations on the first right singular vector of the matrix places x channels.

    The paper decomposes the activations as they are; ``centred`` takes each channel's mean over the places away first,
    as some programs do. A singular vector has no sign of its own: it gets the one with which its entries sum to more
    than 0, so that the map grows with the activations. Where none of them is negative, neither is the map.

    Args:
        model: classifier in eval mode, (N, C, H, W) -> (N, K) logits.
        images: (N, C, H, W), normalised as in training.
        targets: not used.
        layer: dotted name of the layer whose feature maps are projected; "auto" stands for the network's own choice
            and is replaced by its name before this function is called.
        centred: whether the channels' means are taken away first.

    Returns:
        (N, 1, H, W) signed, in the layer's units, enlarged bilinearly from its size.

    Raises:
        ValueError: if the layer is "auto" or unknown, or does not give exactly one tensor.
    """
    features = layer_output(model, images, layer)
    wide = features.to(torch.promote_types(features.dtype, torch.float32))  # no decomposition in half precision
    places = wide - wide.mean((2, 3), keepdim=True) if centred else wide
    direction = _first_direction(places.flatten(2).mT)[..., None]
    upwards = torch.where(direction.sum(1, keepdim=True) < 0, -direction, direction)
    return to_image_size((places * upwards).sum(1, keepdim=True), images)


def _first_direction(places: Tensor) -> Tensor:
    """Return the first right singular vector of matrices (N, P, C): (N, C, 1), of unit length.

    It comes from the smaller of the two products of a matrix with itself, several times faster than the whole
    decomposition. Where all is 0 it is 0 or any.
    """
    with torch.autocast(places.device.type, enabled=False):  # which would take the products in half precision
        if places.shape[1] > places.shape[2]:
            return torch.linalg.eigh(places.mT @ places).eigenvectors[..., -1:]
        left = torch.linalg.eigh(places @ places.mT).eigenvectors[..., -1:]
        return functional.normalize(places.mT @ left, dim=1, eps=torch.finfo(places.dtype).tiny)
