"""The step that draws: its rows, its formats, its bytes."""

import struct
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from pipeline import draw, frames, gallery


@pytest.fixture(scope="module")
def few(scores):
    return scores[scores["metric"].isin(["deletion", "insertion"]) & scores["family"].isin(["gradient", "control"])]


@pytest.fixture
def written(few, tmp_path):
    path = tmp_path / "scores.csv"
    few.to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def twice(few, tmp_path_factory):
    folder = tmp_path_factory.mktemp("drawn")
    few.to_csv(folder / "scores.csv", index=False)
    return [run(folder / "scores.csv", folder / name) for name in ("a", "b")]


def run(frame, folder, figure="scores_dots", model="resnet"):
    paths = [folder / f"figure.{form}" for form in ("svg", "png", "pdf")]
    draw.main(str(frame), figure, "digits", model, *map(str, paths))
    return paths


def texts(svg):
    return [node.text for node in ElementTree.parse(svg).iter("{http://www.w3.org/2000/svg}text")]


def test_the_same_frame_gives_the_same_bytes_in_every_format(twice):
    for one, other in zip(*twice, strict=True):
        assert one.read_bytes() == other.read_bytes()


def test_the_files_are_what_their_names_say(twice):
    svg, png, pdf = twice[0]
    assert {"Integrated Gradients", "Random", "Deletion"} <= set(texts(svg))
    assert png.read_bytes().startswith(b"\x89PNG")
    assert struct.unpack(">I", png.read_bytes()[16:20])[0] > 1000  # pixels across
    assert pdf.read_bytes().startswith(b"%PDF")
    assert not [word for word in (b"CreationDate", b"Creator", b"Producer") if word in pdf.read_bytes()]


def test_only_the_rows_of_the_network_are_drawn(few, written, tmp_path):
    few[few["model"] != "resnet"].to_csv(written, index=False)
    svg, *_ = run(written, tmp_path)
    assert texts(svg) == ["Scores by metric: no results for this network and data set"]


def test_a_frame_of_no_rows_can_be_drawn(few, written, tmp_path):
    few.iloc[:0].to_csv(written, index=False)
    assert len(texts(run(written, tmp_path)[0])) == 1


def test_pictures_come_from_the_store_of_a_gallery(tmp_path):
    marker = str(tmp_path / "gallery.zarr" / "zarr.json")
    arrays = {
        "ids": np.array([4]),
        "labels": np.array([1]),
        "targets": np.array([0]),
        "image": np.zeros((1, 1, 8, 8), np.uint8),
        "gradient": np.ones((1, 8, 8), np.float32),
    }
    methods = [{"method": "gradient", "label": "Gradient", "family": "gradient", "reduce": "sum"}]
    names = {"dataset": "digits", "model": "resnet", "classes": ["cat", "dog"]}
    gallery.write(marker, {}, arrays, methods, without="", **names)
    assert {"dog", "explained: cat", "Gradient"} <= set(texts(run(marker, tmp_path, "coherence")[0]))


def test_says_what_made_the_figure(twice):
    svg, *_ = twice[0]
    text = svg.with_name("figure.svg.provenance.json").read_text()
    assert '"figure": "scores_dots"' in text
    assert "pipeline.rendering.scores_dots" in text


def test_names_are_read_as_texts_and_only_empty_cells_as_missing(tmp_path):
    path = tmp_path / "frame.csv"
    path.write_text("class,label,estimate,low\n7,NA,0.5,\nnan,1e3,1,0.25\n")
    frame = frames.read(path)
    assert frame["class"].tolist() == ["7", "nan"]
    assert frame["label"].tolist() == ["NA", "1e3"]
    pd.testing.assert_series_equal(frame["low"], pd.Series([np.nan, 0.25], name="low"))
