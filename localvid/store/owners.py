"""Who works in a workspace: one folder of temporaries for each open store, locked while its process lives.

The kernel drops the lock (flock) when the process ends, however it ends. So whether an owner lives needs
no process id, which another process may carry by now and which means nothing inside another container.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from localvid.errors import WorkspaceError
from localvid.files import as_workspace_error, is_partial
from localvid.store.records import Amount

_NAME = re.compile(r"[A-Za-z0-9.]{1,40}-(\d+)-[0-9a-f]{12}")


class Owner:
    """This store's own folder of temporaries, made and locked at the first use, removed by `close`."""

    def __init__(self, temporaries: Path) -> None:
        self.name = _new_name()
        self._folder = temporaries / self.name
        self._descriptor: int | None = None
        self._mutex = threading.Lock()

    def folder(self) -> Path:
        """The folder, locked: nobody sweeps it while this process lives."""
        with self._mutex:
            if self._descriptor is None:
                self._descriptor = _claim(self._folder)
        return self._folder

    @contextmanager
    def answering_for(self, partial: Path) -> Iterator[None]:
        """Within the block, `partial` is a temporary of this owner's that lies elsewhere: a link in its
        folder names it, so that whoever sweeps the folder removes it, too."""
        link = self.folder() / secrets.token_hex(6)
        with suppress(OSError):  # a disk without links: what is left there stays
            link.symlink_to(partial.absolute())
        try:
            yield
        finally:
            link.unlink(missing_ok=True)

    def close(self) -> None:
        with self._mutex:
            if self._descriptor is not None:
                shutil.rmtree(self._folder, ignore_errors=True)
                os.close(self._descriptor)
                self._descriptor = None


def is_alive(temporaries: Path, owner: str) -> bool:
    """Whether the owner's process lives; true where that cannot be told, and its lease decides then."""
    try:
        with _unlocked(temporaries / owner) as dead:
            return not dead
    except FileNotFoundError:
        return False
    except OSError:
        return True


def is_of_process(owner: str, pid: int) -> bool:
    """Whether the owner is, or was, that process of this machine."""
    matched = _NAME.fullmatch(owner)
    return matched is not None and int(matched[1]) == pid and owner.startswith(f"{_host()}-")


def describe(owner: str) -> str:
    """The owner in words: "process 4711 on gpu01"."""
    matched = _NAME.fullmatch(owner)
    return f"process {matched[1]} on {owner[: matched.start(1) - 1]}" if matched else owner


def measure(temporaries: Path) -> Amount:
    """All temporaries, of the living and the dead."""
    return sum((_amount(folder) for folder in _folders(temporaries)), Amount())


def left_by_dead(temporaries: Path) -> dict[str, Amount]:
    """Dead owner → what it left. An empty folder is none: its owner may be about to lock it."""
    left = {}
    for folder in _folders(temporaries):
        try:
            with _unlocked(folder) as dead:
                if dead and (amount := _amount(folder)).count:
                    left[folder.name] = amount
        except OSError:
            continue  # its owner or a sweep removed it meanwhile, or it is another user's
    return left


def sweep(temporaries: Path, *, dry_run: bool = False) -> Amount:
    """Remove what dead owners left. Only folders that carry an owner's name are looked at: a workspace may
    have been put into a folder that holds things of the user's."""
    swept = Amount()
    for folder in _folders(temporaries):
        try:
            with _unlocked(folder) as dead:
                if dead:
                    swept += _amount(folder)
                    if not dry_run:
                        _remove_linked(folder)
                        shutil.rmtree(folder, ignore_errors=True)
        except OSError:
            continue  # another sweep was faster, or the folder is another user's
    return swept


def _new_name() -> str:
    return f"{_host()}-{os.getpid()}-{secrets.token_hex(6)}"


def _host() -> str:
    return re.sub(r"[^A-Za-z0-9.]", ".", socket.gethostname())[:40] or "localhost"


def _claim(folder: Path) -> int:
    """Make the folder and lock it; a sweep that comes between the two makes it start again."""
    try:
        while True:
            folder.mkdir(exist_ok=True)
            try:
                descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            except FileNotFoundError:
                continue
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if _is_at(descriptor, folder):
                return descriptor
            os.close(descriptor)
    except OSError as error:
        raise as_workspace_error(error, folder) from error


def _is_at(descriptor: int, folder: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), folder.stat())
    except FileNotFoundError:
        return False


@contextmanager
def _unlocked(folder: Path) -> Iterator[bool]:
    """Yield whether nobody holds the folder. Shared, so that two who ask do not take each other for it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)


def _folders(temporaries: Path) -> list[Path]:
    try:
        return [path for path in temporaries.iterdir() if _NAME.fullmatch(path.name)]
    except OSError as error:
        raise WorkspaceError(
            f"{temporaries} cannot be read: {error.strerror}", hint="check the folder's permissions"
        ) from error


def _remove_linked(folder: Path) -> None:
    """What the owner was writing elsewhere. Its link may be of any age, so the name must be a temporary's."""
    for link in folder.iterdir():
        with suppress(OSError):  # another sweep was faster, or what it names is not ours
            if link.is_symlink() and is_partial(link.readlink().name):
                link.readlink().unlink(missing_ok=True)


def _amount(folder: Path) -> Amount:
    total = Amount()
    for path in folder.rglob("*"):
        try:
            if path.is_file() and not path.is_symlink():
                total += Amount(count=1, bytes=path.stat().st_size)
        except FileNotFoundError:
            continue
    return total
