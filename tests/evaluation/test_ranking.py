"""Ranks: exact, random where the map is silent, and dependent on nothing but the map and the image."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pipeline.evaluation._ranking import removal_counts, saliency_rank

IDS = torch.tensor([3, 11, 4])
LEVELS = st.lists(st.sampled_from([-1.0, -0.0, 0.0, 2.5]), min_size=20, max_size=20)


def ranks_of(values, image=0):
    return saliency_rank(torch.tensor(values).view(1, 4, 5), torch.tensor([image])).flatten().tolist()


@given(st.lists(st.floats(-10, 10, width=32), min_size=20, max_size=20))
def test_a_rank_is_a_permutation_that_sorts_the_map(values):
    ranks = ranks_of(values)
    assert sorted(ranks) == list(range(20))
    ranked = [values[ranks.index(rank)] for rank in range(20)]
    assert ranked == sorted(values, reverse=True)


@given(LEVELS, st.integers(0, 10**9))
def test_tied_pixels_come_in_the_order_that_the_image_has_for_every_map(values, image):
    ranks, order = ranks_of(values, image), ranks_of([0.0] * 20, image)
    for level in {abs(value) if value == 0 else value for value in values}:
        tied = [place for place in range(20) if values[place] == level]
        assert sorted(tied, key=ranks.__getitem__) == sorted(tied, key=order.__getitem__)


@given(LEVELS)
def test_the_two_zeros_tie(values):
    assert ranks_of(values) == ranks_of([value + 0.0 for value in values])


@pytest.mark.parametrize("levels", [1, 2])
def test_exactly_k_pixels_go_whatever_the_ties(levels):
    saliency = torch.arange(42).remainder(levels).double().view(1, 6, 7).repeat(3, 1, 1)
    ranks = saliency_rank(saliency, IDS)
    for k in range(43):
        gone = ranks < k
        assert gone.sum((1, 2)).tolist() == [k] * 3
        assert (gone & (saliency == saliency.max())).sum((1, 2)).tolist() == [min(k, 42 // levels)] * 3


def test_the_order_of_ties_is_the_images_own_and_no_raster_order():
    first, second, again = saliency_rank(torch.zeros(3, 6, 7), torch.tensor([5, 6, 5])).flatten(1)
    raster = torch.arange(42)
    assert torch.equal(first, again)
    for order in (second, raster, raster.flip(0), raster.view(6, 7).T.flatten()):
        assert not torch.equal(first, order)


def test_every_pixel_of_a_flat_map_is_as_likely_early_as_late():
    images = 2000
    ranks = saliency_rank(torch.zeros(images, 3, 4), torch.arange(images)).double().flatten(1)
    error = ((12**2 - 1) / 12 / images) ** 0.5  # standard deviation of the mean of uniform ranks 0 .. 11
    assert ((ranks.mean(0) - 5.5).abs() < 4 * error).all()


def test_an_image_is_ranked_alike_alone_in_a_batch_and_in_another_order():
    saliency = torch.randn(3, 6, 7, generator=torch.Generator().manual_seed(0)).round()
    together = saliency_rank(saliency, IDS)
    assert torch.equal(together, torch.cat([saliency_rank(saliency[[i]], IDS[[i]]) for i in range(3)]))
    assert torch.equal(together[[2, 0, 1]], saliency_rank(saliency[[2, 0, 1]], IDS[[2, 0, 1]]))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_the_gpu_ranks_as_the_cpu_does():
    saliency = torch.randn(3, 40, 40, generator=torch.Generator().manual_seed(0)).round()  # of both zeros many
    assert torch.equal(saliency_rank(saliency.cuda(), IDS).cpu(), saliency_rank(saliency, IDS))


def test_counts_of_a_worked_example():
    assert removal_counts(10, 4) == [0, 2, 5, 8, 10]  # 0, 2.5, 5, 7.5, 10: halves go to the even number


@given(st.integers(1, 3000), st.data())
def test_counts_rise_from_none_to_all_in_portions_that_differ_by_one_at_most(pixels, data):
    steps = data.draw(st.integers(1, pixels))
    counts = removal_counts(pixels, steps)
    portions = [after - before for before, after in pairwise(counts)]
    assert (counts[0], counts[-1], len(portions)) == (0, pixels, steps)
    assert min(portions) >= 1
    assert max(portions) - min(portions) <= 1
    assert all(abs(count - step * pixels / steps) <= 0.5 for step, count in enumerate(counts))


def test_more_steps_than_pixels_are_refused():
    assert removal_counts(6, 6) == list(range(7))
    with pytest.raises(ValueError, match="at most 6, the number of pixels of an image, got 7"):
        removal_counts(6, 7)
