"""Shifts and mirrors of whole batches, against what they must be pixel by pixel."""

import pytest
import torch

from pipeline.training._augment import flipped, shifted


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def images(count=200, channels=2, height=6, width=5):
    """Images without a black pixel, each pixel another number."""
    values = torch.arange(1, channels * height * width + 1, dtype=torch.uint8)
    return values.view(1, channels, height, width).repeat(count, 1, 1, 1)


def moved(image, down, right):
    """Return an image (C, H, W) moved pixel by pixel, black where nothing came from."""
    found = torch.zeros_like(image)
    _, height, width = image.shape
    for row in range(height):
        for column in range(width):
            if 0 <= row - down < height and 0 <= column - right < width:
                found[:, row, column] = image[:, row - down, column - right]
    return found


def test_no_shift_is_no_change_and_draws_nothing():
    source = generator()
    before = source.get_state()
    batch = images()
    assert shifted(batch, 0, source) is batch
    assert torch.equal(source.get_state(), before)


@pytest.mark.parametrize("pixels", [1, 2, 7])
def test_every_image_is_moved_as_a_whole_and_what_comes_in_is_black(pixels):
    batch = images()
    found = shifted(batch, pixels, generator())
    assert (found.shape, found.dtype) == (batch.shape, batch.dtype)
    reach = range(-pixels, pixels + 1)
    moves = {(down, right): moved(batch[0], down, right) for down in reach for right in reach}
    for image in found:
        assert any(torch.equal(image, expected) for expected in moves.values())


def test_every_shift_occurs_about_as_often_as_any_other():
    found = shifted(images(2500, height=8, width=8), 2, generator())
    inner = found[:, 0, 4, 4].long() - images(1, height=8, width=8)[0, 0, 4, 4].long()  # 8 a row, 1 a column
    counts = torch.bincount(inner + 18, minlength=37)
    expected = [8 * down + right + 18 for down in range(-2, 3) for right in range(-2, 3)]
    assert counts[expected].min() > 60
    assert counts[expected].max() < 145
    assert counts.sum() == counts[expected].sum() == 2500


def test_nothing_comes_back_on_the_other_side():
    batch = torch.zeros((500, 1, 6, 6), dtype=torch.uint8)
    batch[:, :, :, 0] = 255
    found = shifted(batch, 2, generator())
    assert found[:, :, :, 3:].sum() == 0


def test_images_of_a_batch_move_apart():
    found = shifted(images(50), 2, generator())
    assert len({tuple(image.flatten().tolist()) for image in found}) > 10


def test_every_image_is_mirrored_left_to_right_or_left_alone():
    batch = images(1000)
    found = flipped(batch, generator())
    mirrored = torch.tensor([not torch.equal(a, b) for a, b in zip(found, batch, strict=True)])
    assert torch.equal(found[mirrored], batch[mirrored].flip(3))
    assert torch.equal(found[~mirrored], batch[~mirrored])
    assert 430 < mirrored.sum() < 570
    assert (found.shape, found.dtype) == (batch.shape, batch.dtype)


@pytest.mark.parametrize("change", [lambda b, g: shifted(b, 2, g), flipped], ids=["shifted", "flipped"])
def test_the_generator_alone_decides(change):
    batch = images()
    torch.manual_seed(1)
    first = change(batch, generator(3))
    torch.manual_seed(2)
    assert torch.equal(change(batch, generator(3)), first)
    assert not torch.equal(change(batch, generator(4)), first)
    assert torch.equal(batch, images()), "the batch was changed in place"
