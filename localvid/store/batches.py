"""Batches and what became of their films, as rows: what the store and a job's lease write of them.

A row says what comes next for a film; `batch` is one of them, opened.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Row, and_, func, insert, select, update

from localvid.errors import JobNotFoundError
from localvid.schemas import BatchEntry, BatchSummary, EntryState, NewJob, Stage
from localvid.store.jobs import add as add_job
from localvid.store.jobs import new_id, set_plan
from localvid.store.tables import batch_jobs, batches

STAGES = tuple(Stage)


class NewEntry(NamedTuple):
    """A film that joins a batch: the id of its job, or a job that is recorded with the batch."""

    job: str | NewJob
    line: int
    steps: Sequence[tuple[str, str, str]] = ()
    """Of the new job, as (key, kind, label), where its storyboard is written."""


class Next(NamedTuple):
    """The stage that follows, with the model that it needs and how much work it is."""

    stage: Stage
    model_id: str
    units: float


def add(connection: Connection, *, source: str, entries: Sequence[NewEntry], nexts: Sequence[Next]) -> str:
    """Insert a batch with those of its jobs that are new, and what comes next for each; return its id."""
    job_ids = [
        entry.job if isinstance(entry.job, str) else _add_job(connection, entry.job, entry.steps)
        for entry in entries
    ]
    now = datetime.now(UTC)
    batch_id = new_id(now)
    while connection.execute(select(batches.c.id).where(batches.c.id == batch_id)).first():
        batch_id = new_id(now)
    connection.execute(insert(batches).values(id=batch_id, source=source, created_at=now))
    connection.execute(
        insert(batch_jobs),
        [
            {
                "batch_id": batch_id,
                "number": number,
                "line": entry.line,
                "job_id": job_id,
                "state": EntryState.WAITING,
                "stage": STAGES.index(following.stage),
                "model": following.model_id,
                "units": following.units,
                "attempts": 0,
                "not_before": None,
                "seconds": 0.0,
                "error": "",
                "hint": "",
                "updated_at": now,
            }
            for number, (entry, job_id, following) in enumerate(
                zip(entries, job_ids, nexts, strict=True), start=1
            )
        ],
    )
    return batch_id


def cancel_waiting(connection: Connection, job_id: str) -> None:
    """The job was cancelled: no batch goes on with it. In the transaction that says so in its own row."""
    _set_of_job(
        connection,
        job_id,
        batch_jobs.c.state == EntryState.WAITING,
        state=EntryState.CANCELLED,
        error=f"job {job_id} was cancelled",
        hint=f"localvid resume {job_id}",
    )


def film_is_made(connection: Connection, job_id: str) -> None:
    """The film is whole, whoever made it: a batch that waited for it, or set it aside, has it now."""
    _set_of_job(
        connection,
        job_id,
        batch_jobs.c.state != EntryState.DONE,
        state=EntryState.DONE,
        stage=STAGES.index(Stage.JOIN),
        attempts=0,
        not_before=None,
        error="",
        hint="",
    )


def _set_of_job(connection: Connection, job_id: str, which: ColumnElement[bool], **values: object) -> None:
    """Change the rows of one job in whatever batches it is."""
    connection.execute(
        update(batch_jobs)
        .where(batch_jobs.c.job_id == job_id, which)
        .values(**values, updated_at=datetime.now(UTC))
    )


def _add_job(connection: Connection, job: NewJob, planned: Sequence[tuple[str, str, str]]) -> str:
    job_id = add_job(
        connection, prompt=job.prompt, options=job.options, seed=job.seed, storyboard=job.storyboard
    )
    set_plan(connection, job_id, planned)
    return job_id


def resolve(connection: Connection, name: str) -> str:
    """The id that `name` is; or the latest batch of the file of that path, or of that name alone; or the one
    id that begins so, or whose last part does.

    Raises JobNotFoundError; where several files or ids match, with these.
    """
    begins = name.strip().lower()
    query = select(batches.c.id, batches.c.source)
    newest_first = query.order_by(batches.c.created_at.desc(), batches.c.id.desc())
    known = connection.execute(newest_first).all() if begins else []
    for batch_id, source in known:
        if begins == batch_id or name == source:
            return str(batch_id)
    named = {source: batch_id for batch_id, source in reversed(known) if Path(source).name == name}
    begun = {batch_id: batch_id for batch_id, _ in known if f"-{begins}" in f"-{batch_id}"}
    for what, matches in (("name of several files", named), ("beginning of several batches", begun)):
        if len(matches) > 1:
            shown = ", ".join([*matches][:5]) + (", …" if len(matches) > 5 else "")
            raise JobNotFoundError(
                f"{name} is the {what}: {shown}", hint="give the whole path, or more of the id"
            )
        if matches:
            return str(next(iter(matches.values())))
    raise JobNotFoundError(
        f"no batch {name[:80]!r} in this workspace", hint="`localvid batch FILE` begins one"
    )


def page(connection: Connection, *, limit: int) -> list[BatchSummary]:
    """Batches, the newest first."""
    query = select(batches.c.id).order_by(batches.c.created_at.desc(), batches.c.id.desc()).limit(limit)
    return [summary_of(connection, batch_id) for batch_id in connection.execute(query).scalars()]


def summary_of(connection: Connection, batch_id: str) -> BatchSummary:
    row = connection.execute(select(batches).where(batches.c.id == batch_id)).one()
    counted = (
        select(batch_jobs.c.state, func.count(), func.max(batch_jobs.c.updated_at))
        .where(batch_jobs.c.batch_id == batch_id)
        .group_by(batch_jobs.c.state)
    )
    counts, latest = dict.fromkeys(EntryState, 0), row.created_at
    for state, count, updated in connection.execute(counted):
        counts[EntryState(state)] = count
        latest = max(latest, updated)
    return BatchSummary(
        id=row.id,
        source=row.source,
        created_at=row.created_at,
        updated_at=latest,
        waiting=counts[EntryState.WAITING],
        done=counts[EntryState.DONE],
        failed=counts[EntryState.FAILED],
        cancelled=counts[EntryState.CANCELLED],
    )


def read_entry(row: Row[Any]) -> BatchEntry:
    return BatchEntry(
        number=row.number,
        line=row.line,
        job_id=row.job_id,
        stage=STAGES[row.stage],
        state=EntryState(row.state),
        attempts=row.attempts,
        error=row.error,
        hint=row.hint,
        seconds=row.seconds,
        host_bytes=row.host_bytes,
        gpu_bytes=row.gpu_bytes,
        not_before=row.not_before,
    )


def is_waiting(batch_id: str) -> ColumnElement[bool]:
    return and_(batch_jobs.c.batch_id == batch_id, batch_jobs.c.state == EntryState.WAITING)
