"""LRP conserves relevance but for what biases absorb, and its rules are those of the papers."""

import copy

import pytest
import torch
from captum.attr import LRP
from captum.attr._utils.lrp_rules import EpsilonRule
from torch import nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval
from zennit.attribution import Gradient
from zennit.canonizers import SequentialMergeBatchNorm
from zennit.composites import EpsilonAlpha2Beta1, EpsilonGammaBox, EpsilonPlus
from zennit.torchvision import ResNetCanonizer

import pipeline.vision
from pipeline.attribution._target import target_logit
from pipeline.attribution.input_x_gradient import input_x_gradient
from pipeline.attribution.lrp import lrp
from pipeline.data._pixels import normalise
from pipeline.models._branches import Add, Multiply
from pipeline.models._rewrite import own_activations
from pipeline.models.simple_cnn import simple_cnn

MEAN, STD = torch.tensor([0.5, 0.4, 0.3]), torch.tensor([0.2, 0.25, 0.3])
COMPOSITES = ["epsilon", "epsilon_plus", "epsilon_gamma_box", "alpha_beta"]
TINY = 1e-12
library = pipeline.vision.torchvision


def explain(model, images, targets, composite="epsilon_plus", **options):
    return lrp(model, images, targets, **{"mean": MEAN, "std": STD, "composite": composite, "epsilon": TINY} | options)


def pixels(images):
    """Images that lie between black and white, as the z-box rule presumes."""
    return normalise(images.sigmoid(), MEAN, STD)


def lively(model, eps=1e-5):
    """The network in float64 with batch norms that do something.

    zennit forgets to take a folded batch norm's eps away again, so that a comparison needs one that makes no odds.
    """
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            for values, low, high in ((module.running_mean, -0.5, 0.5), (module.running_var, 0.5, 1.5)):
                nn.init.uniform_(values, low, high)
            nn.init.uniform_(module.bias, -0.3, 0.3)
            module.eps = eps
    return model.double().eval()


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.first, self.norm1, self.inner = nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()
        self.second, self.norm2 = nn.Conv2d(width, width, 3, padding=1, groups=2), nn.BatchNorm2d(width)
        self.add, self.outer = Add(), nn.ReLU()

    def forward(self, features):
        branch = self.norm2(self.second(self.inner(self.norm1(self.first(features)))))
        return self.outer(self.add(branch, features))


def network(bias=True, width=4):
    """Max and average pooling, a strided convolution, batch norms after a convolution, after a pooling and a linear."""
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, width, 5, padding=2), nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(2)]
    layers += [nn.BatchNorm2d(width), Block(width), nn.AvgPool2d(2, ceil_mode=True), nn.Dropout(), nn.Identity()]
    layers += [nn.Conv2d(width, 6, 2), nn.LeakyReLU(0.1), nn.AdaptiveAvgPool2d((1, 2)), nn.Flatten()]
    layers += [nn.Linear(12, 8), nn.BatchNorm1d(8), nn.ReLU6(), nn.Linear(8, 5)]
    model = lively(nn.Sequential(*layers))
    if not bias:
        for module in model.modules():
            for name in ("bias", "running_mean"):
                if getattr(module, name, None) is not None:
                    getattr(module, name).data.zero_()
    return model


class First(nn.Module):
    def forward(self, branch, shortcut):
        return branch


def logits(model, images, targets):
    with torch.no_grad():
        return target_logit(model, images, targets)


@pytest.mark.parametrize("composite", COMPOSITES)
def test_without_biases_every_composite_conserves_the_logit(composite, images, targets):
    model, given = network(bias=False, width=32), pixels(images)  # so wide that contributions are of either sign
    if composite in {"epsilon_plus", "alpha_beta"}:  # and no negative value bears relevance
        model[5].add, model[10] = First(), nn.ReLU()
    found = explain(model, given, targets, composite).sum((1, 2, 3))
    torch.testing.assert_close(found, logits(model, given, targets), rtol=1e-8, atol=1e-10)


def absorbed(model, images, targets):
    """What the constants of all layers contribute: the gradients at their outputs times the constants, in one sum."""
    outputs, constants, hooks = [], [], []
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear | nn.BatchNorm1d | nn.BatchNorm2d):

            def keep(module, inputs, output):
                outputs.append(output)
                before = module.forward(torch.zeros_like(inputs[0][:1]))
                constants.append(before.detach())
                if isinstance(module, nn.Conv2d):
                    constants[-1] = module.bias.detach().view(-1, 1, 1)

            hooks.append(module.register_forward_hook(keep))
    total = target_logit(model, images, targets).sum()
    for hook in hooks:
        hook.remove()
    gradients = torch.autograd.grad(total, outputs)
    return sum((g * c).flatten(1).sum(1) for g, c in zip(gradients, constants, strict=True))


def test_by_the_epsilon_rule_what_is_missing_is_what_the_biases_contribute(images, targets):
    model = network()
    for number, module in enumerate(model):  # a ReLU6 that saturates is no multiple of its gradient
        model[number] = nn.ReLU() if isinstance(module, nn.ReLU6) else module
    found = explain(model, images, targets, "epsilon").sum((1, 2, 3))
    due = logits(model, images, targets) - absorbed(model, images, targets)
    torch.testing.assert_close(found, due, rtol=1e-8, atol=1e-10)
    assert (found - logits(model, images, targets)).abs().min() > 1e-3


def test_by_the_epsilon_rule_without_biases_it_is_input_times_gradient(images, targets):
    model = network(bias=False)
    for number, module in enumerate(model):
        model[number] = nn.ReLU() if isinstance(module, nn.ReLU6) else module
    expected = input_x_gradient(model, images, targets)
    torch.testing.assert_close(explain(model, images, targets, "epsilon"), expected, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("composite", COMPOSITES)
def test_a_batch_norm_is_one_with_the_layer_before_it_its_eps_included(composite, images, targets):
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(96, 8)]
    model = lively(nn.Sequential(*layers, nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 5)), eps=0.3)
    fused = [fuse_conv_bn_eval(model[0], model[1]), *model[2:4], fuse_linear_bn_eval(model[4], model[5]), *model[6:]]
    given = pixels(images)
    expected = explain(nn.Sequential(*fused), given, targets, composite, epsilon=0.1)
    torch.testing.assert_close(explain(model, given, targets, composite, epsilon=0.1), expected, rtol=1e-9, atol=1e-12)


def by_zennit(model, images, targets, composite):
    model = copy.deepcopy(model)
    rows = torch.eye(5, dtype=images.dtype)[targets]
    with Gradient(model, composite, attr_output=lambda output: rows * output) as attributor:
        return attributor(images)[1]


def peer(composite, canonizers):
    options = {"epsilon": TINY, "stabilizer": TINY, "canonizers": canonizers}
    if composite == "epsilon_gamma_box":
        low, high = (normalise(torch.full((1, 3, 1, 1), at).double(), MEAN, STD) for at in (0.0, 1.0))
        return EpsilonGammaBox(low=low, high=high, **options)
    return {"epsilon_plus": EpsilonPlus, "alpha_beta": EpsilonAlpha2Beta1}[composite](**options)


@pytest.mark.parametrize("composite", COMPOSITES[1:])
def test_the_composites_are_zennits_on_a_plain_network(composite):
    torch.manual_seed(0)
    model = lively(simple_cnn(channels=3, classes=5, size=(16, 16)), eps=0)
    images, targets = pixels(torch.randn(3, 3, 16, 16).double()), torch.tensor([0, 4, 2])
    expected = by_zennit(model, images, targets, peer(composite, [SequentialMergeBatchNorm()]))
    torch.testing.assert_close(explain(model, images, targets, composite), expected, rtol=1e-6, atol=1e-10)


@pytest.mark.parametrize("composite", COMPOSITES[1:])
def test_the_composites_are_zennits_on_a_residual_network(composite):
    torch.manual_seed(0)
    theirs = lively(library.models.resnet18(num_classes=5), eps=0)
    images, targets = pixels(torch.randn(2, 3, 32, 32).double()), torch.tensor([0, 4])
    expected = by_zennit(theirs, images, targets, peer(composite, [ResNetCanonizer()]))
    ours = own_activations(copy.deepcopy(theirs))
    found = explain(ours, images, targets, composite)
    assert (found - expected).abs().max() <= 1e-6 * expected.abs().max()


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")
def test_captums_lrp_explodes_on_a_residual_network_and_this_one_does_not():
    torch.manual_seed(0)
    theirs = library.models.resnet18(num_classes=5).double().eval()
    images, targets = torch.randn(2, 3, 64, 64).double(), torch.tensor([0, 4])
    due = logits(theirs, images, targets)
    ours = explain(own_activations(copy.deepcopy(theirs)), images, targets, "epsilon").sum((1, 2, 3))
    torch.testing.assert_close(ours, due - theirs.fc.bias.detach()[targets], rtol=1e-6, atol=1e-8)
    expected = LRP(theirs).attribute(images, target=targets).detach().sum((1, 2, 3))
    assert (expected.abs() > 100 * due.abs()).all()


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")
def test_the_epsilon_rule_is_captums_on_a_plain_network(images, targets):
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.AvgPool2d(2), nn.Conv2d(4, 4, 1), nn.ReLU(), nn.Flatten()]
    model = nn.Sequential(*layers, nn.Linear(48, 5)).double()

    class Functional(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.c, self.pool = model[0], model[3], model[6], model[2]
            self.relu1, self.relu2 = nn.ReLU(), nn.ReLU()

        def forward(self, images):
            return self.c(self.relu2(self.b(self.pool(self.relu1(self.a(images))))).flatten(1))

    theirs = copy.deepcopy(Functional())
    for module in (theirs.a, theirs.b, theirs.c, theirs.pool):
        module.rule = EpsilonRule(epsilon=TINY if module is theirs.pool else 1e-3)
    expected = LRP(theirs).attribute(images, target=targets).detach()
    torch.testing.assert_close(
        explain(model, images, targets, "epsilon", epsilon=1e-3), expected, rtol=1e-8, atol=1e-12
    )


def test_a_functional_relu_or_sum_in_place_gives_the_same_maps(images, targets):
    class Functional(Block):
        def forward(self, features):
            branch = self.norm2(self.second(functional.relu(self.norm1(self.first(features)))))
            branch += features
            return functional.relu_(branch)

    model, other = network(), network()
    block = Functional(4).double().eval()
    block.load_state_dict(model[5].state_dict())
    other[5] = block
    for composite in COMPOSITES:
        expected = explain(model, images, targets, composite)
        torch.testing.assert_close(explain(other, images, targets, composite), expected, rtol=1e-9, atol=1e-12)


def test_a_gate_counts_as_a_constant(images):
    class Gated(nn.Module):
        def __init__(self):
            super().__init__()
            self.signal, self.gate, self.sigmoid = nn.Conv2d(3, 4, 1, bias=False), nn.Conv2d(3, 1, 1), nn.Sigmoid()
            self.multiply, self.flatten, self.head = Multiply(), nn.Flatten(), nn.Linear(192, 5, bias=False)

        def forward(self, images):
            return self.head(self.flatten(self.multiply(self.signal(images), self.sigmoid(self.gate(images)))))

    torch.manual_seed(0)
    model, targets = Gated().double(), torch.tensor([1, 0, 4, 2])
    with torch.no_grad():
        gates = model.sigmoid(model.gate(images))
        heads = model.head.weight[targets].view(4, 4, 6, 8)
        expected = images * torch.einsum("nchw,ci->nihw", heads * gates, model.signal.weight[:, :, 0, 0])
    torch.testing.assert_close(explain(model, images, targets, "epsilon"), expected, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("composite", COMPOSITES)
def test_by_hand_on_two_pixels(composite):
    model = nn.Sequential(nn.Conv2d(1, 1, (1, 2)), nn.Flatten()).double()
    model[0].weight.data, model[0].bias.data = torch.tensor([[[[3.0, -1.0]]]]).double(), torch.tensor([0.5]).double()
    images = torch.tensor([[[[1.0, 2.0]]]]).double()  # contributions 3 and -2, bias 0.5: the logit is 1.5
    given = {"mean": torch.tensor([0.5]), "std": torch.tensor([0.25]), "epsilon": TINY}  # black is -2, white is 2
    found = lrp(model, images, torch.tensor([0]), composite=composite, gamma=0.25, alpha=2.0, **given).flatten()
    expected = {
        "epsilon": [3, -2],
        "epsilon_plus": [1.5 * 3 / 3.5, 0],
        "epsilon_gamma_box": [1.5 * 9 / 9, 0],  # from black 3 * (1 + 2), from white -1 * (2 - 2)
        "alpha_beta": [2 * 1.5 * 3 / 3.5, -1.5],
    }[composite]
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("head", [1.0, -1.0])
def test_the_gamma_rule_favours_the_sign_of_the_sum(head):
    layers = [nn.Conv2d(1, 2, 1, bias=False), nn.Conv2d(2, 1, 1), nn.Flatten()]
    model = nn.Sequential(*layers).double()
    model[0].weight.data = torch.tensor([1.0, 2.0]).double().view(2, 1, 1, 1)
    model[1].weight.data = head * torch.tensor([3.0, -1.0]).double().view(1, 2, 1, 1)
    model[1].bias.data = head * torch.tensor([0.5]).double()
    images = torch.ones(1, 1, 1, 1).double()  # features 1 and 2, contributions +-(3, -2), bias +-0.5
    given = {"mean": torch.tensor([0.5]), "std": torch.tensor([0.25]), "epsilon": TINY}
    found = lrp(model, images, torch.tensor([0]), composite="epsilon_gamma_box", gamma=0.25, **given)
    kept = (3.75 - 2) / (1.5 + 0.25 * 3.5)  # all the same whichever sign: what the bias does not absorb
    torch.testing.assert_close(found, torch.full_like(found, head * 1.5 * kept), rtol=1e-9, atol=1e-9)


def test_the_z_box_rule_reads_flat_images_too(images, targets):
    torch.manual_seed(0)
    model, given = nn.Sequential(nn.Flatten(), nn.Linear(144, 5)).double(), pixels(images)
    found = explain(model, given, targets, "epsilon_gamma_box")
    torch.testing.assert_close(found.sum((1, 2, 3)), logits(model, given, targets), rtol=1e-8, atol=1e-10)
    strided = given.to(memory_format=torch.channels_last)
    torch.testing.assert_close(explain(model, strided, targets, "epsilon_gamma_box"), found)


def test_the_z_box_rule_refuses_to_read_an_image_that_has_been_pooled(images, targets):
    model = nn.Sequential(nn.AvgPool2d(2), nn.Flatten(), nn.Linear(36, 5)).double()
    with pytest.raises(ValueError, match="z-box rule"):
        explain(model, images, targets, "epsilon_gamma_box")


def test_one_forward_and_one_backward_whatever_the_composite(counted, images, targets, monkeypatch):
    model, calls, grad = counted(network()), [], torch.autograd.grad

    def count(outputs, inputs, *rest, **options):
        calls.append(inputs)
        return grad(outputs, inputs, *rest, **options)

    monkeypatch.setattr(torch.autograd, "grad", count)
    extra = {
        "epsilon": 0,
        "epsilon_plus": 4,
        "alpha_beta": 8,
        "epsilon_gamma_box": 6,
    }  # of four convolutions; gamma's twice where a sum or a LeakyReLU follows
    for composite in COMPOSITES:
        model.batches.clear()
        calls.clear()
        explain(model, images, targets, composite)
        assert model.batches == [4]
        assert len(calls) == 1 + extra[composite]
