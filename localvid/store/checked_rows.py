"""What is amiss with rows: of jobs, of paid calls, of batches, and of what they name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Row, Table, delete, or_, select

from localvid.errors import WorkspaceError
from localvid.schemas import CallState, JobStatus, VideoJob, usd
from localvid.store import jobs as job_rows
from localvid.store import owners, paid
from localvid.store.batch_films import BatchRows
from localvid.store.database import Database
from localvid.store.places import IMAGES, TEMPORARIES
from localvid.store.records import REPAIR, Fault, Finding, Severity
from localvid.store.tables import artifacts, batch_jobs, batches, job_steps, jobs, paid_calls, steps
from localvid.store.upkeep import KEPT_IMAGE
from localvid.store.wholeness import exists, look_at

_PAGE = 200


def check_jobs(database: Database, workspace: Path, *, read_data: bool) -> Iterator[Finding]:
    """Each job's row, its lease, its film, and the images that it names."""
    images: dict[Path, str] = {}
    for row in rows_of(database, jobs, jobs.c.id):
        if isinstance(row, Finding):
            yield row
            continue
        yield from _check_lease(database, row, workspace / TEMPORARIES)
        try:
            job = job_rows.check_readable(row, workspace)
        except WorkspaceError as error:
            yield _unreadable(row.id, error.message, remedy=error.hint)
            continue
        yield from _check_film(database, job)
        images |= {path: job.id for path in _kept_images(job) if path not in images}
    for path, job_id in images.items():
        yield from _check_image(database, path, job_id, read_data=read_data)


def check_calls(database: Database) -> Iterator[Finding]:
    """Each call that costs money; those of jobs that were deleted wait for nobody."""
    for row in rows_of(database, paid_calls, paid_calls.c.id):
        if isinstance(row, Finding):
            yield row
            continue
        try:
            call = paid.read_call(row)
        except ValueError as error:
            yield _unreadable(row.id, f"a paid call that this version cannot read: {error}")
            continue
        if call.state is CallState.NEEDS_CONFIRMATION and _is_there(database, call.job_id):
            yield Finding(
                fault=Fault.PAID_CALL,
                severity=Severity.WARNING,
                subject=call.job_id,
                detail=f"a clip of {call.model} for job {call.job_id} may be paid for (about "
                f"{usd(call.spent_usd)}) and is out of reach",
                remedy=f"`localvid resume {call.job_id} --confirm` has it made, and paid for, once more",
            )


def check_batches(database: Database) -> Iterator[Finding]:
    """Each batch, and what it says of its films."""
    for row in rows_of(database, batches, batches.c.id):
        if isinstance(row, Finding):
            yield row
            continue
        try:
            BatchRows(database, row.id).entries()
        except (ValueError, TypeError, IndexError) as error:
            yield _unreadable(row.id, f"a batch of which this version cannot read a film: {error}")


def check_references(database: Database) -> Iterator[Finding]:
    """Rows that name others which are not there, and artifacts that nothing names."""
    no_job = select(job_steps.c.job_id).where(job_steps.c.job_id.not_in(select(jobs.c.id))).distinct()
    no_artifact = select(steps.c.key).where(steps.c.address.not_in(select(artifacts.c.address)))
    no_step = select(artifacts.c.address).where(artifacts.c.address.not_in(select(steps.c.address)))
    no_film = select(batch_jobs.c.batch_id).where(_has_no_job_or_batch()).distinct()
    for query, what in (
        (no_film, "a film of batch {}, of which the job or the batch is not there"),
        (no_job, "steps of job {}, which is not there"),
        (no_artifact, "step {} is done by its row, and its artifact has none"),
        (no_step, "artifact {} is of no step"),
    ):
        with database.read() as connection:
            names = list(connection.execute(query).scalars())
        for name in names:
            yield Finding(
                fault=Fault.REFERENCE,
                severity=Severity.WARNING,
                subject=name,
                detail=what.format(name),
                remedy=f"{REPAIR} removes the row; what a job needs is made again",
                mendable=True,
            )


def forget_references(connection: Connection, name: str) -> int:
    """Remove the rows of that name which `check_references` finds; how many of them were artifacts."""
    there = select(jobs.c.id).where(jobs.c.id == job_steps.c.job_id).exists()
    connection.execute(delete(job_steps).where(job_steps.c.job_id == name, ~there))
    there = select(artifacts.c.address).where(artifacts.c.address == steps.c.address).exists()
    connection.execute(delete(steps).where(steps.c.key == name, ~there))
    connection.execute(delete(batch_jobs).where(batch_jobs.c.batch_id == name, _has_no_job_or_batch()))
    there = select(steps.c.key).where(steps.c.address == artifacts.c.address).exists()
    return connection.execute(delete(artifacts).where(artifacts.c.address == name, ~there)).rowcount


def _has_no_job_or_batch() -> ColumnElement[bool]:
    return or_(
        batch_jobs.c.job_id.not_in(select(jobs.c.id)), batch_jobs.c.batch_id.not_in(select(batches.c.id))
    )


def rows_of(database: Database, table: Table, key: Column[Any]) -> Iterator[Row[Any] | Finding]:
    """Every row in the order of `key`; in place of one that cannot be read, what is wrong with it."""
    last = ""
    while True:
        with database.read() as connection:
            page = select(key).where(key > last).order_by(key).limit(_PAGE)
            keys = list(connection.execute(page).scalars())
            rows = _read(connection, table, key, keys)
        yield from rows
        if len(keys) < _PAGE:
            return
        last = keys[-1]


def _read(
    connection: Connection, table: Table, key: Column[Any], keys: list[str]
) -> list[Row[Any] | Finding]:
    try:
        return list(connection.execute(select(table).where(key.in_(keys)).order_by(key)))
    except (ValueError, TypeError) as error:  # one of them has a time that is none
        if len(keys) == 1:
            return [_unreadable(keys[0], f"a row of {table.name} that this version cannot read: {error}")]
        return [row for one in keys for row in _read(connection, table, key, [one])]


def _unreadable(name: str, detail: str, *, remedy: str = "") -> Finding:
    return Finding(
        fault=Fault.ROW,
        severity=Severity.ERROR,
        subject=name,
        detail=detail,
        remedy=remedy or "use the version that wrote it, or put localvid.sqlite3 back from a copy",
    )


# --- one job -------------------------------------------------------------------------------------


def _check_lease(database: Database, row: Row[Any], temporaries: Path) -> Iterator[Finding]:
    owner = row.lease_owner
    if owner is None and row.status != JobStatus.RUNNING:
        return
    if owner is not None:
        if owners.is_alive(temporaries, owner):
            return
        with database.write() as connection:
            query = select(jobs.c.lease_owner).where(jobs.c.id == row.id)
            if connection.execute(query).scalar() != owner:
                return  # its owner ended as it should, after the row was read
    nobody = f"{owners.describe(owner)} has ended" if owner else "nobody works on it"
    yield Finding(
        fault=Fault.LEASE,
        severity=Severity.WARNING,
        subject=row.id,
        detail=f"job {row.id} is running by its row, and {nobody}",
        remedy=f"`localvid resume {row.id}` goes on with it",
        mendable=owner is not None,
    )


def _check_film(database: Database, job: VideoJob) -> Iterator[Finding]:
    film = job.output_video_path
    if job.status is JobStatus.DONE and film is not None and not exists(film) and _is_there(database, job.id):
        yield Finding(
            fault=Fault.FILM,
            severity=Severity.NOTE,
            subject=job.id,
            path=film,
            detail=f"the film of job {job.id} was moved or deleted",
            remedy=f"`localvid resume {job.id}` puts it back, if you miss it",
        )


def _check_image(database: Database, path: Path, job_id: str, *, read_data: bool) -> Iterator[Finding]:
    blemish = look_at(path, sha256=path.stem if read_data else None)
    if blemish is not None and _is_there(database, job_id):
        yield Finding(
            fault=Fault.IMAGE,
            severity=Severity.ERROR,
            subject=job_id,
            path=path,
            detail=f"an image that job {job_id} names: {blemish.detail}",
            remedy="put a copy of the original there, under this name",
        )


def _kept_images(job: VideoJob) -> Iterator[Path]:
    """The copies of the user's images that the job names."""
    shots = job.storyboard.shots if job.storyboard else ()
    for path in (job.options.reference_image, *(shot.reference_image for shot in shots)):
        if path is not None and path.parent.name == IMAGES and KEPT_IMAGE.fullmatch(path.name):
            yield path


def _is_there(database: Database, job_id: str) -> bool:
    """Whether the job was not deleted meanwhile: its film goes before that transaction ends."""
    with database.write() as connection:
        return connection.execute(select(jobs.c.id).where(jobs.c.id == job_id)).first() is not None
