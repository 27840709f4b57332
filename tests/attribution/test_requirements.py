"""Which networks a method refuses, and what it says."""

import re

import pytest
import torch
from torch import nn

from pipeline.attribution._requirements import (
    adds_up,
    conserves_relevance,
    global_average_pooling,
    own_activations,
    piecewise_linear,
    posterior_draws,
    rectifiers,
    target_layer,
)
from pipeline.models._branches import Multiply
from pipeline.models.bayesian_mlp import bayesian_mlp


class Pair(nn.Module):
    def forward(self, features):
        return features, features


class First(nn.Module):
    def forward(self, pair):
        return pair[0]


class Shared(nn.Module):
    """Uses one activation twice, another one never."""

    def __init__(self):
        super().__init__()
        self.conv, self.relu, self.spare = nn.Conv2d(3, 3, 1), nn.ReLU(), nn.ReLU()

    def forward(self, images):
        return self.relu(self.conv(self.relu(images))).mean((2, 3))


def pooling(pool, channels=4, classes=5):
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, channels, 3, padding=1), nn.ReLU(), nn.Conv2d(channels, channels, 1), nn.ReLU(), *pool]
    return nn.Sequential(*layers, nn.Linear(channels, classes)).double().eval()


AVERAGE = [nn.AdaptiveAvgPool2d(1), nn.Flatten()]


@pytest.mark.parametrize("require", [target_layer, global_average_pooling])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("pool", [AVERAGE, [*AVERAGE, nn.Dropout()], [nn.AvgPool2d((6, 8)), nn.Flatten()]])
def test_a_network_with_global_average_pooling_is_accepted(require, dtype, pool, images):
    assert require(pooling(pool).to(dtype), images.to(dtype), "3") is None


class Cut(nn.Module):
    def forward(self, features):
        return features.relu()


@pytest.mark.parametrize("activation", [nn.ReLU(), nn.ReLU6(), nn.SiLU(), nn.LeakyReLU(), nn.PReLU()])
def test_rectifiers_are_accepted_beside_other_activations(activation, images):
    assert rectifiers(nn.Sequential(activation, nn.Tanh()).double(), images, None) is None


@pytest.mark.parametrize(
    ("layers", "reason"),
    [
        ([nn.Conv2d(3, 2, 1), nn.Tanh(), nn.Sigmoid()], "the network has no rectifier, such as ReLU"),
        ([nn.Conv2d(3, 2, 1)], "the network has no rectifier, such as ReLU"),
        ([nn.ReLU(), nn.Identity(), nn.ReLU(inplace=True)], "the activation '2' works in place"),
        ([nn.ReLU(), nn.Sequential(Cut())], "the activation '1.0' is a Cut, which is none of torch's own"),
    ],
)
def test_a_network_whose_rectifiers_cannot_all_be_met_is_refused(layers, reason, images):
    assert rectifiers(nn.Sequential(*layers).double(), images, None) == reason


def test_a_rectifier_that_does_not_run_does_not_count(images):
    model = Shared().double()
    assert "relu" in str(own_activations(model, images, None))
    model.relu = nn.Tanh()
    assert rectifiers(model, images, None) == "the network has no rectifier, such as ReLU"


def test_a_network_without_a_posterior_is_refused(images):
    shape = {"channels": 3, "classes": 2, "size": (6, 8)}
    assert posterior_draws(bayesian_mlp(**shape), images, None) is None
    reason = "the network has no posterior to draw its weights from"
    assert posterior_draws(nn.Sequential(nn.Flatten()), images, None) == reason


@pytest.mark.parametrize("require", [target_layer, global_average_pooling])
def test_a_network_without_a_target_layer_is_refused(require, pooled, images):
    assert require(pooled, images, None) == "the network states no target layer"


@pytest.mark.parametrize("require", [target_layer, global_average_pooling])
def test_an_unknown_layer_is_refused_with_the_names_there_are(require, pooled, images):
    assert require(pooled, images, "9") == "the network has no layer '9'; it has 0, 1, 2, 3, 4, 5, 6"


@pytest.mark.parametrize("require", [target_layer, global_average_pooling])
def test_a_layer_without_feature_maps_is_refused(require, pooled, images):
    assert "'5' gives [(4, 6)] in one forward" in require(pooled, images, "5")


@pytest.mark.parametrize(("layer", "given"), [("relu", "[(4, 3, 6, 8), (4, 3, 6, 8)]"), ("spare", "no tensor")])
def test_a_layer_that_does_not_run_exactly_once_is_refused(layer, given, images):
    assert f"'{layer}' gives {given} in one forward" in target_layer(Shared().double(), images, layer)


def test_a_layer_that_gives_no_tensor_is_refused(images):
    model = nn.Sequential(nn.Conv2d(3, 2, 1), Pair(), First(), *AVERAGE, nn.Linear(2, 2)).double()
    assert "'1' gives no tensor" in target_layer(model, images, "1")
    assert target_layer(model, images, "2") is None


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_another_pooling_is_refused_by_number(dtype, images):
    model = pooling([nn.AdaptiveMaxPool2d(1), nn.Flatten()]).to(dtype)
    assert "the logits differ by" in global_average_pooling(model, images.to(dtype), "3")
    assert target_layer(model, images.to(dtype), "3") is None


def test_an_earlier_layer_with_as_many_channels_is_refused(images):
    assert "the logits differ by" in global_average_pooling(pooling(AVERAGE), images, "1")


def test_an_activation_after_the_pooling_is_refused(images):
    assert "the logits differ by" in global_average_pooling(pooling([*AVERAGE, nn.Tanh()]), images, "3")


def test_a_flattened_head_is_refused(strided, images):
    assert "does not lead from the channels of layer '5'" in global_average_pooling(strided, images, "5")


def test_a_network_without_a_linear_layer_is_refused(pooled, images):
    assert global_average_pooling(pooled[:4].append(nn.Flatten()), images, "3") == "the network has no linear layer"


def test_a_network_that_gives_nan_is_refused(pooled, images):
    nn.init.constant_(pooled[6].bias, float("nan"))
    assert "differ by nan" in global_average_pooling(pooled, images, "3")


def test_the_networks_own_errors_are_not_taken_for_a_refusal(pooled, images):
    def fail(*_):
        raise ValueError("out of order")

    pooled[6].register_forward_pre_hook(fail)
    with pytest.raises(ValueError, match="out of order"):
        target_layer(pooled, images, "3")
    assert not any(module._forward_hooks for module in pooled.modules())


def test_asking_builds_no_graph_and_leaves_no_hook(pooled, images):
    modes = []
    handle = pooled[0].register_forward_pre_hook(lambda *_: modes.append(torch.is_grad_enabled()))
    global_average_pooling(pooled, images, "3")
    handle.remove()
    assert modes
    assert not any(modes)
    assert not any(module._forward_hooks for module in pooled.modules())
    assert all(parameter.grad is None and parameter.requires_grad for parameter in pooled.parameters())
    assert not images.requires_grad


class Gate(nn.Module):
    """Weighs the channels by the sigmoid of their means."""

    def forward(self, features):
        return features * features.mean((2, 3), keepdim=True).sigmoid()


def bent(*layers, dtype=torch.float64):
    torch.manual_seed(0)
    ends = [nn.Conv2d(3, 4, 3, padding=1), *layers, nn.MaxPool2d(2), nn.Flatten(), nn.Linear(48, 5)]
    return nn.Sequential(*ends).to(dtype).eval()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("layer", [nn.ReLU(), nn.LeakyReLU(), nn.ReLU6(), nn.BatchNorm2d(4), nn.Dropout()])
def test_piecewise_linear_networks_are_accepted(layer, dtype, images):
    assert piecewise_linear(bent(layer, dtype=dtype), images.to(dtype), None) is None


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("layer", [Gate(), nn.Tanh(), nn.SiLU(), nn.Softplus(), nn.GroupNorm(1, 4), nn.LayerNorm(8)])
def test_gates_smooth_activations_and_norms_by_the_image_are_refused_with_the_gap(layer, dtype, images):
    reason = piecewise_linear(bent(layer, dtype=dtype), images.to(dtype), None)
    assert re.fullmatch(r"the network is not piecewise linear: its logits differ by \S+ from .+", reason)


def test_the_gap_is_the_largest_difference_between_logits_and_their_parts():
    """The logits are exp(s) and 0, s being the image's sum; the only part of the former is s * exp(s)."""

    class Exponential(nn.Module):
        def forward(self, images):
            raised = images.sum((1, 2, 3)).exp()
            return torch.stack([raised, torch.zeros_like(raised)], 1)

    images = torch.tensor([0.0, 3.0], dtype=torch.float64).view(2, 1, 1, 1)
    assert "differ by 40 " in piecewise_linear(Exponential(), images, None)  # 2 * exp(3), of the second image


def test_a_batch_norm_that_goes_by_the_batch_is_refused(images):
    assert piecewise_linear(bent(nn.BatchNorm2d(4, track_running_stats=False)), images, None) is not None


def test_a_network_of_zeros_is_piecewise_linear_and_one_that_gives_nan_is_not(images):
    model = bent(nn.ReLU())
    for parameter in model.parameters():
        parameter.data.zero_()
    assert piecewise_linear(model, images, None) is None
    nn.init.constant_(model[-1].bias, float("nan"))
    assert "differ by nan" in piecewise_linear(model, images, None)


def test_layers_whose_outputs_do_not_begin_with_the_images_are_no_error(images):
    class Stacked(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(3, 5)

        def forward(self, images):
            return self.linear(torch.stack([images.mean((2, 3)), images.amax((2, 3))])).sum(0)

    assert "differ by" in piecewise_linear(Stacked().double(), images[:3], None)


def test_asking_for_the_sum_leaves_the_network_as_it_is(images):
    model = bent(nn.ReLU(), dtype=torch.bfloat16)
    piecewise_linear(model, images.bfloat16(), None)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.bfloat16}
    assert not any(module._forward_hooks for module in model.modules())
    assert all(parameter.grad is None and parameter.requires_grad for parameter in model.parameters())


class Between(nn.Module):
    """A sound network in which ``middle`` does something; where that breaks LRP, the line says so."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.norm, self.second = nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.Conv2d(4, 4, 1)
        self.relu, self.flatten, self.head = nn.ReLU(), nn.Flatten(), nn.Linear(192, 5)
        nn.init.uniform_(self.norm.running_mean, -0.5, 0.5)

    def middle(self, features):
        return self.relu(features)

    def forward(self, images):
        features = self.middle(self.norm(self.first(images)))
        branch = self.second(features)
        branch += features
        return self.head(self.flatten(branch))


class FunctionalReLU(Between):
    def middle(self, features):
        return nn.functional.relu(features)


class FunctionalSiLU(Between):
    def middle(self, features):
        return nn.functional.silu(features)  # AT FAULT


class Squared(Between):
    def middle(self, features):
        return self.relu(features) * features


class Normed(Between):
    def __init__(self):
        super().__init__()
        self.relu = nn.GroupNorm(2, 4)


class Softened(Between):
    def __init__(self):
        super().__init__()
        self.relu = nn.Softplus()


class Doubled(nn.Module):
    """Has a weight, and neither a constant nor a rule."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(2.0))

    def forward(self, features):
        return features * self.scale


class Scaled(Between):
    def __init__(self):
        super().__init__()
        self.relu = Doubled()


KEPT = [Between, FunctionalReLU]
LOST = {
    FunctionalSiLU: "silu runs outside an activation module of its own",
    Squared: "what happens outside the network's modules loses",
    Normed: "'relu', a GroupNorm, has weights, but no rule",
    Softened: "'relu', a Softplus, loses",
    Scaled: "'relu', a Doubled, has weights, but no rule",
}


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("kind", KEPT)
def test_what_conserves_relevance_is_accepted_without_modules_of_its_own_too(kind, dtype, images):
    assert conserves_relevance(kind().to(dtype).eval(), images.to(dtype), None) is None


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("kind", LOST)
def test_what_loses_relevance_is_refused_with_what_is_at_fault(kind, dtype, images):
    said = conserves_relevance(kind().to(dtype).eval(), images.to(dtype), None)
    assert said.startswith("relevance is not conserved: ")
    assert LOST[kind] in said
    assert ("test_requirements.py:" in said) == (kind is FunctionalSiLU)


def test_a_layer_that_bears_no_relevance_may_lose_it(images):
    class Gated(Between):
        def __init__(self):
            super().__init__()
            self.norm2, self.sigmoid, self.multiply = nn.GroupNorm(2, 4), nn.Sigmoid(), Multiply()

        def middle(self, features):
            return self.multiply(features, self.sigmoid(self.norm2(features)))

    assert conserves_relevance(Gated().eval(), images.float(), None) is None


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_a_network_whose_differences_add_up_is_accepted(dtype, strided, images):
    for model in (strided, Between().eval(), Scaled().eval()):
        assert adds_up(model.to(dtype), images.to(dtype), None) is None


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("kind", [FunctionalReLU, FunctionalSiLU, Squared, Normed])
def test_a_network_whose_differences_leave_a_gap_is_refused(kind, dtype, images):
    said = adds_up(kind().to(dtype).eval(), images.to(dtype), None)
    assert said.startswith("DeepLIFT's contributions miss the difference")


@pytest.mark.parametrize("require", [conserves_relevance, adds_up])
def test_a_check_by_number_leaves_the_network_as_it_was(require, images):
    model = Between().double().eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    require(model, images, None)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())
    assert all(parameter.grad is None and parameter.dtype == torch.float64 for parameter in model.parameters())
