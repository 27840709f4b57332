"""Mean and spread over weight draws, against the posterior's own numbers and its definition written out."""

import pytest
import torch
from torch import nn

from pipeline.attribution.gradient import gradient
from pipeline.attribution.input_x_gradient import input_x_gradient
from pipeline.attribution.posterior import parts, posterior
from pipeline.models.bayesian_mlp import BayesianLinear, BayesianMLP, bayesian_mlp
from pipeline.randomness import seeded


@pytest.fixture
def bayesian():
    torch.manual_seed(0)
    return bayesian_mlp(channels=3, classes=5, size=(6, 8), deviation=0.05).double().eval()


class Linear(nn.Module):
    """One Bayesian layer, whose gradient is a row of its weights."""

    draw = BayesianMLP.draw

    def __init__(self):
        super().__init__()
        self.hidden = self.output = BayesianLinear(144, 5, 0.1)
        nn.init.uniform_(self.hidden.weight_rho, -3, 1)

    def forward(self, images):
        return self.hidden(images.flatten(1))


def run(model, images, targets, base=gradient, seed=0, **parameters):
    return posterior(model, images, targets, base=base, generator=seeded(seed), **parameters)


def test_the_gradient_of_a_linear_network_has_the_moments_of_the_posterior(images, targets):
    torch.manual_seed(0)
    model, samples = Linear().double(), 2000
    found = run(model, images, targets, samples=samples)
    mean, std = (
        each[targets].view_as(images).detach() for each in (model.hidden.weight_mean, model.hidden.deviations()[0])
    )
    errors = ((found["mean"] - mean) / std * samples**0.5, (found["std"] / std - 1) * (2 * samples) ** 0.5)
    for error in errors:  # standard normal numbers, of one draw for all images of a class
        assert error.abs().max() < 5
        assert 0.9 < error.square().mean().sqrt() < 1.1


def test_agrees_with_its_definition_written_out(bayesian, images, targets):
    generator, maps = seeded(0), []
    for _ in range(7):
        with bayesian.draw(generator):
            maps.append(input_x_gradient(bayesian, images, targets))
    found = run(bayesian, images, targets, base=input_x_gradient, samples=7)
    assert tuple(found) == parts({}) == ("mean", "std")
    torch.testing.assert_close(found["mean"], torch.stack(maps).mean(0), rtol=1e-10, atol=1e-15)
    torch.testing.assert_close(found["std"], torch.stack(maps).std(0, correction=0), rtol=1e-8, atol=1e-15)


def test_without_deviation_it_is_the_base_and_nothing_varies(bayesian, images, targets):
    for layer in (bayesian.hidden, bayesian.output):
        nn.init.constant_(layer.weight_rho, -1000)
        nn.init.constant_(layer.bias_rho, -1000)
    found = run(bayesian, images, targets, samples=3)
    torch.testing.assert_close(found["mean"], gradient(bayesian, images, targets), rtol=1e-12, atol=1e-16)
    assert found["std"].max() < 1e-15


def test_one_draw_serves_all_images_and_the_base_runs_once_in_each(bayesian, images, targets):
    drawn, seen = [], []

    def base(model, images, targets):
        drawn.append(model.hidden.drawn[0])
        seen.append(len(images))
        return images

    run(bayesian, images, targets, base=base, samples=5)
    assert seen == [4] * 5
    assert len({each.sum().item() for each in drawn}) == 5


def test_the_weights_are_the_means_again_also_after_an_error(bayesian, images, targets):
    def fail(*_):
        assert bayesian.hidden.drawn is not None
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(bayesian, images, targets, base=fail)
    assert bayesian.hidden.drawn is bayesian.output.drawn is None


def test_the_default_is_50_draws_and_one_has_no_spread(bayesian, images, targets):
    found = run(bayesian, images, targets)
    assert torch.equal(found["std"], run(bayesian, images, targets, samples=50)["std"])
    assert not run(bayesian, images, targets, samples=1)["std"].any()


def test_the_base_may_give_maps_of_one_channel(bayesian, images, targets):
    found = run(bayesian, images, targets, base=lambda _, images, __: images.sum(1, keepdim=True), samples=2)
    assert {maps.shape for maps in found.values()} == {(4, 1, 6, 8)}
