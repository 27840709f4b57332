"""What the methods that look at one layer have in common: passes, layers and a library."""

import copy
import inspect
from collections import OrderedDict

import pytest
import pytorch_grad_cam
import torch
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import nn
from torch.nn import functional

from pipeline.attribution._layers import layer_gradient
from pipeline.attribution.cam import cam
from pipeline.attribution.eigen_cam import eigen_cam
from pipeline.attribution.grad_cam import grad_cam
from pipeline.attribution.grad_cam_plus_plus import grad_cam_plus_plus
from pipeline.attribution.guided_grad_cam import guided_grad_cam
from pipeline.attribution.hires_cam import hires_cam
from pipeline.attribution.layer_activation import layer_activation
from pipeline.attribution.layer_cam import layer_cam
from pipeline.attribution.score_cam import score_cam
from pipeline.attribution.x_grad_cam import x_grad_cam

GRADIENTS = [grad_cam, grad_cam_plus_plus, hires_cam, layer_cam, x_grad_cam]
FORWARDS = [cam, eigen_cam, layer_activation]
FAMILY = [*GRADIENTS, *FORWARDS, score_cam, guided_grad_cam]
STATISTICS = {"mean": torch.tensor([0.485, 0.456, 0.406]), "std": torch.tensor([0.229, 0.224, 0.225])}


def explain(method, model, images, targets, **given):
    wanted = inspect.signature(method).parameters
    return method(model, images, targets, **given, **{key: STATISTICS[key] for key in STATISTICS if key in wanted})


class Tallied(torch.autograd.Function):
    """Passes values on, and notes every backward pass that comes through."""

    @staticmethod
    def forward(ctx, values, passes):
        ctx.passes = passes
        return values.clone()

    @staticmethod
    def backward(ctx, gradient):
        ctx.passes.append(1)
        return gradient, None


class Tally(nn.Module):
    def __init__(self):
        super().__init__()
        self.forwards, self.backwards = [], []

    def forward(self, values):
        self.forwards.append(len(values))
        return Tallied.apply(values, self.backwards)


def fail(_gradient):
    raise AssertionError("a weight's gradient was computed")


@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("method", [*GRADIENTS, *FORWARDS, guided_grad_cam])
def test_one_forward_and_no_backward_beyond_what_is_needed(method, frozen, pooled, images, targets):
    parts = {"body": pooled[:3], "before": Tally(), "layer": pooled[3], "after": Tally(), "pool": pooled[4:6]}
    model = nn.Sequential(OrderedDict(parts, head=pooled[6]))
    for parameter in model.parameters():
        if frozen:
            parameter.requires_grad_(False)
        else:
            parameter.register_hook(fail)
    explain(method, model, images, targets, layer="layer")
    before, after = {**dict.fromkeys(GRADIENTS, (0, 1)), guided_grad_cam: (1, 2)}.get(method, (0, 0))
    assert model.before.forwards == model.after.forwards == [4]
    assert (len(model.before.backwards), len(model.after.backwards)) == (before, after)


@pytest.mark.parametrize("method", FAMILY)
def test_a_layer_must_be_named(method, strided, images, targets):
    with pytest.raises(ValueError, match="still 'auto'"):
        explain(method, strided, images, targets)
    with pytest.raises(ValueError, match=r"no layer '6\.x'; it has 0, 1, 2"):
        explain(method, strided, images, targets, layer="6.x")


@pytest.mark.parametrize("method", [method for method in FAMILY if method not in {cam, guided_grad_cam}])
def test_an_operation_in_place_after_the_layer_does_not_change_the_map(method, strided, images, targets):
    changing = copy.deepcopy(strided)
    changing[5] = nn.ReLU(inplace=True)
    assert (strided[:5](images) < 0).any()
    found, expected = (explain(method, model, images, targets, layer="4") for model in (changing, strided))
    assert expected.any()
    assert torch.equal(found, expected)


PEERS = {
    grad_cam: pytorch_grad_cam.GradCAM,
    grad_cam_plus_plus: pytorch_grad_cam.GradCAMPlusPlus,
    hires_cam: pytorch_grad_cam.HiResCAM,
    layer_cam: pytorch_grad_cam.LayerCAM,
    x_grad_cam: pytorch_grad_cam.XGradCAM,
}


@pytest.mark.parametrize(("network", "layer"), [("pooled", "3"), ("strided", "5"), ("residual", "3.outer")])
@pytest.mark.parametrize("method", GRADIENTS)
def test_agrees_with_pytorch_grad_cam(method, network, layer, images, targets, at_layer, as_peer_draws, request):
    model = request.getfixturevalue(network)
    list(model.modules())[-1].weight.data *= 100  # it adds 1e-6 to the denominator of Grad-CAM++
    with PEERS[method](model=model, target_layers=[model.get_submodule(layer)]) as extract:
        theirs = torch.from_numpy(extract(images, [ClassifierOutputTarget(target) for target in targets]))
    size = layer_gradient(model, images, targets, layer)[0].shape[2:]
    cut = at_layer(method(model, images, targets, layer=layer), size).relu()  # it cuts before it enlarges
    ours = as_peer_draws(functional.interpolate(cut, size=(6, 8), mode="bilinear", align_corners=False))
    assert ours.flatten(1).any(1).all()
    torch.testing.assert_close(ours, theirs.double(), rtol=0, atol=1e-5)
