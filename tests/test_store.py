"""The Zarr format: what goes in comes out, killed writers lose one block at most, and no damaged byte is read."""

import hashlib
import json
import logging
import math
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pipeline import store

ROOT = Path(__file__).parents[1]
MADE_BY = {"step": "attribute", "settings": {"steps": 3}, "inputs": {"data": "0" * 64}}
OTHER = {**MADE_BY, "settings": {"steps": 4}}
DTYPES = ["float32", "float64", "float16", "int64", "int32", "int8", "uint8", "bool"]


def content(length=10, seed=0):
    draw = np.random.default_rng(seed)
    maps = draw.normal(size=(length, 3, 5, 4)).astype(np.float32)
    return {"maps": maps, "ids": np.arange(length), "zeros": np.zeros((length, 2), np.uint8)}


def cut(arrays, rows):
    return {name: values[rows] for name, values in arrays.items()}


def written(marker, made_by=MADE_BY, block=4, arrays=None, **attributes):
    """Write a whole store and return its marker."""
    arrays = content() if arrays is None else arrays
    draft = store.begin(marker, made_by, len(next(iter(arrays.values()))), block)
    for rows in store.due(draft):
        store.put(draft, rows, cut(arrays, rows))
    store.publish(draft, **attributes)
    return Path(marker)


def tree(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(Path(folder).rglob("*")) if p.is_file()}


@pytest.fixture
def marker(tmp_path):
    return tmp_path / "a.zarr" / "zarr.json"


@pytest.fixture
def full(marker):
    return written(marker)


@settings(max_examples=50)
@given(
    st.sampled_from(DTYPES).flatmap(
        lambda dtype: arrays.arrays(
            dtype,
            arrays.array_shapes(min_dims=1, max_dims=4, max_side=5),
            elements=arrays.from_dtype(
                np.dtype(dtype), **({"allow_nan": False, "allow_infinity": False} if "f" in dtype else {})
            ),
        )
    ),
    st.integers(1, 7),
    st.data(),
)
def test_what_goes_in_comes_out_whatever_its_shape_and_dtype(tmp_path_factory, values, block, data):
    marker = written(tmp_path_factory.mktemp("s") / "a.zarr" / "zarr.json", block=block, arrays={"x": values})
    (found,) = store.read(marker, "x")
    assert (found.dtype, found.shape) == (values.dtype, values.shape)
    assert found.tobytes() == values.tobytes()
    rows = slice(*data.draw(st.tuples(st.none() | st.integers(-6, 6), st.none() | st.integers(-6, 6))))
    assert store.read(marker, "x", rows=rows)[0].tobytes() == values[rows].tobytes()
    store.verify(marker)


def test_arrays_are_read_by_name_in_the_order_asked_for(full):
    ids, maps = store.read(full, "ids", "maps")
    np.testing.assert_array_equal(ids, content()["ids"])
    np.testing.assert_array_equal(maps, content()["maps"])
    assert store.read(full) == []


@pytest.mark.parametrize(
    ("shape", "count"),
    [((1, 28, 28), 10_000), ((3, 32, 32), 10_000), ((3, 224, 224), 20), ((1, 16, 16), 5_000)],
    ids=str,
)
def test_chunks_have_one_to_four_mebibytes_and_are_not_compressed(marker, shape, count):
    block = store.block_length(*shape[1:])
    length = min(count, 2 * block + 1)
    written(marker, block=block, arrays={"maps": np.zeros((length, *shape), np.float32)})
    chunks = [path for path in (marker.parent / "maps" / "c").rglob("*") if path.is_file()]
    assert len(chunks) == math.ceil(length / block) >= 2
    assert {path.stat().st_size for path in chunks} == {block * 4 * math.prod(shape)}
    assert 2**20 <= block * 4 * math.prod(shape) <= 2**22
    codecs = json.loads((marker.parent / "maps" / "zarr.json").read_text(encoding="utf-8"))["codecs"]
    assert [codec["name"] for codec in codecs] == ["bytes"]


def test_small_images_share_one_chunk_no_longer_than_they_are_many(marker):
    written(marker, block=store.block_length(28, 28), arrays={"maps": np.ones((7, 1, 28, 28), np.float32)})
    assert (marker.parent / "maps" / "c" / "0" / "0" / "0" / "0").stat().st_size == 7 * 28 * 28 * 4


def test_a_store_that_is_not_finished_cannot_be_read(marker):
    draft = store.begin(marker, MADE_BY, 10, 4)
    for check in (store.read, store.attributes, store.skipped, store.verify):
        with pytest.raises(ValueError, match=r"a.zarr has no zarr.json: it was never finished; run snakemake again\Z"):
            check(marker)
    store.put(draft, slice(0, 4), cut(content(), slice(0, 4)))
    with pytest.raises(RuntimeError, match=r"blocks missing \[1, 2\]"):
        store.publish(draft)
    assert not marker.exists()


def test_due_names_the_blocks_that_are_missing(marker):
    draft = store.begin(marker, MADE_BY, 10, 4)
    assert list(store.due(draft)) == [slice(0, 4), slice(4, 8), slice(8, 10)]
    store.put(draft, slice(4, 8), cut(content(), slice(4, 8)))
    assert list(store.due(draft)) == [slice(0, 4), slice(8, 10)]


def started(marker, blocks=(0, 1), made_by=MADE_BY):
    draft = store.begin(marker, made_by, 10, 4)
    for index in blocks:
        store.put(draft, draft.rows(index), cut(content(), draft.rows(index)))
    return draft


def test_blocks_of_the_same_provenance_are_taken_over(marker, tmp_path, caplog):
    started(marker)
    chunk = marker.parent / "maps" / "c" / "1" / "0" / "0" / "0"
    before = chunk.stat().st_mtime_ns
    with caplog.at_level(logging.INFO):
        draft = store.begin(marker, json.loads(json.dumps(MADE_BY)), 10, 4)
    assert caplog.messages[-1] == "a.zarr: took over 2 of 3 blocks"
    assert list(store.due(draft)) == [slice(8, 10)]
    written(marker)
    assert chunk.stat().st_mtime_ns == before
    assert store.progress(marker) == {"taken_over": 2, "computed": 1, "unit": "blocks"}
    assert tree(marker.parent) == tree(written(tmp_path / "b.zarr" / "zarr.json").parent)


def truncate(chunk):
    chunk.write_bytes(chunk.read_bytes()[:-1])


def lengthen(chunk):
    chunk.write_bytes(chunk.read_bytes() + b"\0")


def flip(chunk, place=3, bit=16):
    damaged = bytearray(chunk.read_bytes())
    damaged[place] ^= bit
    chunk.write_bytes(damaged)


DAMAGE = [truncate, lengthen, flip, Path.unlink]


@pytest.mark.parametrize("damage", DAMAGE, ids=lambda damage: damage.__name__)
@pytest.mark.parametrize("finished", [False, True], ids=["a part", "the whole"])
def test_only_whole_blocks_are_taken_over(marker, tmp_path, damage, finished):
    if finished:
        written(marker)
    else:
        started(marker, blocks=(0, 1, 2))
    damage(marker.parent / "maps" / "c" / "1" / "0" / "0" / "0")
    draft = store.begin(marker, MADE_BY, 10, 4)
    assert list(store.due(draft)) == [slice(4, 8)]
    written(marker)
    assert tree(marker.parent) == tree(written(tmp_path / "b.zarr" / "zarr.json").parent)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}"])
def test_an_array_whose_form_is_garbled_is_written_anew(marker, tmp_path, text):
    started(marker)
    (marker.parent / "maps" / "zarr.json").write_text(text, encoding="utf-8")
    written(marker)
    assert tree(marker.parent) == tree(written(tmp_path / "b.zarr" / "zarr.json").parent)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "3", "{}"])
def test_a_sidecar_that_is_garbled_takes_nothing_over(marker, text):
    started(marker).sidecar.write_text(text, encoding="utf-8")
    draft = store.begin(marker, MADE_BY, 10, 4)
    assert len(list(store.due(draft))) == 3
    assert not marker.parent.exists()


@pytest.mark.parametrize(("length", "block"), [(10, 5), (9, 4)])
def test_blocks_of_another_length_are_not_taken_over(marker, length, block):
    started(marker)
    assert len(list(store.due(store.begin(marker, MADE_BY, length, block)))) == math.ceil(length / block)


def test_another_provenance_wipes_first_and_the_marker_goes_first(full, monkeypatch):
    seen = []
    remove = shutil.rmtree

    def watched(path, **keywords):
        seen.append((full.exists(), (full.parent / "maps").exists()))
        remove(path, **keywords)

    monkeypatch.setattr(shutil, "rmtree", watched)
    draft = store.begin(full, OTHER, 10, 4)
    assert seen == [(False, True)]
    assert not full.parent.exists()
    assert len(list(store.due(draft))) == 3


def test_a_writer_that_was_displaced_stops_and_harms_nothing(marker, tmp_path):
    former = started(marker, blocks=(0,))
    later = started(marker, blocks=(0,), made_by=OTHER)
    before = tree(tmp_path)
    for act in (
        lambda: store.put(former, slice(4, 8), cut(content(seed=1), slice(4, 8))),
        lambda: store.publish(former),
        lambda: list(store.due(former)),
    ):
        with pytest.raises(RuntimeError, match="a writer with other settings has taken this store over; stopping"):
            act()
    assert tree(tmp_path) == before
    for rows in store.due(later):
        store.put(later, rows, cut(content(), rows))
    store.publish(later)
    assert store.attributes(marker)["provenance"] == OTHER


@pytest.mark.parametrize("order", ["abababab", "aabbabab", "abbbaaab"])
def test_two_writers_of_the_same_store_are_harmless(marker, tmp_path, order):
    drafts = {name: store.begin(marker, MADE_BY, 10, 4) for name in "ab"}
    waiting = {name: [slice(0, 4), slice(4, 8), slice(8, 10), None] for name in "ab"}
    for name in order:
        rows = waiting[name].pop(0)
        if rows is None:
            store.publish(drafts[name])
        else:
            store.put(drafts[name], rows, cut(content(), rows))
    assert tree(marker.parent) == tree(written(tmp_path / "alone.zarr" / "zarr.json").parent)


def test_equal_inputs_give_equal_bytes_whenever_and_wherever(tmp_path, monkeypatch):
    markers = [tmp_path / name / "a.zarr" / "zarr.json" for name in ("here", "there")]
    for marker, moment in zip(markers, (0.0, 2e9), strict=True):
        monkeypatch.setattr(time, "time", lambda moment=moment: moment)
        written(marker, attribute=[1, 2])
    assert tree(markers[0].parent) == tree(markers[1].parent)
    assert str(tmp_path) not in markers[0].read_text(encoding="utf-8")


def test_the_digest_is_of_the_content_and_not_of_its_maker(tmp_path):
    def digest(made_by=MADE_BY, change=None, **attributes):
        found = content()
        if change:
            change(found)
        shutil.rmtree(tmp_path / "a.zarr", ignore_errors=True)
        return store.attributes(written(tmp_path / "a.zarr" / "zarr.json", made_by, arrays=found, **attributes))[
            "digest"
        ]

    plain = digest()
    assert plain == digest() == digest(OTHER)
    others = [
        digest(change=lambda found: found["maps"].__setitem__((9, 0, 0, 0), 7)),
        digest(change=lambda found: found.update(ids=found["ids"].astype(np.int32))),
        digest(change=lambda found: found.update(zeros=found["zeros"].reshape(10, 2, 1))),
        digest(change=lambda found: found.update(more=found["ids"])),
        digest(change=lambda found: found.update(names=found.pop("ids"))),
        digest(classes=["0", "1"]),
        digest(classes=["1", "0"]),
        digest(mean=[0.5]),
    ]
    assert len({plain, *others}) == 1 + len(others)


CHUNK_0, CHUNK_1 = ("c/0/0/0/0", "c/1/0/0/0")


@pytest.mark.parametrize("damage", DAMAGE, ids=lambda damage: damage.__name__)
def test_a_damaged_block_is_found_when_it_is_read_and_not_when_another_is(full, damage):
    damage(full.parent / "maps" / CHUNK_1)
    said = r"a.zarr: block 1 of maps is damaged; delete the store, run snakemake again\Z"
    for rows in (slice(None), slice(4, 5), slice(7, 8), slice(2, 6), slice(5, 9)):
        with pytest.raises(ValueError, match=said):
            store.read(full, "maps", rows=rows)
    for rows in (slice(0, 4), slice(8, 10), slice(3, 4), slice(0, 0), slice(8, 99)):
        np.testing.assert_array_equal(store.read(full, "maps", rows=rows)[0], content()["maps"][rows])
    assert len(store.read(full, "ids", "zeros")) == 2
    with pytest.raises(ValueError, match=said):
        store.verify(full)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_no_flipped_bit_of_any_file_reaches_a_reader(tmp_path, data):
    marker = tmp_path / "a.zarr" / "zarr.json"
    if not marker.exists():
        written(marker, classes=["0", "1"], mean=[0.5])
    path = marker.parent / data.draw(st.sampled_from(sorted(tree(marker.parent))))
    before, whole = contents(marker), path.read_bytes()
    flip(path, data.draw(st.integers(0, len(whole) - 1)), 1 << data.draw(st.integers(0, 7)))
    try:
        assert contents(marker) == before
    except ValueError as error:
        assert "snakemake again" in str(error)  # noqa: PT017
    finally:
        path.write_bytes(whole)


def contents(marker):
    """Return all that a reader may ask for."""
    attributes = {key: store.attributes(marker).get(key) for key in ("classes", "mean")}
    return attributes, [(values.dtype, values.tobytes()) for values in store.read(marker, "maps", "ids", "zeros")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is no marker of a store"),
        ("[]", "is no marker of a store"),
        ("{}", "is no marker of a store"),
        ('{"attributes": []}', "is no marker of a store"),
        ('{"attributes": {}}', "is of format None and this version reads format 1"),
        ('{"attributes": {"format": 2}}', "is of format 2 and this version reads format 1"),
        ('{"attributes": {"format": 1, "blocks": {}, "provenance": {}, "forms": {}}}', "lacks its digest"),
        ('{"attributes": {"format": 1, "digest": "", "provenance": {}, "forms": {}}}', "lacks its blocks"),
        ('{"attributes": {"format": 1, "digest": "", "blocks": {}, "forms": {}}}', "lacks its provenance"),
        ('{"attributes": {"format": 1, "digest": "", "blocks": {}, "provenance": {}}}', "lacks its forms"),
    ],
)
def test_a_marker_that_is_none_of_ours_is_refused_in_one_sentence(full, text, message):
    full.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=message) as error:
        store.read(full, "maps")
    assert "\n" not in str(error.value)
    assert str(full) in str(error.value)
    assert "run snakemake again" in str(error.value)


def test_an_unknown_array_is_refused_with_those_that_there_are(full):
    with pytest.raises(ValueError, match=r"zarr.json has no map, scores; it has ids, maps, zeros\Z"):
        store.read(full, "scores", "ids", "map")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused_and_nothing_is_written(marker, value):
    draft = store.begin(marker, MADE_BY, 10, 4)
    wrong = cut(content(), slice(0, 4))
    wrong["maps"][2, 1, 0, 0] = value
    with pytest.raises(ValueError, match=r"\Aa.zarr: maps holds values that are not finite\Z"):
        store.put(draft, slice(0, 4), wrong)
    assert not marker.parent.exists()


def test_what_is_kept_beside_maps_may_be_infinite_and_is_never_nan(marker):
    draft = store.begin(marker, MADE_BY, 4, 4)
    store.put(draft, slice(0, 4), {"aux_std_error": np.full(4, np.inf)})
    store.publish(draft)
    assert np.isinf(store.read(marker, "aux_std_error")[0]).all()
    with pytest.raises(ValueError, match="aux_std_error holds values that are not finite"):
        store.put(draft, slice(0, 4), {"aux_std_error": np.full(4, np.nan)})


def test_a_block_of_another_length_is_refused(marker):
    draft = store.begin(marker, MADE_BY, 10, 4)
    with pytest.raises(ValueError, match=r"\Aa.zarr: ids has 3 rows where 4 are due\Z"):
        store.put(draft, slice(0, 4), cut(content(), slice(0, 4)) | {"ids": np.arange(3)})
    for rows in (slice(0, 3), slice(2, 6), slice(8, 12), slice(0, 10)):
        with pytest.raises(ValueError, match="are not those of one block"):
            store.put(draft, rows, {"ids": np.arange(rows.stop - rows.start)})
    assert len(list(store.due(draft))) == 3


@pytest.mark.parametrize(
    "values", [np.zeros((4, 3)), np.zeros((4, 2), np.float32), np.zeros((4, 1)), np.zeros(4)], ids=str
)
def test_blocks_of_one_array_have_one_shape_and_dtype(marker, values):
    draft = store.begin(marker, MADE_BY, 10, 4)
    store.put(draft, slice(0, 4), {"x": np.ones((4, 2))})
    with pytest.raises(ValueError, match=r"\Aa.zarr: x is .* in one block and .* in another\Z"):
        store.put(draft, slice(4, 8), {"x": values})
    assert list(store.due(draft)) == [slice(4, 8), slice(8, 10)]


def test_an_empty_store_says_why(marker, full):
    assert store.skipped(full) is None
    written(marker)  # what lay there before goes
    store.skip(marker, OTHER, "there is no such layer")
    assert store.skipped(marker) == "there is no such layer"
    assert store.attributes(marker)["blocks"] == {}
    assert store.read(marker) == []
    assert [path.name for path in marker.parent.iterdir()] == ["zarr.json"]
    store.verify(marker)
    with pytest.raises(ValueError, match="it has no arrays"):
        store.read(marker, "maps")
    first = store.attributes(marker)["digest"]
    store.skip(marker, OTHER, "another reason")
    assert store.attributes(marker)["digest"] != first


def test_the_marker_lists_the_digest_of_every_chunk(full):
    blocks = store.attributes(full)["blocks"]
    assert blocks.keys() == {"ids", "maps", "zeros"}
    for index, digest in enumerate(blocks["maps"]):
        chunk = full.parent / "maps" / "c" / str(index) / "0" / "0" / "0"
        assert hashlib.sha256(chunk.read_bytes()).hexdigest() == digest
    assert len(blocks["maps"]) == 3


def test_plain_zarr_opens_a_finished_store_without_a_warning(full):
    code = (
        "import sys, zarr\n"
        "group = zarr.open_group(sys.argv[1], mode='r')\n"
        "print(sorted(group.array_keys()), group['maps'][8, 2, 4].tolist(), group.attrs['format'], group['ids'][:])"
    )
    command = [sys.executable, "-W", "error", "-c", code, str(full.parent)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert run.stderr == ""
    assert run.stdout == f"['ids', 'maps', 'zeros'] {content()['maps'][8, 2, 4].tolist()} 1 {np.arange(10)}\n"


WRITER = """
import logging, sys
import numpy as np
from pipeline import store
logging.basicConfig(level="INFO", format="%(message)s")
draft = store.begin(sys.argv[1], {"by": "killed"}, 1600, 16)
for rows in store.due(draft):
    values = np.random.default_rng(rows.start).normal(size=(16, 3, 32, 32)).astype(np.float32)
    store.put(draft, rows, {"maps": values, "ids": np.arange(rows.start, rows.stop)})
    print(rows.start, flush=True)
store.publish(draft)
"""


@contextmanager
def writer(marker):
    """A process that writes a store of 100 blocks."""
    command = [sys.executable, "-c", WRITER, str(marker)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


def test_a_writer_that_is_killed_again_and_again_ends_with_the_same_bytes(tmp_path):
    marker = tmp_path / "killed.zarr" / "zarr.json"
    told = []
    for stop in (5, 17, 40):
        with writer(marker) as process:
            for line in process.stdout:
                if int(line) >= 16 * stop:
                    time.sleep(0.001 * stop)  # somewhere within the next block
                    process.send_signal(signal.SIGKILL)
                    break
            told.append(process.communicate()[1])
        assert process.returncode == -signal.SIGKILL
        assert not marker.exists()
    told.append(by_another_process(marker))
    taken = [int(said.split("took over ")[1].split()[0]) for said in told]
    assert taken[0] == 0
    assert taken == sorted(set(taken))
    assert taken[3] >= 41
    assert store.progress(marker) == {"taken_over": taken[3], "computed": 100 - taken[3], "unit": "blocks"}
    whole = tmp_path / "whole.zarr" / "zarr.json"
    by_another_process(whole)
    assert tree(marker.parent) == tree(whole.parent)
    assert len(tree(marker.parent)) == 1 + 2 * 101


@pytest.mark.parametrize("rest", ["maps/c/0/0/0/0.5e8f.partial", ".12345.zarr.json", "maps/.zarr.json.77.tmp"])
def test_what_a_killed_writer_had_not_renamed_is_swept_away(marker, tmp_path, rest):
    started(marker)
    path = marker.parent / rest
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"half")
    written(marker)
    assert tree(marker.parent) == tree(written(tmp_path / "b.zarr" / "zarr.json").parent)


def by_another_process(marker):
    with writer(marker) as process:
        told = process.communicate()[1]
    assert process.returncode == 0, told
    return told


def test_an_orphan_and_its_successor_write_the_same_store_at_once(tmp_path):
    marker, alone = tmp_path / "a.zarr" / "zarr.json", tmp_path / "b.zarr" / "zarr.json"
    with writer(marker) as orphan:
        by_another_process(marker)
        assert orphan.communicate()[1].startswith("a.zarr: took over ")
    assert orphan.returncode == 0
    by_another_process(alone)
    assert tree(marker.parent) == tree(alone.parent)
    store.verify(marker)
