"""Job rows: finding them, reading them as `VideoJob`, writing them. Knows no file but the film's path."""

from __future__ import annotations

import difflib
import json
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError
from sqlalchemy import Connection, Row, Select, delete, func, insert, or_, select, update

from localvid.errors import InvalidRequestError, JobBusyError, JobNotFoundError, JobUnreadableError
from localvid.schemas import FilmOptions, JobStatus, Storyboard, VideoJob, explain
from localvid.store import owners
from localvid.store.paid import spent_usd
from localvid.store.records import JobStep
from localvid.store.tables import job_steps, jobs, steps

JobRow = Row[Any]

_DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base 32: no i, l, o, u, so that an id is not misread."""

_TIME_DIGITS, _RANDOM_DIGITS = 4, 4


def new_id(now: datetime) -> str:
    """A job's id such as `20261122-7f3kc09q`: the day, the time of the day in steps of 82 ms, then chance.

    Ids sort by age; 20 random bits keep apart the jobs of one step, and whoever inserts looks again.
    """
    seconds = (now.hour * 60 + now.minute) * 60 + now.second + now.microsecond / 1e6
    tick = int(seconds / 86_400 * len(_DIGITS) ** _TIME_DIGITS)
    time = "".join(_DIGITS[tick >> 5 * place & 31] for place in reversed(range(_TIME_DIGITS)))
    chance = "".join(secrets.choice(_DIGITS) for _ in range(_RANDOM_DIGITS))
    return f"{now:%Y%m%d}-{time}{chance}"


def add(
    connection: Connection, *, prompt: str, options: FilmOptions, seed: int, storyboard: Storyboard | None
) -> str:
    """Insert a pending job and return its id."""
    now = datetime.now(UTC)
    job_id = new_id(now)
    while connection.execute(select(jobs.c.id).where(jobs.c.id == job_id)).first():
        job_id = new_id(now)
    connection.execute(
        insert(jobs).values(
            id=job_id,
            status=JobStatus.PENDING,
            prompt=storable(prompt, "the prompt"),
            options=to_json(options),
            seed=seed,
            storyboard=to_json(storyboard) if storyboard else None,
            error="",
            hint="",
            created_at=now,
            updated_at=now,
            cancel_requested=False,
            notices="[]",
        )
    )
    return job_id


def resolve(connection: Connection, job_id: str) -> str:
    """The full id of the job that `job_id` names: an id, its beginning, or the beginning of its last part.

    Raises JobNotFoundError with a close match or the latest job in the hint; or, if several match, with
    their ids.
    """
    name = job_id.strip().lower()
    if name.isascii() and name:
        if connection.execute(select(jobs.c.id).where(jobs.c.id == name)).first():
            return name
        matches = _matching(connection, name)
        if len(matches) == 1:
            return matches[0]
        if matches:
            shown = ", ".join(matches[:5]) + (", …" if len(matches) > 5 else "")
            raise JobNotFoundError(
                f"{job_id} is the beginning of several jobs: {shown}", hint="give more of the id"
            )
    raise JobNotFoundError(
        f"no job {job_id[:80]!r} in this workspace", hint=_not_found_hint(connection, name)
    )


def row_of(connection: Connection, job_id: str) -> JobRow:
    """The row of a job; `job_id` as `resolve` takes it."""
    return connection.execute(select(jobs).where(jobs.c.id == resolve(connection, job_id))).one()


def rows_of(connection: Connection, job_ids: Sequence[str]) -> Sequence[JobRow]:
    """The rows of these full ids, in no order."""
    return connection.execute(select(jobs).where(jobs.c.id.in_(job_ids))).all()


def page(connection: Connection, *, limit: int, offset: int, status: JobStatus | None) -> Sequence[JobRow]:
    """Rows, newest first; an index gives them in this order, so nothing is sorted."""
    query: Select[Any] = select(jobs).order_by(jobs.c.created_at.desc(), jobs.c.id.desc())
    if status is not None:
        query = query.where(jobs.c.status == status)
    return connection.execute(query.limit(limit).offset(offset)).all()


def read(connection: Connection, row: JobRow, workspace: Path) -> VideoJob:
    """The row as a job. Raises JobUnreadableError if another version wrote what this one cannot read."""
    try:
        return _read(row, workspace, *_counts(connection, [row.id])[row.id])
    except (ValidationError, ValueError) as error:
        raise JobUnreadableError(_unreadable(row, error), hint=_unreadable_hint(row)) from error


def check_readable(row: JobRow, workspace: Path) -> VideoJob:
    """The row as a job without the counts of its steps, for less time. Raises as `read` does."""
    try:
        return _read(row, workspace, 0, 0, 0.0)
    except (ValidationError, ValueError) as error:
        raise JobUnreadableError(_unreadable(row, error), hint=_unreadable_hint(row)) from error


def read_page(connection: Connection, rows: Sequence[JobRow], workspace: Path) -> list[VideoJob]:
    """The rows as jobs; one that cannot be read is listed with the reason in place of what it held."""
    counts = _counts(connection, [row.id for row in rows])
    found = []
    for row in rows:
        try:
            found.append(_read(row, workspace, *counts[row.id]))
        except (ValidationError, ValueError) as error:
            found.append(_placeholder(row, error))
    return found


def steps_of(connection: Connection, job_id: str) -> list[JobStep]:
    query = (
        select(job_steps, steps.c.key.label("made"))
        .outerjoin(steps, steps.c.key == job_steps.c.key)
        .where(job_steps.c.job_id == job_id)
        .order_by(job_steps.c.position)
    )
    return [
        JobStep(key=row.key, kind=row.kind, label=row.label, done=row.made is not None)
        for row in connection.execute(query)
    ]


def set_plan(connection: Connection, job_id: str, planned: Sequence[tuple[str, str, str]]) -> None:
    """Record the job's steps as (key, kind, label), in place of those of an earlier plan."""
    connection.execute(delete(job_steps).where(job_steps.c.job_id == job_id))
    if planned:
        rows = [
            {"job_id": job_id, "position": position, "key": key, "kind": kind, "label": label}
            for position, (key, kind, label) in enumerate(planned)
        ]
        connection.execute(insert(job_steps), rows)


def is_busy(row: JobRow, temporaries: Path) -> bool:
    """Whether a live owner holds the job: its lease runs, and its process has not died."""
    return (
        row.lease_owner is not None
        and row.lease_expires_at > datetime.now(UTC)
        and owners.is_alive(temporaries, row.lease_owner)
    )


def busy(row: JobRow) -> JobBusyError:
    by = owners.describe(row.lease_owner) if row.lease_owner else "this process"
    return JobBusyError(
        f"job {row.id} is being worked on by {by}",
        hint=f"wait for it, or stop it: localvid cancel {row.id}",
    )


def orphaned(connection: Connection, temporaries: Path) -> list[JobRow]:
    """Jobs whose lease names a process that died."""
    # Compared rather than "is not null", for which SQLite would read every row in place of the index.
    held = connection.execute(select(jobs).where(jobs.c.lease_owner > "")).all()
    return [row for row in held if not owners.is_alive(temporaries, row.lease_owner)]


def settle(connection: Connection, orphan: JobRow) -> None:
    """End a dead process's lease: its job is interrupted, or cancelled if that had been asked for."""
    cancelled = orphan.cancel_requested
    set_values(
        connection,
        orphan.id,
        status=JobStatus.CANCELLED if cancelled else JobStatus.INTERRUPTED,
        error="" if cancelled else f"{owners.describe(orphan.lease_owner)} ended before the film did",
        hint=f"localvid resume {orphan.id}",
        lease_owner=None,
        lease_expires_at=None,
        cancel_requested=False,
    )


def set_values(connection: Connection, job_id: str, **values: object) -> None:
    """Update columns of a job, and `updated_at`."""
    connection.execute(update(jobs).where(jobs.c.id == job_id).values(**values, updated_at=datetime.now(UTC)))


def storable(text: str, what: str) -> str:
    """The text itself. Raises InvalidRequestError if it has no UTF-8 form, as some file names have none."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InvalidRequestError(
            f"{what} is not valid UTF-8: {text.encode('utf-8', 'replace').decode()}",
            hint="use a name or words that are valid UTF-8",
        ) from error
    return text


def to_json(model: FilmOptions | Storyboard) -> str:
    try:
        return model.model_dump_json()
    except PydanticSerializationError as error:
        raise InvalidRequestError(
            "a path or a text in the options or the storyboard is not valid UTF-8",
            hint="rename the file, or mend the text",
        ) from error


def stored_path(path: Path, workspace: Path) -> str:
    """A path inside the workspace is kept relative to it, so that a workspace can be moved."""
    path = path.absolute()
    inside = path.is_relative_to(workspace)
    return storable(str(path.relative_to(workspace) if inside else path), "the film's path")


def _matching(connection: Connection, name: str) -> list[str]:
    escaped = name.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    begins = or_(jobs.c.id.like(f"{escaped}%", escape="\\"), jobs.c.id.like(f"%-{escaped}%", escape="\\"))
    query = select(jobs.c.id).where(begins).order_by(jobs.c.id.desc()).limit(6)
    return list(connection.execute(query).scalars())


def _not_found_hint(connection: Connection, name: str) -> str:
    recent = select(jobs.c.id).order_by(jobs.c.created_at.desc(), jobs.c.id.desc()).limit(500)
    ids = list(connection.execute(recent).scalars())
    if not ids:
        return "this workspace has no jobs yet; --workspace names another"
    names = {job_id.partition("-")[2]: job_id for job_id in ids} | {job_id: job_id for job_id in ids}
    close = difflib.get_close_matches(name[:40], names, n=1, cutoff=0.8)
    meant = f"did you mean {names[close[0]]}?" if close else f"the latest is {ids[0]};"
    return f"{meant} `localvid list-jobs` shows all"


def _counts(connection: Connection, job_ids: list[str]) -> dict[str, tuple[int, int, float]]:
    """Job id → steps done, steps planned, US dollars spent."""
    query = (
        select(job_steps.c.job_id, func.count(steps.c.key), func.count())
        .outerjoin(steps, steps.c.key == job_steps.c.key)
        .where(job_steps.c.job_id.in_(job_ids))
        .group_by(job_steps.c.job_id)
    )
    steps_of_jobs = {job_id: (done, total) for job_id, done, total in connection.execute(query)}
    spent = spent_usd(connection, job_ids)
    return {job_id: (*steps_of_jobs.get(job_id, (0, 0)), spent.get(job_id, 0.0)) for job_id in job_ids}


def _read(row: JobRow, workspace: Path, done: int, total: int, cost_usd: float) -> VideoJob:
    status = JobStatus(row.status)
    return VideoJob(
        id=row.id,
        status=status,
        prompt=row.prompt,
        options=FilmOptions.model_validate_json(row.options),
        seed=row.seed,
        storyboard=Storyboard.model_validate_json(row.storyboard) if row.storyboard else None,
        output_video_path=workspace / row.output if row.output else None,
        error=row.error,
        hint=row.hint,
        notices=json.loads(row.notices),
        created_at=row.created_at,
        updated_at=row.updated_at,
        # A film that is done stays done when a clean-up takes what it was made of.
        steps_done=total if status is JobStatus.DONE else done,
        steps_total=total,
        cost_usd=cost_usd,
    )


def _placeholder(row: JobRow, error: Exception) -> VideoJob:
    known = set(JobStatus)
    return VideoJob(
        id=row.id,
        status=JobStatus(row.status) if row.status in known else JobStatus.FAILED,
        prompt=row.prompt,
        options=FilmOptions(),
        seed=0,
        error=_unreadable(row, error),
        hint=_unreadable_hint(row),
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _unreadable(row: JobRow, error: Exception) -> str:
    reason = explain(error) if isinstance(error, ValidationError) else str(error)
    return f"job {row.id} was written by another version of localvid and cannot be read: {reason}"


def _unreadable_hint(row: JobRow) -> str:
    return f"use the version that wrote it, or remove it: localvid delete-job {row.id}"
