"""What a network answers does not depend on batches, and asking leaves it as it was."""

from contextlib import contextmanager

import pytest
import torch
from torch import nn

from pipeline.training.inference import DRAWS, logits, probabilities

MEAN, STD = torch.tensor([0.1, 0.5, 0.9]), torch.tensor([0.2, 0.3, 0.4])


@pytest.fixture
def model():
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.5), nn.Flatten(), nn.Linear(144, 5)]
    network = nn.Sequential(*layers)
    nn.init.uniform_(network[1].running_mean, -1, 1)
    return network


@pytest.fixture
def images():
    return torch.randint(0, 256, (23, 3, 8, 8), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)


def test_the_answers_are_the_networks_in_eval_mode_to_normalised_images(model, images):
    found = logits(model, images, MEAN, STD)
    normalised = (images / 255 - MEAN[:, None, None]) / STD[:, None, None]
    with torch.no_grad():
        expected = model.eval()(normalised)
    assert found.shape == (23, 5)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("batch_size", [1, 7, 22, 23, 24])
def test_the_answers_do_not_depend_on_the_batches(model, images, batch_size):
    torch.testing.assert_close(
        logits(model, images, MEAN, STD, batch_size=batch_size), logits(model, images, MEAN, STD)
    )


@pytest.mark.parametrize("training", [True, False])
def test_the_network_is_left_as_it_was_found(model, images, training):
    model.train(training)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    found = logits(model, images, MEAN, STD)
    assert model.training is training
    assert model[1].training is training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not found.requires_grad
    assert all(parameter.grad is None and parameter.requires_grad for parameter in model.parameters())


def test_the_mode_is_put_back_after_an_error_too(model):
    model.train()
    with pytest.raises(RuntimeError):
        logits(model, torch.zeros((2, 3, 9, 9), dtype=torch.uint8), MEAN, STD)
    assert model.training


def test_a_network_of_fixed_weights_believes_the_softmax_of_its_logits(model, images):
    outputs = logits(model, images, MEAN, STD)
    found = probabilities(model, images, MEAN, STD, outputs)
    assert found.dtype == torch.float64
    torch.testing.assert_close(found, outputs.double().softmax(1))


class Coin(nn.Module):
    """Answers class 0 or class 1, as its one weight is drawn, and tells each draw."""

    def __init__(self):
        super().__init__()
        self.weight, self.drawn = nn.Parameter(torch.zeros(1)), []

    def forward(self, images):
        return torch.stack([self.weight * 20, self.weight * -20], 1).expand(len(images), 2)

    @contextmanager
    def draw(self, generator):
        with torch.no_grad():
            self.weight.copy_(torch.randn(1, generator=generator))
        self.drawn.append(self.weight.item())
        yield


def test_a_network_with_a_posterior_believes_the_mean_over_draws_of_its_softmax(images):
    coin = Coin()
    found = probabilities(coin, images, MEAN, STD, torch.zeros((23, 2)), batch_size=10)
    assert len(set(coin.drawn)) == DRAWS
    draws = torch.tensor(coin.drawn, dtype=torch.float64)
    expected = torch.stack([40 * draws, -40 * draws], 1).sigmoid().mean(0)
    torch.testing.assert_close(found, expected.expand(23, 2), rtol=1e-4, atol=1e-6)
    assert 0.2 < expected[0] < 0.8
    assert torch.equal(probabilities(Coin(), images, MEAN, STD, torch.zeros((23, 2)), batch_size=10), found)
