"""D-RISE for classification: random masks, weighed by how alike the answer under them and the target are.

Petsiuk et al., "Black-box Explanation of Object Detectors via Saliency Maps", CVPR 2021 (arXiv:2006.03204), section 3.
A classifier has no boxes and no objectness, of which two of the three factors of the paper's similarity are made: the
third, that of the class probabilities, is left, and any function of pipeline/similarity may stand for it.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from pipeline.attribution._baselines import baseline_images
from pipeline.attribution._random_masks import random_masks, weighed_masks
from pipeline.bounds import Above, AtLeast, Between

LABEL = "D-RISE"
FAMILY = "perturbation"
REDUCE = "sum"
REQUIRES = ()
PASSES = {"forward": "samples", "backward": "0"}


def parts(entry: dict) -> tuple[str, ...]:
    """Name the maps that a config entry yields: one for each of its similarities."""
    return tuple(entry.get("similarity", ()))


def bounds(entry: dict) -> dict[str, list[float | None]]:
    """Return the ends of each similarity's RANGE times what the masks that show a pixel weigh together."""
    weight = entry["samples"] * entry["probability"] if entry["normalise"] == "none" else 1
    ranges = entry["similarity"].items()
    return {name: [None if end is None else weight * end for end in ends] for name, ends in ranges}


def d_rise(
    model: nn.Module,
    images: Tensor,
    targets: Tensor,
    *,
    similarity: Mapping[str, Callable[[Tensor, Tensor], Tensor]],
    mean: Tensor,
    std: Tensor,
    generator: torch.Generator,
    samples: Annotated[int, AtLeast(2)] = 5000,
    grid: Annotated[int, AtLeast(1)] = 16,
    probability: Annotated[float, Above(0), Between(0, 1)] = 0.5,
    interpolation: Literal["bilinear", "nearest"] = "bilinear",
    normalise: Literal["expected", "none"] = "expected",
    fill: Literal["black", "mean", "blur", "noise"] = "mean",
    blur: Annotated[float, Above(0)] = 0.1,
) -> dict[str, Tensor]:
    """Add up random masks, each weighed by the similarity of the network's answer under it to the target.

    All similarities are taken of the same forward passes. As with RISE, a map is not 0 where a pixel has no influence.

    Args:
        model: classifier in eval mode, (N, C, H, W) -> (N, K) logits.
        images: (N, C, H, W), normalised as in training.
        targets: (N,) int64, the class explained for each image.
        similarity: name -> function of pipeline/similarity, one for each map; an entry lists the names.
        mean: (C,), the channels' means over the training images, in [0, 1] units.
        std: (C,), their standard deviations.
        generator: source of the masks, which are common to all images, and of the fill "noise".
        samples: masks, and forward passes per image.
        grid: cells of a mask each way. Beyond the image's size, a cell is a pixel: 16 are fine for photographs, and of
            hardly more than 2 pixels on images of 32.
        probability: of a cell to show the image.
        interpolation: between the cells of a mask: "bilinear", as in the paper, or "nearest" for hard edges.
        normalise: "expected", divided by the mean of the summed masks, which makes a map the mean similarity given
            that the pixel shows; "none", the sum as it stands, which lies between samples * probability times the two
            ends of the similarity's RANGE, but for the chance of the masks.
        fill: what shows where the image does not: "mean", the training images' mean colour; "black", pixels of 0;
            "blur", the image itself, blurred; "noise", uniform in [0, 1], one draw common to all images.
        blur: standard deviation of the fill's Gaussian blur, as a fraction of the image's shorter side.

    Returns:
        For each similarity, by its name, maps (N, 1, H, W) in its unit. "aux_std_error": (N, P, H, W), the standard
        error of each of these P maps, in their order. "aux_masks": (N,) int64, a digest of the masks.
    """
    start = baseline_images(fill, images, mean=mean, std=std, blur=blur, generator=generator)
    masks = random_masks(
        (images.shape[2], images.shape[3]),
        grid=grid,
        probability=probability,
        interpolation=interpolation,
        generator=generator,
        device=images.device,
    )
    averages, error = weighed_masks(
        model, images, targets, baseline=start, draw=masks.draw, samples=samples, similarities=similarity.values()
    )
    scale = 1 / probability if normalise == "expected" else samples
    maps = {name: (scale * averages[:, [place]]).to(images.dtype) for place, name in enumerate(similarity)}
    wide = torch.promote_types(images.dtype, torch.float32)
    return maps | {"aux_std_error": (scale * error).to(wide), "aux_masks": masks.digest.of(images)}
