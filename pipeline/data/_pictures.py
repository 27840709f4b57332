"""Picture files as squares of RGB bytes: decoded, upright, resized and cropped as networks for photographs expect."""

import struct
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

# What Pillow raises, by kind of file and of damage.
DAMAGE = (OSError, ValueError, SyntaxError, EOFError, LookupError, TypeError, struct.error)
UNREADABLE = (*DAMAGE, Image.DecompressionBombError)
TO_8_BITS = 257  # 65535 / 255

Pixels = NDArray[np.uint8]
Size = tuple[int, int]


def picture(file: BinaryIO, *, upright: bool = True) -> Image.Image:
    """Return the picture in ``file`` as RGB, one byte per channel.

    Greys and palettes become the RGB that they stand for, CMYK becomes the complement that Pillow gives it, and what
    is transparent lies over white. Of 16 bits of grey the nearest of 255 levels is taken, of 16 bits of colour the
    upper byte (by Pillow). An animation gives its first frame.

    Args:
        file: an open binary file.
        upright: whether to turn and mirror it as its EXIF orientation says; torchvision's loaders do not.

    Raises:
        One of ``UNREADABLE``: if it is no picture, is cut off, or holds numbers without a stated range.
    """
    with Image.open(file) as opened:
        opened.load()
        image = ImageOps.exif_transpose(opened) if upright else opened
        if image.mode.startswith(("I", "F")):
            return _of_16_bits(image)
        if image.has_transparency_data:
            image = image.convert("RGBA")
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
        return image.convert("RGB")


def shorter_side(size: int, resize: int | None) -> int:
    """Return the length that the shorter side gets before the crop: ``resize``, or 256 for each 224 of ``size``.

    Raises:
        ValueError: if it is less than ``size``.
    """
    length = round(size * 256 / 224) if resize is None else resize
    if length < size:
        raise ValueError(f"resize must be at least size, {size}, for a square to be cut from it; it is {length}")
    return length


def cropped(image: Image.Image, shorter: int, size: int) -> Pixels:
    """Return the central square of an RGB image, after its shorter side was brought to ``shorter``: (3, size, size).

    Bilinear with antialiasing on bytes: torchvision's ``Resize(shorter)`` and ``CenterCrop(size)`` of a PIL image.
    """
    resized, (left, top) = _frame(image.size, shorter, size)
    small = image.resize(resized, Image.Resampling.BILINEAR)
    return np.moveaxis(np.asarray(small.crop((left, top, left + size, top + size))), 2, 0)


def centres(original: Size, shorter: int, size: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return where the centres of the columns and rows of ``cropped`` lie in the original, in its pixels: (size,) each.

    Args:
        original: (W, H) of the original.
        shorter: as for ``cropped``.
        size: as for ``cropped``.
    """
    resized, corner = _frame(original, shorter, size)
    steps = np.arange(size) + 0.5
    x, y = ((first + steps) * old / new for first, old, new in zip(corner, original, resized, strict=True))
    return x, y


def _frame(original: Size, shorter: int, size: int) -> tuple[Size, Size]:
    """Return (W, H) after the resize, and (left, top) of the crop in it."""
    least = min(original)
    width, height = (shorter if side == least else int(shorter * side / least) for side in original)
    return (width, height), (round((width - size) / 2), round((height - size) / 2))


def _of_16_bits(image: Image.Image) -> Image.Image:
    """Return one channel of 16 bits as RGB, each level the nearest of 255."""
    levels = np.asarray(image)
    if image.mode == "F" or levels.min() < 0 or levels.max() > 255 * TO_8_BITS:
        raise ValueError("it holds numbers other than whole ones of 16 bits, and does not say what is white")
    return Image.fromarray(np.rint(levels / TO_8_BITS).astype(np.uint8)).convert("RGB")
