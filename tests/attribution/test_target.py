"""The target's logit and its gradient."""

import torch
from torch import nn

from pipeline.attribution._target import target_gradient, target_logit


class Cubic(nn.Module):
    """Logits k * sum(x ** 3) for classes k = 0, 1, 2."""

    def forward(self, images):
        return (images**3).flatten(1).sum(1)[:, None] * torch.arange(3.0, dtype=images.dtype)


def test_each_image_has_the_logit_of_its_own_target(pooled, images, targets):
    logits = pooled(images)
    expected = torch.stack([logits[i, target] for i, target in enumerate(targets)])
    assert torch.equal(target_logit(pooled, images, targets), expected)


def test_gradient_of_a_cubic(images):
    classes = torch.tensor([0, 2, 1, 2])
    expected = classes.view(-1, 1, 1, 1) * 3 * images**2
    torch.testing.assert_close(target_gradient(Cubic(), images, classes), expected)


def test_gradient_agrees_with_finite_differences(pooled, images, targets):
    nudge = torch.zeros_like(images)
    nudge[:, 1, 2, 3] = 1e-5
    rise = target_logit(pooled, images + nudge, targets) - target_logit(pooled, images - nudge, targets)
    found = target_gradient(pooled, images, targets)[:, 1, 2, 3]
    torch.testing.assert_close(found, rise.detach() / 2e-5, rtol=0, atol=1e-8)


def test_no_graph_reaches_the_parameters(pooled, images, targets):
    found = target_gradient(pooled, images, targets)
    assert not found.requires_grad
    assert all(parameter.grad is None for parameter in pooled.parameters())
