"""The files of finished steps, each under its own sha256. This module knows no rows."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

from localvid.errors import WorkspaceError
from localvid.files import flush

_ADDRESS = re.compile(r"[0-9a-f]{64}(\.[a-z0-9]{1,16})?")


class ArtifactFiles:
    """Files named `<first two digits>/<sha256><suffix>` under one root.

    A file under its address is whole: its bytes were on disk before it got the name.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, address: str) -> Path:
        return self.root / address[:2] / address

    def has(self, address: str, size: int) -> bool:
        """Whether the file is there with `size` bytes. Raises WorkspaceError if that cannot be told."""
        path = self.path(address)
        try:
            return path.stat().st_size == size
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            raise WorkspaceError(
                f"{path} cannot be read: {error.strerror}", hint="check the permissions in the workspace"
            ) from error

    def place(self, partial: Path, address: str) -> Path:
        """Give `partial`, whose bytes are on disk, its address; returns when the name is on disk, too."""
        final = self.path(address)
        final.parent.mkdir(exist_ok=True)
        partial.replace(final)
        flush(final.parent)
        flush(self.root)  # also where another process made the folder, and died before it flushed this
        return final

    def names_in(self, folder: Path) -> tuple[list[str], list[Path]]:
        """Addresses of the files in one of the root's folders, and what else lies in it."""
        addresses, foreign = [], []
        for path in folder.iterdir():
            whole_name = is_address(path.name) and path.name.startswith(folder.name)
            if whole_name and path.is_file() and not path.is_symlink():
                addresses.append(path.name)
            else:
                foreign.append(path)
        return addresses, foreign

    def on_disk(self) -> Iterator[tuple[str, int]]:
        """Every address under the root and its file's bytes; anything else there is not looked at."""
        for folder in self.root.iterdir():
            if len(folder.name) != 2 or not folder.is_dir():
                continue
            for path in folder.iterdir():
                if _ADDRESS.fullmatch(path.name) and path.name.startswith(folder.name):
                    try:
                        yield path.name, path.stat().st_size
                    except FileNotFoundError:
                        continue


def is_address(name: str) -> bool:
    return _ADDRESS.fullmatch(name) is not None


def address_of(partial: Path) -> tuple[str, int]:
    """Put the file's bytes on disk, then return its address and size in bytes."""
    flush(partial)
    with partial.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        size = os.fstat(file.fileno()).st_size
    address = f"{digest}{partial.suffix}"
    if not _ADDRESS.fullmatch(address):
        raise ValueError(f"{partial.suffix!r} is not a suffix for an artifact")
    return address, size
