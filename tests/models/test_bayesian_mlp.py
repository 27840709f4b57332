"""The Bayesian network: its size, its divergence, the noise of training, and draws from the posterior."""

import math

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from pipeline.models.bayesian_mlp import BayesianLinear, bayesian_mlp


def parameters(model):
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.fixture
def model():
    torch.manual_seed(0)
    model = bayesian_mlp(channels=2, classes=4, size=(3, 5)).double()
    for layer in (model.hidden, model.output):
        torch.nn.init.normal_(layer.weight_rho, -2, 1)  # not all alike
        torch.nn.init.normal_(layer.bias_rho, -2, 1)
    return model


def images(count=6):
    return torch.randn(count, 2, 3, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def seeded(seed):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(("channels", "side"), [(1, 28), (3, 32)])
def test_every_weight_has_a_mean_and_a_rho(channels, side):
    inputs = channels * side**2
    model = bayesian_mlp(channels=channels, classes=10, size=(side, side))
    assert parameters(model) == 2 * (inputs * 1024 + 1024 + 1024 * 10 + 10)
    assert parameters(model) == {1: 1_628_180, 3: 6_314_004}[channels]


def test_the_deviations_begin_as_asked():
    model = bayesian_mlp(channels=1, classes=10, size=(4, 4), deviation=0.2)
    for layer in (model.hidden, model.output):
        for std in layer.deviations():
            torch.testing.assert_close(std, torch.full_like(std, 0.2))


def test_the_penalty_is_the_divergence_from_the_prior_for_one_image(model):
    expected = 0
    for layer in (model.hidden, model.output):
        for mean, rho in ((layer.weight_mean, layer.weight_rho), (layer.bias_mean, layer.bias_rho)):
            expected += kl_divergence(Normal(mean, torch.log(1 + torch.exp(rho))), Normal(0.0, 1.0)).sum()
    torch.testing.assert_close(model.penalty(50), expected / 50)


def test_the_divergence_of_the_prior_from_itself_is_zero():
    layer = BayesianLinear(3, 2, 1.0).double()
    torch.nn.init.zeros_(layer.weight_mean)
    torch.nn.init.zeros_(layer.bias_mean)
    assert layer.divergence().item() == pytest.approx(0, abs=1e-6)  # rho is rounded to float32


def test_eval_mode_answers_with_the_means(model):
    hidden = (images().flatten(1) @ model.hidden.weight_mean.T + model.hidden.bias_mean).clamp(min=0)
    expected = hidden @ model.output.weight_mean.T + model.output.bias_mean
    torch.testing.assert_close(model.eval()(images()), expected)


def test_the_noise_of_training_has_the_moments_of_a_layer_with_random_weights():
    torch.manual_seed(3)
    layer, features = BayesianLinear(30, 8, 0.1).double(), torch.randn(30, dtype=torch.float64)
    torch.nn.init.normal_(layer.weight_rho, -2, 1)
    found = layer(features.expand(40_000, 30)).detach()
    weight, bias = (torch.log(1 + rho.exp()).detach() for rho in (layer.weight_rho, layer.bias_rho))
    mean = layer.weight_mean @ features + layer.bias_mean
    variance = weight.square() @ features.square() + bias.square()
    assert ((found.mean(0) - mean) / variance.sqrt()).abs().max() < 4 / math.sqrt(40_000)
    assert (found.var(0) / variance - 1).abs().max() < 4 * math.sqrt(2 / 40_000)
    correlation = torch.corrcoef(found.T)  # of different units: none, their weights are independent
    assert (correlation - torch.eye(8)).abs().max() < 4 / math.sqrt(40_000)


def test_training_noise_is_of_each_image_its_own(model):
    logits = model.train()(images()[:1].expand(2, -1, -1, -1))
    assert not torch.allclose(logits[0], logits[1])


def test_the_loss_moves_means_and_rhos(model):
    model.train()(images()).square().sum().backward()
    assert [name for name, value in model.named_parameters() if value.grad is None or not value.grad.any()] == []


@pytest.mark.parametrize("training", [False, True])
def test_a_draw_is_of_all_weights_and_the_same_for_every_forward_pass(model, training):
    model.train(training)
    with model.draw(seeded(4)):
        first, again = model(images()), torch.cat([model(image[None]) for image in images()])
    torch.testing.assert_close(first, again)
    generator, found = seeded(4), images().flatten(1)
    for layer, last in ((model.hidden, False), (model.output, True)):
        weight = Normal(layer.weight_mean, torch.log(1 + layer.weight_rho.exp()))
        bias = Normal(layer.bias_mean, torch.log(1 + layer.bias_rho.exp()))
        drawn = [each.loc + each.scale * torch.randn(each.loc.shape, generator=generator) for each in (weight, bias)]
        found = found @ drawn[0].T + drawn[1]
        found = found if last else found.clamp(min=0)
    torch.testing.assert_close(first, found)


def test_draws_differ_by_their_generator_and_go_on_with_it(model):
    generator, found = seeded(4), []
    for source in (generator, generator, seeded(4), seeded(5)):
        with model.eval().draw(source):
            found.append(model(images()))
    assert torch.equal(found[0], found[2])
    assert not torch.allclose(found[0], found[1])
    assert not torch.allclose(found[0], found[3])


def test_draws_scatter_about_the_means_by_the_deviations(model):
    weights = torch.stack([model.output.sampled(seeded(seed))[0] for seed in range(400)])
    std = model.output.deviations()[0]
    assert ((weights.mean(0) - model.output.weight_mean) / std).abs().mean().item() == pytest.approx(
        math.sqrt(2 / math.pi / 400), rel=0.05
    )
    assert (weights.var(0) / std.square()).mean().item() == pytest.approx(1, abs=0.01)


def test_the_means_are_back_after_a_draw_and_after_an_error_and_a_draw_after_one_inside(model):
    means = model.eval()(images())
    with model.draw(seeded(1)):
        outer = model(images())
        with pytest.raises(RuntimeError), model.draw(seeded(2)):
            model(images()[:, :1])  # one channel where two are due
        assert torch.equal(model(images()), outer)
    assert torch.equal(model(images()), means)


def test_within_a_draw_gradients_reach_the_images_and_leave_the_parameters(model):
    given = images().requires_grad_()
    with model.eval().draw(seeded(1)):
        model(given).square().sum().backward()
    assert given.grad.any()
    assert all(value.grad is None for value in model.parameters())
