"""Tar archives, read member by member in memory: nothing is unpacked to the disk, so no path can climb out."""

import tarfile
import zlib
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

PAGE = b"<"  # what a page of the web begins with, and no archive does


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn what goes wrong while reading the archive at ``path`` into one sentence."""
    with path.open("rb") as file:
        if file.read(512).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(PAGE):
            raise ValueError(f"{path} is a page of the web and no archive; move it away or put the right one there")
    try:
        yield
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:  # a broken gzip file is an OSError
        raise ValueError(f"{path} is not a whole archive: {' '.join(str(error).split())}") from error


def members(path: Path, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
    """Yield (name, content) of each member whose name is ``wanted``, in the archive's order.

    Args:
        path: a tar archive, gzipped or not.
        wanted: says of a member's name whether its content is to be read.

    Raises:
        ValueError: if the file is cut off or no archive, or if the path of any member, wanted or not, climbs out.
    """
    with _explained(path), tarfile.open(path) as archive:
        for member in archive:
            name = PurePosixPath(member.name)
            if name.is_absolute() or ".." in name.parts:
                raise ValueError(f"{path} holds {member.name!r}, a path that climbs out of the archive; it is refused")
            if wanted(str(name)):
                yield str(name), _content(path, archive, member)


def read(path: Path, names: Collection[str]) -> dict[str, bytes]:
    """Return {name: content} of the members called ``names``, in the order of ``names``.

    Raises:
        ValueError: as ``members`` does, and if one of them is not there.
    """
    found = dict(members(path, lambda name: name in names))
    if absent := [name for name in names if name not in found]:
        raise ValueError(f"{path} holds no {absent[0]}: it is cut off, or another archive")
    return {name: found[name] for name in names}


def _content(path: Path, archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    if not member.isfile():
        raise ValueError(f"{path} holds {member.name!r} as something other than a plain file; it is refused")
    file = archive.extractfile(member)
    assert file is not None  # it is a plain file
    return file.read()
