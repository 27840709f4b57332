"""Progress of long work: a bar with rate and time left on a terminal, plain lines of the same in a log."""

import logging
import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")
PAUSE = 10.0  # seconds between two lines of a log


def progress(items: Iterable[T], total: int, what: str) -> Iterator[T]:
    """Yield ``items``, and say on the standard error how far this is, at which rate and with how much time left.

    Args:
        items: the work.
        total: how many there are.
        what: what one of them is, in the plural: "images", "epochs".
    """
    if sys.stderr.isatty():
        yield from tqdm(items, total=total, unit=f" {what}", leave=False)
    else:
        yield from _logged(items, total, what)


def _logged(items: Iterable[T], total: int, what: str) -> Iterator[T]:
    start = said = time.monotonic()
    for done, item in enumerate(items, start=1):
        yield item
        now = time.monotonic()
        if now - said > PAUSE and done < total:
            rate = done / (now - start)
            logging.info("%d of %d %s, %.3g/s, %.0f s left", done, total, what, rate, (total - done) / rate)
            said = now
