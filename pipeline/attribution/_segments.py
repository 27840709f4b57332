"""An image in segments, which perturbation methods show or hide as a whole: a grid, or superpixels.

Superpixels: Achanta et al., "SLIC Superpixels Compared to State-of-the-Art Superpixel Methods", IEEE TPAMI 2012
(doi:10.1109/TPAMI.2012.120), algorithm 1, by scikit-image.
"""

from typing import Literal

import torch
from skimage.segmentation import slic
from torch import Tensor

from pipeline.attribution._baselines import Baseline, baseline_images
from pipeline.data._pixels import denormalise

COMPACTNESS = 20  # of SLIC, with the next: smaller ones leave half of the segments asked for on digits and photographs
SMOOTHING = 1 / 224  # of the shorter side: standard deviation of the Gaussian that smooths the image before SLIC


def segmented(kind: Literal["grid", "slic"], images: Tensor, count: int, *, mean: Tensor, std: Tensor) -> Tensor:
    """Return the segment of every pixel: (N, H, W) int64, or (1, H, W) where it is the same for all images.

    An image's segments are numbered from 0 without a gap, and depend on that image alone. Colours are rounded to 256
    levels first, so that the segments are the same in single and in double precision.

    Args:
        kind: "grid", rectangles, the same for all images; "slic", superpixels of each image.
        images: (N, C, H, W), normalised as in training.
        count: segments, about; of an image of fewer pixels, as many as it has.
        mean: (C,), the channels' means over the training images, in [0, 1] units.
        std: (C,), their standard deviations.
    """
    if kind == "grid":
        return _grid(images.shape[-2], images.shape[-1], count)[None].to(images.device)
    pixels = denormalise(images.detach().to(torch.promote_types(images.dtype, torch.float32)), mean, std)
    levels = (pixels.clamp(0, 1) * 255).round().to(torch.uint8).cpu()
    return torch.stack([_superpixels(image, count) for image in levels]).to(images.device)


def _grid(height: int, width: int, count: int) -> Tensor:
    """Return a grid of cells as nearly square and as nearly of one size as whole pixels allow: (H, W)."""
    rows = min(height, max(1, round((count * height / width) ** 0.5)))
    columns = min(width, max(1, round(count / rows)))
    down, across = torch.arange(height) * rows // height, torch.arange(width) * columns // width
    return down[:, None] * columns + across


def _superpixels(levels: Tensor, count: int) -> Tensor:
    """Return the superpixels of one image (C, H, W) uint8: (H, W), as grey values where it has not three channels."""
    colours = levels if len(levels) == 3 else levels.float().mean(0).round().to(torch.uint8).expand(3, -1, -1)
    picture = colours.permute(1, 2, 0).numpy()
    sigma = SMOOTHING * min(picture.shape[:2])
    found = slic(picture, n_segments=count, compactness=COMPACTNESS, sigma=sigma, start_label=0, channel_axis=-1)
    return torch.from_numpy(found).unique(return_inverse=True)[1]


def counts(segments: Tensor) -> Tensor:
    """Return how many segments each image has: (N or 1,) int64."""
    return segments.flatten(1).amax(1) + 1


def painted(values: Tensor, segments: Tensor) -> Tensor:
    """Return maps (N, 1, H, W) that show at each pixel the value of its segment.

    Args:
        values: (N, S), the segments' values.
        segments: (N or 1, H, W), of up to S segments each.
    """
    size, places = segments.shape[1:], segments.flatten(1).expand(len(values), -1)
    return values.gather(1, places).unflatten(1, (1, *size))


def areas(segments: Tensor, most: int) -> Tensor:
    """Return how many pixels each segment has: (N or 1, most) float64, with 0 for those that an image has not."""
    places = segments.flatten(1)
    zeros = torch.zeros(len(places), most, dtype=torch.float64, device=places.device)
    return zeros.scatter_add(1, places, torch.ones_like(places, dtype=torch.float64))


def filled(
    name: Baseline | Literal["segment"],
    images: Tensor,
    segments: Tensor,
    *,
    mean: Tensor,
    std: Tensor,
    blur: float,
    generator: torch.Generator,
) -> Tensor:
    """Return what shows in place of hidden segments: (N or 1, C, H, W), normalised.

    Args:
        name: "segment", each segment's own mean colour, or one of the baselines of ``baseline_images``.
        images: (N, C, H, W), normalised as in training.
        segments: (N or 1, H, W).
        mean: (C,), the channels' means over the training images, in [0, 1] units.
        std: (C,), their standard deviations.
        blur: standard deviation of the Gaussian of "blur", as a fraction of the image's shorter side.
        generator: source of "noise".
    """
    if name != "segment":
        return baseline_images(name, images, mean=mean, std=std, blur=blur, generator=generator)
    most = int(counts(segments).amax())
    places = segments.flatten(1)[:, None].expand(*images.shape[:2], -1)
    zeros = torch.zeros(*images.shape[:2], most, dtype=torch.float64, device=images.device)
    sums = zeros.scatter_add(2, places, images.detach().double().flatten(2))
    means = sums / areas(segments, most).clamp(min=1)[:, None]
    return means.gather(2, places).view(images.shape).to(images.dtype)
