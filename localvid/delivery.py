"""A finished film, copied to where the user wants it: theirs to move, cut or delete."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from localvid.errors import DiskFullError
from localvid.files import as_workspace_error
from localvid.store import Store

_PIECE_BYTES = 4 * 2**20


def deliver(store: Store, film: Path, output: Path, *, on_piece: Callable[[], None]) -> None:
    """Copy `film` to `output`, over what is there; the folder is made where there is none.

    `on_piece` is called between pieces of a few MiB, since the disk may be a slow one; what it raises stops
    the copy, of which nothing is left then. Raises DiskFullError, which says where how much is needed, and
    WorkspaceError.
    """
    try:
        try:
            output.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise as_workspace_error(error, output) from error
        with store.writing(output) as partial, film.open("rb") as source, partial.open("wb") as copy:
            for number, piece in enumerate(iter(lambda: source.read(_PIECE_BYTES), b"")):
                if number:
                    on_piece()
                copy.write(piece)
    except DiskFullError as error:
        raise DiskFullError(
            error.message,
            hint=f"free some space in {output.parent}, then `localvid resume`",
            folder=output.parent,
            needed_bytes=film.stat().st_size,
        ) from error
