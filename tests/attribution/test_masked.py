"""The forwards of perturbation methods."""

import torch

from pipeline.attribution import _masked
from pipeline.attribution._masked import Digest, masked_logits


def run(model, images, baseline, masks):
    return list(masked_logits(model, images, baseline, lambda first, last: masks[first:last], len(masks)))


def test_the_image_shows_where_the_mask_is_one_and_the_baseline_where_it_is_zero(pooled, images):
    baseline = torch.randn_like(images)
    masks = (torch.rand(3, 1, 1, 6, 8, generator=torch.Generator().manual_seed(1)) < 0.5).double()
    masks[0], masks[1] = 0, 1
    ((shown, logits),) = run(pooled, images, baseline, masks)
    assert torch.equal(shown, masks)
    mixed = [torch.where(mask.bool(), images, baseline) for mask in masks]
    torch.testing.assert_close(logits, torch.stack([pooled(each) for each in mixed]), rtol=1e-12, atol=1e-12)


def test_a_grey_mask_mixes_both(pooled, images):
    baseline, masks = torch.randn_like(images[:1]), torch.full((1, 4, 1, 6, 8), 0.25, dtype=torch.float64)
    ((_, logits),) = run(pooled, images, baseline, masks)
    torch.testing.assert_close(logits[0], pooled(0.25 * images + 0.75 * baseline), rtol=1e-12, atol=1e-12)


def test_every_masked_image_is_seen_once_in_chunks_of_the_stated_size(counted, pooled, images, monkeypatch):
    monkeypatch.setattr(_masked, "CHUNK", 9)
    model, masks = counted(pooled), torch.rand(5, 1, 1, 6, 8, dtype=torch.float64)
    found = run(model, images, images[:1], masks)
    assert model.batches == [8, 8, 4]
    torch.testing.assert_close(
        torch.cat([logits for _, logits in found])[3], pooled(torch.lerp(images[:1], images, masks[3]))
    )
    monkeypatch.setattr(_masked, "CHUNK", 3)  # fewer than there are images: one mask at a time
    model.batches.clear()
    run(model, images, images[:1], masks)
    assert model.batches == [4] * 5


def test_no_gradient_is_tracked_and_the_memory_layout_stays(pooled, images):
    layouts = []
    pooled.register_forward_pre_hook(
        lambda _, inputs: layouts.append(inputs[0].is_contiguous(memory_format=torch.channels_last))
    )
    tracked = images.to(memory_format=torch.channels_last).requires_grad_()
    ((_, logits),) = run(pooled, tracked, torch.zeros_like(images[:1]), torch.ones(2, 1, 1, 6, 8))
    assert layouts == [True]
    assert not logits.requires_grad
    assert torch.is_grad_enabled()


def test_a_digest_depends_on_the_numbers_and_on_what_is_made_of_them_not_on_how_many_come_at_a_time():
    numbers = torch.rand(6, 3, generator=torch.Generator().manual_seed(0))
    (whole,) = Digest("rise", 7).add(numbers).of(numbers[:1]).tolist()
    assert Digest("rise", 7).add(numbers[:2]).add(numbers[2:]).of(numbers[:2]).tolist() == [whole] * 2
    others = [
        Digest("rise", 8).add(numbers),
        Digest("rise", 7).add(numbers[:5]),
        Digest("rise", 7).add(numbers.flip(0)),
    ]
    assert len({whole, *(int(other.of(numbers[:1])) for other in others)}) == 4
    assert 0 <= whole < 2**63
