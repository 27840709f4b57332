"""Views of whole batches, against what they must be pixel by pixel."""

import pytest
import torch

from pipeline.training._augment import Views, drawn, padded, viewed


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def images(count=20, channels=2, height=6, width=5):
    """Images without a black pixel, each pixel of an image another number."""
    values = torch.arange(channels * height * width).view(1, channels, height, width)
    return (values * 3 + torch.arange(count).view(-1, 1, 1, 1) * 7).remainder(250).add(1).to(torch.uint8)


def by_hand(image, down, right, mirror):
    """Return an image (C, H, W) moved pixel by pixel, black where nothing came from, then mirrored or not."""
    found = torch.zeros_like(image)
    _, height, width = image.shape
    for row in range(height):
        for column in range(width):
            if 0 <= row - down < height and 0 <= column - right < width:
                found[:, row, width - 1 - column if mirror else column] = image[:, row - down, column - right]
    return found


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("shift", [0, 1, 2, 7])
def test_a_view_is_the_image_moved_and_mirrored_with_black_coming_in(shift, channels):
    source = images(channels=channels)
    views = drawn(torch.tensor([3, 0, 19, 3, 7, 11, 2, 5, 8, 13, 17, 1]), shift, True, generator())
    found = viewed(padded(source, shift), views, shift)
    assert (found.shape, found.dtype) == ((12, channels, 6, 5), torch.uint8)
    assert found.is_contiguous(memory_format=torch.channels_last)
    assert len(set(views.mirror.tolist())) == 2
    for image, place, corner, mirror in zip(found, *views, strict=True):
        down, right = (shift - corner).tolist()
        assert torch.equal(image, by_hand(source[place], down, right, bool(mirror)))


def test_without_shift_and_flip_the_images_stay_as_they_are_and_nothing_is_drawn():
    draws = generator()
    before = draws.get_state()
    views = drawn(torch.arange(20), 0, False, draws)
    assert torch.equal(draws.get_state(), before)
    assert torch.equal(viewed(padded(images(), 0), views, 0), images())


def test_every_shift_occurs_about_as_often_as_any_other_and_every_second_image_is_mirrored():
    views = drawn(torch.zeros(2500, dtype=torch.int64), 2, True, generator())
    counts = torch.bincount(views.corner[:, 0] * 5 + views.corner[:, 1], minlength=25)
    assert len(counts) == 25
    assert counts.min() > 60
    assert counts.max() < 145
    assert 1150 < views.mirror.sum() < 1350


def test_the_batches_of_an_epoch_are_drawn_apart():
    views = drawn(torch.arange(12).view(3, 4), 3, True, generator())
    assert isinstance(views, Views)
    assert [tuple(each.shape) for each in views] == [(3, 4), (3, 4, 2), (3, 4)]
    assert torch.equal(views.places, torch.arange(12).view(3, 4))
    assert len({tuple(row) for row in views.corner.flatten(0, 1).tolist()}) > 5


def test_the_generator_alone_decides():
    places = torch.arange(50)
    torch.manual_seed(1)
    first = drawn(places, 2, True, generator(3))
    torch.manual_seed(2)
    again, other = drawn(places, 2, True, generator(3)), drawn(places, 2, True, generator(4))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first.corner, other.corner)
    assert not torch.equal(first.mirror, other.mirror)


def test_padding_puts_black_around_and_the_channels_last():
    found = padded(images(), 2)
    assert found.shape == (20, 10, 9, 2)
    assert found.is_contiguous()
    assert torch.equal(found[:, 2:-2, 2:-2].permute(0, 3, 1, 2), images())
    assert found.long().sum() == images().long().sum()
