"""Ablation-CAM against its definition as a loop, a library, a closed form, and its count of evaluations."""

import pytest
import torch
from pytorch_grad_cam import AblationCAM
from torch import nn

from pipeline.attribution.ablation_cam import ablation_cam


def weighed(features, rest, target, whole):
    """The definition for one image's features (K, h, w), whose logits are ``rest`` of them: the map (h, w)."""
    total = torch.zeros(features.shape[1:], dtype=features.dtype)
    for k in range(len(features)):
        without = features.clone()
        without[k] = 0
        total += (whole[target] - rest(without[None])[0, target]) * features[k]
    return total.clamp(min=0)


@pytest.mark.parametrize(
    ("network", "layer"), [("pooled", 1), ("pooled", 3), ("strided", 3), ("strided", 5), ("residual", 1)]
)
@torch.no_grad()
def test_agrees_with_its_definition_as_a_loop(network, layer, images, targets, at_layer, request):
    model = request.getfixturevalue(network)
    features, logits = model[: layer + 1](images), model(images)
    found = at_layer(ablation_cam(model, images, targets, layer=str(layer)), features.shape[2:])
    for i, target in enumerate(targets):
        expected = weighed(features[i], model[layer + 1 :], target, logits[i])
        torch.testing.assert_close(found[i, 0], expected, rtol=0, atol=1e-10)
    assert found.any()


@torch.no_grad()
def test_a_shortcut_round_the_layer_keeps_each_image_its_own(residual, images, targets, at_layer):
    block, before = residual[3], residual[:3](images)
    features = block.inner(block.norm(block.first(before)))
    found = at_layer(ablation_cam(residual, images, targets, layer="3.inner"), features.shape[2:])
    for i, target in enumerate(targets):

        def rest(inner, shortcut=before[i]):
            return residual[4:](block.outer(block.second(inner) + shortcut))

        expected = weighed(features[i], rest, target, residual(images)[i])
        torch.testing.assert_close(found[i, 0], expected, rtol=0, atol=1e-10)
    assert found.any()


@pytest.mark.parametrize(("network", "layer"), [("pooled", "3"), ("strided", "5"), ("residual", "3.outer")])
def test_agrees_with_pytorch_grad_cam_where_the_logits_are_positive(
    network, layer, images, targets, as_peer_draws, request
):
    model = request.getfixturevalue(network)
    model[-1].bias.data += 1 - model(images).detach().min()  # the library divides by the logit, as the paper does
    aims = [lambda logits, target=target: logits[target] for target in targets.tolist()]
    with AblationCAM(model=model, target_layers=[model.get_submodule(layer)], batch_size=4) as extract:
        theirs = torch.from_numpy(extract(images, aims)).double()
    found = ablation_cam(model, images, targets, layer=layer)
    torch.testing.assert_close(as_peer_draws(found), theirs, rtol=0, atol=1e-4)  # theirs is in single precision


@torch.no_grad()
def test_with_global_pooling_a_channel_weighs_its_mean_times_its_weight_for_the_target(pooled, images, targets):
    features = pooled[:4](images)
    weights = features.mean((2, 3)) * pooled[6].weight[targets]
    expected = torch.einsum("nk,nkhw->nhw", weights, features).relu()
    found = ablation_cam(pooled, images, targets, layer="3")
    torch.testing.assert_close(found[:, 0], expected, rtol=1e-9, atol=1e-14)
    assert (found.amax((1, 2, 3)) > 0).any()


def test_a_number_added_to_all_logits_changes_no_map(pooled, images, targets):
    expected = ablation_cam(pooled, images, targets, layer="3")
    for shift in (-3, 3):
        pooled[6].bias.data += shift
        torch.testing.assert_close(ablation_cam(pooled, images, targets, layer="3"), expected, rtol=1e-9, atol=1e-13)


def test_what_precedes_the_layer_runs_once_for_many_channels_and_what_follows_it_for_each(
    counted, pooled, images, targets
):
    assert (pooled[:4](images).amax((2, 3)) > 0).all()  # no channel is skipped
    model, after = counted(pooled), []
    pooled[6].register_forward_hook(lambda _module, inputs, _logits: after.append(len(inputs[0])))
    ablation_cam(model, images, targets, layer="model.3")
    assert model.batches == [4] + [1] * 4
    assert after == [4] + [6] * 4


def test_the_ablated_images_in_memory_do_not_grow_with_the_channels(images, targets):
    model = nn.Sequential(nn.Conv2d(3, 50, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(50, 5)).double().eval()
    after = []
    model[3].register_forward_hook(lambda _module, inputs, _logits: after.append(len(inputs[0])))
    ablation_cam(model, images, targets, layer="0")
    assert after == [4] + [32, 18] * 4
    after.clear()
    ablation_cam(model, images.repeat(10, 1, 1, 1), targets.repeat(10), layer="0")
    assert after == [40] + [40, 10] * 40


class Joined(nn.Module):
    """Goes round a layer and sets what went round beside what went through; or counts its images beforehand."""

    def __init__(self, *, counts):
        super().__init__()
        self.inner, self.head, self.counts = nn.Conv2d(3, 6, 3, padding=1), nn.LazyLinear(5), counts

    def forward(self, images):
        count = len(images)
        inner = self.inner(images).relu()
        if self.counts:
            return self.head(inner.mean((2, 3)).view(count, -1, 6).mean(1))
        return self.head(torch.cat([inner, images], dim=1).mean((2, 3)))


@pytest.mark.parametrize("counts", [False, True])
@torch.no_grad()
def test_a_network_that_cannot_broadcast_gives_the_same(counts, images, targets, at_layer):
    model = Joined(counts=counts).double().eval()
    whole, features = model(images), model.inner(images)

    found = at_layer(ablation_cam(model, images, targets, layer="inner"), features.shape[2:])

    for i, target in enumerate(targets):

        def rest(inner, image=images[i : i + 1]):
            through = [inner.relu()] if counts else [inner.relu(), image]
            return model.head(torch.cat(through, dim=1).mean((2, 3)))

        torch.testing.assert_close(found[i, 0], weighed(features[i], rest, target, whole[i]), rtol=0, atol=1e-10)
    assert found.any()


def test_a_channel_of_zeros_is_skipped_and_a_constant_one_is_not(pooled, images, targets):
    pooled[2].weight.data[1:3] = 0
    pooled[2].bias.data[1:3] = torch.tensor([-1.0, 5.0])  # after the ReLU 0 and 5 everywhere
    after = []
    pooled[6].register_forward_hook(lambda _module, inputs, _logits: after.append(len(inputs[0])))
    found = ablation_cam(pooled, images, targets, layer="3")
    assert after == [4] + [5] * 4
    with torch.no_grad():
        features = pooled[:4](images)
        weights = features.mean((2, 3)) * pooled[6].weight[targets]
    expected = torch.einsum("nk,nkhw->nhw", weights, features).relu()
    torch.testing.assert_close(found[:, 0], expected, rtol=1e-9, atol=1e-12)


def test_a_layer_of_zeros_gives_an_empty_map_and_no_further_forward(counted, strided, images, targets):
    nn.init.zeros_(strided[4].weight)
    nn.init.zeros_(strided[4].bias)
    model = counted(strided)
    assert not ablation_cam(model, images, targets, layer="model.5").any()
    assert model.batches == [4]


def test_a_layer_that_runs_twice_is_refused(images, targets):
    layer = nn.ReLU()
    model = nn.Sequential(layer, nn.Conv2d(3, 5, 1), layer, nn.AdaptiveAvgPool2d(1), nn.Flatten()).double()
    with pytest.raises(ValueError, match="layer '0' gives 2 tensors"):
        ablation_cam(model, images, targets, layer="0")
