"""Whether a workspace is whole: its rows, its files, and whether they fit together. Changes nothing.

No store is opened for this, since opening one mends already. Jobs may run beside it: rows are read a page at
a time, so that nobody waits long, and what looks wrong is looked at once more inside of a write transaction
that writes nothing, which no publication and no clean-up overlaps.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from sqlalchemy import func, select

from localvid.errors import WorkspaceError
from localvid.schemas import OnProgress, ignore_progress
from localvid.store.artifacts import ArtifactFiles
from localvid.store.checked_files import check_artifacts, check_temporaries, check_unknown_files
from localvid.store.checked_rows import check_batches, check_calls, check_jobs, check_references
from localvid.store.database import Database
from localvid.store.filesystems import refuse_network, type_of
from localvid.store.migrations import MIGRATIONS, version
from localvid.store.places import ARTIFACTS, DATABASE
from localvid.store.records import REPAIR, Amount, Checked, Fault, Finding, Severity
from localvid.store.tables import artifacts, jobs


def check_workspace(
    workspace: Path, *, read_data: bool = False, on_progress: OnProgress = ignore_progress
) -> Checked:
    """Look at every row and every artifact; with `read_data` at every byte, in memory that does not grow.

    `on_progress` counts bytes, and is called only with `read_data`. Raises WorkspaceError where there is no
    workspace, or none that can be used.
    """
    workspace = workspace.absolute()
    path = workspace / DATABASE
    if not path.exists() and not (workspace / ARTIFACTS).is_dir():
        raise WorkspaceError(f"there is no workspace at {workspace}", hint="name one with --workspace")
    filesystem = type_of(workspace)
    refuse_network(workspace, filesystem)
    num_jobs, held = 0, Amount()
    try:
        with closing(Database(path, filesystem=filesystem, as_found=True)) as database:
            findings = _check_database(database, thoroughly=read_data)
            # Rows that cannot be trusted say nothing about files: all would pass for left over.
            if not findings:
                num_jobs, held = _counts(database)
                findings += _check_contents(database, workspace, read_data=read_data, on_progress=on_progress)
    except OSError as error:
        raise WorkspaceError(
            f"{error.filename or workspace} cannot be read: {error.strerror}",
            hint="check the permissions in the workspace",
        ) from error
    return Checked(
        workspace=workspace, jobs=num_jobs, artifacts=held, read_data=read_data, findings=tuple(findings)
    )


def _check_contents(
    database: Database, workspace: Path, *, read_data: bool, on_progress: OnProgress
) -> Iterator[Finding]:
    files = ArtifactFiles(workspace / ARTIFACTS)
    yield from check_jobs(database, workspace, read_data=read_data)
    yield from check_calls(database)
    yield from check_batches(database)
    yield from check_references(database)
    yield from check_artifacts(database, files, read_data=read_data, on_progress=on_progress)
    yield from check_unknown_files(database, files)
    yield from check_temporaries(workspace)


def _counts(database: Database) -> tuple[int, Amount]:
    with database.read() as connection:
        num_jobs = connection.execute(select(func.count()).select_from(jobs)).scalar_one()
        sums = select(func.count(), func.coalesce(func.sum(artifacts.c.bytes), 0))
        count, size = connection.execute(sums.select_from(artifacts)).one()
    return num_jobs, Amount(count=count, bytes=size)


def _check_database(database: Database, *, thoroughly: bool) -> list[Finding]:
    """What keeps the rows from being trusted or read."""
    if not database.path.exists():
        return [
            _amiss(
                database,
                "it is gone: nothing says what the artifacts belong to",
                remedy="put it back from a copy; without one, the films stay, and `localvid info` says how "
                "each was made",
            )
        ]
    try:
        with database.read() as connection:
            check = "integrity_check" if thoroughly else "quick_check"
            said = list(connection.exec_driver_sql(f"PRAGMA {check}(20)").scalars())
            mode = str(connection.exec_driver_sql("PRAGMA journal_mode").scalar())
            schema = version(connection, len(MIGRATIONS)) if said == ["ok"] else 0
    except WorkspaceError as error:
        return [_amiss(database, error.message, remedy=error.hint)]
    if said != ["ok"]:
        remedy = "copy the folder before anything else; `sqlite3 localvid.sqlite3 .recover` may save the rows"
        return [_amiss(database, str(line), remedy=remedy) for line in said]
    settled = f"{REPAIR} settles that, and so does any command that opens the workspace; then check again"
    if mode == "wal" and database.wanted_journal_mode != "WAL":
        detail = "it keeps a write-ahead log, which can lose rows with this SQLite or on this disk"
        return [_amiss(database, detail, remedy=settled, mendable=True)]
    if schema < len(MIGRATIONS):
        detail = f"an older localvid made it (schema {schema}, this one has {len(MIGRATIONS)})"
        return [_amiss(database, detail, remedy=settled, mendable=True)]
    return []


def _amiss(database: Database, detail: str, *, remedy: str, mendable: bool = False) -> Finding:
    return Finding(
        fault=Fault.DATABASE,
        severity=Severity.WARNING if mendable else Severity.ERROR,
        subject=DATABASE,
        path=database.path,
        detail=detail,
        remedy=remedy,
        mendable=mendable,
    )
