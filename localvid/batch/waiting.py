"""What no film pays for: a full disk, a locked database. A worker waits until that is over, and goes on."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from localvid.errors import DiskFullError, WorkspaceBusyError
from localvid.store import Store

Lack = DiskFullError | WorkspaceBusyError
"""What is waited for: room, or rows that can be written."""
LACKS = (DiskFullError, WorkspaceBusyError)


class Waiting:
    """Where the threads of one worker wait; what they lack is said once, though several lack it.

    `stopped` ends every wait. `on_look` is called at each look at what is lacking.
    """

    def __init__(
        self,
        store: Store,
        *,
        poll_seconds: float,
        stopped: threading.Event,
        on_notice: Callable[[str], None],
        on_look: Callable[[], None],
    ) -> None:
        self._store = store
        self._poll_seconds = poll_seconds
        self._stopped = stopped
        self._on_notice = on_notice
        self._on_look = on_look
        self._mutex = threading.Lock()
        self._lacking: Counter[object] = Counter()

    def until_over(self, lack: Lack) -> None:
        """Return when there is room again, or the database is free, or the work is stopped."""
        with self._said(lack):
            while not self._stopped.wait(self._poll_seconds):
                self._on_look()
                try:
                    self._look(lack)
                except LACKS:
                    continue
                return

    def _look(self, lack: Lack) -> None:
        if isinstance(lack, WorkspaceBusyError):
            self._store.check_unlocked()
        elif lack.folder is not None:
            check_room(lack.folder, lack.needed_bytes)
        else:
            self._store.check_space()

    @contextmanager
    def _said(self, lack: Lack) -> Iterator[None]:
        what = "the database is free" if isinstance(lack, WorkspaceBusyError) else "there is room"
        key = (what, lack.folder if isinstance(lack, DiskFullError) else None)
        with self._mutex:
            self._lacking[key] += 1
            is_first = self._lacking[key] == 1
        if is_first:
            self._on_notice(f"paused: {lack.message}; it goes on by itself when {what}")
        try:
            yield
        finally:
            with self._mutex:
                self._lacking[key] -= 1
                is_last = not self._lacking[key]
            if is_last and not self._stopped.is_set():
                self._on_notice(f"{what} again: going on")


def check_room(folder: Path, needed_bytes: int) -> None:
    """Raise DiskFullError if no file of that size can be written into the folder, or what is there of it.

    The file is made, without a name, and goes at once: quotas and what is kept back for the superuser do not
    show in how much is free.
    """
    place = next(parent for parent in (folder, *folder.parents) if parent.is_dir())
    try:
        if shutil.disk_usage(place).free >= needed_bytes:
            with tempfile.TemporaryFile(dir=place) as file:
                os.posix_fallocate(file.fileno(), 0, max(1, needed_bytes))
            return
    except OSError:
        pass  # whatever it is, it is no room
    raise DiskFullError(
        f"less than {needed_bytes:,} bytes are free in {folder}", hint="free some space there"
    )
