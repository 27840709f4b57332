"""Training that can be killed at any moment and goes on from its last epoch."""

import inspect
import json
import logging
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pipeline import files
from pipeline.progress import progress
from pipeline.training.fit import fit


def train(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    checkpoint: str | Path,
    made_by: Mapping[str, Any],
    **options: Any,
) -> list[dict[str, float]]:
    """Train ``network`` in place, keeping each epoch's state in a file, and return the history.

    Args:
        network: the untrained network, on the images' device.
        images: (N, C, H, W) uint8.
        labels: (N,) int64.
        checkpoint: file that holds the last epoch's state; one that something else made is not used.
        made_by: what determines the result; its equality lets a checkpoint be used.
        options: keyword parameters of ``fit``.
    """
    resume = _load(Path(checkpoint), made_by, images.device)
    history: list[dict[str, float]] = resume["history"] if resume else []
    if resume:
        logging.info("took over %d epochs from %s", len(history), checkpoint)
    states = fit(network, images, labels, resume=resume, **options)
    call = inspect.signature(fit).bind(network, images, labels, **options)
    call.apply_defaults()
    for state in progress(states, call.arguments["epochs"] - len(history), "epochs"):
        history = state["history"]
        _save(Path(checkpoint), made_by, state)
    return history


def epochs_done(checkpoint: str | Path, made_by: Mapping[str, Any]) -> int:
    """Return how many epochs a checkpoint holds of the run that ``made_by`` determines."""
    state = _load(Path(checkpoint), made_by, torch.device("cpu"))
    return len(state["history"]) if state else 0


def _save(path: Path, made_by: Mapping[str, Any], state: Mapping[str, Any]) -> None:
    with files.replacing(path) as temporary:
        torch.save({"made_by": _key(made_by), "state": state}, temporary)


def _load(path: Path, made_by: Mapping[str, Any], device: torch.device) -> dict[str, Any] | None:
    try:
        with zipfile.ZipFile(path) as file:  # torch itself reads damaged numbers without a word
            found = None if file.testzip() else torch.load(path, map_location=device, weights_only=True)
    except Exception:  # none yet, or no checkpoint, which ends in any error: training starts at its beginning
        return None
    return found.get("state") if isinstance(found, dict) and found.get("made_by") == _key(made_by) else None


def _key(made_by: Mapping[str, Any]) -> str:
    return json.dumps(made_by, sort_keys=True)
