"""A draw depends on its key and on nothing else."""

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from pipeline.randomness import per_image, seeded

ROOT = Path(__file__).parents[1]


def draw(*key):
    return torch.rand(5, generator=seeded(*key)).tolist()


def test_a_key_gives_one_stream_and_every_other_key_another():
    keys = [
        (),
        ("a",),
        ("b",),
        ("a", 0),
        ("a", 1),
        ("a", "0"),
        ("a", 0, 0),
        (0, "a"),
        ("a", (0,)),
        ("a", None),
        ("a", 0.0),
    ]
    assert all(draw(*key) == draw(*key) for key in keys)
    assert len({tuple(draw(*key)) for key in keys}) == len(keys)


def test_the_seed_is_the_beginning_of_the_keys_digest():
    digest = hashlib.sha256(b"('smoothgrad', 0)").digest()
    assert seeded("smoothgrad", 0).initial_seed() == int.from_bytes(digest[:8], "big") // 2
    assert all(0 <= seeded(index).initial_seed() < 2**63 for index in range(100))


def test_another_process_draws_the_same():
    code = (
        "import torch; from pipeline.randomness import seeded; print(torch.rand(5, generator=seeded('a', 1)).tolist())"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == str(draw("a", 1))


def test_the_global_generator_is_neither_used_nor_changed():
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    first = per_image(torch.arange(3), (4,), "a")
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.manual_seed(2)
    assert torch.equal(per_image(torch.arange(3), (4,), "a"), first)


def test_an_image_gets_its_draw_in_whatever_batch_and_order():
    ids = torch.tensor([5, 0, 17, 3])
    whole = per_image(ids, (2, 3), "ties", 1)
    assert whole.shape == (4, 2, 3)
    for order in ([3, 2, 1, 0], [2], [0, 2]):
        assert torch.equal(per_image(ids[order], (2, 3), "ties", 1), whole[order])
    assert len({tuple(row.flatten().tolist()) for row in whole}) == 4
    assert not torch.equal(per_image(ids, (2, 3), "ties", 2), whole)


@pytest.mark.parametrize(("kind", "low"), [(torch.rand, 0.0), (torch.randn, -10.0)])
def test_the_kind_of_draw_is_chosen(kind, low):
    found = per_image(torch.arange(400), (10,), "kind", draw=kind)
    assert found.min() >= low
    assert found.mean().item() == pytest.approx(0.5 if kind is torch.rand else 0.0, abs=0.05)
    assert found.std().item() == pytest.approx(12**-0.5 if kind is torch.rand else 1.0, rel=0.03)
