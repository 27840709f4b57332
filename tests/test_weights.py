"""Weights from elsewhere are read without running anything, and fit the network or are refused in one sentence."""

import gzip
import hashlib
import io
import lzma
import os
import pickle
import tarfile

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from pipeline import weights


def network(width=3, seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(1, width, 3), nn.BatchNorm2d(width), nn.ReLU(), nn.Flatten(), nn.Linear(width, 2))


def save(path, content, **options):
    torch.save(content, path, **options)
    return path


def packed(path, pack):
    path.write_bytes(pack(path.with_suffix("").read_bytes()))
    return path


def same(found, expected):
    assert found.keys() == expected.keys()
    return all(torch.equal(found[name], value) for name, value in expected.items())


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".th", ".bin"])
@pytest.mark.parametrize("new", [True, False])
def test_what_torch_writes_is_read(tmp_path, suffix, new):
    state = network().state_dict()
    path = save(tmp_path / f"w{suffix}", state, _use_new_zipfile_serialization=new)
    assert same(weights.read(path), dict(state))


def test_safetensors_are_read_and_what_is_written_comes_back(tmp_path):
    state = network().state_dict()
    save_file(state, tmp_path / "w.safetensors")
    assert same(weights.read(tmp_path / "w.safetensors"), dict(state))
    weights.write(tmp_path / "again.safetensors", network(), {"step": "train"})
    assert same(weights.read(str(tmp_path / "again.safetensors")), dict(state))


@pytest.mark.parametrize(("suffix", "pack"), [(".xz", lzma.compress), (".gz", gzip.compress)])
def test_packed_files_are_read(tmp_path, suffix, pack):
    state = network().state_dict()
    save(tmp_path / "w.pth", state)
    save_file(state, tmp_path / "w.safetensors")
    for name in ("w.pth", "w.safetensors"):
        assert same(weights.read(packed(tmp_path / f"{name}{suffix}", pack)), dict(state))


@pytest.mark.parametrize("key", ["state_dict", "model", "model_state_dict"])
def test_a_checkpoint_gives_the_weights_in_it(tmp_path, key):
    state = network().state_dict()
    path = save(tmp_path / "w.pth", {"epoch": 3, key: state, "optimizer": {"lr": 0.1}})
    assert same(weights.read(path), dict(state))


class Hostile:
    """Creates a file as soon as it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def tar_of(path, hostile):
    """Write torch's first format: a tar file of pickles."""
    with tarfile.open(path, "w") as tar:
        for name in ("sys_info", "pickle", "storages", "tensors"):
            content = pickle.dumps(hostile, protocol=2)
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))


FORMS = {
    "a zip file": lambda path, hostile: torch.save({"weight": torch.zeros(2), "x": hostile}, path),
    "the format before": lambda path, hostile: torch.save({"x": hostile}, path, _use_new_zipfile_serialization=False),
    "a bare pickle": lambda path, hostile: path.write_bytes(pickle.dumps(hostile, protocol=2)),
    "a bare pickle of today": lambda path, hostile: path.write_bytes(pickle.dumps(hostile)),
    "within a checkpoint": lambda path, hostile: torch.save({"state_dict": {"weight": hostile}}, path),
    "a tar file": tar_of,
    "packed": lambda path, hostile: path.write_bytes(pickle.dumps(hostile, protocol=2)),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_pickle_that_wants_to_run_code_is_refused_and_nothing_of_it_runs(tmp_path, form):
    path, mark = tmp_path / "w.pth", tmp_path / "it ran"
    FORMS[form](path, Hostile(mark))
    if form == "packed":
        path = packed(tmp_path / "w.pth.xz", lzma.compress)
    with pytest.raises(ValueError, match=r"w\.pth.* cannot be used: ") as refusal:
        weights.read(path)
    assert not mark.exists()
    assert "\n" not in str(refusal.value)
    if form not in {"a tar file", "a bare pickle of today"}:  # torch does not even look into these
        assert "asks for posix.mkdir to be called" in str(refusal.value)
        assert "nothing was run" in str(refusal.value)
    pickle.loads(pickle.dumps(Hostile(mark)))
    assert mark.exists(), "the file would have done nothing anyway"


def test_a_whole_module_is_refused_with_the_class_that_it_asks_for(tmp_path):
    with pytest.raises(ValueError, match=r"asks for torch\.nn\.modules\S+ to be called"):
        weights.read(save(tmp_path / "w.pth", network()))


@pytest.mark.parametrize(
    ("name", "content"),
    [("w.pth", b""), ("w.pth", b"<html>no such file</html>"), ("w.safetensors", b"1234567890"), ("w.pth.xz", b"abc")],
)
def test_what_is_no_file_of_weights_is_refused_in_one_sentence(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=rf"{name} cannot be used: .*; it is damaged, or no file of weights\Z"):
        weights.read(tmp_path / name)


def test_half_a_file_is_refused(tmp_path):
    path = save(tmp_path / "w.pth", network().state_dict())
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(ValueError, match="it is damaged"):
        weights.read(path)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (torch.zeros(2), "no weights by name, but Tensor"),
        ([torch.zeros(2)], "no weights by name, but list"),
        ({}, "no weights by name, but dict"),
        ({"a": 1, "b": torch.zeros(1)}, "what is no tensor: a"),
    ],
)
def test_what_holds_no_tensors_by_name_is_refused(tmp_path, content, says):
    with pytest.raises(ValueError, match=says):
        weights.read(save(tmp_path / "w.pth", content))


def test_weights_that_fit_are_taken():
    first, second = network(seed=0), network(seed=1)
    weights.fill(second, first.state_dict(), "w")
    assert same(second.state_dict(), dict(first.state_dict()))


def test_the_prefix_of_data_parallel_is_taken_away_unless_it_is_the_networks_own():
    first, second = network(seed=0), network(seed=1)
    weights.fill(second, nn.DataParallel(first).state_dict(), "w")
    assert same(second.state_dict(), dict(first.state_dict()))
    outer = nn.Sequential()
    outer.add_module("module", network(seed=1))
    weights.fill(outer, nn.DataParallel(first).state_dict(), "w")
    assert same(outer.module.state_dict(), dict(first.state_dict()))


def test_counters_that_older_files_lack_are_no_fault():
    state = network(seed=0).state_dict()
    del state["1.num_batches_tracked"]
    fresh = network(seed=1)
    weights.fill(fresh, state, "w")
    assert same(fresh.state_dict(), dict(network(seed=0).state_dict()))


def test_names_that_the_network_does_not_use_are_passed_over_and_no_others():
    state = {**network().state_dict(), "aux.weight": torch.zeros(2)}
    model = network(seed=1)
    with pytest.raises(ValueError, match=r"w: 1 surplus \(aux\.weight\)\Z"):
        weights.fill(model, state, "w")
    model.unused_weights = ("aux.",)
    weights.fill(model, state, "w")
    assert same(model.state_dict(), dict(network().state_dict()))


def test_all_that_does_not_fit_is_listed_by_kind_in_one_sentence_and_the_network_is_left_as_it_was():
    model, state = network(), network(width=4).state_dict()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    del state["4.bias"]
    state["0.bias"] = torch.tensor([1.0, float("nan"), 0.0])
    state["5.weight"] = torch.tensor([float("inf")])
    state["4.weight"] = torch.zeros(2, 3, dtype=torch.float64)
    with pytest.raises(ValueError) as refusal:  # noqa: PT011 (the whole sentence follows)
        weights.fill(model, state, "w.pth does not fit mine")
    assert str(refusal.value) == (
        "w.pth does not fit mine: 1 missing (4.bias); 1 surplus (5.weight);"
        " 5 of another shape (0.weight (4, 1, 3, 3) where (3, 1, 3, 3) is due, 1.weight (4,) where (3,) is due,"
        " 1.bias (4,) where (3,) is due, 1.running_mean (4,) where (3,) is due, 1.running_var (4,) where (3,) is due);"
        " 1 of another dtype (4.weight float64 where float32 is due); 2 not finite (0.bias, 5.weight)"
    )
    assert same(model.state_dict(), before)


def test_a_long_list_is_cut_and_counted():
    state = {f"layer{index}": torch.zeros(1) for index in range(9)} | dict(network().state_dict())
    with pytest.raises(ValueError, match=r"9 surplus \(layer0, layer1, layer2, layer3, layer4 and 4 more\)\Z"):
        weights.fill(network(), state, "w")


def test_a_file_that_is_here_is_held_against_its_sha256(tmp_path):
    path = save(tmp_path / "w.pth", network().state_dict())
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert weights.locate({}, "", tmp_path) is None
    assert weights.locate({}, str(path), tmp_path / "elsewhere") == path
    assert weights.locate({"sha256": digest}, str(path), tmp_path / "elsewhere") == path
    assert weights.locate({"sha256": digest[:8]}, str(path), tmp_path / "elsewhere") == path
    with pytest.raises(ValueError, match=r"w\.pth is not the file it should be: its sha256 is"):
        weights.locate({"sha256": "0" * 64}, str(path), tmp_path)


def test_weights_of_an_address_lie_in_the_folder_and_are_held_against_their_sha256(tmp_path):
    path = save(tmp_path / "w.pth", network().state_dict())
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    source = {"url": f"{path.as_uri()}?raw=1", "sha256": digest}
    assert weights.locate(source, "", tmp_path) == path  # it is there, so nothing is asked
    with pytest.raises(ValueError, match="is not the file it should be"):
        weights.locate({**source, "sha256": "0" * 64}, "", tmp_path)
