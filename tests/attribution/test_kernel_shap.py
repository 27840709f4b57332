"""Kernel SHAP against the definition of Shapley values, against captum, and its own standard error."""

import math
from itertools import combinations

import pytest
import torch
from captum.attr import KernelShap
from torch import nn

from pipeline.attribution._coalitions import explained
from pipeline.attribution._segments import counts, filled, segmented
from pipeline.attribution.kernel_shap import _drawn, _enumerated, _kernel, _shapley, kernel_shap
from pipeline.randomness import seeded

STATISTICS = {"mean": torch.tensor([0.25, 0.5, 0.75]), "std": torch.tensor([0.125, 0.25, 0.5])}
EXACT = {"count": 12, "samples": 4096}


@pytest.fixture
def curved():
    """A small network, far from additive over the segments."""
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 4, 3, padding=1), nn.Tanh(), nn.Flatten(), nn.Linear(192, 8), nn.Tanh(), nn.Linear(8, 5)]
    model = nn.Sequential(*layers).double().eval().requires_grad_(False)
    for parameter in model.parameters():
        parameter.mul_(2)
    return model


def explain(model, images, targets, seed=0, **options):
    return kernel_shap(model, images, targets, **STATISTICS, generator=seeded("test", seed), **options)


def logit(model, images, targets):
    return model(images).gather(1, targets[:, None]).squeeze(1)


def probability(model, images, targets):
    return model(images).softmax(1).gather(1, targets[:, None]).squeeze(1)


def by_definition(score, segments):
    """Return the Shapley values of a function of the set of shown segments, by their definition, as a list."""
    count = int(segments.max()) + 1
    known = {shown: score(shown) for size in range(count + 1) for shown in combinations(range(count), size)}
    factor = [math.factorial(k) * math.factorial(count - k - 1) / math.factorial(count) for k in range(count)]
    values = [0.0] * count
    for shown, value in known.items():
        for segment in set(range(count)) - set(shown):
            joined = tuple(sorted((*shown, segment)))
            values[segment] += factor[len(shown)] * (known[joined] - value)
    return values


def assert_shapley(model, images, targets, says, found, segments, behind):
    for i, (labels, image) in enumerate(zip(segments.expand(len(images), -1, -1), images, strict=True)):

        def score(shown, labels=labels, image=image, i=i):
            visible = torch.isin(labels, torch.tensor(shown, dtype=torch.long))
            mixed = torch.where(visible, image, behind.expand_as(images)[i])
            return says(model, mixed[None], targets[i : i + 1]).item()

        maps = found["maps"][i, 0]
        sums = torch.tensor([maps[labels == label].sum() for label in labels.unique()])
        expected = torch.tensor(by_definition(score, labels), dtype=torch.float64)
        torch.testing.assert_close(sums, expected.to(sums), rtol=0, atol=1e-9)
        for label in labels.unique():
            assert (maps[labels == label] == maps[labels == label][0]).all()


def test_all_coalitions_of_12_segments_give_the_shapley_values(curved, images, targets):
    segments = torch.arange(6)[:, None] // 2 * 4 + torch.arange(8) // 2
    found = explain(curved, images[:1], targets[:1], **EXACT)
    assert found["maps"].dtype == torch.float64
    assert found["aux_segments"].tolist() == [12]
    assert not found["aux_std_error"].any()
    assert_shapley(curved, images[:1], targets[:1], logit, found, segments[None], torch.zeros_like(images[:1]))


@pytest.mark.parametrize("score", ["logit", "probability"])
@pytest.mark.parametrize("fill", ["mean", "blur", "segment"])
@pytest.mark.parametrize("kind", ["grid", "slic"])
def test_so_do_those_of_any_few_segments_under_any_fill(kind, fill, score, curved, images, targets):
    images = torch.nn.functional.avg_pool2d(images, 3, 1, 1)  # superpixels of noise are one
    segments = segmented(kind, images, 5, **STATISTICS)
    behind = filled(fill, images, segments, **STATISTICS, blur=0.1, generator=seeded(0))
    found = explain(curved, images, targets, count=5, samples=256, segments=kind, fill=fill, score=score)
    assert found["aux_segments"].tolist() == counts(segments).expand(4).tolist()
    assert 2 < found["aux_segments"].amax() <= 8
    says = {"logit": logit, "probability": probability}[score]
    assert_shapley(curved, images, targets, says, found, segments, behind)


@pytest.mark.parametrize("samples", [2, 5, 12, 100, 4096])
@pytest.mark.parametrize("score", [logit, probability])
def test_a_map_adds_up_to_the_score_less_that_of_the_fill_however_few_the_samples(
    samples, score, curved, images, targets
):
    found = explain(curved, images, targets, count=12, samples=samples, score=score.__name__)
    change = score(curved, images, targets) - score(curved, torch.zeros_like(images), targets)
    torch.testing.assert_close(found["maps"].sum((1, 2, 3)), change, rtol=0, atol=1e-12)


def spread(model, images, targets, samples, runs):
    found = [explain(model, images, targets, seed, count=12, samples=samples) for seed in range(runs)]
    return (torch.stack([each[name] for each in found]) for name in ("maps", "aux_std_error"))


def test_the_error_falls_as_the_root_of_the_samples_and_is_what_the_standard_error_says(curved, images, targets):
    exact = explain(curved, images, targets, **EXACT)["maps"]
    sizes = {}
    for samples, runs in ((100, 30), (400, 15), (1600, 6)):
        maps, errors = spread(curved, images, targets, samples, runs)
        sizes[samples] = (maps - exact).square().mean().sqrt()
        said = errors.square().mean().sqrt()
        assert 0.85 < said / sizes[samples] < 1.35
        assert ((maps.mean(0) - exact).abs() < 5 * errors.square().mean(0).sqrt() / runs**0.5).all()
    assert 1.7 < sizes[100] / sizes[400] < 2.6
    assert 1.7 < sizes[400] / sizes[1600] < 2.4


def test_the_standard_error_is_right_segment_by_segment(curved, images, targets):
    maps, errors = spread(curved, images[:2], targets[:2], 400, 60)
    ratios = errors.square().mean(0).sqrt() / maps.std(0)
    assert ratios.min() > 0.7
    assert ratios.max() < 1.5


def test_few_samples_err_by_no_more_than_the_standard_error_says(curved, images, targets):
    exact = explain(curved, images, targets, **EXACT)["maps"]
    for samples in (8, 24, 40):
        maps, errors = spread(curved, images, targets, samples, 30)
        assert (maps - maps.mean(0)).square().mean() < errors.square().mean()
        assert (maps - exact).square().mean() < 4 * errors.square().mean()


def test_an_additive_network_needs_no_more_pairs_than_segments(images, targets):
    torch.manual_seed(1)
    model = nn.Sequential(nn.Flatten(), nn.Linear(144, 5)).double().requires_grad_(False)
    found = explain(model, images, targets, count=12, samples=100)
    parts = (model[1].weight[targets].view(4, 3, 6, 8) * images).sum(1, keepdim=True)
    expected = nn.functional.avg_pool2d(parts, 2).repeat_interleave(2, 2).repeat_interleave(2, 3)
    torch.testing.assert_close(found["maps"], expected, rtol=0, atol=1e-12)
    assert found["aux_std_error"].amax() < 1e-3 * expected.abs().amax()


def test_with_fewer_pairs_than_segments_the_rest_is_shared_equally(curved, images, targets):
    """The least change of an equal share that explains every pair drawn."""
    seen = []

    def scores(coalitions):
        seen.append(coalitions)
        return torch.randn(len(coalitions), 3, dtype=torch.float64, generator=seeded("scores"))

    values, errors = _shapley(scores, 12, seeded("few"), samples=8)
    (coalitions,) = seen
    said = scores(coalitions)
    assert torch.equal(coalitions[0], torch.ones(12, dtype=torch.bool))
    assert torch.equal(coalitions[:5], ~coalitions[5:])
    share = (said[0] - said[5]) / 12
    rows = torch.cat([coalitions[1:5].double(), torch.ones(1, 12, dtype=torch.float64)])
    gains = torch.cat([(said[1:5] - said[6:] + said[0] - said[5]) / 2, (said[0] - said[5])[None]])
    expected = share + torch.linalg.lstsq(rows, gains - rows.sum(1, keepdim=True) * share, driver="gelsd").solution
    torch.testing.assert_close(values, expected.mT, rtol=0, atol=1e-12)
    assert (errors > 0).any(1).all()


def test_errs_less_than_captum_with_as_many_samples(curved, images, targets):
    exact = explain(curved, images[:1], targets[:1], **EXACT)["maps"][0, 0]
    segments = torch.arange(6)[:, None] // 2 * 4 + torch.arange(8) // 2
    theirs, ours = [], []
    for seed in range(6):
        torch.manual_seed(seed)
        options = {"feature_mask": segments[None, None], "n_samples": 400, "perturbations_per_eval": 400}
        peer = KernelShap(curved).attribute(images[:1], target=int(targets[0]), **options)
        theirs.append(peer[0, 0] / 4 - exact)
        ours.append(explain(curved, images[:1], targets[:1], seed, count=12, samples=398)["maps"][0, 0] - exact)
    theirs, ours = (torch.stack(each).square().mean().sqrt() for each in (theirs, ours))
    assert theirs < 0.25 * exact.abs().amax()  # the same quantity: their estimate comes near to it as well
    assert ours < theirs


@pytest.mark.parametrize(
    ("samples", "segments", "passes"), [(20, 12, 22), (21, 12, 22), (4096, 12, 4096), (100, 6, 64)]
)
def test_one_forward_for_each_coalition_and_two_for_the_image_and_the_fill(
    samples, segments, passes, counted, curved, images, targets
):
    model = counted(curved)
    found = explain(model, images[:3], targets[:3], count=segments, samples=samples)
    assert found["aux_segments"].tolist() == [segments] * 3
    assert sum(model.batches) == 3 * passes
    assert max(model.batches) <= 256


def test_the_enumerated_coalitions_and_their_complements_are_all_but_none_and_all():
    found = _enumerated(5)
    codes = [tuple(row) for row in torch.cat([found, ~found]).tolist()]
    assert len(set(codes)) == len(codes) == 2**5 - 2
    assert (True,) * 5 not in codes
    assert (False,) * 5 not in codes
    assert _enumerated(1).shape == (0, 1)


def test_the_kernel_is_that_of_theorem_2_up_to_a_factor():
    sizes = range(1, 12)
    expected = torch.tensor([11 / (math.comb(12, k) * k * (12 - k)) for k in sizes], dtype=torch.float64)
    found = _kernel(12)
    torch.testing.assert_close(found[1:-1] / found[1], expected / expected[0])
    assert found[[0, -1]].tolist() == [0, 0]


def test_coalitions_are_drawn_by_the_kernel():
    found = _drawn(40_000, 5, seeded("drawn"))
    weights = torch.tensor([1 / 4, 1 / 6, 1 / 6, 1 / 4])
    shares = found.sum(1).bincount(minlength=6)[1:5] / len(found)
    torch.testing.assert_close(shares, weights / weights.sum(), rtol=0, atol=0.01)
    for size in range(1, 5):  # a segment is in size / count of them, two of them together in their share
        drawn = found[found.sum(1) == size].double()
        together = drawn.mT @ drawn / len(drawn)
        expected = torch.full((5, 5), size * (size - 1) / 20, dtype=torch.float64).fill_diagonal_(size / 5)
        torch.testing.assert_close(together, expected, rtol=0, atol=0.02)


@pytest.mark.parametrize("kind", ["grid", "slic"])
def test_coalitions_depend_on_the_seed_and_the_number_of_segments_alone(kind, curved, images, targets):
    """Not on the precision, nor on which other images are explained beside."""
    images = torch.nn.functional.avg_pool2d(images, 3, 1, 1)
    seen = []

    def note(scores, count, generator):
        seen.append((count, _drawn(30, count, generator)))
        return _shapley(scores, count, generator, samples=20)

    def run(rows, dtype):
        seen.clear()
        some, model = images[rows].to(dtype), curved.to(dtype)
        segments = segmented(kind, some, 12, **STATISTICS)
        arguments = {"score": "logit", "generator": seeded("same"), "solve": note}
        explained(model, some, targets[rows], segments, torch.zeros_like(some[:1]), **arguments)
        return {count: drawn.tolist() for count, drawn in seen}

    together = run([0, 1, 2, 3], torch.float64)
    assert run([3, 0], torch.float32).items() <= together.items()
    assert run([2], torch.float64).items() <= together.items()
    assert len(together) == 1 if kind == "grid" else len(together) > 1


def test_images_of_unequal_numbers_of_segments_are_explained_as_if_alone(curved, images, targets):
    images = torch.nn.functional.avg_pool2d(images, 3, 1, 1)
    options = {"segments": "slic", "count": 12, "samples": 60}
    together = explain(curved, images, targets, **options)
    assert len(together["aux_segments"].unique()) > 1
    alone = [explain(curved, images[i : i + 1], targets[i : i + 1], **options) for i in range(4)]
    for name, array in together.items():
        torch.testing.assert_close(array, torch.cat([each[name] for each in alone]), rtol=1e-10, atol=1e-12)


def test_a_single_segment_gets_all(curved, images, targets):
    found = explain(curved, images, targets, count=1, samples=2)
    change = logit(curved, images, targets) - logit(curved, torch.zeros_like(images), targets)
    torch.testing.assert_close(found["maps"], (change / 48).view(4, 1, 1, 1).expand(4, 1, 6, 8))
