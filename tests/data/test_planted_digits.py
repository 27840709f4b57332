"""The digit is where the mask says, and nothing but the digit tells the class."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_sample_images
from sklearn.ensemble import RandomForestClassifier

from pipeline.data import planted_digits as module
from pipeline.data._dataset import TEST, TRAIN
from pipeline.data._resize import resize
from pipeline.data.digits import digits
from pipeline.data.planted_digits import planted_digits
from pipeline.randomness import seeded

NOWHERE = Path("no folder is needed")
SIDE, SIZE = 12, 32
IDS = range(400)


@pytest.fixture(scope="module")
def planted():
    return planted_digits(NOWHERE)


@pytest.fixture(scope="module")
def plain():
    return digits(NOWHERE, size=8)


def planted_instead(monkeypatch, plain, images):
    """Return the data set with other images in place of the digits."""
    monkeypatch.setattr(module, "digits", lambda root, size: dataclasses.replace(plain, images=images))
    return planted_digits(NOWHERE)


@pytest.fixture(scope="module")
def scenes(plain):
    """Texture with distractor and the digit's corner, for every id: all that is drawn."""
    photographs = [np.moveaxis(photograph // 2, 2, 0) for photograph in load_sample_images().images]
    donors = plain.images[plain.split == TRAIN]
    found = [module._scene(place, SIZE, SIDE, photographs, donors) for place in range(len(plain.labels))]
    canvases, corners = zip(*found, strict=True)
    return np.stack(canvases), np.array(corners)


def test_labels_and_split_are_those_of_the_digits(planted, plain):
    assert planted.images.shape == (1797, 3, SIZE, SIZE)
    assert (planted.labels == plain.labels).all()
    assert (planted.split == plain.split).all()


def test_the_image_is_the_scene_with_white_ink_over_it_in_proportion(planted, plain, scenes):
    canvases, corners = scenes
    ink = np.zeros((1797, 1, SIZE, SIZE))
    for place, (y, x) in enumerate(corners):
        ink[place, 0, y : y + SIDE, x : x + SIDE] = resize(plain.images[place : place + 1], SIDE)[0, 0] / 255
    expected = canvases * (1 - ink) + 255 * ink
    assert np.abs(planted.images - expected).max() <= 0.5 + 1e-9
    assert (planted.masks == (ink[:, 0] > 0.3)).all()


def test_strokes_stand_out_from_the_texture_below_them(planted, scenes):
    below = scenes[0].transpose(0, 2, 3, 1)[planted.masks].astype(int)
    strokes = planted.images.transpose(0, 2, 3, 1)[planted.masks]
    assert below.max() <= 127
    assert (strokes - below).min() >= 0.3 * 128 - 1
    assert (strokes - below).mean() > 100
    assert (planted.masks.sum((1, 2)) > 30).all()


def test_digit_and_distractor_lie_apart_and_inside(monkeypatch, plain):
    black = np.zeros_like(plain.images)
    empty = planted_instead(monkeypatch, plain, black).images
    white = planted_instead(monkeypatch, plain, black + np.uint8(255)).images
    changed = (white != empty).any(1)
    assert (white.transpose(0, 2, 3, 1)[changed] == 255).all()
    assert (changed.sum((1, 2)) == 2 * SIDE**2).all(), "two whole squares, without a common pixel"


@pytest.mark.parametrize(("size", "side"), [(16, 8), (20, 8), (32, 12)])
def test_corners_reach_every_place_and_never_overlap(size, side):
    corners = np.array([module._corners(size, side, seeded("corners", draw)) for draw in range(4000)])
    assert (np.abs(corners[:, 0] - corners[:, 1]).max(1) >= side).all()
    for corner in (corners[:, 0], corners[:, 1]):
        assert corner.min() == 0
        assert corner.max() == size - side
        assert len(set(map(tuple, corner.tolist()))) > 0.5 * (size - side + 1) ** 2 or size == 2 * side
    beside = np.abs(corners[:, 0] - corners[:, 1]) < side  # at the same height, in the same column
    assert (beside.mean(0) > 0.1).all(), "they lie beside as well as below each other"
    means = corners.mean(0)
    assert np.abs(means - (size - side) / 2).max() < 4 * (size - side) / 2 / 4000**0.5, "digit and distractor alike"


def test_another_digit_in_its_place_changes_nothing_outside_its_patch(monkeypatch, planted, plain, scenes):
    test = plain.split == TEST
    images = plain.images.copy()
    images[test] = images[test][::-1]
    images[test, :, 0, 0] = 255  # so that the patch's corner shows
    other = planted_instead(monkeypatch, plain, images)
    changed = (other.images != planted.images).any(1)
    assert not changed[~test].any()
    for image, (y, x) in zip(changed, scenes[1], strict=True):
        image[y : y + SIDE, x : x + SIDE] = False
    assert not changed.any()


def accuracy(features, dataset):
    train = dataset.split == TRAIN
    forest = RandomForestClassifier(40, random_state=0).fit(features[train], dataset.labels[train])
    return forest.score(features[~train], dataset.labels[~train])


def test_texture_places_and_distractor_do_not_tell_the_class(planted, scenes):
    canvases, corners = scenes
    features = np.concatenate([canvases[:, :, ::2, ::2].reshape(len(canvases), -1), corners], axis=1)
    chance, images = 0.1, 360
    assert accuracy(features, planted) < chance + 4 * (chance * (1 - chance) / images) ** 0.5


def test_the_masked_pixels_do_tell_the_class(planted, scenes):
    patches = np.stack(
        [mask[y : y + SIDE, x : x + SIDE] for mask, (y, x) in zip(planted.masks, scenes[1], strict=True)]
    )
    assert accuracy(patches.reshape(len(patches), -1), planted) > 0.9


def test_distractors_hold_the_shuffled_pixels_of_a_donor():
    black = [np.zeros((3, 40, 40), np.uint8)]
    donors = np.stack([np.arange(first, first + 64, dtype=np.uint8).reshape(1, 8, 8) for first in (1, 101)])
    patches = np.stack(
        [canvas[0][canvas[0] > 0] for canvas, _ in (module._scene(i, 16, 8, black, donors) for i in IDS)]
    )
    first = patches.min(1)
    assert (np.sort(patches, axis=1) == first[:, None] + np.arange(64)).all()
    assert 0.4 < (first == 1).mean() < 0.6
    means = (patches - first[:, None]).mean(0)
    assert np.abs(means - 31.5).max() < 4 * 18.5 / len(IDS) ** 0.5, "a pixel goes anywhere in the patch"


def test_distractors_are_made_from_training_digits_only(monkeypatch, planted, plain):
    images = plain.images.copy()
    images[plain.split == TEST] = 0
    other = planted_instead(monkeypatch, plain, images)
    train = plain.split == TRAIN
    assert (other.images[train] == planted.images[train]).all()


def test_every_image_has_a_scene_of_its_own(scenes):
    canvases = scenes[0].reshape(1797, -1)
    assert len({canvas.tobytes() for canvas in canvases}) == 1797


def test_two_patches_must_fit():
    with pytest.raises(ValueError, match="digit must be at most half of size, 16; it is 17"):
        planted_digits(NOWHERE, size=32, digit=17)
