"""LIME against scikit-learn and captum on the same coalitions, closed forms, and its own standard error."""

import pytest
import torch
from captum._utils.models.linear_model import SkLearnRidge
from captum.attr import LimeBase
from scipy.spatial.distance import cosine
from sklearn.linear_model import LassoLars, LinearRegression, Ridge
from torch import nn

from pipeline.attribution._segments import segmented
from pipeline.attribution.lime import _lasso, _ridge, _slopes, lime
from pipeline.randomness import seeded

STATISTICS = {"mean": torch.tensor([0.25, 0.5, 0.75]), "std": torch.tensor([0.125, 0.25, 0.5])}
SEGMENTS = torch.arange(6)[:, None] // 2 * 4 + torch.arange(8) // 2  # the grid of 12 on 6 x 8 pixels


@pytest.fixture
def curved():
    """A small network, far from additive over the segments."""
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 4, 3, padding=1), nn.Tanh(), nn.Flatten(), nn.Linear(192, 8), nn.Tanh(), nn.Linear(8, 5)]
    model = nn.Sequential(*layers).double().eval().requires_grad_(False)
    for parameter in model.parameters():
        parameter.mul_(2)
    return model


def explain(model, images, targets, seed=0, count=12, **options):
    given = {**STATISTICS, "generator": seeded("test", seed), "count": count}
    return lime(model, images, targets, **given, **options)


def drawn(model, images, targets, **options):
    """Return which segments each forward of one image showed, read from the pixels: (M, 12) bool; and the map."""
    seen = []
    hook = model.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    found = explain(model, images[:1], targets[:1], **options)
    hook.remove()
    shown = torch.cat(seen)[:, 0, ::2, ::2].flatten(1) != 0  # the fill is 0
    return shown, found


def kernel(shown, width):
    """Return the weight of each coalition by equation 2's kernel and scipy's cosine distance."""
    ones = torch.ones(12).numpy()
    far = [cosine(row, ones) if row.any() else 1.0 for row in shown.double().numpy()]
    return (-(torch.tensor(far, dtype=torch.float64) / width).square()).exp()


@pytest.mark.parametrize("width", [0.25, 0.7])
@pytest.mark.parametrize("score", ["probability", "logit"])
@pytest.mark.parametrize(("samples", "regression"), [(9, "ridge"), (200, "ridge"), (200, "lasso")])
def test_the_slopes_are_scikit_learns_on_the_same_coalitions(
    samples, regression, score, width, curved, images, targets
):
    options = {"samples": samples, "score": score, "regression": regression, "kernel_width": width}
    shown, found = drawn(curved, images, targets, **options)
    assert shown.shape == (samples, 12)
    assert shown[0].all()
    mixed = shown[:, SEGMENTS][:, None] * images[:1]
    logits = curved(mixed)
    said = (logits if score == "logit" else logits.softmax(1))[:, targets[0]]
    weights = kernel(shown, width)
    if regression == "ridge":
        model = Ridge(alpha=1.0).fit(shown.double().numpy(), said.numpy(), sample_weight=weights.numpy())
        slopes = torch.from_numpy(model.coef_)
    else:
        slopes = lasso_by_another_way(shown.double(), said, weights, 0.001)
    assert slopes.any()
    torch.testing.assert_close(found["maps"][0, 0], slopes[SEGMENTS], rtol=1e-6, atol=1e-7)


def lasso_by_another_way(shown, said, weights, alpha):
    """Least angles instead of coordinate descent, the weights and the intercept put into the data."""
    shares = weights / weights.sum()
    rows = (len(shown) * shares).sqrt()
    design, rest = rows[:, None] * (shown - shares @ shown), rows * (said - shares @ said)
    return torch.from_numpy(LassoLars(alpha=alpha, fit_intercept=False).fit(design.numpy(), rest.numpy()).coef_)


@pytest.mark.parametrize("samples", [9, 40, 200])
def test_the_lassos_slopes_are_where_no_change_pays(samples):
    """Which the slopes of a fit by fewer coalitions than segments, where other algorithms fail, are known by."""
    generator = seeded("optimum")
    shown = (torch.rand(samples, 12, generator=generator) < 0.5).double()
    said, weights = (torch.rand(samples, 2, generator=generator, dtype=torch.float64) for _ in range(2))
    slopes, errors = _lasso(shown, said, weights[:, 0], alpha=0.02)
    shares = weights[:, :1] / weights[:, :1].sum()
    residuals = said - shown @ slopes.mT
    # of the fit, by a little more of each slope
    gains = shown.mT @ (shares * (residuals - (shares * residuals).sum(0)))
    active = slopes.mT != 0
    assert 0 < active.sum() < 24
    torch.testing.assert_close(gains[active], 0.02 * slopes.mT.sign()[active], rtol=0, atol=1e-6)
    assert (gains[~active].abs() <= 0.02 + 1e-6).all()
    assert errors.isfinite().all()


def test_agrees_with_captum_on_the_same_coalitions(curved, images, targets):
    shown, found = drawn(curved, images, targets, samples=60)
    weights, rows = iter(kernel(shown, 0.25)), iter(shown.double())

    def perturb(*_, **__):
        yield from (row[None] for row in rows)

    peer = LimeBase(
        lambda pictures: curved(pictures).softmax(1),
        SkLearnRidge(alpha=1.0),
        lambda *_, **__: next(weights),
        perturb,
        True,
        lambda row, picture, **_: row[0, SEGMENTS] * picture,
        None,
    )
    slopes = peer.attribute(images[:1], target=int(targets[0]), n_samples=60)
    torch.testing.assert_close(found["maps"][0, 0], slopes[0].double()[SEGMENTS], rtol=1e-4, atol=1e-7)


def test_segments_are_shown_with_equal_chances_each_for_itself(curved, images, targets):
    shown, _ = drawn(curved, images, targets, samples=8000)
    rest = shown[1:].double()
    together = rest.mT @ rest / len(rest)
    expected = torch.full((12, 12), 0.25, dtype=torch.float64).fill_diagonal_(0.5)
    torch.testing.assert_close(together, expected, rtol=0, atol=0.03)


@pytest.mark.parametrize("kind", ["grid", "slic"])
def test_an_additive_network_has_its_segments_own_shares_as_slopes(kind, images, targets):
    torch.manual_seed(1)
    images = nn.functional.avg_pool2d(images, 3, 1, 1)  # superpixels of noise are one
    model = nn.Sequential(nn.Flatten(), nn.Linear(144, 5)).double().requires_grad_(False)
    segments = segmented(kind, images, 12, **STATISTICS).expand(4, -1, -1)
    parts = (model[1].weight[targets].view(4, 3, 6, 8) * images).sum(1)
    found = explain(model, images, targets, samples=200, segments=kind, score="logit", alpha=1e-9)
    for i in range(4):
        assert found["aux_segments"][i] == len(segments[i].unique()) > 2
        for label in segments[i].unique():
            pixels = found["maps"][i, 0][segments[i] == label]
            expected = parts[i][segments[i] == label].sum()
            torch.testing.assert_close(pixels, expected.expand_as(pixels), rtol=0, atol=1e-8)
    assert found["aux_std_error"].amax() < 1e-3 * found["maps"].abs().amax()


@pytest.mark.parametrize("fill", ["black", "blur", "noise", "segment"])
def test_the_fill_shows_where_segments_are_hidden(fill, images, targets):
    torch.manual_seed(1)
    model = nn.Sequential(nn.Flatten(), nn.Linear(144, 5)).double().requires_grad_(False)
    seen = []
    model.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    explain(model, images[:1], targets[:1], samples=40, fill=fill)
    pixels = torch.cat(seen)
    statistics = (each.view(3, 1, 1) for each in STATISTICS.values())
    mean, std = statistics
    low, high = torch.minimum(images[0], (0 - mean) / std), torch.maximum(images[0], (1 - mean) / std)
    if fill in {"blur", "segment"}:  # within what the image's own pixels span
        low, high = images[0].amin((1, 2), keepdim=True), images[0].amax((1, 2), keepdim=True)
    assert ((pixels >= low - 1e-6) & (pixels <= high + 1e-6)).all()
    for cell in range(12):
        values = pixels[..., cell == SEGMENTS].flatten(1).unique(dim=0)
        assert len(values) == 2  # the image's, and the fill's


@pytest.mark.parametrize("regression", ["ridge", "lasso"])
def test_the_standard_error_is_the_spread_over_seeds(regression, curved, images, targets):
    options = {"samples": 300, "score": "logit", "regression": regression}
    found = [explain(curved, images[:2], targets[:2], seed, **options) for seed in range(60)]
    maps, errors = (torch.stack([each[name] for each in found]) for name in ("maps", "aux_std_error"))
    ratios = errors.square().mean(0).sqrt() / maps.std(0)
    steady = (maps != 0).all(0)  # of segments that the lasso never leaves out
    assert steady.float().mean() > 0.8
    assert ratios[steady].min() > 0.7
    assert ratios[steady].max() < 1.5


def test_the_error_falls_as_the_root_of_the_samples(curved, images, targets):
    spreads = []
    for samples in (200, 800):
        found = [explain(curved, images, targets, seed, samples=samples) for seed in range(20)]
        spreads.append(torch.stack([each["maps"] for each in found]).var(0).mean().sqrt())
    assert 1.6 < spreads[0] / spreads[1] < 2.5


def test_the_lasso_leaves_out_what_has_no_influence_and_its_errors_are_those_of_a_fit_by_the_rest():
    generator = seeded("lasso")
    shown = (torch.rand(300, 8, generator=generator) < 0.5).double()
    truth = torch.tensor([0.5, 0, 0, -0.4, 0, 0, 0, 0.3], dtype=torch.float64)
    noise = 0.02 * torch.randn(300, 2, dtype=torch.float64, generator=generator)
    weights = 0.5 + torch.rand(300, dtype=torch.float64, generator=generator)
    slopes, errors = _lasso(shown, (shown @ truth)[:, None] + noise, weights, alpha=0.01)
    assert torch.equal(slopes != 0, (truth != 0).expand(2, -1))
    assert torch.equal(errors != 0, slopes != 0)
    kept = shown[:, truth != 0]
    model = LinearRegression().fit(kept.numpy(), (shown @ truth + noise[:, 1]).numpy(), sample_weight=weights.numpy())
    residuals = shown @ truth + noise[:, 1] - torch.from_numpy(model.predict(kept.numpy()))
    joint = torch.cat([kept, torch.ones(300, 1, dtype=torch.float64)], dim=1)
    bread = torch.linalg.inv(joint.mT @ (weights[:, None] * joint))
    meat = joint.mT @ ((weights * residuals).square()[:, None] * joint)
    white = (bread @ meat @ bread).diagonal().sqrt()[:3]
    torch.testing.assert_close(errors[1, truth != 0], white, rtol=0.03, atol=0)
    assert (white < errors[1, truth != 0]).all()  # which White's estimate, of raw residuals, is below


def test_the_standard_error_is_the_jackknife_over_coalitions():
    generator = seeded("jackknife")
    shown = (torch.rand(20, 6, generator=generator) < 0.5).double()
    said, weights = torch.rand(2, 20, generator=generator, dtype=torch.float64)
    weights[0] = 5  # as the image itself among coalitions far from it: its share is large
    kept = [torch.arange(20) != row for row in range(20)]
    fits = [Ridge(alpha=1.0).fit(shown[rest], said[rest], sample_weight=weights[rest]).coef_ for rest in kept]
    whole, errors = _ridge(shown, said[:, None], weights, alpha=1.0)
    expected = (torch.stack([torch.from_numpy(fit) for fit in fits]) - whole).square().sum(0).sqrt()
    torch.testing.assert_close(errors[0], expected, rtol=1e-7, atol=0)


def test_scores_that_never_change_give_slopes_of_zero():
    shown = torch.rand(30, 8, generator=seeded("constant"), dtype=torch.float64).round()
    weights = torch.full((30,), 0.3, dtype=torch.float64)
    zeros = torch.zeros(30, 2, dtype=torch.float64)
    for fit, alpha in ((_ridge, 1.0), (_lasso, 0.001)):
        assert not any(found.any() for found in fit(shown, zeros, weights, alpha=alpha))
    constant = torch.full((50, 3), 1 / 3, dtype=torch.float64)
    found = _slopes(lambda coalitions: constant[: len(coalitions)], 6, seeded(0), samples=50, width=0.25, fit=ridge)
    assert not any(each.any() for each in found)


def ridge(*arguments):
    return _ridge(*arguments, alpha=1.0)


@pytest.mark.parametrize("samples", [2, 20, 300])
def test_one_forward_for_each_coalition(samples, counted, curved, images, targets):
    model = counted(curved)
    explain(model, images[:3], targets[:3], samples=samples)
    assert sum(model.batches) == 3 * samples
    assert max(model.batches) <= 256


@pytest.mark.parametrize("regression", ["ridge", "lasso"])
def test_images_of_unequal_numbers_of_segments_are_explained_as_if_alone(regression, curved, images, targets):
    images = nn.functional.avg_pool2d(images, 3, 1, 1)
    options = {"segments": "slic", "samples": 60, "regression": regression}
    together = explain(curved, images, targets, **options)
    assert len(together["aux_segments"].unique()) > 1
    alone = [explain(curved, images[i : i + 1], targets[i : i + 1], **options) for i in range(4)]
    for name, array in together.items():
        torch.testing.assert_close(array, torch.cat([each[name] for each in alone]), rtol=1e-10, atol=1e-12)


def test_the_penalty_stated_is_the_penalty_taken(curved, images, targets):
    loose, strict = (explain(curved, images, targets, alpha=alpha)["maps"] for alpha in (1.0, 1e4))
    assert torch.equal(loose, explain(curved, images, targets)["maps"])
    assert strict.abs().amax() < 0.1 * loose.abs().amax()
    assert not explain(curved, images, targets, regression="lasso", alpha=1.0)["maps"].any()
