"""Expected Gradients against closed forms, captum and the axiom of completeness in expectation."""

import torch
from captum.attr import GradientShap
from torch import nn

from pipeline.attribution.expected_gradients import expected_gradients
from pipeline.attribution.integrated_gradients import integrated_gradients
from pipeline.randomness import seeded

POOL = torch.randn(5, 3, 6, 8, dtype=torch.float64, generator=seeded("references"))


class Cubic(nn.Module):
    """Logits a_k * sum(x ** 3), whose exact integrated gradients from r are a_k * (x ** 3 - r ** 3)."""

    a = torch.tensor([1.0, -2.0, 0.5, 3.0, -1.0], dtype=torch.float64)

    def forward(self, images):
        return (images**3).flatten(1).sum(1)[:, None] * self.a


def references(count):
    return POOL[torch.arange(count) % len(POOL)]


def run(model, images, targets, seed=0, references=references, **parameters):
    return expected_gradients(model, images, targets, references=references, generator=seeded(seed), **parameters)


def test_a_linear_network_is_exact(images, targets):
    linear = nn.Sequential(nn.Flatten(), nn.Linear(144, 5)).double()
    expected = linear[1].weight[targets].view_as(images) * (images - POOL[:3].mean(0))
    found = run(linear, images, targets, samples=3)
    torch.testing.assert_close(found["maps"], expected.detach(), rtol=1e-12, atol=1e-15)
    torch.testing.assert_close(found["aux_change"], expected.detach().sum((1, 2, 3)))
    assert found["aux_gap"].abs().max() < 1e-12


def assert_zero_in_expectation(errors):
    """Each column of (runs, numbers) should have the mean 0, by its own spread."""
    scores = errors.mean(0) / (errors.std(0) / len(errors) ** 0.5)
    assert scores.abs().max() < 5
    assert scores.square().mean().sqrt() < 1.5


def test_it_is_without_bias_on_a_cubic(images, targets):
    exact = Cubic.a[targets].view(-1, 1, 1, 1) * (images**3 - (POOL[:3] ** 3).mean(0))
    runs = [run(Cubic(), images, targets, seed=seed, samples=3) for seed in range(400)]
    errors = torch.stack([found["maps"] - exact for found in runs])
    assert errors.abs().mean() > 0.1
    assert_zero_in_expectation(errors.flatten(1))
    assert_zero_in_expectation(torch.stack([found["aux_gap"] for found in runs]))


def test_maps_are_complete_in_expectation_on_a_network(strided, images, targets):
    gaps = torch.stack([run(strided, images, targets, seed=seed, samples=4)["aux_gap"] for seed in range(300)])
    assert gaps.std(0).min() > 1e-4
    assert_zero_in_expectation(gaps)


def test_the_gap_is_what_the_sum_lacks_of_the_mean_change_of_the_logit(strided, images, targets):
    found = run(strided, images, targets, samples=7)
    with torch.no_grad():
        change = strided(images)[range(4), targets] - strided(references(7)).mean(0)[targets]
    torch.testing.assert_close(found["aux_change"], change)
    torch.testing.assert_close(found["aux_gap"], found["maps"].sum((1, 2, 3)) - change)


def test_many_samples_give_the_mean_of_integrated_gradients_over_the_references(residual, images, targets):
    given = {"mean": torch.zeros(3).double(), "std": torch.ones(3).double(), "generator": seeded(0), "steps": 200}
    expected = torch.zeros_like(images)
    for reference in POOL:  # a path from a reference is one from 0 of the network that adds the reference

        class Moved(nn.Module):
            def forward(self, change, reference=reference):
                return residual(change + reference)

        expected += integrated_gradients(Moved(), images - reference, targets, **given)["maps"] / len(POOL)
    found = run(residual, images, targets, samples=1000)["maps"]
    assert (found - expected).norm() < 0.02 * expected.norm()


def test_agrees_with_captum_in_distribution(pooled, images, targets):
    torch.manual_seed(0)
    captum = GradientShap(pooled)
    expected = captum.attribute(images, POOL, n_samples=1500, stdevs=0.0, target=targets).detach()
    found = run(pooled, images, targets, samples=1500)["maps"]
    assert (found - expected).norm() < 0.1 * expected.norm()


def test_places_are_uniform_whatever_the_reference_and_cover_the_path(images, targets):
    seen = []

    class Spy(nn.Module):
        def forward(self, images):
            seen.append(images)
            return images.flatten(1).sum(1, keepdim=True)

    zeros, ones = torch.zeros(1, 1, 2, 2).double(), torch.ones(1, 1, 2, 2).double()
    for seed in range(300):
        run(
            Spy(), ones, 0 * targets[:1], seed=seed, references=lambda count: zeros.expand(count, -1, -1, -1), samples=4
        )
    places = torch.stack([each[0, 0, 0, 0].detach() for each in seen]).view(300, -1)[:, :4]
    assert torch.equal((places * 4).floor().sort(1).values, torch.arange(4.0).double().expand(300, -1))
    for column in places.T:
        assert abs(column.mean() - 0.5) < 5 * (1 / 12 / 300) ** 0.5
        assert abs(column.var() - 1 / 12) < 5 * (1 / 180 / 300) ** 0.5


def test_evaluates_as_often_as_there_are_samples_and_never_more_at_once_than_was_given(
    counted, backwards, strided, images, targets
):
    model, back, asked = counted(strided), backwards(strided[0]), []

    def counting(count):
        asked.append(count)
        return references(count)

    run(model, images, targets, references=counting, samples=6)
    assert model.batches == [4] * 6 + [4, 2, 4]
    assert back == [4] * 6
    assert asked == [6]


def test_the_default_is_50_samples(strided, images, targets):
    assert torch.equal(run(strided, images, targets)["maps"], run(strided, images, targets, samples=50)["maps"])


def test_an_image_that_is_every_reference_has_an_empty_map(strided, images, targets):
    found = run(strided, images[:1], targets[:1], references=lambda count: images[:1].expand(count, -1, -1, -1))
    assert not found["maps"].any()
    assert found["aux_gap"].abs().max() < 1e-12


def test_many_samples_do_not_round_away_in_half_precision(images, targets):
    linear = nn.Sequential(nn.Flatten(), nn.Linear(144, 5)).bfloat16()
    half = images.bfloat16()
    found = run(linear, half, targets, references=lambda count: 0 * half[:1].expand(count, -1, -1, -1), samples=600)
    expected = linear[1].weight[targets].view_as(half) * half
    torch.testing.assert_close(found["maps"], expected.detach(), rtol=0.01, atol=1e-4)
