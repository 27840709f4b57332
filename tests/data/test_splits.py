"""Which images are explained and which validate: counts worked by hand, nesting, and stability."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.data._dataset import TEST, TRAIN, Dataset
from pipeline.data._splits import evenly, explained, hold_out, validation

LABELS = np.array([0] * 10 + [1] * 4 + [2] * 1 + [4] * 7)  # class 3 has no image

labels_of_any_size = st.lists(st.integers(0, 5), max_size=40).map(lambda values: np.array(values, np.int64))


@pytest.mark.parametrize(
    ("count", "per_class"),
    [(0, [0, 0, 0, 0, 0]), (4, [1, 1, 1, 0, 1]), (10, [3, 3, 1, 0, 3]), (19, [7, 4, 1, 0, 7]), (99, [10, 4, 1, 0, 7])],
)
def test_classes_share_evenly_and_those_with_few_give_what_they_have(count, per_class):
    chosen = evenly(LABELS, count, "key")
    assert np.bincount(LABELS[chosen], minlength=5).tolist() == per_class


@given(labels=labels_of_any_size, count=st.integers(0, 45))
def test_a_choice_is_sorted_distinct_complete_and_as_even_as_can_be(labels, count):
    chosen = evenly(labels, count, 0)
    assert chosen.dtype == np.int64
    assert (np.diff(chosen) > 0).all()
    assert len(chosen) == min(count, len(labels))
    taken, there = np.bincount(labels[chosen], minlength=6), np.bincount(labels, minlength=6)
    not_exhausted = taken[taken < there]
    assert not not_exhausted.size or not_exhausted.min() >= taken.max() - 1


@given(labels=labels_of_any_size, fewer=st.integers(0, 20), more=st.integers(0, 20))
def test_a_smaller_choice_is_part_of_a_larger_one(labels, fewer, more):
    assert set(evenly(labels, fewer, 0)) <= set(evenly(labels, fewer + more, 0))


def test_the_class_that_gets_one_more_is_drawn_and_not_the_first():
    labels = np.arange(1000) % 100
    first = {int(labels[evenly(labels, 1, key)][0]) for key in range(20)}
    assert len(first) > 10
    assert labels[evenly(labels, 50, 0)].mean() == pytest.approx(49.5, abs=4 * 28.9 / 50**0.5)


def test_every_image_is_as_likely_as_any_other_of_its_class():
    labels = np.repeat([0, 1], [8, 4])
    times = np.bincount(np.concatenate([evenly(labels, 4, key) for key in range(800)]), minlength=12)
    expected = np.repeat([200, 400], [8, 4])  # two of eight, two of four
    assert (np.abs(times - expected) < 4 * np.sqrt(expected)).all()


def test_explained_images_are_test_images_in_even_shares():
    labels, split = np.tile(np.arange(3), 20), np.repeat([TRAIN, TEST], 30).astype(np.int8)
    ids = explained(labels, split, 12)
    assert (split[ids] == TEST).all()
    assert np.bincount(labels[ids]).tolist() == [4, 4, 4]
    assert explained(labels, split, 99).tolist() == list(range(30, 60))


def test_explained_images_do_not_depend_on_the_training_images():
    labels, split = np.tile(np.arange(3), 20), np.repeat([TRAIN, TEST], 30).astype(np.int8)
    without = explained(labels[30:], split[30:], 12)
    assert (explained(labels, split, 12) == without + 30).all()


def test_validation_takes_the_rounded_share_of_every_class():
    held_back = validation(LABELS, 0.25, "seed", 0)
    assert held_back.dtype == np.bool_
    assert np.bincount(LABELS[held_back], minlength=5).tolist() == [2, 1, 0, 0, 2]  # of 2.5, 1, 0.25, 0, 1.75


@given(labels=labels_of_any_size, share=st.floats(0, 1))
def test_validation_holds_back_the_share_of_any_labels(labels, share):
    held_back = validation(labels, share, 0)
    for label in set(labels.tolist()):
        assert held_back[labels == label].sum() == round(share * (labels == label).sum())


def test_a_choice_depends_on_its_key_and_on_nothing_else():
    assert (validation(LABELS, 0.5, 0) == validation(LABELS, 0.5, 0)).all()
    assert any((validation(LABELS, 0.5, 0) != validation(LABELS, 0.5, key)).any() for key in (1, 2))
    assert any((evenly(LABELS, 10, 0) != evenly(LABELS, 10, key)).any() for key in (1, 2))
    assert evenly(LABELS, 8, "pinned").tolist() == [5, 6, 10, 12, 13, 14, 17, 21], "stored results rest on these"


def numbered(split, labels, masks=True):
    """Return a data set whose images, masks and files bear their own number."""
    ids = np.arange(len(split))
    return Dataset(
        images=np.tile(ids.astype(np.uint8)[:, None, None, None], (1, 1, 2, 2)),
        labels=np.array(labels, np.int64),
        split=np.array(split, np.int8),
        classes=("a", "b", "c"),
        masks=(ids % 2 == 0)[:, None, None] & np.ones((2, 2), np.bool_) if masks else None,
        files=tuple((f"{place}.png", f"sha256 of {place}") for place in ids) if masks else (),
        skipped={"x.png": "broken"},
    )


def test_held_out_images_come_from_training_in_even_shares_and_the_official_test_images_leave():
    whole = numbered([TRAIN] * 30 + [TEST] * 10, [0, 1, 2] * 13 + [0])
    found = hold_out(whole, 6)
    assert found.split.tolist() == [TRAIN] * 24 + [TEST] * 6
    assert np.bincount(found.labels[found.split == TEST]).tolist() == [2, 2, 2]
    ids = found.images[:, 0, 0, 0].astype(int)
    assert sorted(ids.tolist()) == list(range(30)), "every training image once, and no test image"
    assert (np.diff(ids[:24]) > 0).all()
    assert (np.diff(ids[24:]) > 0).all()
    assert (found.labels == whole.labels[ids]).all()
    assert (found.masks == whole.masks[ids]).all()
    assert found.files == tuple(whole.files[place] for place in ids)
    assert (found.classes, found.skipped) == (whole.classes, whole.skipped)


def test_held_out_images_do_not_depend_on_the_official_test_images_and_are_always_the_same():
    labels = [0, 1, 2] * 10
    with_test = hold_out(numbered([TRAIN] * 30 + [TEST] * 3, [*labels, 0, 1, 2]), 6)
    without = hold_out(numbered([TRAIN] * 30, labels), 6)
    assert (with_test.images == without.images).all()
    assert without.images[24:, 0, 0, 0].tolist() == [4, 7, 12, 15, 20, 26], "stored results rest on these"


def test_a_holdout_keeps_what_is_absent_absent():
    found = hold_out(numbered([TRAIN] * 4, [0, 1, 0, 1], masks=False), 1)
    assert found.masks is None
    assert found.files == ()


@pytest.mark.parametrize("count", [30, 31])
def test_a_holdout_that_leaves_nothing_to_train_on_is_refused(count):
    with pytest.raises(ValueError, match=f"^holdout: {count} of 30 training images would leave none to train on$"):
        hold_out(numbered([TRAIN] * 30 + [TEST] * 10, [0, 1, 2] * 13 + [0]), count)


def test_a_holdout_may_leave_one_training_image():
    assert np.bincount(hold_out(numbered([TRAIN] * 4, [0, 1, 0, 1]), 3).split).tolist() == [1, 3]
