"""Whether one file is whole: there, and with the size and the bytes that were written. Knows no rows."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from localvid.files import open_file
from localvid.store.records import Fault

_CHUNK_BYTES = 1024 * 1024


class Blemish(NamedTuple):
    """What is wrong with a file, and with which: another may take its place meanwhile."""

    fault: Fault
    detail: str
    inode: int | None = None


def look_at(
    path: Path,
    *,
    size: int | None = None,
    sha256: str | None = None,
    on_bytes: Callable[[int], None] | None = None,
) -> Blemish | None:
    """What is wrong with the file; None if nothing is. What is None is not compared.

    Memory does not grow with the file; `on_bytes` is told of each part that was read.
    """
    try:
        with open_file(path) as file:
            status = os.fstat(file.fileno())
            if size is not None and status.st_size != size:
                detail = f"it has {status.st_size:,} bytes and should have {size:,}"
                return Blemish(Fault.DAMAGED, detail, status.st_ino)
            if sha256 is not None and _digest(file.fileno(), on_bytes) != sha256:
                return Blemish(Fault.DAMAGED, "its bytes are not those that were written", status.st_ino)
    except (FileNotFoundError, NotADirectoryError):
        return Blemish(Fault.MISSING, "its file is gone")
    except OSError as error:
        return Blemish(Fault.UNREADABLE, f"its file cannot be read: {error.strerror}")
    return None


def exists(path: Path) -> bool:
    """Whether the file is there; also where that cannot be told, as on a disk that does not answer."""
    try:
        return path.exists()
    except OSError:
        return True


def inode_of(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except OSError:
        return None


def _digest(descriptor: int, on_bytes: Callable[[int], None] | None) -> str:
    # What the disk holds is asked for, and not what memory still has of it.
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    digest = hashlib.sha256()
    while chunk := os.read(descriptor, _CHUNK_BYTES):
        digest.update(chunk)
        if on_bytes is not None:
            on_bytes(len(chunk))
    return digest.hexdigest()
