"""Weights of networks: read from outside without running anything, held against the network, and written.

A file of weights from elsewhere is not to be trusted: a pickle may ask for any function to be called. It is read with
``weights_only`` alone, which calls none but those that rebuild tensors.
"""

import gzip
import io
import json
import lzma
import pickle
import re
import warnings
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor, nn

from pipeline import fetching, files

NESTED = ("state_dict", "model_state_dict", "model")  # where checkpoints keep the weights, beside other things
UNPACK: dict[str, Callable[[bytes], bytes]] = {".xz": lzma.decompress, ".gz": gzip.decompress}
SHOWN = 5  # names of each kind in a message


def locate(source: Mapping[str, str], initial: str, folder: Path) -> Path | None:
    """Return the file of weights that a network starts from, after checking its sha256 where one is stated, or None.

    Args:
        source: {"url", "sha256"} of a file to fetch, {"sha256"} of ``initial``, or {}; the first digits of a sha256 do.
        initial: path of a file that is here, or "".
        folder: where a fetched file lies or shall lie.

    Raises:
        ValueError: if the file cannot be had, or is not the one it should be.
    """
    if not source:
        return Path(initial) if initial else None
    path = Path(initial) if initial else folder / source["url"].partition("?")[0].rpartition("/")[2]
    urls = {"urls": [source["url"]]} if "url" in source else {}
    fetching.fetch({path.name: {"sha256": source["sha256"], **urls}}, path.parent)
    return path


def read(path: str | Path) -> dict[str, Tensor]:
    """Return {name: tensor, on the CPU} of a file: safetensors or torch's own format, as it is, or packed (.xz, .gz).

    A checkpoint that keeps its weights under "state_dict" or "model" gives these.

    Raises:
        ValueError: if the file cannot be read, asks for code to be run, or holds anything but tensors.
    """
    path = Path(path)
    form = Path(path.stem).suffix if path.suffix in UNPACK else path.suffix
    try:
        content = UNPACK.get(path.suffix, bytes)(path.read_bytes())
        found = load(content) if form == ".safetensors" else _unpickled(content)
    except Exception as error:  # a damaged file ends in any error
        raise ValueError(f"{path} cannot be used: {_reason(error)}") from None
    for key in NESTED:
        if isinstance(found, Mapping) and isinstance(found.get(key), Mapping):
            found = found[key]
    if not isinstance(found, Mapping) or not found:
        raise ValueError(f"{path} holds no weights by name, but {type(found).__name__}")
    if others := [str(name) for name, value in found.items() if not isinstance(value, Tensor)]:
        raise ValueError(f"{path} holds what is no tensor: {_listed(others)}")
    return {str(name): value.detach() for name, value in found.items()}


def fill(model: nn.Module, state: Mapping[str, Tensor], called: str) -> None:
    """Give ``model`` the weights of ``state``; names that all begin with "module." lose it, as DataParallel adds it.

    Counters of batch norm that older files lack stay at 0. Names that begin as one of the network's ``unused_weights``,
    if it has any, are passed over.

    Args:
        model: the network.
        state: {name: tensor}.
        called: what does not fit what, for the message.

    Raises:
        ValueError: if keys are missing, surplus or misshapen, or values are not finite or of another dtype.
    """
    own = model.state_dict()
    found = {key.removeprefix("module."): value for key, value in state.items()} if _wrapped(state, own) else state
    unused = tuple(getattr(model, "unused_weights", ()))
    found = {key: value for key, value in found.items() if key in own or not key.startswith(unused)}
    counters = {key: value for key, value in own.items() if key.endswith(".num_batches_tracked")}
    found = {**counters, **found}
    if wrong := "; ".join(_mismatches(found, own)):
        raise ValueError(f"{called}: {wrong}")
    model.load_state_dict(found)


def write(path: str | Path, model: nn.Module, made_by: Mapping[str, Any]) -> None:
    """Write the weights as safetensors, with what made them in the file's head."""
    content = {name: tensor.contiguous().cpu() for name, tensor in model.state_dict().items()}
    with files.replacing(path) as temporary:
        temporary.write_bytes(save(content, {"provenance": json.dumps(made_by, sort_keys=True)}))


def _unpickled(content: bytes) -> object:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of old formats
        return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)


def _reason(error: Exception) -> str:
    """Return in a few words why a file could not be read."""
    said = " ".join(str(error).split())
    if isinstance(error, pickle.UnpicklingError):
        if asked := re.search(r"GLOBAL (\S+)", said):
            return f"it asks for {asked[1]} to be called, and weights have no need to run code; nothing was run"
        said = "nothing can be had of it without running what it says, and nothing was run"
    return f"{said.partition('. ')[0][:200] or type(error).__name__}; it is damaged, or no file of weights"


def _wrapped(state: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> bool:
    return all(key.startswith("module.") for key in state) and not any(key.startswith("module.") for key in own)


def _mismatches(found: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> Iterable[str]:
    """Yield, for each kind of fault, the keys that have it."""
    kinds: dict[str, list[str]] = {"missing": [], "surplus": [], "of another shape": [], "of another dtype": []}
    kinds["missing"] = [key for key in own if key not in found]
    kinds["surplus"] = [key for key in found if key not in own]
    for key in (key for key in own if key in found):
        new, due = found[key], own[key]
        if new.shape != due.shape:
            kinds["of another shape"].append(f"{key} {tuple(new.shape)} where {tuple(due.shape)} is due")
        elif new.dtype != due.dtype:
            kinds["of another dtype"].append(f"{key} {_plain(new.dtype)} where {_plain(due.dtype)} is due")
    kinds["not finite"] = [
        key for key, value in found.items() if value.is_floating_point() and not value.isfinite().all()
    ]
    return (f"{len(keys)} {kind} ({_listed(keys)})" for kind, keys in kinds.items() if keys)


def _plain(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
