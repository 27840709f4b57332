"""Layer activation against its definition."""

import torch

from pipeline.attribution.layer_activation import layer_activation


def test_is_the_mean_over_the_channels_enlarged(strided, images, targets, at_layer):
    found = layer_activation(strided, images, targets, layer="4")
    assert (found < 0).any()
    expected = sum(strided[:5](images)[:, channel] for channel in range(6)) / 6
    torch.testing.assert_close(at_layer(found, (3, 4))[:, 0], expected.detach(), rtol=1e-10, atol=1e-12)


def test_the_class_does_not_matter(strided, images, targets):
    found = layer_activation(strided, images, targets, layer="5")
    assert torch.equal(found, layer_activation(strided, images, (targets + 1) % 5, layer="5"))
