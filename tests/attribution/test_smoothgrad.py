"""SmoothGrad, its square and its variance against closed forms, a slow re-implementation and captum."""

import pytest
import torch
from captum.attr import NoiseTunnel, Saliency
from torch import nn

from pipeline.attribution.gradient import gradient
from pipeline.attribution.smoothgrad import parts, smoothgrad
from pipeline.randomness import seeded


class Cubic(nn.Module):
    """Logit sum(x ** 3), whose gradient 3 (x + s z) ** 2 under noise has known moments."""

    def forward(self, images):
        return (images**3).flatten(1).sum(1)[:, None]


def itself(model, images, targets):
    """Return the noisy images: a base that shows the noise."""
    return images


def run(model, images, targets, base=gradient, seed=0, **parameters):
    return smoothgrad(model, images, targets, base=base, generator=seeded("test", seed), **parameters)


def test_the_parts_come_in_the_order_that_is_promised(strided, images, targets):
    assert tuple(run(strided, images, targets, samples=1)) == parts({}) == ("mean", "square", "variance")


def test_without_noise_it_is_the_base_and_nothing_varies(strided, images, targets):
    found, expected = run(strided, images, targets, samples=7, noise=0.0), gradient(strided, images, targets)
    assert torch.equal(found["mean"], expected)
    assert torch.equal(found["square"], expected**2)
    assert not found["variance"].any()


def test_agrees_with_its_definition_written_out(strided, images, targets):
    generator, maps = seeded("test", 0), []
    spread = torch.stack([0.3 * (image.max() - image.min()) for image in images]).view(-1, 1, 1, 1)
    for _ in range(9):
        noise = torch.randn(3, 6, 8, generator=generator, dtype=torch.float32).double()
        maps.append(gradient(strided, images + spread * noise, targets))
    maps = torch.stack(maps)
    expected = {"mean": maps.mean(0), "square": (maps**2).mean(0), "variance": maps.var(0, correction=0)}
    found = run(strided, images, targets, samples=9, noise=0.3)
    for part in expected:
        torch.testing.assert_close(found[part], expected[part], rtol=1e-10, atol=1e-14)


def test_a_cubic_has_the_moments_of_a_squared_normal_variable(images, targets):
    samples, sigma = 4000, 0.2 * (images.amax((1, 2, 3)) - images.amin((1, 2, 3))).view(-1, 1, 1, 1)
    found = run(Cubic(), images, 0 * targets, samples=samples, noise=0.2)
    mean, variance = 3 * (images**2 + sigma**2), 9 * (4 * images**2 * sigma**2 + 2 * sigma**4)
    fourth = 81 * (48 * images**4 * sigma**4 + 240 * images**2 * sigma**6 + 60 * sigma**8)
    errors = {
        "mean": (found["mean"] - mean) / (variance / samples).sqrt(),
        "variance": (found["variance"] - variance) / ((fourth - variance**2) / samples).sqrt(),
    }
    for part, error in errors.items():  # 144 standard normal numbers, of one draw that all images share
        assert error.abs().max() < 5, part
        assert 0.8 < error.square().mean().sqrt() < 1.2, part
    torch.testing.assert_close(found["square"], found["variance"] + found["mean"] ** 2)


def test_a_linear_network_is_exact_and_nothing_varies(images, targets):
    linear = nn.Sequential(nn.Flatten(), nn.Linear(144, 5)).double()
    found, weights = run(linear, images, targets, samples=5), linear[1].weight[targets].view_as(images).detach()
    torch.testing.assert_close(found["mean"], weights)
    torch.testing.assert_close(found["square"], weights**2)
    torch.testing.assert_close(found["variance"], torch.zeros_like(images), rtol=0, atol=1e-30)


def test_agrees_with_captum_in_distribution(pooled, images, targets):
    samples, sigma = 1500, 0.15 * (images[0].max() - images[0].min()).item()
    torch.manual_seed(1)
    expected = {
        kind: NoiseTunnel(Saliency(pooled)).attribute(
            images[:1],
            nt_type=kind,
            nt_samples=samples,
            nt_samples_batch_size=500,
            stdevs=sigma,
            target=targets[:1],
            abs=False,
        )
        for kind in ("smoothgrad", "smoothgrad_sq", "vargrad")
    }
    found = run(pooled, images[:1], targets[:1], samples=samples)
    error = (2 * found["variance"] / samples).sqrt()
    assert ((found["mean"] - expected["smoothgrad"]) / error).abs().max() < 5
    for part, kind in (("square", "smoothgrad_sq"), ("variance", "vargrad")):
        torch.testing.assert_close(found[part].sum(), expected[kind].sum().detach(), rtol=0.05, atol=0)


def test_noise_is_a_fraction_of_each_images_own_range_and_the_draw_is_common_to_all():
    images = torch.zeros(2, 3, 4, 4, dtype=torch.float64)
    images[0, 0, 0, 0], images[1, 2, 1, 1] = 1.0, -3.0
    noise = run(None, images, None, base=itself, samples=1, noise=0.1)["mean"] - images
    expected = torch.randn(3, 4, 4, generator=seeded("test", 0)).double()
    torch.testing.assert_close(noise[0], 0.1 * expected)
    torch.testing.assert_close(noise[1], 0.3 * expected)


def test_each_sample_and_each_channel_has_noise_of_its_own(images, targets):
    seen = []

    def base(model, images, targets):
        seen.append(images)
        return images

    run(None, images, targets, base=base, samples=6, noise=1.0)
    values = torch.stack(seen)[:, 0].flatten()
    assert len(values.unique()) == 6 * 3 * 6 * 8


def test_images_of_one_colour_get_no_noise(targets):
    images = torch.full((4, 3, 6, 8), 0.7, dtype=torch.float64)
    assert torch.equal(run(None, images, targets, base=itself, samples=3)["mean"], images)


@pytest.mark.parametrize("samples", [1, 6])
def test_evaluates_and_draws_as_often_as_there_are_samples(samples, counted, backwards, strided, images, targets):
    model, generator, other = counted(strided), seeded(0), seeded(0)
    back = backwards(strided[0])
    smoothgrad(model, images, targets, base=gradient, generator=generator, samples=samples)
    assert model.batches == back == [4] * samples
    for _ in range(samples):
        torch.randn(3, 6, 8, generator=other)
    assert torch.equal(generator.get_state(), other.get_state())


def test_the_defaults_are_50_samples_and_noise_of_0_15(counted, strided, images, targets):
    model = counted(strided)
    found = run(model, images, targets)
    assert len(model.batches) == 50
    assert torch.equal(found["mean"], run(strided, images, targets, samples=50, noise=0.15)["mean"])


def test_one_sample_has_no_variance(strided, images, targets):
    found = run(strided, images, targets, samples=1)
    assert not found["variance"].any()
    assert torch.equal(found["square"], found["mean"] ** 2)


def test_a_small_variance_beside_a_large_mean_is_kept_and_never_negative():
    images = torch.rand(2, 1, 16, 16, generator=seeded("images"))
    seen = []

    def far(model, images, targets):
        seen.append(5000 + images)
        return seen[-1]

    found = run(None, images, None, base=far, samples=40, noise=0.05)["variance"]
    assert found.dtype == torch.float32
    assert (found >= 0).all()
    torch.testing.assert_close(found.double(), torch.stack(seen).double().var(0, correction=0), rtol=1e-2, atol=0)


def test_many_samples_do_not_round_away_in_half_precision():
    images = torch.rand(2, 1, 4, 4, generator=seeded("images")).bfloat16()
    seen = []

    def base(model, images, targets):
        seen.append(images)
        return images

    found = run(None, images, None, base=base, samples=1000, noise=0.5)
    maps = torch.stack(seen).double()
    expected = {"mean": maps.mean(0), "square": (maps**2).mean(0), "variance": maps.var(0, correction=0)}
    for part in expected:
        assert found[part].dtype == torch.bfloat16
        torch.testing.assert_close(found[part].double(), expected[part], rtol=2**-8, atol=0)


def test_the_base_may_give_maps_of_one_channel(images, targets):
    found = run(None, images, targets, base=lambda model, images, targets: images.sum(1, keepdim=True), samples=3)
    assert {maps.shape for maps in found.values()} == {(4, 1, 6, 8)}
