"""Eigen-CAM against numpy's decomposition, a library, and what must hold of its sign."""

import numpy as np
import pytest
import torch
from pytorch_grad_cam import EigenCAM
from torch import nn

from pipeline.attribution.eigen_cam import eigen_cam


@pytest.mark.parametrize("centred", [False, True])
@pytest.mark.parametrize("channels", [5, 48, 60])  # fewer than the 48 places, as many, and more
def test_agrees_with_numpy_up_to_the_sign(channels, centred, images, targets):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, channels, 3, padding=1), nn.LeakyReLU(), nn.Flatten()).double()
    features = model[:2](images).detach().numpy()
    found = eigen_cam(model, images, targets, layer="1", centred=centred)
    for one, ours in zip(features, found.numpy(), strict=True):
        places = one.reshape(len(one), -1).T
        if centred:
            places = places - places.mean(0)
        left, values, _ = np.linalg.svd(places)
        expected = left[:, 0] * values[0]
        assert values[0] > 1.02 * values[1]  # or the direction would be arbitrary
        sign = np.sign(ours.flatten() @ expected)
        np.testing.assert_allclose(ours.flatten(), sign * expected, rtol=0, atol=1e-10)


def test_one_pattern_in_every_channel_is_given_back():
    pattern = torch.tensor([[1.0, -2.0], [0.5, 4.0]])
    image = torch.stack([3 * pattern, 4 * pattern])[None]  # |(3, 4)| = 5
    found = eigen_cam(nn.Sequential(nn.Identity()), image, torch.tensor([0]), layer="0")
    torch.testing.assert_close(found, 5 * pattern[None, None])
    found = eigen_cam(nn.Sequential(nn.Identity()), -image, torch.tensor([0]), layer="0")
    torch.testing.assert_close(found, -5 * pattern[None, None])


@pytest.mark.parametrize("centred", [False, True])
@pytest.mark.parametrize("flip", [1, -1])
def test_the_map_grows_with_the_activations_whatever_their_sign(flip, centred, images, targets):
    model = nn.Sequential(nn.Identity())
    pixels = images + flip * 3 * torch.linspace(0, 1, 8, dtype=torch.float64)
    found = eigen_cam(model, pixels, targets, layer="0", centred=centred)
    mean = pixels.mean(1, keepdim=True)
    alike = [
        np.corrcoef(one.flatten(), other.flatten())[0, 1]
        for one, other in zip(found.numpy(), mean.numpy(), strict=True)
    ]
    assert min(alike) > 0.5


def test_no_map_is_negative_where_no_activation_is(strided, images, targets):
    assert (strided[:6](images) >= 0).all()
    found = eigen_cam(strided, images, targets, layer="5")
    assert (found > 0).any()
    assert (found >= -1e-12).all()


def test_the_order_of_the_channels_and_the_class_do_not_matter(images, targets):
    model = nn.Sequential(nn.Identity())
    expected = eigen_cam(model, images, targets, layer="0")
    torch.testing.assert_close(eigen_cam(model, images.flip(1), targets, layer="0"), expected, rtol=0, atol=1e-12)
    assert torch.equal(eigen_cam(model, images, 1 - targets, layer="0"), expected)


def test_the_centred_one_agrees_with_pytorch_grad_cam(pooled, images, targets, as_peer_draws):
    with EigenCAM(model=pooled, target_layers=[pooled[3]]) as extract:
        theirs = torch.from_numpy(extract(images, None))
    ours = eigen_cam(pooled, images, targets, layer="3", centred=True)
    both = torch.stack([as_peer_draws(ours), as_peer_draws(-ours)])  # their sign is the decomposition's
    off = (both - theirs).abs().amax((2, 3)).amin(0)
    assert (off < 1e-5).all()
