"""FullGrad against pytorch-grad-cam within its limits, against the definition, and its completeness."""

import pytest
import pytorch_grad_cam
import torch
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import Tensor, nn
from torch.nn import functional

from pipeline.attribution.full_grad import full_grad

FLOAT = torch.float64
RESCALE = ["layer", "channel", "none"]


def even_out(model):
    """Give batch norms a shift and scale that are not those of a new one."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.5, 0.5)
    return model


@pytest.fixture(params=["strided", "residual"])
def model(request):
    return even_out(request.getfixturevalue(request.param))


def defined(model, images, targets, rescale):
    """The definition, image by image and layer by layer, from gradients that autograd keeps: (N, 1, H, W)."""
    kept = {}
    layers = [module for module in model.modules() if isinstance(module, nn.Conv2d | nn.BatchNorm2d)]
    hooks = [
        layer.register_forward_hook(lambda layer, _, z: (z.retain_grad(), kept.update({layer: z}))[1])
        for layer in layers
    ]
    total = []
    for image, target in zip(images, targets, strict=True):
        image = image[None].clone().requires_grad_()
        model(image)[0, target].backward()
        parts = [image.grad * image.detach()]
        for layer in layers:
            bias = layer.bias
            if isinstance(layer, nn.BatchNorm2d):
                bias = bias - layer.weight * layer.running_mean / (layer.running_var + layer.eps) ** 0.5
            parts.append(kept[layer].grad * bias.detach()[:, None, None])
        total.append(sum(enlarged_channels(part, images.shape[2:], rescale) for part in parts))
    for hook in hooks:
        hook.remove()
    return torch.stack(total)[:, None]


def enlarged_channels(part: Tensor, size, rescale) -> Tensor:
    """Rescale and enlarge every channel (1, C, h, w), one after the other, then add them up: (H, W)."""
    channels = [channel.abs() for channel in part[0]]
    low, high = min(channel.min() for channel in channels), max(channel.max() for channel in channels)
    total = torch.zeros(size, dtype=part.dtype)
    for channel in channels:
        if rescale == "channel":
            low, high = channel.min(), channel.max()
        scaled = channel if rescale == "none" else (channel - low) / (high - low) if high > low else channel * 0
        total += functional.interpolate(scaled[None, None], size=size, mode="bilinear", align_corners=False)[0, 0]
    return total


@pytest.mark.parametrize("rescale", RESCALE)
def test_the_maps_are_those_of_the_definition(rescale, model, images, targets):
    found = full_grad(model, images, targets, rescale=rescale)["maps"]
    assert found.shape == (4, 1, 6, 8)
    torch.testing.assert_close(found, defined(model, images, targets, rescale).detach(), rtol=1e-10, atol=1e-12)


def test_it_is_pytorch_grad_cams_up_to_the_range_where_channels_are_rescaled_alone(model, images, targets):
    """The library brings every channel to [0, 1] with 1e-7 added below, and the map at the end likewise."""
    model, images = model.float(), images.float()
    last = model[-1]
    last.weight.data *= 1e4  # so that 1e-7 is small beside the gradients
    theirs = pytorch_grad_cam.FullGrad(model, [])
    expected = torch.from_numpy(theirs(images, [ClassifierOutputTarget(int(target)) for target in targets]))
    theirs.activations_and_grads.release()
    model.requires_grad_(False).zero_grad()
    maps = full_grad(model, images, targets, rescale="channel")["maps"][:, 0]
    low, high = maps.amin((1, 2), keepdim=True), maps.amax((1, 2), keepdim=True)
    torch.testing.assert_close((maps - low) / (high - low), expected, rtol=0, atol=2e-5)


def test_raw_values_sum_to_the_absolute_values_of_the_parts(images, targets):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(192, 5)).double()
    passed = (model[0](images) > 0) * model[3].weight[targets].view(4, 4, 6, 8)
    image = functional.conv_transpose2d(passed, model[0].weight, padding=1) * images
    expected = image.abs().sum(1, keepdim=True) + (passed * model[0].bias[:, None, None]).abs().sum(1, keepdim=True)
    found = full_grad(model, images, targets, rescale="none")
    torch.testing.assert_close(found["maps"], expected.detach(), rtol=1e-12, atol=1e-14)
    assert (found["aux_gap"].abs() < 1e-14).all()


@pytest.mark.parametrize("rescale", RESCALE)
def test_nothing_is_missing_between_the_parts_and_the_logit(rescale, model, images, targets):
    gap = full_grad(model, images, targets, rescale=rescale)["aux_gap"]
    logits = model(images)[range(4), targets]
    assert (gap.abs() <= 1e-12 * logits.abs()).all()


def test_the_gap_is_the_logit_less_the_parts(images, targets):
    """A network that is not piecewise linear: the logit is exp of the image's sum s, its only part s * exp(s)."""

    class Exponential(nn.Module):
        def forward(self, images):
            return images.sum((1, 2, 3)).mul(0.1).exp()[:, None].expand(-1, 5)

    total = images.sum((1, 2, 3)) * 0.1
    gap = full_grad(Exponential(), images, targets)["aux_gap"]
    torch.testing.assert_close(gap, total.exp() * (1 - total), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("rescale", ["layer", "channel"])
def test_the_scale_of_the_logits_does_not_matter_where_maps_are_rescaled(rescale, model, images, targets):
    expected = full_grad(model, images, targets, rescale=rescale)["maps"]
    model[-1].weight.data *= 2.0**-40
    assert torch.equal(full_grad(model, images, targets, rescale=rescale)["maps"], expected)


def test_biases_of_linear_layers_are_left_out_of_the_map(strided, images, targets):
    expected = full_grad(strided, images, targets)["maps"]
    strided[-1].bias.data += 100
    found = full_grad(strided, images, targets)
    assert torch.equal(found["maps"], expected)
    assert (found["aux_gap"].abs() < 1e-12).all()


def test_a_layer_whose_parts_are_all_alike_adds_nothing(images, targets):
    """One channel, always active, then the mean: every place of it adds the same, which is no pattern."""
    torch.manual_seed(0)
    conv = nn.Conv2d(3, 1, 1)
    conv.bias.data.fill_(50)
    model = nn.Sequential(conv, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1, 5)).double()
    found = full_grad(model, images, targets)["maps"]
    model[0].bias.data.fill_(60)
    assert torch.equal(full_grad(model, images, targets)["maps"], found)
    values = (images * conv.weight[0]).abs()
    low, high = values.amin((1, 2, 3), keepdim=True), values.amax((1, 2, 3), keepdim=True)
    expected = ((values - low) / (high - low)).sum(1, keepdim=True)
    torch.testing.assert_close(found, expected.detach(), rtol=1e-10, atol=1e-12)


def test_it_takes_one_forward_and_one_backward_pass(model, images, targets, counted, monkeypatch):
    passes, backward = [], torch.autograd.grad
    monkeypatch.setattr(torch.autograd, "grad", lambda *given, **more: (passes.append(1), backward(*given, **more))[1])
    network = counted(model)
    full_grad(network, images, targets)
    assert network.batches == [4]
    assert len(passes) == 1
    assert all(parameter.grad is None for parameter in model.parameters())
