"""Integrated Gradients.

Sundararajan, Taly & Yan, "Axiomatic Attribution for Deep Networks", ICML 2017 (arXiv:1703.01365), section 3. Baselines
beside black: Sturmfels, Lundberg & Lee, "Visualizing the Impact of Feature Attribution Baselines", Distill 2020
(doi:10.23915/distill.00022).
"""

from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from pipeline.attribution._baselines import baseline_images
from pipeline.attribution._target import target_gradient, target_logit
from pipeline.bounds import Above, AtLeast
from pipeline.models._folded import folded

LABEL = "Integrated Gradients"
FAMILY = "gradient"
REDUCE = "sum"
REQUIRES = ()
PASSES = {"forward": "steps + 1", "backward": "steps", "batch": "1"}


def integrated_gradients(
    model: nn.Module,
    images: Tensor,
    targets: Tensor,
    *,
    mean: Tensor,
    std: Tensor,
    generator: torch.Generator,
    steps: Annotated[int, AtLeast(1)] = 32,
    baseline: Literal["black", "mean", "blur", "noise"] = "mean",
    blur: Annotated[float, Above(0)] = 0.1,
) -> dict[str, Tensor]:
    """Average the input gradient along the straight path from the baseline to each image.

    The path integral is a midpoint rule, so an image's map sums to its logit minus the baseline's (completeness)
    with an error that falls as ``steps ** -2`` where the network is smooth. One step is in memory at a time.

    Args:
        model: classifier in eval mode, (N, C, H, W) -> (N, K) logits.
        images: (N, C, H, W), normalised as in training.
        targets: (N,) int64, the class explained for each image.
        mean: (C,), the channels' means over the training images, in [0, 1] units.
        std: (C,), their standard deviations.
        generator: source of the baseline "noise".
        steps: gradient evaluations per image.
        baseline: where the path starts: "black", pixels of 0; "mean", the training images' mean colour; "blur", the
            image itself, blurred; "noise", uniform in [0, 1], one draw common to all images.
        blur: standard deviation of the baseline's Gaussian blur, as a fraction of the image's shorter side.

    Returns:
        "maps": (N, C, H, W), in logits. "aux_change": (N,), the target's logit less the baseline's. "aux_gap": (N,),
        how far the map's sum exceeds it, in logits: both are needed to judge an image whose logit hardly changes.
    """
    images = images.detach()
    start = baseline_images(baseline, images, mean=mean, std=std, blur=blur, generator=generator)
    path = images - start
    # half-precision images are summed in single precision: the last of many steps would round away
    wide = torch.promote_types(images.dtype, torch.float32)
    total = torch.zeros_like(images, dtype=wide)
    with folded(model):
        for step in range(steps):
            total += target_gradient(model, start + (step + 0.5) / steps * path, targets)
        change = _change(model, images, start, targets).to(wide)
    maps = path * total / steps
    return {"maps": maps.to(images.dtype), "aux_gap": maps.sum((1, 2, 3)) - change, "aux_change": change}


@torch.no_grad()
def _change(model: nn.Module, images: Tensor, start: Tensor, targets: Tensor) -> Tensor:
    before = model(start).expand(len(images), -1).gather(1, targets[:, None]).squeeze(1)
    return target_logit(model, images, targets) - before
