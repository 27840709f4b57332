"""The number that perturbation methods compare."""

import pytest
import torch

from pipeline.attribution._score import target_score


def test_the_targets_logit_or_probability_of_every_image_under_every_mask():
    logits = torch.tensor([[[0.0, 0.0], [1.0, 3.0]], [[2.0, 2.0], [5.0, 4.0]], [[7.0, 7.0], [0.0, 1.0]]])
    targets = torch.tensor([0, 1])
    assert target_score("logit", logits, targets).tolist() == [[0, 3], [2, 4], [7, 1]]
    assert target_score("logit", logits[0], targets).tolist() == [0, 3]
    found = target_score("probability", logits, targets)
    rises = torch.tensor([[0.0, 2.0], [0.0, -1.0], [0.0, 1.0]])
    torch.testing.assert_close(found, torch.sigmoid(rises))


@pytest.mark.parametrize(("given", "due"), [("bfloat16", "float32"), ("float32", "float32"), ("float64", "float64")])
def test_the_score_has_single_precision_at_least(given, due):
    logits = torch.zeros(2, 3, dtype=getattr(torch, given))
    for score in ("logit", "probability"):
        assert target_score(score, logits, torch.tensor([0, 1])).dtype == getattr(torch, due)
