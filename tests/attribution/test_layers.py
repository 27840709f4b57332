"""Recording a layer, its gradient, and the way back to the image's size."""

import copy
from collections import OrderedDict

import numpy as np
import pytest
import torch
from skimage.transform import resize
from torch import nn

from pipeline.attribution._layers import find, last_linear, layer_gradient, layer_output, only, recorded, to_image_size


class Stopped(torch.autograd.Function):
    """Passes values forward; a backward pass that reaches it is an error."""

    @staticmethod
    def forward(ctx, values):
        return values.clone()

    @staticmethod
    def backward(ctx, gradient):
        raise AssertionError("the backward pass went past the layer")


class Stop(nn.Module):
    def forward(self, values):
        return Stopped.apply(values)


def test_the_output_of_the_named_layer_is_recorded_once_per_forward(pooled, images):
    with recorded(pooled, "3") as outputs:
        pooled(images)
        pooled(images[:1])
    expected = pooled[:4](images)
    assert [len(output) for output in outputs] == [4, 1]
    assert torch.equal(outputs[0], expected)


def test_a_nested_layer_has_a_dotted_name(pooled, images):
    nested = nn.Sequential(OrderedDict(body=pooled[:4], head=pooled[4:]))
    with recorded(nested, "body.1") as outputs:
        nested(images)
    assert torch.equal(only(outputs, "body.1"), pooled[:2](images))


def test_the_logits_are_the_same_while_a_layer_is_recorded(strided, images):
    with recorded(strided, "5"):
        found = strided(images)
    assert torch.equal(found, strided(images))


@pytest.mark.parametrize("grad", [False, True])
def test_an_operation_in_place_after_the_layer_does_not_change_what_was_recorded(grad, strided, images, targets):
    changing = copy.deepcopy(strided)
    changing[5] = nn.ReLU(inplace=True)
    expected = strided[:5](images)
    assert (expected < 0).any()
    with torch.set_grad_enabled(grad), recorded(changing, "4") as outputs:
        changing(images)
    assert torch.equal(outputs[0], expected)
    for found, wanted in zip(
        layer_gradient(changing, images, targets, "4"), layer_gradient(strided, images, targets, "4"), strict=True
    ):
        assert torch.equal(found, wanted)


def test_nothing_tracks_gradients_when_the_caller_does_not(pooled, images):
    with torch.no_grad(), recorded(pooled, "3") as outputs:
        logits = pooled(images)
    assert not outputs[0].requires_grad
    assert not logits.requires_grad


def test_the_hook_is_gone_afterwards_and_after_an_error(pooled, images):
    with recorded(pooled, "3") as outputs:
        assert pooled[3]._forward_hooks
    pooled(images)
    assert outputs == []
    with pytest.raises(RuntimeError), recorded(pooled, "3"):
        pooled(images[:, :2])
    assert not any(module._forward_hooks for module in pooled.modules())


def test_an_unknown_layer_gives_one_sentence_with_the_names_there_are(strided):
    nested = nn.Sequential(OrderedDict(body=strided[:2], head=nn.Linear(2, 2)))
    with pytest.raises(ValueError, match=r"^the network has no layer 'bdy'; it has body, body\.0, body\.1, head$"):
        find(nested, "bdy")
    with pytest.raises(ValueError, match="has no layer ''"):
        find(nested, "")


def test_auto_is_no_layer(pooled):
    with pytest.raises(ValueError, match="layer is still 'auto'"):
        find(pooled, "auto")


@pytest.mark.parametrize("count", [0, 2])
def test_a_layer_that_does_not_run_exactly_once_is_refused(count, images):
    with pytest.raises(ValueError, match=f"'relu' gives {count} tensors"):
        only([images] * count, "relu")


def test_the_output_of_a_layer_takes_one_forward_and_no_graph(counted, strided, images):
    model = counted(strided)
    found = layer_output(model, images.requires_grad_(), "model.3")
    torch.testing.assert_close(found, strided[:4](images), rtol=1e-12, atol=1e-15)
    assert not found.requires_grad
    assert model.batches == [4]
    assert not strided[3]._forward_hooks
    with pytest.raises(ValueError, match="still 'auto'"):
        layer_output(strided, images, "auto")


def test_gradient_at_a_layer_is_that_of_the_rest_of_the_network(strided, images, targets):
    features = strided[:4](images).detach().requires_grad_()
    logits = strided[4:](features)
    (expected,) = torch.autograd.grad(sum(logits[i, target] for i, target in enumerate(targets)), features)
    found, gradient = layer_gradient(strided, images, targets, "3")
    torch.testing.assert_close(found, features.detach(), rtol=1e-12, atol=1e-15)
    torch.testing.assert_close(gradient, expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("frozen", [False, True])
def test_the_backward_pass_stops_at_the_layer(frozen, strided, images, targets):
    guarded = nn.Sequential(OrderedDict(body=strided[:4], stop=Stop(), layer=strided[4], head=strided[5:]))
    guarded.requires_grad_(not frozen)
    found, gradient = layer_gradient(guarded, images, targets, "layer")
    expected = layer_gradient(strided, images, targets, "4")
    assert torch.equal(found, expected[0])
    assert torch.equal(gradient, expected[1])
    assert not found.requires_grad
    assert not gradient.requires_grad


def test_the_images_may_themselves_be_the_layer(images):
    model = nn.Sequential(nn.Identity(), nn.Flatten(), nn.Linear(144, 5)).double()
    targets = torch.tensor([1, 0, 3, 3])
    gradient = layer_gradient(model, images, targets, "0")[1]
    torch.testing.assert_close(gradient, model[2].weight[targets].view_as(images))
    assert not images.requires_grad


def test_the_last_linear_layer_is_found(strided):
    deeper = nn.Sequential(nn.Linear(3, 4), nn.Sequential(strided, nn.ReLU()))
    assert last_linear(deeper) is strided[7]
    with pytest.raises(ValueError, match="no linear layer"):
        last_linear(strided[:7])


@pytest.mark.parametrize("size", [(6, 4), (9, 9), (3, 2)])
def test_enlarging_agrees_with_skimage(size):
    maps = torch.randn(2, 1, 3, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    expected = [resize(values.numpy(), size, order=1, mode="edge", anti_aliasing=False) for values in maps[:, 0]]
    found = to_image_size(maps, torch.zeros(2, 3, *size, dtype=torch.float64))
    np.testing.assert_allclose(found[:, 0], np.stack(expected), rtol=0, atol=1e-12)


def test_enlarged_maps_have_the_dtype_of_the_images():
    assert to_image_size(torch.ones(1, 1, 2, 2), torch.zeros(1, 3, 4, 4, dtype=torch.bfloat16)).dtype == torch.bfloat16
