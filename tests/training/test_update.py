"""One update: what it changes, what it leaves, and that a graph of it is the same thing."""

import copy

import pytest
import torch
from torch import nn

from pipeline.training import _update, fit
from pipeline.training._augment import drawn
from pipeline.training._update import averaged, corrected, include, running_mean, set_rate, updating

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Dropout(0.2), nn.Linear(6, 2))


def optimiser(model, rate=0.1):
    return torch.optim.SGD(model.parameters(), rate, 0.9, nesterov=True, fused=True)


IMAGES = torch.rand((12, 1, 2, 2), generator=torch.Generator().manual_seed(1))
VIEWS = drawn(torch.arange(12), 0, False, torch.Generator())


def objective(model):
    def of(views):
        outputs = model(IMAGES[views.places])
        truth = views.places % 2
        return nn.functional.cross_entropy(outputs, truth), (outputs.argmax(1) == truth).sum()

    return of


def tensors(model, optimizer):
    momenta = [entry["momentum_buffer"] for entry in optimizer.state.values()]
    return [tensor.clone() for tensor in (*model.state_dict().values(), *momenta)]


def test_an_update_goes_once_down_the_gradient_and_tells_loss_and_right_answers():
    model = network().eval()
    before = copy.deepcopy(model)
    loss, right = updating(torch.optim.SGD(model.parameters(), 1.0), objective(model))(VIEWS, 0.5)
    expected, correct = objective(before)(VIEWS)
    expected.backward()
    assert (float(loss), int(right)) == (float(expected.detach()), int(correct))
    assert not loss.requires_grad
    for parameter, former in zip(model.parameters(), before.parameters(), strict=True):
        torch.testing.assert_close(parameter, former - 0.5 * former.grad)


def test_what_belongs_to_an_update_comes_after_it():
    model, seen = network(), []
    first = model[1].weight.detach().clone()
    updating(optimiser(model), objective(model), lambda: seen.append(model[1].weight.detach().clone()))(VIEWS, 0.1)
    assert torch.equal(seen[0], model[1].weight)
    assert not torch.equal(seen[0], first)


@pytest.mark.parametrize("warm", [0, 2])
def test_updates_made_for_a_capture_leave_no_trace(warm):
    model, other = network(), network()
    optimizer, second = optimiser(model), optimiser(other)
    for _ in range(warm):  # a run that is resumed has momenta, a new one has none
        updating(optimizer, objective(model))(VIEWS, 0.1)
    other.load_state_dict(model.state_dict())
    second.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    before = _update.kept(optimizer, model.state_dict().values())
    for _ in range(3):
        updating(optimizer, objective(model))(VIEWS, 0.3)
    _update.restore(optimizer, before)
    for of, using in ((model, optimizer), (other, second)):
        torch.manual_seed(5)
        for _ in range(2):
            updating(using, objective(of))(VIEWS, 0.2)
    for one, expected in zip(tensors(model, optimizer), tensors(other, second), strict=True):
        assert torch.equal(one, expected)


def test_a_rate_that_is_a_tensor_is_set_in_place():
    rate = torch.tensor(0.1)
    optimizer = optimiser(network(), rate)
    set_rate(optimizer, 0.25)
    assert optimizer.param_groups[0]["lr"] is rate
    assert float(rate) == 0.25
    plain = optimiser(network())
    set_rate(plain, 0.25)
    assert plain.param_groups[0]["lr"] == 0.25


def test_the_running_mean_holds_running_statistics_and_leaves_whole_numbers_alone():
    model = network()
    sums = running_mean(model)
    assert "2.running_var" in sums
    assert "2.num_batches_tracked" not in sums
    for _ in range(3):
        include(sums, model, 0.9)
    for name, mean in corrected(sums, 0.9, 3).items():
        torch.testing.assert_close(mean, model.state_dict()[name])


def test_the_mean_is_there_inside_the_block_and_gone_after_it_also_after_an_error():
    model = network()
    before = copy.deepcopy(model.state_dict())
    sums = {"1.bias": torch.full((6,), 3.0)}
    with averaged(model, sums, 0.5, 1):
        assert model[1].bias.tolist() == [6.0] * 6
        assert torch.equal(model[1].weight, before["1.weight"])
    with pytest.raises(ZeroDivisionError), averaged(model, sums, 0.5, 1):
        _ = 1 / 0
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize(
    "options", [{}, {"shift": 2, "flip": True}, {"average": 0.9}, {"precision": "bfloat16"}], ids=str
)
def test_a_graph_of_the_update_trains_as_update_by_update_does(options, monkeypatch):
    images = torch.randint(256, (130, 1, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(2)).cuda()
    labels = torch.arange(130).cuda() % 3
    given = {"mean": torch.tensor([0.4]).cuda(), "std": torch.tensor([0.3]).cuda(), "seed": 0, "epochs": 3}

    def trained():
        torch.manual_seed(0)
        model = nn.Sequential(nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(288, 3)).cuda()
        *_, last = fit.fit(model, images, labels, batch_size=16, **given, **options)
        return [*model.state_dict().values()], last["history"]

    graph, history = trained()
    monkeypatch.setattr(fit, "graphed", lambda optimizer, update, state: update)
    eager, expected = trained()
    for one, other in zip(graph, eager, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
    assert [row["loss"] for row in history] == pytest.approx([row["loss"] for row in expected], rel=1e-4)
