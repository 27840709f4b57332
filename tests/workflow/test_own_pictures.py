"""A folder of a user's own is an input: what changes there makes the data set due, and nothing else does."""

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.workflow

DATA = "results/mine/data.zarr/zarr.json"
DUE = {"download"}


def save(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(len(path.name)).integers(0, 256, (9, 9, 3), dtype=np.uint8)).save(path)


def test_a_data_set_of_pictures_is_due_when_one_is_added_or_changed(new_study):
    study = new_study("pictures.yaml")
    pictures = study.folder / "data" / "pictures"
    for name in ("a/1.png", "a/2.png", "b/1.png", "b/2.png"):
        save(pictures / name)
    (study.folder / "data" / "boxes.csv").write_text("file,boxes\na/1.png,0 0 4 4\n")
    study.build(DATA)
    assert study.due(DATA) == set()

    save(pictures / "b" / "new.png")
    assert study.due(DATA) == DUE
    (pictures / "b" / "new.png").unlink()
    assert study.due(DATA) == set()

    save(pictures / "a" / "1.png")
    assert study.due(DATA) == DUE
