"""What a network must have so that a method makes sense on it; a method lists the names of its needs in REQUIRES.

Each function is ``name(model, images, layer) -> str | None``: the reason why the network is refused, or None where it
is accepted. ``images`` is a probe batch (N, C, H, W), normalised; ``layer`` is the dotted name of the layer that the
method would look at, or None where the network states none.
"""

import torch
from torch import Tensor, nn

from pipeline.attribution._layers import find, last_linear, recorded
from pipeline.models._guard import RULES_OUT, findings


def own_activations(model: nn.Module, images: Tensor, layer: str | None) -> str | None:
    """Refuse unless every activation is a module of its own, used once, not in place: for methods that hook them all.

    Where one is missed, guided backpropagation is the plain gradient and says so nowhere.
    """
    found = (each for each in findings(model, images) if RULES_OUT[each.kind] == own_activations.__name__)
    return next(map(str, found), None)


def target_layer(model: nn.Module, images: Tensor, layer: str | None) -> str | None:
    """Refuse unless ``layer`` exists, runs once in a forward and gives feature maps (N, C, H, W)."""
    if layer is None:
        return "the network states no target layer"
    try:
        find(model, layer)
    except ValueError as error:
        return str(error)
    shapes = [tuple(output.shape) for output in _observe(model, images, layer)[1]]
    if len(shapes) == 1 and len(shapes[0]) == 4:
        return None
    return f"layer {layer!r} gives {shapes or 'no tensor'} in one forward, where one tensor (N, C, H, W) is due"


def global_average_pooling(model: nn.Module, images: Tensor, layer: str | None) -> str | None:
    """Refuse unless the last linear layer, applied to the spatial mean of ``layer``'s output, gives the logits.

    Checked by number, not by structure: what lies between does not matter as long as the logits come out the same,
    to the square root of the machine precision, relative to the largest.
    """
    refusal = target_layer(model, images, layer)
    if refusal or layer is None:
        return refusal
    try:
        classifier = last_linear(model)
    except ValueError as error:
        return str(error)
    logits, (features,) = _observe(model, images, layer)
    if classifier.weight.shape != (logits.shape[1], features.shape[1]):
        return f"the last linear layer does not lead from the channels of layer {layer!r} to the logits"
    with torch.no_grad():
        gap = (classifier(features.mean((2, 3))) - logits).abs().max()
    if gap <= torch.finfo(logits.dtype).eps ** 0.5 * logits.abs().max():
        return None
    return f"the logits differ by {gap:.2g} from the last linear layer of the spatial mean of layer {layer!r}"


def _observe(model: nn.Module, images: Tensor, layer: str) -> tuple[Tensor, list[Tensor]]:
    """Return the logits and what ``layer`` gave on the way."""
    with torch.no_grad(), recorded(model, layer) as outputs:
        logits = model(images)
    return logits, outputs
