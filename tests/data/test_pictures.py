"""Pictures of every kind that cameras and scanners write, and the crop against torchvision's."""

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pipeline.data._pictures import UNREADABLE, centres, cropped, picture, shorter_side
from pipeline.vision import torchvision

RANDOM = np.random.default_rng(0)
RGB = RANDOM.integers(0, 256, (6, 8, 3), dtype=np.uint8)
GREY = RANDOM.integers(0, 256, (6, 8), dtype=np.uint8)
COARSE = np.kron(RANDOM.integers(0, 256, (4, 5, 3)), np.ones((16, 16, 1))).astype(np.uint8)  # which a JPEG keeps


def saved(image, form="PNG", **options):
    file = io.BytesIO()
    image.save(file, form, **options)
    return io.BytesIO(file.getvalue())


def decoded(image, form="PNG", **options):
    return np.asarray(picture(saved(image, form, **options)))


def png_of_16_bits(values):
    """Return a PNG of 16 bits per channel, (H, W) grey or (H, W, 2 to 4), written by hand: Pillow writes only greys."""
    height, width, channels = (*values.shape, 1)[:3]
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[channels]

    def chunk(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return io.BytesIO(b"\x89PNG\r\n\x1a\n" + parts)


@pytest.mark.parametrize("form", ["PNG", "BMP", "TIFF", "PPM", "WEBP"])
def test_rgb_without_loss_is_itself(form):
    options = {"lossless": True} if form == "WEBP" else {}
    assert (decoded(Image.fromarray(RGB), form, **options) == RGB).all()


@pytest.mark.parametrize("form", ["PNG", "BMP", "TIFF", "PPM"])
def test_grey_becomes_three_equal_channels(form):
    assert (decoded(Image.fromarray(GREY), form) == GREY[:, :, None]).all()


def test_black_and_white_is_0_and_255():
    ink = GREY > 127
    assert (decoded(Image.fromarray(ink)) == 255 * ink[:, :, None]).all()


def test_a_palette_becomes_its_colours():
    indices = RANDOM.integers(0, 4, (6, 8), dtype=np.uint8)
    colours = RANDOM.integers(0, 256, (4, 3), dtype=np.uint8)
    image = Image.fromarray(indices, "L")
    image.putpalette(colours.tobytes())
    assert (decoded(image) == colours[indices]).all()
    assert (decoded(image, "GIF") == colours[indices]).all()


def over_white(colour, alpha):
    share = alpha[:, :, None] / 255
    return colour * share + 255 * (1 - share)


def test_what_is_transparent_lies_over_white():
    alpha = np.array([0, 1, 128, 255], np.uint8)[RANDOM.integers(0, 4, (6, 8))]
    rgba = np.concatenate([RGB, alpha[:, :, None]], 2)
    assert np.abs(decoded(Image.fromarray(rgba)) - over_white(RGB, alpha)).max() <= 1
    grey = np.stack([GREY, alpha], 2)
    assert np.abs(decoded(Image.fromarray(grey, "LA")) - over_white(GREY[:, :, None], alpha)).max() <= 1
    assert (decoded(Image.fromarray(rgba))[alpha == 0] == 255).all()


def test_a_transparent_colour_of_a_palette_or_of_rgb_lies_over_white():
    indices = RANDOM.integers(0, 4, (6, 8), dtype=np.uint8)
    colours = np.array([[9, 9, 9], [200, 0, 0], [0, 200, 0], [0, 0, 200]], np.uint8)
    image = Image.fromarray(indices, "L")
    image.putpalette(colours.tobytes())
    whitened = np.where((indices == 1)[:, :, None], 255, colours[indices])
    assert (decoded(image, transparency=1) == whitened).all()
    assert (decoded(Image.fromarray(colours[indices]), transparency=(200, 0, 0)) == whitened).all()


def test_cmyk_becomes_the_rgb_that_was_printed():
    image = Image.fromarray(COARSE).convert("CMYK")
    assert (decoded(image, "TIFF") == COARSE).all()
    assert np.abs(decoded(image, "JPEG", quality=95).astype(int) - COARSE).mean() < 3


@pytest.mark.parametrize("form", ["PNG", "TIFF", "PPM"])
def test_16_bits_of_grey_become_the_nearest_of_255_levels(form):
    levels = np.array([[0, 128, 129, 257], [32767, 32768, 65406, 65535]], np.uint16)
    expected = np.array([[0, 0, 1, 1], [127, 128, 254, 255]])
    assert (np.rint(levels / 257) == expected).all()
    assert (decoded(Image.fromarray(levels), form) == expected[:, :, None]).all()


def test_16_bits_of_colour_become_8():
    levels = RANDOM.integers(0, 65536, (6, 8, 3), dtype=np.uint16)
    found = np.asarray(picture(png_of_16_bits(levels)))
    assert (found == levels >> 8).all()
    opaque = np.concatenate([levels, np.full((6, 8, 1), 65535, np.uint16)], 2)
    assert (np.asarray(picture(png_of_16_bits(opaque))) == levels >> 8).all()


def test_16_bits_of_grey_with_transparency_lie_over_white():
    levels = np.stack([RANDOM.integers(0, 65536, (6, 8)), np.array([0, 65535] * 24).reshape(6, 8)], 2)
    found = np.asarray(picture(png_of_16_bits(levels.astype(np.uint16)))).astype(int)
    assert (found[levels[:, :, 1] == 0] == 255).all()
    assert np.abs(found - levels[:, :, :1] / 257)[levels[:, :, 1] > 0].max() <= 1


TURNS = {
    1: lambda stored: stored,
    2: np.fliplr,
    3: lambda stored: np.rot90(stored, 2),
    4: np.flipud,
    5: lambda stored: stored.transpose(1, 0, 2),
    6: lambda stored: np.rot90(stored, -1),
    7: lambda stored: np.rot90(stored, 2).transpose(1, 0, 2),
    8: np.rot90,
}


@pytest.mark.parametrize("orientation", TURNS)
@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_a_picture_is_turned_as_its_exif_orientation_says_unless_it_is_to_stay(orientation, form):
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = saved(Image.fromarray(RGB), form, exif=exif)
    assert (np.asarray(picture(file)) == TURNS[orientation](RGB)).all()
    if form == "PNG":  # Pillow turns a TIFF by itself
        file.seek(0)
        assert (np.asarray(picture(file, upright=False)) == RGB).all()


def test_an_animation_gives_its_first_frame():
    frames = [Image.fromarray(RGB), Image.fromarray(255 - RGB)]
    assert (decoded(frames[0], save_all=True, append_images=frames[1:]) == RGB).all()


JPEG = saved(Image.fromarray(COARSE), "JPEG").getvalue()
PNG = saved(Image.fromarray(RGB)).getvalue()
BROKEN = {
    "nothing": b"",
    "a text": b"not a picture",
    "a page": b"<html>Sign in</html>",
    "a cut JPEG": JPEG[: len(JPEG) // 2],
    "a cut PNG": PNG[: len(PNG) // 2],
    "a flipped PNG": PNG[:60] + bytes(8) + PNG[68:],
    "a head alone": PNG[:20],
    "floats": saved(Image.fromarray(GREY.astype(np.float32)), "TIFF").getvalue(),
    "32 bits": saved(Image.fromarray(GREY.astype(np.int32) * 1000), "TIFF").getvalue(),
    "numbers below 0": saved(Image.fromarray(GREY.astype(np.int32) - 200), "TIFF").getvalue(),
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_what_is_no_readable_picture_is_refused(content):
    with pytest.raises(UNREADABLE):
        picture(io.BytesIO(content))


def test_a_picture_too_large_for_any_memory_is_refused(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with pytest.raises(UNREADABLE):
        picture(io.BytesIO(PNG))


def theirs(image, shorter, size):
    transforms = torchvision.transforms
    resize = transforms.Resize(shorter, interpolation=transforms.InterpolationMode.BILINEAR, antialias=True)
    return np.asarray(transforms.CenterCrop(size)(resize(image))).transpose(2, 0, 1)


@given(st.integers(1, 90), st.integers(1, 90), st.integers(1, 60), st.integers(0, 20), st.integers(0, 9))
@settings(max_examples=150)
def test_the_crop_is_that_of_torchvision(width, height, size, more, seed):
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    found = cropped(Image.fromarray(pixels), size + more, size)
    assert found.shape == (3, size, size)
    np.testing.assert_array_equal(found, theirs(Image.fromarray(pixels), size + more, size))


@pytest.mark.parametrize("shape", [(375, 500), (500, 333), (256, 256), (224, 256), (227, 227), (1200, 257)])
def test_the_crop_of_photographs_is_that_of_torchvision(shape):
    image = Image.fromarray(COARSE).resize(shape, Image.Resampling.BICUBIC)
    np.testing.assert_array_equal(cropped(image, 256, 224), theirs(image, 256, 224))


@pytest.mark.parametrize(("size", "resize", "due"), [(224, None, 256), (32, None, 37), (64, 64, 64), (8, 100, 100)])
def test_the_shorter_side_is_256_for_each_224(size, resize, due):
    assert shorter_side(size, resize) == due


def test_a_square_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"^resize must be at least size, 224, .*; it is 223$"):
        shorter_side(224, 223)


@pytest.mark.parametrize("shape", [(67, 47), (47, 67), (50, 50), (300, 41), (33, 33), (20, 31)])
def test_centres_lie_in_the_pixel_that_the_nearest_neighbour_takes(shape):
    """Pillow's NEAREST takes the pixel in which the centre of the new one lies."""
    resized = tuple(int(40 * side / min(shape)) for side in shape)
    corner = [round((side - 32) / 2) for side in resized]
    places = np.arange(shape[0] * shape[1], dtype=np.int32).reshape(shape[::-1])
    small = np.asarray(Image.fromarray(places).resize(resized, Image.Resampling.NEAREST))
    crop = small[corner[1] : corner[1] + 32, corner[0] : corner[0] + 32]
    x, y = centres(shape, 40, 32)
    assert (np.floor(x) == crop[0] % shape[0]).all()
    assert (np.floor(y) == crop[:, 0] // shape[0]).all()


def test_centres_worked_by_hand():
    x, y = centres((200, 100), 50, 40)  # to 100 x 50, cut at 30 and 5: two pixels of the original for each
    np.testing.assert_allclose(x, 61 + 2 * np.arange(40), rtol=1e-15)
    np.testing.assert_allclose(y, 11 + 2 * np.arange(40), rtol=1e-15)
