"""Degradation: which pixels stay, what replaces the others, and whose probability is told."""

import pytest
import torch
from torch import nn

from pipeline.evaluation._ranking import saliency_rank
from pipeline.evaluation.degradation import degradation

IMAGE = torch.tensor([[[[4.0, -1.0, 2.0, -8.0, 1.0]]]], dtype=torch.float64)
FILLS = {"zero": torch.zeros_like(IMAGE), "mean": IMAGE * 0 + 0.5, "salt_and_pepper": IMAGE * 0 - 2}


def degrade(model, saliency, label, image=IMAGE, **chosen):
    ranks = saliency_rank(saliency, torch.arange(1))
    found = degradation(
        model, image, torch.tensor([1 - label]), saliency, labels=torch.tensor([label]), ranks=ranks,
        fills=FILLS.__getitem__, **chosen,
    )  # fmt: skip
    return found["score"].item(), found["probability"].item()


@pytest.mark.parametrize(
    ("keep", "left"), [(0.0, 0.0), (0.2, 4.0), (0.29, 4.0), (0.31, 6.0), (0.6, 7.0), (0.8, 6.0), (1.0, -2.0)]
)
def test_the_most_salient_pixels_stay(brightness, keep, left):
    score, probability = degrade(brightness, IMAGE[:, 0], 0, keep=keep)
    assert probability == pytest.approx(torch.tensor(left, dtype=torch.float64).sigmoid().item(), abs=1e-15)
    assert score == (left >= 0)  # of equal logits the first counts


def test_a_fifth_is_kept_and_the_rest_turns_black_unless_the_entry_says_otherwise(brightness):
    image, ranks = torch.full((1, 1, 10, 10), 0.01, dtype=torch.float64), torch.arange(100).view(1, 10, 10)
    fills = {"zero": torch.zeros_like(image)}.__getitem__
    label = torch.tensor([0])
    found = degradation(brightness, image, label, image[:, 0], labels=label, ranks=ranks, fills=fills)
    torch.testing.assert_close(found["probability"], torch.tensor([0.2], dtype=torch.float64).sigmoid())


@pytest.mark.parametrize(("fill", "left"), [("zero", 4.0), ("mean", 6.0), ("salt_and_pepper", -4.0)])
def test_the_fill_replaces_the_others(brightness, fill, left):
    _, probability = degrade(brightness, IMAGE[:, 0], 0, fill=fill)
    assert probability == pytest.approx(torch.tensor(left, dtype=torch.float64).sigmoid().item(), abs=1e-15)


@pytest.mark.parametrize(("saliency", "label", "right"), [(1, 0, 1), (1, 1, 0), (-1, 0, 0), (-1, 1, 1)])
def test_the_prediction_is_compared_with_the_label_and_not_with_the_target(brightness, saliency, label, right):
    score, probability = degrade(brightness, saliency * IMAGE[:, 0], label)
    assert score == right
    assert (probability > 0.5) == right


def test_a_pixel_stays_with_all_its_channels(brightness):
    image = torch.cat([IMAGE, 10 * IMAGE], dim=1)
    black = torch.zeros_like(image)
    found = degradation(
        brightness, image, torch.tensor([0]), IMAGE[:, 0], labels=torch.tensor([1]),
        ranks=saliency_rank(-IMAGE[:, 0], torch.arange(1)), fills=lambda _name: black,
    )  # fmt: skip
    assert found["probability"].item() == pytest.approx(torch.tensor(88.0, dtype=torch.float64).sigmoid().item())


class NearlyEven(nn.Module):
    """Logits so close that their probabilities are equal in single precision."""

    def forward(self, images):
        return torch.tensor([[-1e-8, 0.0]]).expand(len(images), 2)


def test_the_prediction_is_the_largest_logit_even_where_probabilities_are_equal():
    assert degrade(NearlyEven(), IMAGE[:, 0], 1) == (1.0, 0.5)
    assert degrade(NearlyEven(), IMAGE[:, 0], 0) == (0.0, 0.5)
