"""What the image and what each layer's constant add to a logit: an exact sum where a network is piecewise linear.

There f(x) = <df/dx, x> + the sum over all layers of <df/dz, b>, z being a layer's output and b what it adds to it:
Srinivas & Fleuret, "Full-Gradient Representation for Neural Network Visualization", NeurIPS 2019 (arXiv:1905.00780),
section 4. For a convolution or a linear layer b is the bias; for a batch norm, which is affine in eval mode, it is
beta - gamma * mean / sqrt(variance + eps); for an activation that saturates, ReLU6, it is the level where it does.
What has no constant needs no care: ReLU, poolings, sums of branches, and whatever else only selects, adds and scales.
"""

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from pipeline.attribution._layers import to_image_size
from pipeline.attribution._target import target_logit

AT_ONCE = 2**18  # numbers that are worked on at once: they stay in the processor's cache, and memory stays flat
Fold = Callable[[Tensor], Tensor]


class Share(NamedTuple):
    """What the image or a layer's constant adds to each image's logit.

    Attributes:
        layer: dotted name of the layer, or None for the image.
        total: (N,) in logits, all channels and places together.
        folded: what ``fold`` made of the single addends.
        placed: whether these lay on a map, (N, C, h, w); otherwise ``fold`` was given one place, (N, K, 1, 1).
    """

    layer: str | None
    total: Tensor
    folded: Tensor
    placed: bool


def decompose(model: nn.Module, images: Tensor, targets: Tensor, fold: Fold) -> tuple[Tensor, list[Share]]:
    """Return each image's logit (N,) and its shares, from one forward and one backward pass.

    Every gradient is folded as soon as the backward pass reaches its layer, and none is kept.

    Args:
        model: classifier in eval mode, (N, C, H, W) -> (N, K) logits.
        images: (N, C, H, W), normalised as in training.
        targets: (N,) int64, the class explained for each image.
        fold: what to make of the addends df/dz * b, (n, C, h, w), in single precision or better, which it may
            overwrite: called for a few images at a time, its answers (n, ...) are put together.

    Returns:
        The logits, and the share of the image, then those of all layers that add a constant, in the order in which
        they run; a layer that runs twice has two. A layer whose outputs have not the images as first axis has none.
    """
    found: dict[int, Share] = {}
    images = images.detach().requires_grad_()

    def note(name: str, module: nn.Module, inputs: tuple[object, ...], output: object) -> None:
        if not isinstance(output, Tensor) or not output.requires_grad or len(output) != len(images):
            return
        if (constant := _constant(module, inputs, output)) is None:
            return
        place = len(reached)
        reached.append(name)

        def meet(gradient: Tensor) -> None:
            found[place] = _share(name, gradient, constant, fold)

        output.register_hook(meet)  # sees the gradient at this layer, whatever overwrites the output later

    reached: list[str] = []
    with torch.enable_grad(), ExitStack() as hooks:
        for name, module in model.named_modules():
            hooks.callback(module.register_forward_hook(partial(note, name)).remove)
        logits = target_logit(model, images, targets)
        total = logits.sum()  # an image's logit depends on that image only
    (gradient,) = torch.autograd.grad(total, images)
    shares = [found[place] for place in sorted(found)]
    return logits.detach(), [_share(None, gradient, images.detach(), fold), *shares]


def unit_range(values: Tensor, together: tuple[int, ...]) -> Tensor:
    """Bring values that are at least 0 to [0, 1], over the axes ``together``; what is constant there becomes 0."""
    low, high = values.amin(together, keepdim=True), values.amax(together, keepdim=True)
    spread = high - low
    rounding = 8 * torch.finfo(values.dtype).eps * high  # what differs by no more shall not be blown up
    return (values - low) / spread.masked_fill(spread <= rounding, torch.inf)


def enlarged(share: Share, images: Tensor) -> Tensor:
    """Return what was folded, (N, 1, h, w), at the images' H and W, in the dtype of ``images``."""
    same = share.folded.shape[-2:] == images.shape[-2:]
    return share.folded if same else to_image_size(share.folded, images)


def _share(layer: str | None, gradient: Tensor, constant: Tensor, fold: Fold) -> Share:
    """Multiply gradient and constant, a few images at a time, and fold what comes out."""
    placed = gradient.ndim == 4
    length = max(1, AT_ONCE // gradient.shape[1:].numel())
    wide = torch.promote_types(gradient.dtype, torch.float32)  # sums in half precision would lose their last addends
    totals, answers = [], []
    for slope, value in zip(gradient.split(length), constant.expand_as(gradient).split(length), strict=True):
        addends = slope.to(wide) * value.to(wide)
        totals.append(addends.sum(tuple(range(1, addends.ndim))))
        answers.append(fold(addends if placed else addends.flatten(1)[:, :, None, None]))
    return Share(layer, torch.cat(totals), torch.cat(answers), placed)


@torch.no_grad()
def _constant(module: nn.Module, inputs: tuple[object, ...], output: Tensor) -> Tensor | None:
    """Return what a layer adds to its output, in a shape that broadcasts to the output's, or None if nothing."""
    if isinstance(module, nn.Hardtanh):  # and ReLU6; only where it saturates it adds something
        high, low = (output >= module.max_val).to(output), (output <= module.min_val).to(output)
        return high * module.max_val + low * module.min_val
    if isinstance(module, _BatchNorm):
        return _along_channels(_effective_bias(module), output)
    if isinstance(module, _ConvNd):
        return _along_channels(module.bias, output)
    if isinstance(module, nn.Linear):
        return module.bias
    return _answer_to_zeros(module, inputs)


def _effective_bias(norm: _BatchNorm) -> Tensor | None:
    """Return what a batch norm answers to zeros in eval mode, (C,); None where it goes by the batch."""
    if norm.running_mean is None or norm.running_var is None:
        return None
    wide = torch.promote_types(norm.running_var.dtype, torch.float32)
    bias = -norm.running_mean.to(wide) / (norm.running_var.to(wide) + norm.eps).sqrt()
    return bias * norm.weight + norm.bias if norm.affine else bias


def _along_channels(bias: Tensor | None, output: Tensor) -> Tensor | None:
    return None if bias is None else bias.reshape(-1, *[1] * (output.ndim - 2))


def _answer_to_zeros(module: nn.Module, inputs: tuple[object, ...]) -> Tensor | None:
    """Return what a layer with weights of its own, but of no kind known here, answers to one image of zeros."""
    own = [*module.parameters(recurse=False), *module.buffers(recurse=False)]
    inner = any(True for _ in module.children())
    if inner or not own or len(inputs) != 1 or not isinstance(inputs[0], Tensor) or not inputs[0].is_floating_point():
        return None
    answer = module.forward(torch.zeros_like(inputs[0][:1]))  # past the hooks: this is no run of the network
    return answer if isinstance(answer, Tensor) else None
