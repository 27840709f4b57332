"""What a network must have so that a method makes sense on it; a method lists the names of its needs in REQUIRES.

Each function is ``name(model, images, layer) -> str | None``: the reason why the network is refused, or None where it
is accepted. ``images`` is a probe batch (N, C, H, W), normalised; ``layer`` is the dotted name of the layer that the
method would look at, or None where the network states none.
"""

from copy import deepcopy

import torch
from torch import Tensor, nn

from pipeline.attribution._biases import decompose
from pipeline.attribution._conservation import loss
from pipeline.attribution._layers import find, last_linear, recorded
from pipeline.attribution._rectifiers import find_rectifiers
from pipeline.attribution._secants import differences
from pipeline.models._guard import RULES_OUT, findings
from pipeline.models._watch import watched


def own_activations(model: nn.Module, images: Tensor, layer: str | None) -> str | None:
    """Refuse unless every activation is a module of its own, used once, not in place: for methods that hook them all.

    Where one is missed, guided backpropagation is the plain gradient and says so nowhere.
    """
    found = (each for each in findings(model, images) if RULES_OUT[each.kind] == own_activations.__name__)
    return next(map(str, found), None)


def rectifiers(model: nn.Module, images: Tensor, layer: str | None) -> str | None:
    """Refuse unless some activation rectifies, all are of known classes and no rectifier works in place.

    For methods that have rectifiers pass gradients back by another rule: where none is met they are the plain gradient.
    """
    found, modules = find_rectifiers(model), dict(model.named_modules())
    if name := next((name for name, module in found.items() if getattr(module, "inplace", False)), None):
        return f"the activation {name!r} works in place"
    ran = watched(model, images[:1], judge=True).own
    if name := next((name for name in sorted(ran) if not _known(modules[name])), None):
        return f"the activation {name!r} is a {type(modules[name]).__name__}, which is none of torch's own"
    return None if ran & found.keys() else "the network has no rectifier, such as ReLU"


def _known(activation: nn.Module) -> bool:
    return any(each.__module__ == "torch.nn.modules.activation" for each in type(activation).__mro__)


def posterior_draws(model: nn.Module, images: Tensor, layer: str | None) -> str | None:
    """Refuse unless the network's weights can be drawn from a posterior (see pipeline/models/__init__.py)."""
    return None if callable(getattr(model, "draw", None)) else "the network has no posterior to draw its weights from"


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


def piecewise_linear(model: nn.Module, images: Tensor, layer: str | None) -> str | None:
    """Refuse unless the predicted class's logit is what the image and the layers' constants add up to.

    Checked by number, not by structure: what multiplies two signals, such as a gate, or bends smoothly leaves a gap.
    The bound is the square root of the machine precision, relative to the largest logit. A network in half precision
    is tried in single precision: in its own, rounding errors are as large as a gate's gap.
    """
    if torch.finfo(images.dtype).bits < 32:
        model, images = deepcopy(model).float(), images.float()
    with torch.no_grad():
        logits = model(images)
    found, shares = decompose(model, images, logits.argmax(1), lambda addends: addends.sum((1, 2, 3)))
    gap = (torch.stack([share.total for share in shares]).sum(0) - found).abs().max()
    if gap <= torch.finfo(logits.dtype).eps ** 0.5 * logits.abs().max():
        return None
    return f"the network is not piecewise linear: its logits differ by {gap:.2g} from what image and biases add up to"


def conserves_relevance(model: nn.Module, images: Tensor, layer: str | None) -> str | None:
    """Refuse unless LRP has a rule for every layer and what lies between the layers hands on all the relevance it gets.

    Checked by number, in double precision: a functional ReLU, a view or a sum without a module of its own
    does no harm, and other functional activations, or products that are no module ``Multiply``, do.
    """
    said = loss(*_double(model, images))
    if said is None:
        return None
    return f"relevance is not conserved: {own_activations(model, images, layer) or said}"


def adds_up(model: nn.Module, images: Tensor, layer: str | None) -> str | None:
    """Refuse unless DeepLIFT's contributions add up to what they explain, the difference from the mean colour's logit.

    Checked by number, in double precision: what is neither linear nor an activation, a max pooling or a product of two
    branches that is a module of its own leaves a gap.
    """
    model, images = _double(model, images)
    start = torch.zeros_like(images[:1])
    with torch.no_grad():
        logits, before = model(images), model(start)
    targets = logits.argmax(1, keepdim=True)
    found = differences(model, images, start, targets[:, 0]).sum((1, 2, 3))
    due = (logits - before).gather(1, targets)[:, 0]
    gap, most = (found - due).abs().max(), due.abs().max()
    if gap <= 1e-6 * most + 1e-12 * logits.abs().max():  # the latter for rounding errors
        return None
    return f"DeepLIFT's contributions miss the difference that they explain by {gap:.2g}, of {most:.2g} at the most"


def _double(model: nn.Module, images: Tensor) -> tuple[nn.Module, Tensor]:
    """Return network and images in double precision, so that rounding errors hide no gap, nor are taken for one."""
    return deepcopy(model).double(), images.double()


def _observe(model: nn.Module, images: Tensor, layer: str) -> tuple[Tensor, list[Tensor]]:
    """Return the logits and what ``layer`` gave on the way."""
    with torch.no_grad(), recorded(model, layer) as outputs:
        logits = model(images)
    return logits, outputs
