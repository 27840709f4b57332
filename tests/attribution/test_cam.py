"""CAM against its definition written out and the identity that it rests on."""

import pytest
import torch
from torch import nn

from pipeline.attribution.cam import cam


def test_agrees_with_its_definition_written_out(pooled, images, targets):
    features, rows = pooled[:4](images), pooled[6].weight
    found = cam(pooled, images, targets, layer="3")
    for i, target in enumerate(targets):
        for y, x in ((0, 0), (5, 7), (2, 3)):
            expected = sum(rows[target, k] * features[i, k, y, x] for k in range(6))
            torch.testing.assert_close(found[i, 0, y, x], expected.detach())


def test_its_spatial_mean_is_the_logit_less_the_bias(pooled, images, targets):
    expected = (pooled(images) - pooled[6].bias).gather(1, targets[:, None]).squeeze(1)
    found = cam(pooled, images, targets, layer="3")
    assert (found < 0).any()
    torch.testing.assert_close(found.mean((1, 2, 3)), expected.detach())


def test_a_smaller_map_is_enlarged_bilinearly():
    model = nn.Sequential(nn.AvgPool2d(2), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1, 2, bias=False))
    model[3].weight.data = torch.tensor([[2.0], [-1.0]])
    image = torch.tensor([[0.0, 4.0]]).repeat_interleave(2, 0).repeat_interleave(2, 1)[None, None]  # pooled to 0, 4
    found = cam(model, image, torch.tensor([0]), layer="0")
    assert torch.equal(found, torch.tensor([[0.0, 2.0, 6.0, 8.0]]).expand(2, 4)[None, None])


def test_needs_one_evaluation(counted, pooled, images, targets):
    model = counted(pooled)
    cam(model, images, targets, layer="model.3")
    assert model.batches == [4]


def test_a_layer_must_be_named(pooled, images, targets):
    with pytest.raises(ValueError, match="still 'auto'"):
        cam(pooled, images, targets)
    with pytest.raises(ValueError, match="no layer 'x'; it has 0, 1"):
        cam(pooled, images, targets, layer="x")
