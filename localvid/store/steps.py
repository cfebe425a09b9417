"""Rows of finished steps and their artifacts, and which jobs refer to them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy import Connection, delete, func, insert, select, update

from localvid.store.tables import artifacts, job_steps, steps


class Made(NamedTuple):
    """A finished step: its kind, and its artifact's address and size."""

    kind: str
    address: str
    bytes: int


def artifact_of(connection: Connection, key: str) -> Made | None:
    row = connection.execute(
        select(steps.c.kind, artifacts.c.address, artifacts.c.bytes)
        .join(artifacts, artifacts.c.address == steps.c.address)
        .where(steps.c.key == key)
    ).first()
    return Made(row.kind, row.address, row.bytes) if row else None


def add_step(connection: Connection, *, key: str, kind: str, address: str, size: int) -> None:
    """Record that a step is finished which was not; another step may have made the same bytes before."""
    if not connection.execute(select(artifacts.c.address).where(artifacts.c.address == address)).first():
        connection.execute(insert(artifacts).values(address=address, bytes=size, used_at=datetime.now(UTC)))
    connection.execute(insert(steps).values(key=key, kind=kind, address=address))


def refer(connection: Connection, job_id: str, *, key: str, kind: str) -> None:
    """Record that the job refers to the step, if its plan does not say so."""
    planned = job_steps.c.job_id == job_id
    if connection.execute(select(job_steps.c.key).where(planned, job_steps.c.key == key)).first():
        return
    last = connection.execute(select(func.max(job_steps.c.position)).where(planned)).scalar()
    position = 0 if last is None else last + 1
    connection.execute(
        insert(job_steps).values(job_id=job_id, position=position, key=key, kind=kind, label=kind)
    )


def mark_used(connection: Connection, address: str) -> None:
    """Record that a job uses the artifact now; a clean-up within a quota takes what was used longest ago."""
    connection.execute(
        update(artifacts).where(artifacts.c.address == address).values(used_at=datetime.now(UTC))
    )


def forget_artifact(connection: Connection, address: str) -> None:
    """Remove the rows of an artifact whose file is gone or damaged, and of the steps that made it."""
    connection.execute(delete(steps).where(steps.c.address == address))
    connection.execute(delete(artifacts).where(artifacts.c.address == address))
