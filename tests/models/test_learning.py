"""Every network learns: a few updates on a few images lower its loss below a stated bound."""

import importlib
import math

import pytest
import torch
from torch.nn import functional

# Updates, learning rate and the cross-entropy after them; before, that of chance is log(4) = 1.39.
LEARNERS = {
    "bayesian_mlp": (10, 0.02, 0.2),
    "cifar_resnet": (4, 0.02, 0.2),
    "iic_mnist_cnn": (20, 0.05, 0.2),
    "lenet": (40, 0.05, 0.2),
    "residual_attention": (4, 0.02, 0.2),
    "simple_cnn": (10, 0.02, 0.2),
    "simple_cnn_cam": (10, 0.05, 0.2),
    "simple_cnn_cbam": (10, 0.02, 0.2),
    "vgg_like": (16, 0.005, 0.4),
    "wide_attention": (8, 0.05, 0.2),
}


def quarters(count=24, side=12):
    """Noise with one quarter brighter, which is the class: (N, 1, side, side), (N,)."""
    labels = torch.arange(count) % 4
    images = 0.5 * torch.randn(count, 1, side, side, generator=torch.Generator().manual_seed(0))
    half = side // 2
    for image, label in zip(images, labels.tolist(), strict=True):
        image[0, label // 2 * half :, label % 2 * half :][:half, :half] += 2
    return images, labels


@pytest.mark.parametrize("name", LEARNERS)
def test_a_few_updates_lower_the_loss_below_its_bound(name):
    torch.manual_seed(0)
    (updates, rate, bound), (images, labels) = LEARNERS[name], quarters()
    module = importlib.import_module(f"pipeline.models.{name}")
    model = getattr(module, name)(channels=1, classes=4, size=(12, 12)).train()
    optimizer = torch.optim.SGD(model.parameters(), rate, 0.9, nesterov=True, fused=True)
    losses = []
    for _ in range(updates + 1):
        loss = functional.cross_entropy(model(images), labels)
        losses.append(loss.item())
        penalty = model.penalty(60_000) if hasattr(model, "penalty") else torch.zeros(())
        optimizer.zero_grad()
        (loss + penalty).backward()
        optimizer.step()
    assert losses[0] > math.log(4) / 2
    assert losses[-1] < bound
