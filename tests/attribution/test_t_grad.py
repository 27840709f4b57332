"""T-Grad against the paper's algorithm taken literally, where that holds, and against each fault of its program."""

import itertools

import pytest
import torch
from torch import nn
from torch.nn import functional

from pipeline.attribution.t_grad import t_grad
from pipeline.models.cifar_resnet import cifar_resnet

FLOAT = torch.float64


def plain(depth=2, seed=0, width=4):
    """Convolutions with a ReLU each, max pooling, two linear layers: the kind of network that the paper has in mind."""
    torch.manual_seed(seed)
    layers, channels = [], 3
    for _ in range(depth):
        layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
        channels = width
    layers += [nn.MaxPool2d(2), nn.Flatten(), nn.Linear(12 * width, 6), nn.ReLU(), nn.Linear(6, 5)]
    return nn.Sequential(*layers).double().eval()


def literal(model, image, target, rectify="relu", normalise="sum", weight="share", bias="conv"):
    """The paper's steps for one image (C, H, W), with its own gate 1[z > 0]: (H, W), the weights, and the layers."""
    image, kept, features = image[None].clone().requires_grad_(), [], None
    features = image
    for module in model:
        features = module(features)
        if isinstance(module, nn.Conv2d | nn.Linear):
            features.retain_grad()
            kept.append((module, features))
    features[0, target].backward()
    parts = [image.detach() * image.grad]
    for module, z in kept:
        shape = (-1, 1, 1) if z.ndim == 4 else (-1,)
        gate = (z > 0).to(z) if z is not features else 1  # no ReLU follows the logits
        if z.ndim == 4 or bias == "all":
            parts.append((gate * module.bias.view(shape) * z.grad).detach())
    weights = torch.stack([part.sum() for part in parts])
    layers = []
    for part in parts:
        part = part if part.ndim == 4 else part[:, :, None, None]
        summed = (part.clamp(min=0) if rectify == "relu" else part.abs()).sum(1, keepdim=True)
        layer = functional.interpolate(summed, size=image.shape[2:], mode="bilinear", align_corners=False)[0, 0]
        if normalise == "sum":
            layers.append(layer / layer.sum() if layer.sum() > 0 else layer * 0)
        else:
            spread = layer.max() - layer.min()
            layers.append((layer - layer.min()) / spread if spread > 1e-12 else layer * 0)
    used = weights.clamp(min=0) if weight == "share" else torch.ones_like(weights)
    return sum(w * layer for w, layer in zip(used, layers, strict=True)), weights, torch.stack(layers)


SWITCHES = {
    "rectify": ["relu", "abs"],
    "normalise": ["sum", "minmax"],
    "weight": ["share", "one"],
    "bias": ["conv", "all"],
}


@pytest.mark.parametrize("switches", [*itertools.product(*SWITCHES.values())], ids=" ".join)
def test_where_a_relu_follows_every_convolution_it_is_the_papers_algorithm(switches, images, targets):
    model, given = plain(), dict(zip(SWITCHES, switches, strict=True))
    found = t_grad(model, images, targets, keep_layers=True, **given)
    for i in range(4):
        expected = literal(model, images[i], targets[i], **given)
        for name, values in zip(("maps", "aux_weights", "aux_layers"), expected, strict=True):
            torch.testing.assert_close(found[name][i].squeeze(0), values, rtol=1e-10, atol=1e-13)


def test_the_switches_stand_as_in_the_paper_unless_told_otherwise(images, targets):
    paper = {"bias": "conv", "rectify": "relu", "normalise": "sum", "weight": "share"}
    found = t_grad(plain(), images, targets)
    assert list(found) == ["maps", "aux_weights"]
    assert torch.equal(found["maps"], t_grad(plain(), images, targets, **paper)["maps"])
    assert (found["maps"] >= 0).all()


def test_the_map_is_the_weighted_sum_of_the_layers_that_are_kept(residual, images, targets):
    found = t_grad(residual, images, targets, keep_layers=True)
    expected = torch.einsum("nl,nlhw->nhw", found["aux_weights"].relu(), found["aux_layers"])[:, None]
    torch.testing.assert_close(found["maps"], expected, rtol=1e-12, atol=1e-14)
    sums = found["aux_layers"].sum((2, 3))
    assert ((sums - 1).abs() < 1e-12).logical_or(sums == 0).all()
    torch.testing.assert_close(found["maps"].sum((1, 2, 3)), found["aux_weights"].relu().sum(1), rtol=1e-12, atol=0)


def assert_complete(model, images, targets):
    weights = t_grad(model, images, targets, bias="all")["aux_weights"]
    torch.testing.assert_close(weights.sum(1), model(images)[range(len(images)), targets].detach(), rtol=1e-9, atol=0)
    return weights


def test_with_the_biases_of_linear_layers_the_weights_sum_to_the_logit(images, targets):
    model = plain()
    both = [t_grad(model, images, targets, bias=bias) for bias in ("conv", "all")]
    weights = assert_complete(model, images, targets)
    assert torch.equal(both[1]["aux_weights"], weights)
    assert torch.equal(both[0]["aux_weights"], weights[:, :-2])
    even = (both[1]["maps"] - both[0]["maps"]).flatten(1)
    torch.testing.assert_close(even, (weights[:, -2:].relu().sum(1) / 48)[:, None].expand(4, 48), rtol=1e-9, atol=1e-15)
    assert (even > 0).any()


def test_batch_norms_count_and_convolutions_without_bias_do_no_harm():
    torch.manual_seed(0)
    model = cifar_resnet(channels=3, classes=10, size=(32, 32), depth=20).double().eval()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            for values in (module.weight, module.bias, module.running_mean, module.running_var):
                nn.init.uniform_(values, 0.5, 1.5)
    images = torch.randn(2, 3, 32, 32, dtype=FLOAT)
    assert assert_complete(model, images, torch.tensor([0, 3])).shape == (2, 1 + 19 + 1)


def test_any_number_of_layers_counts(images, targets):
    model = plain(depth=17)
    assert assert_complete(model, images, targets).shape == (4, 1 + 17 + 2)


def test_what_opens_the_way_is_the_relu_and_not_the_sign_of_the_convolution():
    """A convolution gives x - 3, below 0, and a batch norm lifts that by 5 - 1 above: both constants count."""
    norm = nn.BatchNorm2d(1, eps=0)
    norm.bias.data.fill_(5)
    norm.running_mean.fill_(1)
    layers = [nn.Conv2d(1, 1, 1), norm, nn.ReLU(), nn.Flatten(), nn.Linear(1, 1, bias=False)]
    model = nn.Sequential(*layers).double().eval()
    model[0].weight.data.fill_(1)
    model[0].bias.data.fill_(-3)
    model[4].weight.data.fill_(2)
    images = torch.full((1, 1, 1, 1), 0.5, dtype=FLOAT)
    found = t_grad(model, images, torch.tensor([0]))
    torch.testing.assert_close(found["aux_weights"], torch.tensor([[1.0, -6.0, 8.0]], dtype=FLOAT))
    torch.testing.assert_close(found["maps"], torch.full((1, 1, 1, 1), 9.0, dtype=FLOAT))
    assert model(images).item() == 3


def test_a_sum_of_branches_between_a_convolution_and_its_relu_is_heeded(residual, images, targets):
    weights = assert_complete(residual, images, targets)
    assert weights.shape == (4, 1 + 4 + 1)
    z = residual[3].second(residual[3].inner(residual[3].norm(residual[3].first(residual[:3](images)))))
    summed = z + residual[:3](images)
    assert ((z > 0) != (summed > 0)).any()  # so that a gate at the convolution would be another one
    slope = (summed > 0) * residual[6].weight[targets][:, :, None, None] / summed[0, 0].numel()
    expected = (slope * residual[3].second.bias[:, None, None]).sum((1, 2, 3))
    torch.testing.assert_close(weights[:, 4], expected.detach(), rtol=1e-10, atol=1e-14)


def test_a_negative_logit_does_not_turn_the_weights_around(images):
    model = plain()
    logits, targets = model(images).min(1)
    assert (logits < 0).all()
    model[-1].bias.data -= 100  # the logit alone moves: neither gradients nor maps
    found = t_grad(model, images, targets)
    model[-1].bias.data += 200
    expected = t_grad(model, images, targets)
    assert torch.equal(found["maps"], expected["maps"])
    assert torch.equal(found["aux_weights"], expected["aux_weights"])


def test_every_image_of_a_batch_is_explained_as_if_alone(strided, images, targets):
    together = t_grad(strided, images, targets, bias="all", keep_layers=True)
    for i in range(4):
        alone = t_grad(strided, images[i : i + 1], targets[i : i + 1], bias="all", keep_layers=True)
        for name, values in alone.items():
            torch.testing.assert_close(together[name][i : i + 1], values, rtol=1e-10, atol=1e-14)


def test_relus_in_place_change_nothing(strided, images, targets):
    expected = t_grad(strided, images, targets)
    strided[2].inplace = strided[5].inplace = True
    found = t_grad(strided, images, targets)
    assert all(torch.equal(found[name], values) for name, values in expected.items())


def test_class_0_is_explained_and_not_the_largest_logit(images):
    model, targets = plain(), torch.zeros(4, dtype=torch.int64)
    assert (model(images).argmax(1) != 0).all()
    expected = torch.stack([literal(model, image, 0)[0] for image in images])[:, None]
    torch.testing.assert_close(t_grad(model, images, targets)["maps"], expected, rtol=1e-10, atol=1e-13)


def test_tiny_gradients_are_normalised_like_any_other(images, targets):
    model = plain()
    expected = t_grad(model, images, targets)["maps"]
    model[-1].weight.data *= 2.0**-80
    torch.testing.assert_close(t_grad(model, images, targets)["maps"] * 2.0**80, expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize("normalise", SWITCHES["normalise"])
@pytest.mark.parametrize("weight", SWITCHES["weight"])
def test_a_layer_that_adds_nothing_gives_an_empty_map(normalise, weight, images, targets):
    model = plain()
    model[2].bias.data.zero_()
    found = t_grad(model, images, targets, normalise=normalise, weight=weight, keep_layers=True)
    assert found["maps"].isfinite().all()
    assert not found["aux_layers"][:, 2].any()
    assert found["aux_layers"][:, 1].any()


def test_it_takes_one_forward_and_one_backward_pass(strided, images, targets, counted, monkeypatch):
    passes, backward = [], torch.autograd.grad
    monkeypatch.setattr(torch.autograd, "grad", lambda *given, **more: (passes.append(1), backward(*given, **more))[1])
    network = counted(strided)
    t_grad(network, images, targets, keep_layers=True)
    assert network.batches == [4]
    assert len(passes) == 1
    assert all(parameter.grad is None for parameter in strided.parameters())
