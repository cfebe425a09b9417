"""Writing a file so that it is complete whenever it exists under its final name; opening none but files."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from localvid.errors import DiskFullError, InvalidRequestError, WorkspaceError

_PARTIAL = re.compile(r"\.[0-9a-f]{12}\.part(\..+)?")
_NO_SPACE = (28, 122)  # ENOSPC, EDQUOT


@contextmanager
def writing(output: Path, *, overwrite: bool = False, partial: Path | None = None) -> Iterator[Path]:
    """Yield a temporary name beside `output`; when the block succeeds, flush it to disk and rename it.

    If the block fails, the temporary file is removed and `output` is as it was. The temporary name keeps
    the suffix, from which encoders choose the format, and starts with a dot. `partial` is such a name, from
    `beside`, that the caller knows before.

    Raises InvalidRequestError if `output` exists and `overwrite` is false, DiskFullError, WorkspaceError.
    """
    partial = partial or beside(output)
    try:
        if output.exists() and not overwrite:
            raise InvalidRequestError(f"{output} exists already", hint="name an output that does not exist")
        yield partial
        flush(partial)
        partial.replace(output)
        flush(output.parent)
    except OSError as error:
        raise as_workspace_error(error, output) from error
    finally:
        partial.unlink(missing_ok=True)


def beside(output: Path) -> Path:
    """A new temporary name in the folder of `output`."""
    return output.with_name(f".{secrets.token_hex(6)}.part{output.suffix}")


def is_partial(name: str) -> bool:
    """Whether `beside` gives such names."""
    return _PARTIAL.fullmatch(name) is not None


def check_output(output: Path) -> None:
    """Find out before any work whether `output`, existing or not, can be written; nothing is left behind.

    Raises InvalidRequestError if it is a folder or lies in what is no folder, WorkspaceError if its folder,
    or the nearest one that exists, cannot be written to, or if it is a file that is not to be written to:
    a new file could take its place all the same.
    """
    output = expanded(output).absolute()
    try:
        if output.is_dir():
            raise InvalidRequestError(f"{output} is a folder", hint="name a file in it")
        folder = next(parent for parent in output.parents if parent.exists())
        if not folder.is_dir():
            raise InvalidRequestError(f"{folder} is not a folder", hint="name an output in a folder")
        # Asking for permission bits is not enough: root has them all, on a read-only disk too.
        with tempfile.TemporaryFile(dir=folder):
            pass
        _check_permission(output)
    except OSError as error:
        raise as_workspace_error(error, output) from error


def _check_permission(output: Path) -> None:
    try:
        mode = output.stat().st_mode
    except FileNotFoundError:
        return
    if not mode & 0o222 or not os.access(output, os.W_OK):
        raise WorkspaceError(f"{output} is read-only", hint="make it writable, or name another output")


def expanded(path: Path) -> Path:
    """The path with `~` as the user's own folder; `~name` stays where there is nobody of that name."""
    try:
        return path.expanduser()
    except RuntimeError:
        return path


def flush(path: Path) -> None:
    """Return when the file's bytes, or the folder's entries, are on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def open_file(path: Path) -> BinaryIO:
    """Open a file for reading its bytes; OSError also for folders, pipes and devices, which may never answer
    or never end."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        raise OSError(errno.EINVAL, "it is a pipe or a device, not a file", str(path))
    return os.fdopen(descriptor, "rb")


def digest(path: Path) -> str:
    """SHA-256 of the file's bytes, as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def as_workspace_error(error: OSError, path: Path) -> WorkspaceError:
    """An OSError met while writing `path`, as one line and a hint."""
    if error.errno in _NO_SPACE:
        return DiskFullError(
            f"no space left while writing {path}",
            hint="free some space (`localvid clean`), then `localvid resume`",
        )
    return WorkspaceError(
        f"cannot write {path}: {error.strerror or error}", hint="choose a folder that you may write to"
    )
