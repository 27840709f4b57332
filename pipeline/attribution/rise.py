"""RISE: what the network says of an image of which random parts show, averaged for each pixel over when it shows.

Petsiuk, Das & Saenko, "RISE: Randomized Input Sampling for Explanation of Black-box Models", BMVC 2018
(arXiv:1806.07421), equations 1 and 6; masks of section 3.2, whose cells are rounded up to whole pixels, as in the
authors' program: rounded down, as in the text, they would not cover every image.
"""

from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from pipeline.attribution._baselines import baseline_images
from pipeline.attribution._random_masks import random_masks, weighed_masks
from pipeline.bounds import Above, AtLeast, Between
from pipeline.similarity.class_probability import class_probability

LABEL = "RISE"
FAMILY = "perturbation"
REDUCE = "sum"
REQUIRES = ()
PASSES = {"forward": "samples", "backward": "0"}


def bounds(entry: dict) -> dict[str, list[float | None]]:
    """Return the ends of a probability: the map is a mean of probabilities, but for the chance of the masks."""
    return {"maps": [0, 1]}


def rise(
    model: nn.Module,
    images: Tensor,
    targets: Tensor,
    *,
    mean: Tensor,
    std: Tensor,
    generator: torch.Generator,
    samples: Annotated[int, AtLeast(2)] = 4000,
    grid: Annotated[int, AtLeast(1)] = 7,
    probability: Annotated[float, Above(0), Between(0, 1)] = 0.5,
    interpolation: Literal["bilinear", "nearest"] = "bilinear",
    fill: Literal["black", "mean", "blur", "noise"] = "mean",
    blur: Annotated[float, Above(0)] = 0.1,
) -> dict[str, Tensor]:
    """Average random masks, each weighed by the target's probability under it, and divide by the masks' mean.

    It estimates the target's probability, given that the pixel shows. So the map is not 0 where a pixel has no
    influence, but the mean probability over all masks; and it wavers, wherever that is not 0, with how many of
    the masks happen to show the pixel: the standard error says by how much.

    Args:
        model: classifier in eval mode, (N, C, H, W) -> (N, K) logits.
        images: (N, C, H, W), normalised as in training.
        targets: (N,) int64, the class explained for each image.
        mean: (C,), the channels' means over the training images, in [0, 1] units.
        std: (C,), their standard deviations.
        generator: source of the masks, which are common to all images, and of the fill "noise".
        samples: masks, and forward passes per image. The paper takes 4,000 for VGG-16 and 8,000 for ResNet-50.
        grid: cells of a mask each way. Beyond the image's size, a cell is a pixel.
        probability: of a cell to show the image.
        interpolation: between the cells of a mask: "bilinear", or "nearest" for hard edges.
        fill: what shows where the image does not: "mean", the training images' mean colour, with which masking is
            multiplying in normalised units, as in the paper; "black", pixels of 0; "blur", the image itself, blurred;
            "noise", uniform in [0, 1], one draw common to all images.
        blur: standard deviation of the fill's Gaussian blur, as a fraction of the image's shorter side.

    Returns:
        "maps": (N, 1, H, W), in probability. "aux_std_error": (N, 1, H, W), their standard error, which falls as
        samples ** -0.5. "aux_masks": (N,) int64, a digest of the masks.
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
    maps, error = weighed_masks(
        model, images, targets, baseline=start, draw=masks.draw, samples=samples, similarities=[class_probability]
    )
    wide = torch.promote_types(images.dtype, torch.float32)
    beside = {"aux_std_error": (error / probability).to(wide), "aux_masks": masks.digest.of(images)}
    return {"maps": (maps / probability).to(images.dtype), **beside}
