"""One loop that learns, goes on where it was cut, and never learns from what is held out."""

import copy
import io
import math
import re
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from pipeline.data._splits import validation
from pipeline.training.fit import fit, one_cycle

MEAN, STD = torch.tensor([0.4]), torch.tensor([0.3])


def task(count=120, size=8, seed=0):
    """Images of three classes: a bright upper part, a bright left part, a bright middle, in noise."""
    draw = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 80, (count, 1, size, size), generator=draw, dtype=torch.uint8)
    labels = torch.arange(count) % 3
    for image, label in zip(images, labels, strict=True):
        {0: image[:, :3], 1: image[:, :, :3], 2: image[:, 3:6, 3:6]}[int(label)].add_(150)
    return images, labels


def network(seed=0):
    """A network with all that has a state or draws: batch norm and dropout."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        layers = [nn.Conv2d(1, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.Dropout(0.3), nn.Flatten(), nn.Linear(216, 3)]
        return nn.Sequential(*layers)


def run(model=None, images=None, labels=None, **options):
    """Return (network, states) of a training, each state a copy."""
    model = model or network()
    if images is None:
        images, labels = task()
    given = {"mean": MEAN, "std": STD, "seed": 0, "epochs": 4, "batch_size": 16} | options
    return model, [copy.deepcopy(state) for state in fit(model, images, labels, **given)]


def flat(state):
    """Return every tensor and number of a nested state by its path."""
    if isinstance(state, dict):
        return {(key, *path): value for key, inner in state.items() for path, value in flat(inner).items()}
    if isinstance(state, list | tuple):
        return flat(dict(enumerate(state)))
    return {(): state}


def assert_equal_states(found, expected):
    found, expected = flat(found), flat(expected)
    assert found.keys() == expected.keys()
    for path, value in expected.items():
        if isinstance(value, torch.Tensor):
            assert torch.equal(found[path], value), path
            assert found[path].stride() == value.stride(), path
        else:
            assert found[path] == value or (value != value and found[path] != found[path]), path


AUGMENTED = {"shift": 2, "flip": True}


@pytest.mark.parametrize("options", [{}, AUGMENTED, {"momentum": 0.0}, {"validation": 0.0}, {"average": 0.8}], ids=str)
@pytest.mark.parametrize("epoch", [1, 2, 3])
def test_a_run_resumed_from_any_epoch_ends_like_one_that_was_never_cut(options, epoch):
    model, states = run(**options)
    file = io.BytesIO()
    torch.save(states[epoch - 1], file)
    file.seek(0)
    again, rest = run(network(seed=9), resume=torch.load(file, weights_only=True), **options)
    assert len(rest) == 4 - epoch
    for found, expected in zip(rest, states[epoch:], strict=True):
        assert_equal_states(found, expected)
    assert_equal_states(again.state_dict(), model.state_dict())


def test_a_run_that_is_over_gives_its_weights_back_and_trains_no_more():
    model, states = run()
    again, rest = run(network(seed=9), resume=states[-1])
    assert rest == []
    assert_equal_states(again.state_dict(), model.state_dict())


def test_equal_seeds_give_equal_weights_whatever_was_drawn_before():
    first, states = run(**AUGMENTED)
    torch.manual_seed(77)
    before = torch.random.get_rng_state()
    second, others = run(**AUGMENTED)
    assert torch.equal(torch.random.get_rng_state(), before), "the global generator was used"
    assert_equal_states(others[-1], states[-1])
    assert_equal_states(second.state_dict(), first.state_dict())
    third, _ = run(seed=1, **AUGMENTED)
    assert not torch.equal(third[0].weight, first[0].weight)


def test_the_mode_in_which_the_network_comes_does_not_count():
    first, _ = run(network().eval())
    second, _ = run(network().train())
    assert_equal_states(first.state_dict(), second.state_dict())


@pytest.mark.parametrize(
    "option",
    [{"shift": 1}, {"flip": True}, {"batch_size": 15}, {"momentum": 0.8}, {"epochs": 3}, {"average": 0.5}],
    ids=str,
)
def test_every_option_makes_a_difference(option):
    assert not torch.equal(run(**option)[0][0].weight, run()[0][0].weight)


def test_what_can_be_told_apart_is_learnt():
    _, states = run(epochs=6)
    history = states[-1]["history"]
    assert [row["epoch"] for row in history] == [1, 2, 3, 4, 5, 6]
    losses = [row["loss"] for row in history]
    assert losses[-1] < 0.2 * losses[0]
    assert history[-1]["accuracy"] > 0.95
    assert history[-1]["validation_accuracy"] == 1.0
    assert list(history[0]) == ["epoch", "loss", "accuracy", "validation_accuracy", "learning_rate"]


def test_labels_without_a_meaning_are_not_learnt_beyond_chance():
    images, _ = task(300)
    labels = torch.randint(3, (300,), generator=torch.Generator().manual_seed(5))
    _, states = run(images=torch.zeros_like(images), labels=labels)
    assert states[-1]["history"][-1]["loss"] > 0.9 * math.log(3)


def test_a_state_holds_the_histories_of_the_epochs_so_far():
    _, states = run()
    assert [len(state["history"]) for state in states] == [1, 2, 3, 4]
    for earlier, later in pairwise(states):
        assert later["history"][: len(earlier["history"])] == earlier["history"]


class Watched(nn.Module):
    """A linear network that notes which images it sees while it learns and while it does not."""

    def __init__(self):
        super().__init__()
        torch.nn.init.zeros_((linear := nn.Linear(4, 3)).weight)
        self.linear, self.seen = linear, {True: [], False: []}

    def forward(self, images):
        pixels = ((images * 0.3 + 0.4) * 255).round().long().flatten(1)
        self.seen[self.training] += (pixels[:, 0] + 256 * pixels[:, 1]).tolist()
        return self.linear(images.flatten(1))


def numbered(count):
    """Images of 2 x 2 pixels, the first two of which hold the image's number."""
    images = torch.zeros((count, 1, 2, 2), dtype=torch.uint8)
    places = torch.arange(count)
    images[:, 0, 0, 0], images[:, 0, 0, 1] = places % 256, places // 256
    return images


def watched(**options):
    model, images, labels = Watched(), numbered(300), torch.arange(300) % 3
    run(model, images, labels, **options)
    return {phase: set(seen) for phase, seen in model.seen.items()}, labels


def test_what_is_held_out_is_never_learnt_from_and_is_the_same_for_every_seed():
    first, labels = watched(batch_size=9)
    second, _ = watched(batch_size=9, seed=1)
    assert first[False] == second[False]
    assert not first[True] & first[False]
    assert first[True] | first[False] == set(range(300))
    assert torch.bincount(labels[sorted(first[False])]).tolist() == [10, 10, 10]
    assert first[False] == set(np.flatnonzero(validation(labels.numpy(), 0.1, "validation")).tolist())


def test_without_validation_all_is_learnt_and_no_accuracy_is_claimed():
    model, images, labels = Watched(), numbered(300), torch.arange(300) % 3
    _, states = run(model, images, labels, validation=0.0, batch_size=10)
    assert set(model.seen[True]) == set(range(300))
    assert model.seen[False] == []
    assert math.isnan(states[-1]["history"][-1]["validation_accuracy"])


def test_each_epoch_sees_every_image_once_in_a_new_order_less_what_fills_no_batch():
    model, images, labels = Watched(), numbered(300), torch.arange(300) % 3
    run(model, images, labels, batch_size=100, validation=0.1, epochs=3)  # 270 images: two batches and 70
    epochs = [model.seen[True][start : start + 200] for start in (0, 200, 400)]
    assert all(len(set(epoch)) == 200 for epoch in epochs)
    assert len(model.seen[True]) == 600
    assert epochs[0] != epochs[1] != epochs[2]


def test_a_batch_is_no_larger_than_all_images():
    model, images, labels = Watched(), numbered(30), torch.arange(30) % 3
    run(model, images, labels, batch_size=1000, epochs=2)
    assert len(model.seen[True]) == 2 * 27


def by_hand(images, labels, *, epochs, peak, momentum=0.9, weight_decay=5e-4, label_smoothing=0.0, ridge=0.0):
    """Softmax regression from zero weights, all images in each step: SGD as its papers write it, in float64.

    Returns the weights after each step, (epochs, 3, pixels + 1).
    """
    x = ((images.double() / 255 - 0.4) / 0.3).flatten(1)
    x = torch.cat([x, torch.ones(len(x), 1)], 1)
    weights = velocity = torch.zeros((3, x.shape[1]), dtype=torch.float64)
    truth = (1 - label_smoothing) * nn.functional.one_hot(labels, 3) + label_smoothing / 3
    path = []
    for epoch in range(epochs):
        probabilities = (x @ weights.T).softmax(1)
        gradient = (probabilities - truth).T @ x / len(x) + weight_decay * weights
        gradient[:, :-1] += 2 * ridge / len(x) * weights[:, :-1]
        velocity = momentum * velocity + gradient
        progress = epoch / epochs
        rate = peak * (0.1 + 0.9 * progress / 0.25 if progress < 0.25 else (1 - progress) / 0.75)
        weights = weights - rate * (gradient + momentum * velocity)
        path.append(weights)
    return torch.stack(path)


def regression():
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 3))
    for parameter in model.parameters():
        nn.init.zeros_(parameter)
    return model


def assert_weights(model, expected):
    found = torch.cat([model[1].weight, model[1].bias[:, None]], 1).double()
    assert expected.abs().max() > 0.01
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_the_weights_are_those_of_nesterovs_descent_along_one_cycle(momentum, weight_decay):
    images, labels = task(30)
    options = {"epochs": 7, "momentum": momentum, "weight_decay": weight_decay}
    model, states = run(regression(), images, labels, learning_rate=0.02, batch_size=30, validation=0.0, **options)
    assert_weights(model, by_hand(images, labels, peak=0.02, **options)[-1])
    rates = [row["learning_rate"] for row in states[-1]["history"]]
    assert rates == pytest.approx(
        [0.02 * share for share in (0.1, 0.1 + 0.9 * 4 / 7, *(4 * k / 21 for k in (5, 4, 3, 2, 1)))]
    )


WHOLE = {"learning_rate": 0.02, "batch_size": 30, "validation": 0.0, "epochs": 7}


def test_smoothing_spreads_a_share_of_the_target_over_all_classes():
    images, labels = task(30)
    model, _ = run(regression(), images, labels, label_smoothing=0.3, **WHOLE)
    assert_weights(model, by_hand(images, labels, epochs=7, peak=0.02, label_smoothing=0.3)[-1])


class Ridge(nn.Sequential):
    """Softmax regression that asks for small weights, the more the fewer images there are."""

    def penalty(self, count):
        return 50 * self[1].weight.square().sum() / count


def test_the_penalty_of_a_network_joins_its_loss_and_knows_the_number_of_images():
    images, labels = task(30)
    model, states = run(Ridge(*regression()), images, labels, **WHOLE)
    path = by_hand(images, labels, epochs=7, peak=0.02, ridge=50)
    assert_weights(model, path[-1])
    plain = nn.functional.cross_entropy(
        ((images.double() / 255 - 0.4) / 0.3).flatten(1) @ path[-2][:, :-1].T + path[-2][:, -1], labels
    )
    penalty = 50 * path[-2][:, :-1].square().sum() / 30
    assert states[-1]["history"][-1]["loss"] == pytest.approx(float(plain + penalty), rel=1e-4)


def test_the_network_ends_with_the_running_mean_of_its_weights():
    images, labels = task(30)
    model, _ = run(regression(), images, labels, average=0.6, **WHOLE)
    share = 0.6 ** torch.arange(6, -1, -1, dtype=torch.float64)
    path = by_hand(images, labels, epochs=7, peak=0.02)
    assert_weights(model, (share.view(-1, 1, 1) * path).sum(0) / share.sum())


def test_the_penalty_counts_the_images_that_are_learnt_from():
    counts = []

    class Counting(nn.Sequential):
        def penalty(self, count):
            counts.append(count)
            return self[1].weight.sum() * 0

    run(Counting(*regression()), *task(30), validation=0.2, epochs=1)
    assert set(counts) == {24}


def test_the_mean_that_validation_sees_is_corrected_for_its_number_of_updates():
    shown = []

    class Shown(nn.Sequential):
        """Tells the largest weight in each evaluation; the weights stay where they are, so their mean is they."""

        def forward(self, images):
            if not self.training:
                shown.append(float(self[1].weight.detach().abs().max()))
            return super().forward(images)

    model = Shown(nn.Flatten(), nn.Linear(64, 3))
    largest = float(model[1].weight.detach().abs().max())
    run(model, *task(30), learning_rate=1e-12, average=0.9)
    assert shown == pytest.approx([largest] * 4, rel=1e-4)


def test_validation_is_of_the_running_mean_and_training_goes_on_from_the_last_weights():
    _, plain = run()
    model, averaged = run(average=0.9)
    for one, other in zip(plain, averaged, strict=True):
        assert_equal_states(other["model"], one["model"])
        assert [row["loss"] for row in other["history"]] == [row["loss"] for row in one["history"]]
    held_out = torch.as_tensor(validation(task()[1].numpy(), 0.1, "validation"))
    pixels = ((task()[0][held_out] / 255) - 0.4) / 0.3
    right = (model.eval()(pixels).argmax(1) == task()[1][held_out]).double().mean()
    assert averaged[-1]["history"][-1]["validation_accuracy"] == pytest.approx(float(right))
    assert not torch.equal(model[0].weight, averaged[-1]["model"]["0.weight"])


def test_bfloat16_computes_coarsely_and_keeps_its_weights_in_float32():
    exact, _ = run(learning_rate=0.01, epochs=1)
    coarse, states = run(learning_rate=0.01, epochs=1, precision="bfloat16")
    for one, other in zip(exact.parameters(), coarse.parameters(), strict=True):
        assert other.dtype == torch.float32
        assert not torch.equal(one, other)
        torch.testing.assert_close(one, other, rtol=0.1, atol=0.02)
    assert states[0]["history"][0]["loss"] != pytest.approx(float("nan"))


def test_both_precisions_learn_what_can_be_told_apart():
    for precision in ("float32", "bfloat16"):
        _, states = run(epochs=6, precision=precision)
        assert states[-1]["history"][-1]["validation_accuracy"] == 1.0


@pytest.mark.parametrize(
    ("progress", "share"), [(0, 0.1), (0.125, 0.55), (0.25, 1.0), (0.4375, 0.75), (0.625, 0.5), (0.925, 0.1), (1, 0.0)]
)
def test_the_rate_rises_in_a_line_to_its_peak_and_falls_in_a_line_to_nothing(progress, share):
    assert one_cycle(progress, 0.2) == pytest.approx(0.2 * share)
    assert one_cycle(progress, 0.2, rise=0.25) == one_cycle(progress, 0.2)


def test_the_peak_may_come_at_another_time():
    assert one_cycle(0.5, 1.0, rise=0.5) == 1.0
    assert one_cycle(0.25, 1.0, rise=0.5) == pytest.approx(0.55)


def test_a_loss_that_is_no_number_is_told_with_epoch_and_rate():
    told = r"the loss is (nan|inf) in epoch 1, batch (\d) of 6, at the learning rate ([\d.e+]+); lower the rate"
    with pytest.raises(ValueError, match=rf"\A{told}\Z") as error:
        run(learning_rate=1e30)
    _, batch, rate = re.search(told, str(error.value)).groups()
    assert 2 <= int(batch) <= 4  # the first batch meets the first weights; all after the first bad one are bad too
    assert float(rate) == pytest.approx(one_cycle((int(batch) - 1) / 24, 1e30), rel=0.01)


def test_the_loss_and_the_accuracy_are_means_over_the_updates():
    images, labels = task(30)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 3))
    nn.init.zeros_(model[1].weight)
    with torch.no_grad():
        model[1].bias.copy_(torch.tensor([1.0, 0.0, 0.0]))
    _, states = run(model, images, labels, learning_rate=1e-12, validation=0.0, batch_size=10, epochs=1)
    (row,) = states[0]["history"]
    assert row["loss"] == pytest.approx(math.log(math.e + 2) - 1 / 3, rel=1e-5)
    assert row["accuracy"] == pytest.approx(1 / 3)


def test_the_images_and_the_labels_are_left_as_they_are():
    images, labels = task()
    before = images.clone(), labels.clone()
    run(images=images, labels=labels, **AUGMENTED)
    assert torch.equal(images, before[0])
    assert torch.equal(labels, before[1])
