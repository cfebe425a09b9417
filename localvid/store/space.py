"""Free space: the check before a step, and the reserve from which a failure is recorded on a full disk."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from localvid.errors import DiskFullError

logger = logging.getLogger(__name__)

_T = TypeVar("_T")

BALLAST_BYTES = 1024 * 1024
_ROOM_FOR_BALLAST_BYTES = 64 * BALLAST_BYTES
"""The reserve is only taken from a disk that has much more; a disk this small does not need to lose more."""


class Space:
    """The free space of a workspace, of which a file called `ballast` keeps 1 MiB back."""

    def __init__(self, workspace: Path, *, min_free_bytes: int) -> None:
        self._workspace = workspace
        self._ballast = workspace / "ballast"
        self._min_free_bytes = min_free_bytes

    def check(self) -> None:
        """Raise DiskFullError if less is free than a step may need."""
        free = shutil.disk_usage(self._workspace).free
        if free < self._min_free_bytes:
            raise DiskFullError(
                f"{_mib(free)} free in {self._workspace}, "
                f"{_mib(self._min_free_bytes)} wanted before each step",
                hint="free some space (`localvid clean`) or lower min_free_gib, then `localvid resume`",
            )

    def set_ballast(self) -> None:
        """Keep 1 MiB back if it is not kept and the disk has room; random bytes, which nothing compresses."""
        if self._ballast.exists() or shutil.disk_usage(self._workspace).free < _ROOM_FOR_BALLAST_BYTES:
            return
        try:
            self._ballast.write_bytes(os.urandom(BALLAST_BYTES))
        except OSError as error:
            logger.warning("no reserve for a full disk: %s", error)
            with contextlib.suppress(OSError):
                self._ballast.unlink(missing_ok=True)

    def spend(self, record: Callable[[], _T]) -> _T:
        """Call `record`; if the disk is full, give the ballast up and call it once more."""
        try:
            return record()
        except DiskFullError:
            try:
                self._ballast.unlink()
            except OSError:
                pass
            else:
                return record()
            raise


def _mib(size: int) -> str:
    return f"{size / 2**20:,.0f} MiB"
