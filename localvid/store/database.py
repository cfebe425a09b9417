"""The database: engine, transactions, errors. All that is peculiar to SQLite stands here.

The other modules of the store speak SQLAlchemy Core and know two kinds of transaction: `read` and `write`.
A write excludes every other write from its start on; on SQLite that is `BEGIN IMMEDIATE`, since a deferred
transaction that turns into a write fails at once, without waiting, when another process wrote meanwhile.
"""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Connection, create_engine, event
from sqlalchemy.exc import DBAPIError

from localvid.errors import DiskFullError, WorkspaceBusyError, WorkspaceError
from localvid.store.filesystems import can_share_memory

_WRITES = "localvid_writes"
_PROBE_SECONDS = 1.0
"""For a lock that is only asked about; whoever waits for it keeps new readers out."""
_NEARLY_FULL_BYTES = 256 * 1024
"""With less free space than this an I/O error is taken to mean a full disk."""


class Database:
    """Transactions over one SQLite file. Every database error leaves here as a WorkspaceError.

    `as_found`: the file is there, and keeps the journal mode that it has.
    """

    def __init__(
        self, path: Path, *, filesystem: str = "", busy_seconds: float = 30.0, as_found: bool = False
    ) -> None:
        self.path = path
        self._busy_seconds = busy_seconds
        self.wanted_journal_mode = journal_mode(sqlite3.sqlite_version_info, filesystem)
        self._as_found = as_found
        url = URL.create("sqlite", database=str(path))
        if as_found:  # SQLite makes a file that is not there, but not where an address says "rw"
            query = {"mode": "rw", "uri": "true"}
            url = URL.create("sqlite", database=f"file:{quote(str(path))}", query=query)
        self._engine = create_engine(url, connect_args={"timeout": busy_seconds})
        event.listen(self._engine, "connect", self._set_up)
        event.listen(self._engine, "begin", _begin)
        self._writer = self._engine.execution_options(**{_WRITES: True})

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that sees one state of the rows throughout."""
        with self._translated(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that no other write overlaps; committed when the block succeeds, else undone."""
        with self._translated(), self._writer.begin() as connection:
            yield connection

    def check_unlocked(self) -> None:
        """Raise WorkspaceBusyError if another process keeps this one from committing; changes nothing.

        Without a write-ahead log readers do that, too, so the lock of a commit is asked for, not that of a
        transaction that begins.
        """
        seconds = min(_PROBE_SECONDS, self._busy_seconds)
        probe = sqlite3.connect(self.path, timeout=seconds, isolation_level=None)
        try:
            probe.execute("BEGIN EXCLUSIVE")
            probe.execute("ROLLBACK")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorname.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
                raise self._busy(seconds) from error
            # Whatever else it is, the next transaction meets it and says so.
        finally:
            probe.close()

    def close(self) -> None:
        self._engine.dispose()

    def _set_up(self, connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = (
            None  # transactions begin where `_begin` says, not where pysqlite guesses
        )
        if not self._as_found:
            self._set_journal_mode(connection)
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")

    def _set_journal_mode(self, connection: sqlite3.Connection) -> None:
        """SQLite does not wait for its busy timeout when a journal mode changes, so this does."""
        deadline = time.monotonic() + self._busy_seconds
        while True:
            try:
                connection.execute(f"PRAGMA journal_mode={self.wanted_journal_mode}")
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorname != "SQLITE_BUSY" or time.monotonic() > deadline:
                    raise
                time.sleep(0.02)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            translated = self._as_workspace_error(error)
            if translated is None:
                raise
            raise translated from error

    def _as_workspace_error(self, error: DBAPIError) -> WorkspaceError | None:
        """What a database error means to the user; None for a defect of localvid's."""
        name = getattr(error.orig, "sqlite_errorname", "")
        if name == "SQLITE_FULL" or (
            name.startswith(("SQLITE_IOERR", "SQLITE_CANTOPEN")) and self._is_full()
        ):
            return DiskFullError(
                f"no space left for the rows in {self.path}",
                hint="free some space (`localvid clean`, `localvid delete-job`), then `localvid resume`",
            )
        if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            return self._busy(self._busy_seconds)
        if name.startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT")):
            return WorkspaceError(
                f"{self.path} is not a database, or it is damaged",
                hint="move it away or choose another --workspace; the films in films/ are not touched",
            )
        if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_AUTH")):
            return WorkspaceError(
                f"{self.path} cannot be written",
                hint="check the permissions of the folder and the file, or choose another --workspace",
            )
        if name.startswith("SQLITE_IOERR"):
            return WorkspaceError(f"the disk failed while using {self.path}", hint="check the disk (dmesg)")
        return None

    def _busy(self, seconds: float) -> WorkspaceBusyError:
        return WorkspaceBusyError(
            f"{self.path} was locked by another process for {seconds:.0f} s",
            hint="end the process that holds it, then try again",
        )

    def _is_full(self) -> bool:
        try:
            return shutil.disk_usage(self.path.parent).free < _NEARLY_FULL_BYTES
        except OSError:
            return False


def journal_mode(sqlite_version: tuple[int, ...], filesystem: str = "") -> str:
    """WAL where this SQLite and file system can be trusted with it, else TRUNCATE.

    SQLite 3.7.0 to 3.51.2 can corrupt a write-ahead log that is reset while another connection writes;
    mended in 3.51.3 and, on older branches, in 3.50.7 and 3.44.6 (https://www.sqlite.org/wal.html#walresetbug).
    "The WAL-Reset Bug").
    """
    version = tuple(sqlite_version[:3])
    mended = version >= (3, 51, 3) or (3, 50, 7) <= version < (3, 51) or (3, 44, 6) <= version < (3, 45)
    return "WAL" if mended and can_share_memory(filesystem) else "TRUNCATE"


def _begin(connection: Connection) -> None:
    options: dict[str, Any] = dict(connection.get_execution_options())
    connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get(_WRITES) else "BEGIN")
