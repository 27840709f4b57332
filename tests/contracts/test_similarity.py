"""What every similarity promises, checked for every module of pipeline/similarity."""

import ast
import importlib
import inspect
import math
import re
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

FOLDER = Path(__file__).parents[2] / "pipeline" / "similarity"
NAMES = sorted(path.stem for path in FOLDER.glob("[!_]*.py"))
MODULES = {name: importlib.import_module(f"pipeline.similarity.{name}") for name in NAMES}
CERTAIN = 2000.0  # a logit that leaves no other class a probability, in double precision and in single
ROUNDING = 1e-12


def similarity(name, outputs, targets):
    return getattr(MODULES[name], name)(outputs, targets)


def bounds(name):
    """Return what the similarity can give: (lowest, highest), infinite where there is no bound."""
    low, high = MODULES[name].RANGE
    return -math.inf if low is None else low, math.inf if high is None else high


def answers(count=6, classes=5, dtype=torch.float64):
    generator = torch.Generator().manual_seed(3)
    outputs = 2 * torch.randn(count, classes, generator=generator, dtype=torch.float64)
    return outputs.to(dtype), torch.randint(classes, (count,), generator=generator)


LOGITS = st.one_of(st.floats(-30, 30), st.floats(-CERTAIN, CERTAIN))


@st.composite
def rows(draw):
    """One row of logits and its class, of 2 to 12 classes."""
    outputs = draw(st.lists(LOGITS, min_size=2, max_size=12))
    return torch.tensor([outputs], dtype=torch.float64), torch.tensor([draw(st.integers(0, len(outputs) - 1))])


def test_there_is_one_for_each_of_the_usual_comparisons():
    assert {"class_probability", "logit", "cosine", "negative_cross_entropy", "dot"} <= set(NAMES)
    assert {"kullback_leibler", "jensen_shannon", "euclidean"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
@given(rows())
def test_every_answer_gives_a_number_within_the_range(name, row):
    (found,) = similarity(name, *row).tolist()
    low, high = bounds(name)
    assert math.isfinite(found)
    assert low - ROUNDING <= found <= high + ROUNDING


@pytest.mark.parametrize("classes", [2, 10, 1000])
@pytest.mark.parametrize("name", NAMES)
def test_the_range_is_no_wider_than_it_must_be(name, classes):
    outputs = torch.zeros(2, classes, dtype=torch.float64)
    outputs[:, 0] = CERTAIN
    best, worst = similarity(name, outputs, torch.tensor([0, 1])).tolist()
    low, high = bounds(name)
    assert best == pytest.approx(high, abs=ROUNDING) if math.isfinite(high) else best >= CERTAIN
    assert worst == pytest.approx(low, abs=ROUNDING) if math.isfinite(low) else worst <= best - CERTAIN + ROUNDING


@pytest.mark.parametrize("name", NAMES)
@given(rows(), st.floats(0, 100))
def test_a_higher_logit_of_the_class_is_never_less_alike(name, row, more):
    outputs, targets = row
    raised = outputs.clone()
    raised[0, targets] += more
    assert similarity(name, raised, targets) >= similarity(name, outputs, targets) - ROUNDING


@pytest.mark.parametrize("name", NAMES)
def test_the_right_class_is_more_alike_than_no_opinion_and_that_than_a_wrong_class(name):
    outputs = torch.eye(4, dtype=torch.float64)[:3] * 3
    outputs[1] = 0
    right, none, wrong = similarity(name, outputs, torch.zeros(3, dtype=torch.int64)).tolist()
    assert right > none
    assert none > wrong or (name == "logit" and none == wrong)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("name", NAMES)
def test_there_is_one_number_for_each_row_in_the_outputs_dtype(name, dtype):
    outputs, targets = answers(dtype=dtype)
    before = outputs.clone()
    found = similarity(name, outputs, targets)
    assert (found.shape, found.dtype) == ((6,), dtype)
    assert torch.equal(outputs, before)
    torch.testing.assert_close(found.double(), similarity(name, answers()[0], targets), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_a_row_is_compared_alike_alone_and_among_others(name):
    outputs, targets = answers()
    alone = [similarity(name, outputs[i : i + 1], targets[i : i + 1]) for i in range(6)]
    torch.testing.assert_close(similarity(name, outputs, targets), torch.cat(alone), rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("name", NAMES)
def test_no_class_is_treated_unlike_another(name):
    outputs, targets = answers()
    order = torch.tensor([3, 0, 4, 1, 2])
    found = similarity(name, outputs[:, order], order.argsort()[targets])
    torch.testing.assert_close(found, similarity(name, outputs, targets), rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "logit"])
def test_what_is_added_to_all_logits_of_a_row_does_not_count(name):
    outputs, targets = answers()
    found = similarity(name, outputs + torch.arange(6)[:, None], targets)
    torch.testing.assert_close(found, similarity(name, outputs, targets), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_a_module_states_its_label_and_its_range_as_literals(name):
    body = ast.parse((FOLDER / f"{name}.py").read_text()).body
    stated = {node.targets[0].id: ast.literal_eval(node.value) for node in body if isinstance(node, ast.Assign)}
    assert stated.keys() == {"LABEL", "RANGE"}
    low, high = bounds(name)
    assert low < high
    assert list(inspect.signature(getattr(MODULES[name], name)).parameters) == ["outputs", "targets"]


def test_no_two_share_a_label():
    assert len({module.LABEL for module in MODULES.values()}) == len(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_module_names_its_paper_and_the_place_in_it(name):
    assert re.search(r"arXiv:\d{4}\.\d{4,5}|doi:10\.", MODULES[name].__doc__)
    assert re.search(r"section|equation", MODULES[name].__doc__)
