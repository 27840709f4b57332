"""Where paths start, against scipy and in pixel space."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from pipeline.attribution._baselines import baseline_images
from pipeline.data._pixels import denormalise, normalise
from pipeline.randomness import seeded

MEAN, STD = (torch.tensor(values, dtype=torch.float64) for values in ([0.5, 0.4, 0.3], [0.25, 0.2, 0.1]))


def start(name, images, blur=0.1, seed=0):
    return baseline_images(name, images, mean=MEAN, std=STD, blur=blur, generator=seeded(seed))


def pixels(name, images, **options):
    return denormalise(start(name, images, **options), MEAN, STD)


def test_black_is_0_and_mean_the_mean_colour_in_pixels(images):
    torch.testing.assert_close(pixels("black", images), torch.zeros(1, 3, 6, 8).double(), rtol=0, atol=1e-15)
    torch.testing.assert_close(pixels("mean", images), MEAN.view(1, 3, 1, 1).expand(1, 3, 6, 8))
    assert not start("mean", images).any()


def test_noise_is_uniform_in_pixels_each_channel_for_itself(images):
    large = torch.zeros(2, 3, 60, 80, dtype=torch.float64)
    found = pixels("noise", large)
    assert found.shape == (1, 3, 60, 80)
    assert found.min() > -1e-12
    assert found.max() < 1 + 1e-12
    assert len(found.unique()) > 0.99 * found.numel()
    for channel in found[0]:
        assert channel.mean() == pytest.approx(0.5, abs=0.02)  # five standard errors
        assert channel.var() == pytest.approx(1 / 12, abs=0.006)
    assert torch.equal(start("noise", images), start("noise", images[:1]))
    assert not torch.equal(start("noise", images), start("noise", images, seed=1))


@pytest.mark.parametrize("blur", [0.1, 0.5])
def test_blur_is_scipys_in_pixels_each_channel_for_itself(blur, images):
    given = denormalise(images, MEAN, STD).numpy()
    expected = [
        [gaussian_filter(channel, blur * 6, mode="nearest", truncate=4) for channel in image] for image in given
    ]
    torch.testing.assert_close(
        pixels("blur", images, blur=blur), torch.tensor(np.array(expected)), rtol=1e-10, atol=1e-12
    )


@pytest.mark.parametrize("name", ["black", "mean", "blur", "noise"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_dtype_is_that_of_the_images_and_every_precision_sees_the_same(name, dtype, images):
    found = start(name, images.to(dtype).requires_grad_())
    assert found.dtype == dtype
    assert not found.requires_grad
    torch.testing.assert_close(found.double(), start(name, images.to(dtype).double()), rtol=0.02, atol=0.02)


def test_an_image_of_one_colour_is_its_own_blur():
    images = normalise(torch.full((1, 3, 6, 8), 0.7, dtype=torch.float64), MEAN, STD)
    torch.testing.assert_close(start("blur", images), images)
