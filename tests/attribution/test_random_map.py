"""Random maps: uniform, an image's own, and nothing else's."""

import torch
from scipy.stats import kstest

from pipeline.attribution.random_map import random_map

IDS = torch.tensor([5, 1, 5, 900])


def test_values_are_uniform(images, targets):
    big = torch.zeros(4, 3, 64, 48)
    values = random_map(None, big, targets, ids=torch.arange(4)).flatten()
    assert kstest(values.numpy(), "uniform").pvalue > 0.01
    assert len(values.unique()) > 0.99 * len(values)


def test_a_map_depends_on_the_id_and_the_seed_alone(images, targets):
    found = random_map(None, images, targets, ids=IDS)
    assert torch.equal(found[0], found[2])
    assert not torch.equal(found[0], found[1])
    assert torch.equal(random_map(None, images + 1, 1 - targets, ids=IDS), found)
    assert torch.equal(random_map(None, images[3:], targets[3:], ids=IDS[3:]), found[3:])
    assert torch.equal(random_map(None, images, targets, ids=IDS, seed=0), found)
    assert not torch.equal(random_map(None, images, targets, ids=IDS, seed=1), found)


def test_every_precision_gets_the_same_noise(images, targets):
    single = random_map(None, images.float(), targets, ids=IDS)
    assert torch.equal(random_map(None, images, targets, ids=IDS), single.double())
