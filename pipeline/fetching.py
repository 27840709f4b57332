"""The source files of a data set or network: fetched from mirrors, checked, and never half there under their own name.

A download grows in ``<name>.part`` beside its place, one process at a time (``.fetching`` is their lock), goes on from
there after a cut connection or in the next run, and is renamed once its digest is right. A file that is there already
is checked and never touched.
"""

import hashlib
import logging
import os
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from http.client import HTTPException
from io import FileIO
from pathlib import Path
from typing import Any

from tqdm import tqdm

from pipeline import files

ATTEMPTS = 3  # per mirror
BACKOFF = 1.0  # seconds before a mirror's second attempt, doubled before each further one
TIMEOUT = 30.0  # seconds that a server may stay silent
REPORT = 10.0  # seconds between two lines of a log
BLOCK = 1 << 16  # bytes
PREFIX = 8  # digits of a sha256 that at least are compared
PASSING = {408, 416, 425, 429}  # what a 4xx status may be that does not repeat itself

Source = Mapping[str, Any]


def fetch(sources: Mapping[str, Source], folder: Path) -> dict[str, str]:
    """Make sure that every file of ``sources`` lies in ``folder`` and is the right one.

    Args:
        sources: {file name: {"md5" or "sha256": hexadecimal digest, "urls": mirrors in order of preference, or none}};
            a name may begin with folders. Of a sha256 the first digits suffice, 8 at least: torchvision's weights bear
            so many in their names.
        folder: where the files lie or shall lie; may be read-only if they are all there.

    Returns:
        {file name: its sha256}.

    Raises:
        ValueError: if a file that is there already is not the right one (it is left as it is), if no mirror gives the
            right one, or if it cannot be written, as on a full disk.
    """
    for name, source in sources.items():
        path = folder / name
        if not path.exists():
            _download(path, source)
        if wrong := _wrong(path, source):
            raise ValueError(f"{path} is not the file it should be: {wrong}; move it away or put the right one there")
    return {name: _digest(folder / name, "sha256") for name in sources}


def _download(path: Path, source: Source) -> None:
    part = path.with_name(f"{path.name}.part")
    with files.locked(path.with_name(".fetching")):
        if not path.exists():  # another process may have been faster
            _fill(part, path, source)
            os.replace(part, path)


def _fill(part: Path, path: Path, source: Source) -> None:
    """Complete ``part`` from the first mirror that gives the right bytes, or say what happened at each of them."""
    if _size(part) and not _wrong(part, source):
        return  # a former run was stopped between the last byte and the new name
    told = []
    for url in source.get("urls", ()):
        if not (trouble := _ask(url, part, source)):
            return
        told.append(f"{url}: {trouble}")
    happened = "; ".join(told) or "it has no mirror"
    raise ValueError(f"could not fetch {path.name} ({happened}); put the file by hand into {path.parent}")


def _ask(url: str, part: Path, source: Source) -> str:
    """Ask one mirror up to ``ATTEMPTS`` times; return "" once ``part`` is right, otherwise the last trouble."""
    trouble, again = "", True
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(BACKOFF * 2 ** (attempt - 1))
        trouble, again = _attempt(url, part, source)
        if trouble:
            logging.warning("%s: %s: %s", part.stem, url, trouble)
        if not again:
            break
    return trouble


def _attempt(url: str, part: Path, source: Source) -> tuple[str, bool]:
    """Ask once; return what went wrong, "" for nothing, and whether to ask the same mirror again."""
    resumed = _size(part) > 0
    try:
        page = _append(url, part)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416:  # no such range: what we have is no shorter than the file, and not right
            part.unlink()
        return f"HTTP status {error.code} {error.reason}", error.code >= 500 or error.code in PASSING
    except (OSError, HTTPException) as error:
        return f"{type(error).__name__}: {error}", True
    wrong = _wrong(part, source, page)
    if wrong:
        part.unlink()
    return wrong, bool(wrong) and resumed  # the wrong byte may be one from another mirror or run


def _append(url: str, part: Path) -> bool:
    """Append to ``part`` the bytes that it lacks, or start it anew where the server sends no ranges.

    Returns:
        Whether the server calls it a page of the web, as the sign-in of a network does.

    Raises:
        OSError, HTTPException: if the network fails, or the connection ends before the promised length.
        ValueError: if ``part`` cannot be written.
    """
    start = _size(part)
    request = urllib.request.Request(url, headers={"User-Agent": "saliency-assay"})
    if start:
        request.add_header("Range", f"bytes={start}-")
    with urllib.request.urlopen(request, timeout=TIMEOUT) as answer, part.open("ab", buffering=0) as file:
        if answer.status != 206 and start:
            start = file.truncate(0)
        due = start + int(answer.headers["Content-Length"] or 0)
        logging.info("%s: from %s, byte %d of %s", part.stem, url, start, due or "an unknown number")
        for block in _told(iter(lambda: answer.read1(BLOCK), b""), part.stem, start, due):
            _write(file, block)
    if _size(part) < due:
        raise ConnectionError(f"the connection ended after {_size(part)} of {due} bytes")
    return answer.headers.get_content_type() == "text/html"


def _told(blocks: Iterable[bytes], name: str, done: int, due: int) -> Iterator[bytes]:
    """Pass ``blocks`` on while telling how far it got: by a bar on a terminal, by a line now and then in a log."""
    last = time.monotonic()
    with tqdm(desc=name, initial=done, total=due or None, unit="B", unit_scale=True, disable=None) as bar:
        for block in blocks:
            yield block
            done += len(block)
            bar.update(len(block))
            if bar.disable and time.monotonic() - last > REPORT:
                last = time.monotonic()
                logging.info("%s: %.1f of %.1f MB", name, done / 1e6, due / 1e6)


def _write(file: FileIO, block: bytes) -> None:
    left = memoryview(block)
    try:
        while left:
            left = left[file.write(left) :]
    except OSError as error:
        advice = "what came so far is kept, so make room there and run again"
        raise ValueError(f"cannot write {file.name}: {error.strerror}; {advice}") from error


def _wrong(path: Path, source: Source, page: bool = False) -> str:
    """Return in which way a file is not the one of ``source``, or ""; ``page``: it was served as a page of the web."""
    kind = "sha256" if "sha256" in source else "md5"
    found, due = _digest(path, kind), source[kind]
    if found == due or (kind == "sha256" and len(due) >= PREFIX and found.startswith(due)):
        return ""
    told = "it is a page of the web, as a sign-in or an error gives; " if page or _is_page(path) else ""
    return f"{told}its {kind} is {found} instead of {due}"


def _is_page(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(512).lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith((b"<!doctype html", b"<html"))


def _digest(path: Path, kind: str) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.new(kind, usedforsecurity=False)).hexdigest()


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
