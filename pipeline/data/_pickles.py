"""Pickles of plain values and arrays, read without running what they ask for.

A pickle is a program: what it names, it may call. This reader knows the three names that arrays are built from, up to
protocol 4, and one that Python 3 writes for bytes, and refuses every other.
"""

import io
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy._core.multiarray import _reconstruct


def _latin1(text: str, encoding: str) -> bytes:
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"it asks for the encoding {encoding!r}")
    return text.encode("latin1")


KNOWN: dict[tuple[str, str], Callable[..., Any]] = {
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): _latin1,
}


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Callable[..., Any]:
        """Return what a pickle names, if it is known to be harmless."""
        if (module, name) not in KNOWN:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no array needs")
        return KNOWN[module, name]


def unpickled(content: bytes, path: Path) -> dict[object, object]:
    """Return the dict of lists, texts, numbers and arrays that a pickle holds; texts of Python 2 are read as Latin-1.

    Args:
        content: the pickle.
        path: where it comes from, for the message.

    Raises:
        ValueError: if it is no whole pickle of a dict, or names anything that arrays of numbers do not need: nothing
            of that runs.
    """
    try:
        found = _Reader(io.BytesIO(content), encoding="latin1").load()
    except (pickle.UnpicklingError, EOFError, ValueError, TypeError, AttributeError, LookupError) as error:
        raise ValueError(f"{path} is no pickle of plain arrays, and was not read: {error}") from error
    if not isinstance(found, dict):
        raise ValueError(f"{path} is the pickle of a {type(found).__name__} and of no dict")
    return found
