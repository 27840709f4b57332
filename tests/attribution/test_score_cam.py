"""Score-CAM against its definition as a plain loop, two libraries, and its count of evaluations."""

import pytest
import torch
from pytorch_grad_cam import ScoreCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import nn
from torch.nn import functional
from torchcam.methods import ScoreCAM as TorchScoreCAM

from pipeline.attribution.score_cam import score_cam

STATISTICS = {"mean": torch.tensor([0.25, 0.5, 0.75]), "std": torch.tensor([0.125, 0.25, 0.5])}
BLACK = torch.tensor([-2.0, -2.0, -1.5], dtype=torch.float64).view(3, 1, 1)  # (0 - mean) / std


def looped(model, image, target, features, start, subtracted):
    """The paper's definition for one image (C, H, W) and its activations (K, h, w), channel by channel."""
    total = torch.zeros(features.shape[1:], dtype=image.dtype)
    for channel in features:
        mask = functional.interpolate(channel[None, None], image.shape[1:], mode="bilinear")[0, 0]
        if mask.min() == mask.max():
            continue
        mask = (mask - mask.min()) / (mask.max() - mask.min())
        masked = mask * image + (1 - mask) * start
        weight = model(masked[None]).softmax(1)[0, target] - subtracted
        total += weight * channel
    return total.clamp(min=0)


@pytest.mark.parametrize("baseline", ["mean", "black", "none"])
@pytest.mark.parametrize(("network", "layer"), [("strided", 5), ("strided", 3), ("residual", 1), ("residual", 3)])
@torch.no_grad()
def test_agrees_with_its_definition_as_a_loop(network, layer, baseline, images, targets, at_layer, request):
    model = request.getfixturevalue(network)
    features = model[: layer + 1](images)
    start = BLACK.expand(3, 6, 8) if baseline == "black" else torch.zeros(3, 6, 8, dtype=torch.float64)
    without = model(start[None]).softmax(1)[0]
    found = score_cam(model, images, targets, **STATISTICS, layer=str(layer), baseline=baseline)
    for i, target in enumerate(targets):
        subtracted = 0 if baseline == "none" else without[target]
        expected = looped(model, images[i], target, features[i], start, subtracted)
        torch.testing.assert_close(at_layer(found[i : i + 1], features.shape[2:])[0, 0], expected, rtol=0, atol=1e-10)
    assert found.any()


def test_the_variant_agrees_with_torchcam_and_pytorch_grad_cam(pooled, images, targets, as_peer_draws):
    assert (pooled[:4](images).amax((2, 3)) > pooled[:4](images).amin((2, 3))).all()  # they do not skip any channel
    found = score_cam(pooled, images, targets, **STATISTICS, layer="3", channel_softmax=True)
    with TorchScoreCAM(pooled, pooled[3], input_shape=(3, 6, 8)) as extract:
        pooled(images)
        theirs = extract(targets.tolist(), normalized=False)[0]
    torch.testing.assert_close(found[:, 0], theirs.double(), rtol=1e-5, atol=1e-8)
    with ScoreCAM(model=pooled, target_layers=[pooled[3]]) as extract:
        theirs = torch.from_numpy(extract(images, [ClassifierOutputTarget(target) for target in targets]))
    torch.testing.assert_close(as_peer_draws(found), theirs.double(), rtol=0, atol=1e-5)


def test_the_two_variants_differ(pooled, images, targets):
    found, other = (
        score_cam(pooled, images, targets, **STATISTICS, layer="3", channel_softmax=softmax)
        for softmax in (False, True)
    )
    assert not torch.allclose(found / found.amax(), other / other.amax(), atol=0.01)


def test_needs_one_evaluation_for_each_channel_one_for_each_image_and_one_for_the_baseline(
    counted, pooled, images, targets
):
    model = counted(pooled)
    score_cam(model, images, targets, **STATISTICS, layer="model.3")
    assert sum(model.batches) == 4 + 1 + 4 * 6
    for options in ({"baseline": "none"}, {"channel_softmax": True}):
        model.batches.clear()
        score_cam(model, images, targets, **STATISTICS, layer="model.3", **options)
        assert sum(model.batches) == 4 + 4 * 6


def test_the_masked_images_in_memory_do_not_grow_with_the_channels(counted, images, targets):
    layers = [nn.Conv2d(3, 50, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(50, 5)]
    model = counted(nn.Sequential(*layers).double().eval())
    score_cam(model, images, targets, **STATISTICS, layer="model.0")
    assert sum(model.batches) == 4 + 1 + 4 * 50
    assert max(model.batches) == 32
    model.batches.clear()
    score_cam(model, images.repeat(10, 1, 1, 1), targets.repeat(10), **STATISTICS, layer="model.0")
    assert max(model.batches) == 40


@pytest.mark.parametrize("top", [1, 3])
@torch.no_grad()
def test_top_weighs_the_channels_that_vary_most_and_evaluates_no_other(top, counted, pooled, images, targets, at_layer):
    features = pooled[:4](images)
    without = pooled(torch.zeros_like(images[:1])).softmax(1)[0]
    model = counted(pooled)
    found = score_cam(model, images, targets, **STATISTICS, layer="model.3", top=top)
    assert sum(model.batches) == 4 + 1 + 4 * top
    for i, target in enumerate(targets):
        most = sorted(range(6), key=lambda channel: -features[i, channel].std().item())[:top]
        start = torch.zeros(3, 6, 8, dtype=torch.float64)
        expected = looped(pooled, images[i], target, features[i, most], start, without[target])
        torch.testing.assert_close(at_layer(found[i : i + 1], features.shape[2:])[0, 0], expected, rtol=0, atol=1e-10)
    assert found.any()


@pytest.mark.parametrize("softmax", [False, True])
def test_as_many_as_there_are_or_more_are_all_channels(softmax, pooled, images, targets):
    options = {**STATISTICS, "layer": "3", "channel_softmax": softmax}
    expected = score_cam(pooled, images, targets, **options)
    for top in (6, 99):
        torch.testing.assert_close(score_cam(pooled, images, targets, **options, top=top), expected, rtol=0, atol=0)


@pytest.mark.parametrize("softmax", [False, True])
def test_a_constant_channel_is_skipped_and_weighs_nothing(softmax, counted, pooled, images, targets):
    expected = score_cam(pooled, images, targets, **STATISTICS, layer="3", channel_softmax=softmax)
    wider = nn.Sequential(*pooled)
    wider[2], wider[6] = nn.Conv2d(4, 8, 3, padding=1).double(), nn.Linear(8, 5).double()
    for old, new in ((pooled[2], wider[2]), (pooled[6].weight, wider[6].weight)):
        if isinstance(old, nn.Conv2d):
            new.weight.data = torch.cat([old.weight.data, torch.zeros(2, 4, 3, 3).double()])
            new.bias.data = torch.cat([old.bias.data, torch.tensor([-1.0, 5.0]).double()])  # dead, and constant at 5
        else:
            new.data = torch.cat([old.data, torch.zeros(5, 2).double()], dim=1)
    wider[6].bias.data = pooled[6].bias.data
    model = counted(wider)
    found = score_cam(model, images, targets, **STATISTICS, layer="model.3", channel_softmax=softmax)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-14)
    assert sum(model.batches) == 4 + (not softmax) + 4 * 6


@pytest.mark.parametrize("softmax", [False, True])
def test_a_layer_of_constants_gives_an_empty_map_and_masks_nothing(softmax, counted, strided, images, targets):
    nn.init.zeros_(strided[4].weight)
    nn.init.ones_(strided[4].bias)
    model = counted(strided)
    assert not score_cam(model, images, targets, **STATISTICS, layer="model.5", channel_softmax=softmax).any()
    assert model.batches == [4] + [1] * (not softmax)
