"""WARN: its size, its attention modules and gates from the formulas, and its regulariser."""

import copy
import itertools

import pytest
import torch
from torch import nn

from pipeline.models._hypothesis import Attention
from pipeline.models.wide_attention import TARGET_LAYER, Block, Unit, wide_attention


def parameters(model):
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return wide_attention(channels=3, classes=5, size=(8, 12)).double()


def images(count=3):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(count, 3, 8, 12, dtype=torch.float64, generator=generator)


@pytest.mark.parametrize(("channels", "side", "expected"), [(3, 32, 6_043_650), (1, 28, 6_043_362)])
def test_the_number_of_parameters_is_that_of_the_wide_network_and_its_attention(channels, side, expected):
    with torch.device("meta"):
        model = wide_attention(channels=channels, classes=10, size=(side, side))
    # WRN-28-4: stem; two convolutions a unit; two norms a unit; projections; last norm and linear layer.
    stem = channels * 16 * 9
    convolutions = sum(9 * (i * o + 7 * o * o) for i, o in ((16, 64), (64, 128), (128, 256)))
    projections = 16 * 64 + 64 * 128 + 128 * 256
    norms = 2 * (16 + 7 * 64 + 64 + 7 * 128 + 128 + 7 * 256 + 256)
    wide = stem + convolutions + projections + norms + 257 * 10
    # Attention: heads, answers and scores of each module; gates and their norm; the norm of the stem.
    attention = sum(9 * width * (4 + 40 + 4) for width in (64, 128, 256)) + 256 * 4 + 8 + 32
    assert parameters(model) == wide + attention == expected


def test_a_block_adds_its_branch_to_what_came_in():
    torch.manual_seed(0)
    block, unit = Block(4).double().eval(), Unit(4, 6, 2).double().eval()
    features = torch.randn(2, 4, 6, 6, dtype=torch.float64)
    activated = block.enter(features)
    torch.testing.assert_close(block(features), features + block.unit.branch(activated))
    torch.testing.assert_close(unit(features, activated), unit.branch(activated) + unit.shortcut(features))
    assert unit.shortcut.stride == (2, 2)


def test_a_hypothesis_follows_from_the_weights_by_the_formulas():
    torch.manual_seed(0)
    module = Attention(6, classes=3, heads=2).double().eval()
    features = torch.randn(2, 6, 4, 5, dtype=torch.float64)
    heads, outputs, scores = (conv(features) for conv in (module.heads, module.outputs, module.scores))
    for image, answer in enumerate(module(features)):
        masks = [heads[image, head].exp() / heads[image, head].exp().sum() for head in range(2)]
        hypotheses = [[(masks[h] * outputs[image, 3 * h + k]).sum() for k in range(3)] for h in range(2)]
        weights = torch.stack([(masks[h] * scores[image, h]).sum().tanh().exp() for h in range(2)])
        weights = weights / weights.sum()
        expected = [sum(weights[h] * hypotheses[h][k] for h in range(2)) for k in range(3)]
        torch.testing.assert_close(answer, torch.stack(expected))


def test_the_softmax_of_the_logits_is_that_of_the_gated_log_probabilities(model):
    hypotheses, gates = [], []
    model = copy.deepcopy(model).eval()
    for part in (*model.attentions, model.classifier):
        part.register_forward_hook(lambda *given: hypotheses.append(given[-1]))
    model.gates[1].register_forward_hook(lambda *given: gates.append(given[-1]))
    logits = model(images())
    share = gates[0].tanh().softmax(1)
    paper = sum(share[:, [each]] * hypothesis.log_softmax(1) for each, hypothesis in enumerate(hypotheses))
    torch.testing.assert_close(logits.softmax(1), paper.softmax(1))
    assert (share - 1 / 4).abs().max() > 0.01


def test_attention_reads_what_the_next_group_convolves(model):
    read, given = [], []
    hooks = [part.register_forward_pre_hook(lambda _, inputs: read.append(inputs[0])) for part in model.attentions]
    hooks += [part.register_forward_pre_hook(lambda _, inputs: given.append(inputs[1])) for part in model.firsts[1:]]
    hooks += [model.pool.register_forward_pre_hook(lambda _, inputs: given.append(inputs[0]))]
    model.eval()(images())
    for hook in hooks:
        hook.remove()
    assert [each is other for each, other in zip(read, given, strict=True)] == [True] * 3
    assert [each.shape[1:] for each in read] == [(64, 8, 12), (128, 4, 6), (256, 2, 3)]


def test_the_penalty_is_the_mean_square_overlap_of_the_masks(model):
    model, masks = copy.deepcopy(model).train(), []
    for attention in model.attentions:
        attention.over_places.register_forward_hook(lambda *given: masks.append(given[-1]))
    model(images())
    squares = []
    for each, (height, width) in zip(masks, [(8, 12), (4, 6), (2, 3)], strict=True):
        grid = each.view(3, 4, height, width)[:, :, :, : width // 2 * 2]
        pooled = (grid[:, :, ::2, ::2] + grid[:, :, 1::2, ::2] + grid[:, :, ::2, 1::2] + grid[:, :, 1::2, 1::2]) / 4
        pairs = [(pooled[:, i] * pooled[:, j]).sum((1, 2)) for i, j in itertools.permutations(range(4), 2)]
        squares.append(torch.stack(pairs).square().sum() / (3 * 4 * 4))
    torch.testing.assert_close(model.penalty(100), 0.001 * sum(squares) / 3, rtol=1e-10, atol=0)
    assert model.penalty(100) > 0


def test_the_penalty_moves_the_heads_apart(model):
    model = copy.deepcopy(model).train()
    model(images())
    model.penalty(100).backward()
    assert all(attention.heads.weight.grad.any() for attention in model.attentions)


def test_the_penalty_is_refused_where_the_last_batch_was_not_of_training(model):
    model = copy.deepcopy(model)
    with pytest.raises(RuntimeError, match="after a forward pass in training mode only"):
        model.penalty(100)
    model.train()(images())
    model.eval()(images())
    with pytest.raises(RuntimeError, match="after a forward pass in training mode only"):
        model.penalty(100)


def test_a_network_in_training_can_be_copied(model):
    model = copy.deepcopy(model).train()
    model(images())
    copied = copy.deepcopy(model)
    torch.testing.assert_close(copied.eval()(images()), model.eval()(images()))


def test_the_target_layer_is_the_relu_before_the_global_pooling(model):
    given, kept = [], []
    hooks = [model.pool.register_forward_pre_hook(lambda _, inputs: given.append(inputs[0]))]
    hooks += [model.get_submodule(TARGET_LAYER).register_forward_hook(lambda *each: kept.append(each[-1]))]
    model.eval()(images())
    for hook in hooks:
        hook.remove()
    assert isinstance(model.get_submodule(TARGET_LAYER), nn.ReLU)
    assert kept[0] is given[0]


@pytest.mark.parametrize("size", [(4, 28), (28, 4)])
def test_refuses_images_whose_masks_could_not_be_pooled(size):
    with pytest.raises(ValueError, match=f"at least 5 pixels a side, got {size[0]} x {size[1]}"):
        wide_attention(channels=1, classes=10, size=size)
