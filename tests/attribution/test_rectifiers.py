"""The rules for rectifiers, at one activation and around it."""

import pytest
import torch
from torch import nn

from pipeline.attribution._rectifiers import RECTIFIERS, deconvnet, find_rectifiers, guided, rectified

VALUES = torch.tensor([-7.0, -0.5, -0.0, 0.0, 0.5, 5.0, 7.0], dtype=torch.float64)
SLOPES = torch.tensor([[-2.0], [-0.0], [3.0]], dtype=torch.float64)


def back(module, rule):
    """Return what each of SLOPES at the output becomes at the input, for each of VALUES: (3, 7)."""
    inputs = VALUES.expand(3, -1).clone().requires_grad_()
    with rectified(nn.Sequential(module), rule):
        output = nn.Sequential(module)(inputs)
    return torch.autograd.grad(output, inputs, SLOPES.expand(-1, 7))[0]


@pytest.mark.parametrize("kind", RECTIFIERS)
def test_deconvnet_rectifies_the_gradient_whatever_the_input(kind):
    expected = torch.tensor([[0.0], [0.0], [3.0]]).double().expand(-1, 7)
    assert torch.equal(back(made(kind), deconvnet), expected)


@pytest.mark.parametrize("kind", RECTIFIERS)
def test_guided_rectifies_the_gradient_and_keeps_the_activations_own_derivative(kind):
    inputs = VALUES.clone().requires_grad_()
    (own,) = torch.autograd.grad(made(kind)(inputs).sum(), inputs)
    torch.testing.assert_close(back(made(kind), guided), torch.stack([0 * own, 0 * own, 3 * own]))


def made(kind):
    return kind(0, 0) if kind is nn.Threshold else kind().double().eval()


def test_guided_at_a_relu_is_the_formula_of_the_paper():
    expected = SLOPES * (SLOPES > 0) * (VALUES > 0)
    assert torch.equal(back(nn.ReLU(), guided), expected)
    assert expected.unique().tolist() == [0, 3]


@pytest.mark.parametrize("kind", [nn.Sigmoid, nn.Tanh, nn.Hardtanh, nn.Hardsigmoid, nn.Softsign])
@pytest.mark.parametrize("rule", [guided, deconvnet])
def test_what_does_not_rectify_keeps_its_derivative(rule, kind):
    inputs = VALUES.clone().requires_grad_()
    (own,) = torch.autograd.grad(kind()(inputs).sum(), inputs)
    torch.testing.assert_close(back(kind(), rule), SLOPES * own)


@pytest.mark.parametrize("rule", [guided, deconvnet])
@pytest.mark.parametrize("kind", RECTIFIERS)
def test_the_forward_pass_is_the_same_to_the_bit(kind, rule):
    module = made(kind)
    with rectified(module, rule):
        assert torch.equal(module(VALUES), module.forward(VALUES))
        assert torch.equal(module(VALUES.clone().requires_grad_()), module.forward(VALUES))


@pytest.mark.parametrize("rule", [guided, deconvnet])
def test_each_use_of_a_shared_activation_follows_the_rule(rule):
    relu = nn.ReLU()
    inputs = torch.tensor([[-1.0, 1.0]], requires_grad=True)
    with rectified(relu, rule):
        output = relu(-relu(inputs) + 0.5)  # 0.5 and 0: the inner gradient is -1 where the outer lets it pass
    assert not torch.autograd.grad(output.sum(), inputs)[0].any()


@pytest.mark.parametrize("rule", [guided, deconvnet])
def test_what_follows_may_work_in_place(rule):
    model, inputs = nn.Sequential(nn.SiLU()), VALUES.clone().requires_grad_()
    with rectified(model, rule):
        output = model(inputs)
        output *= -1
        (found,) = torch.autograd.grad(output.sum(), inputs)
    assert not found.any()


@pytest.mark.parametrize("rule", [guided, deconvnet])
def test_a_rule_ends_with_its_block_also_after_an_error(rule):
    model = nn.Sequential(nn.ReLU(), nn.Sequential(nn.SiLU()))
    with rectified(model, rule):
        assert [len(module._forward_hooks) for module in model.modules()] == [0, 1, 0, 1]
    with pytest.raises(ZeroDivisionError), rectified(model, rule):
        raise ZeroDivisionError
    assert not any(module._forward_hooks or module._backward_hooks for module in model.modules())


def test_no_legacy_backward_hook_is_used():
    model = nn.Sequential(nn.ReLU())
    for rule in (guided, deconvnet):
        with rectified(model, rule):
            model(VALUES.clone().requires_grad_())
            assert not model[0]._backward_hooks
            assert not model[0]._backward_pre_hooks


@pytest.mark.parametrize("rule", [guided, deconvnet])
def test_an_activation_that_works_in_place_is_refused_by_name(rule):
    model = nn.Sequential(nn.ReLU(), nn.Sequential(nn.Conv2d(1, 1, 1), nn.ReLU(inplace=True)))
    with pytest.raises(ValueError, match=r"'1\.1' works in place"), rectified(model, rule):
        pass
    assert not model[0]._forward_hooks


@pytest.mark.parametrize("rule", [guided, deconvnet])
def test_half_precision_and_layout_pass_through(rule):
    slopes = torch.rand(2, 3, 4, 4).bfloat16().to(memory_format=torch.channels_last)
    inputs = (slopes - 0.5).requires_grad_()
    model = nn.Sequential(nn.Softplus())
    with torch.autocast("cpu", dtype=torch.bfloat16), rectified(model, rule):
        output = model(inputs)
    (found,) = torch.autograd.grad(output, inputs, slopes.to(output.dtype))
    assert found.dtype == torch.bfloat16
    assert found.is_contiguous(memory_format=torch.channels_last)


def test_the_rectifiers_are_found_by_their_dotted_names():
    model = nn.Sequential(nn.ReLU(), nn.Tanh(), nn.Sequential(nn.ReLU6(), nn.Sigmoid()))
    assert list(find_rectifiers(model)) == ["0", "2.0"]
