"""What every figure and table keeps to, whatever it shows."""

import importlib
import io
from pathlib import Path
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot
from matplotlib.figure import Figure

from pipeline import signatures
from pipeline.draw import SILENT
from pipeline.rendering import _page, _style

NAMES = signatures.names("rendering")
CAPTIONS = Path(__file__).parent.parent.parent / "workflow" / "report"
INTERVAL = {"estimate": [0.5, 0.25, 0.5, 0.75], "low": [0.4, 0.2, 0.4, 0.7], "high": [0.6, 0.3, 0.6, 0.8], "n": 3}
# Two methods, one a control, with names that other languages read as marks.
WHOSE = {
    "dataset": "digits",
    "model": "simple_cnn",
    "method": ["odd", "odd", "random_map", "random_map"],
    "label": ["a $x_1$ <b> & | %", "a $x_1$ <b> & | %", "Random", "Random"],
    "family": ["gradient", "gradient", "control", "control"],
}
METRIC = {"metric": "deletion", "metric_label": "Deletion_{$}", "protocol": "rise_$<|& 3f2a9c"}
OTHER = {"other": "x|<y>", "other_label": "$x_1$ <|&", "other_protocol": "<|> 91ab04"}
PIXELS = [np.zeros((6, 6), np.uint8), np.ones((6, 6), np.float32), np.eye(6, dtype=np.float32)]
FRAMES = {
    "accuracy": pd.DataFrame(
        {"dataset": "digits", "model": "simple_cnn", "label": "CNN", "seed": 0, "parameters": 7, "correct": 2}
        | {"published": 0.9}
        | {"class": ["0", "<1>", "$2$", "total"]}
        | INTERVAL
    ),
    "coverage": pd.DataFrame(
        {"dataset": "digits", "model": "simple_cnn", "label": "CNN $<_", "seed": [0, 0, 1, 1]}
        | {"coverage": [0.5, 1.0, 0.5, 1.0], "confidence": 0.9}
        | INTERVAL
    ),
    "scores": pd.DataFrame(WHOSE | METRIC | INTERVAL | {"reduce": "sum", "higher_is_better": False}).iloc[[0, 2]],
    "curves": pd.concat(
        pd.DataFrame(WHOSE | METRIC | INTERVAL | {"x_name": name, "x": [low, high, low, high]})
        for name, low, high in (("fraction of pixels", 0.0, 1.0), ("samples", 64.0, 512.0))
    ),
    "details": pd.concat(
        pd.DataFrame(WHOSE | METRIC | INTERVAL | {"use": use, "detail": "d", "detail_label": "<$_|"}).iloc[[0, 2]]
        for use in ("quality", "pointing_game")
    ),
    "ranks": pd.DataFrame(
        WHOSE
        | INTERVAL
        | {"estimate": [1.0, 2, 2, 1], "higher_is_better": True, "protocol": "p_$<|& 3f2a9c"}
        | {"metric": ["a", "b"] * 2, "metric_label": ["A_{$}", "<B>"] * 2}
        | {"tau": [np.nan, -1.0] * 2, "tau_low": [np.nan, -1.0] * 2, "tau_high": [np.nan, 0.5] * 2}
    ),
    "agreement": pd.DataFrame(
        {"dataset": "digits", "model": "simple_cnn", "estimate": 0.5, "low": -0.1, "high": 0.9, "n": 4}
        | METRIC
        | OTHER,
        index=[0],
    ),
    "retraining": pd.DataFrame(WHOSE | INTERVAL | {"mode": "roar", "fraction": [0.0, 0.5, 0.0, 0.5], "chance": 0.1}),
    "left_out": pd.DataFrame(
        [{"dataset": "digits", "model": "simple_cnn", "method": "cam", "metric": "all", "reason": "<no> | $"}]
    ),
    "gallery": pd.DataFrame(
        {"dataset": "digits", "model": "simple_cnn", "id": 3, "class": "$2$ <_", "target": "7", "pixels": PIXELS}
        | {"method": ["image", "odd", "random_map"], "label": ["Image", "a $x$", "R"]}
        | {"family": ["image", "gradient", "control"], "low": [np.nan, 0, -1], "high": [np.nan, 1, np.nan]}
    ),
}
TRAINED = {"metric": "", "mode": "", "protocol": "", "layers": 0}
DRAWN = {"metric": "mprt", "mode": "cascading", "protocol": "m_$<|& 3f2a9c", "layers": 1}
FRAMES["randomised"] = pd.concat([FRAMES["gallery"].assign(**TRAINED), FRAMES["gallery"].iloc[1:].assign(**DRAWN)])


@pytest.fixture(params=NAMES)
def module(request):
    return importlib.import_module(f"pipeline.rendering.{request.param}")


@pytest.fixture
def render(module):
    return getattr(module, module.__name__.rsplit(".", 1)[1])


@pytest.fixture
def frame(module):
    return FRAMES[module.FRAME]


def texts(figure):
    return " ".join(text.get_text() for text in figure.findobj(mpl.text.Text))


def saved(figure):
    content = io.BytesIO()
    with mpl.rc_context(_style.RC):
        figure.savefig(content, format="svg", metadata=SILENT["svg"])
    return content.getvalue()


def test_states_what_it_is(module):
    assert module.__doc__.startswith(f"{module.KIND.title()}: ")
    assert module.LABEL
    assert module.FRAME in FRAMES


def test_no_two_share_a_title():
    labels = [signatures.constant("rendering", name, "LABEL") for name in NAMES]
    assert len(set(labels)) == len(labels)


def test_returns_the_kind_that_it_states(module, render, frame):
    assert isinstance(render(frame), {"figure": Figure, "table": pd.DataFrame}[module.KIND])


def test_an_empty_frame_gives_an_empty_table_or_a_figure_that_says_so(module, render, frame):
    made = render(frame.iloc[:0])
    if module.KIND == "table":
        assert isinstance(made, pd.DataFrame)
        assert made.empty
    else:
        assert f"{module.LABEL}: no results" in texts(made)


def test_leaves_its_frame_and_matplotlib_as_they_were(render, frame):
    before, settings = {column: [np.copy(cell) for cell in frame[column]] for column in frame}, dict(mpl.rcParams)
    render(frame)
    assert list(frame) == list(before)
    for column in frame:
        for cell, as_before in zip(frame[column], before[column], strict=True):
            np.testing.assert_array_equal(cell, as_before)
    assert dict(mpl.rcParams) == settings
    assert not pyplot.get_fignums()


def test_the_same_frame_gives_the_same_figure_whatever_the_settings_around_it(render, frame):
    def once():
        made = render(frame)
        return saved(made) if isinstance(made, Figure) else made.to_csv().encode()

    plain = once()
    with mpl.rc_context({"font.size": 20, "axes.grid": False, "lines.linewidth": 7, "svg.hashsalt": "other"}):
        assert once() == plain


def test_names_stand_as_they_are_written(render, frame):
    made = render(frame)
    nodes = ElementTree.fromstring(saved(made)).iter() if isinstance(made, Figure) else ()
    words = {node.text or "" for node in nodes} or {*made, *made.astype(str).to_numpy().ravel()}
    written = next(frame[column] for column in ("label", "metric_label", "reason") if column in frame)
    named = words | {part for word in words for part in apart(word)}
    assert {*written, *frame.get("protocol", ())} - {"Image"} <= named


def apart(word):
    """Return label and protocol of "label (protocol)", whatever follows."""
    label, _, rest = word.partition(" (")
    return label, rest.partition(")")[0]


def test_has_a_caption(module, render):
    text = (CAPTIONS / f"{render.__name__}.rst").read_text(encoding="utf-8")
    wildcards = {"dataset": "d1gits", "model": "m0del"} if module.KIND == "figure" else {}
    caption = _page.caption(text, **wildcards)
    assert len(caption) > 100
    assert all(name in caption for name in wildcards.values())
