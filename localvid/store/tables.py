"""The tables as the code uses them; `migrations` makes them, and a test holds the two together."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    TypeDecorator,
)


class UtcTime(TypeDecorator[datetime]):
    """An aware time in UTC, also where the database keeps no time zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        return value.astimezone(UTC) if value is not None else None

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        if value is None:
            return None
        moment: datetime = value if value.tzinfo else value.replace(tzinfo=UTC)
        return moment.astimezone(UTC)


METADATA = MetaData()

schema_version = Table("schema_version", METADATA, Column("version", Integer, primary_key=True))

jobs = Table(
    "jobs",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("status", Text, nullable=False),
    Column("prompt", Text, nullable=False),
    Column("options", Text, nullable=False),  # FilmOptions as JSON
    Column("seed", BigInteger, nullable=False),
    Column("storyboard", Text),  # Storyboard as JSON
    Column("output", Text),  # relative to the workspace where it lies inside
    Column("error", Text, nullable=False),
    Column("hint", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Column("lease_owner", Text),
    Column("lease_expires_at", UtcTime),
    Column("cancel_requested", Boolean, nullable=False),
    Column("notices", Text, nullable=False),  # a list of sentences as JSON
    Column("last_owner", Text),  # who holds the lease, or held it last
    Index("jobs_by_age", "created_at", "id"),
    Index("jobs_by_status", "status", "created_at", "id"),
    Index("jobs_by_owner", "lease_owner"),
)

job_steps = Table(
    "job_steps",  # what a job's plan refers to, made or not
    METADATA,
    Column("job_id", Text, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("key", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("label", Text, nullable=False),
    Index("job_steps_by_key", "key"),
)

paid_calls = Table(
    "paid_calls",  # of jobs that were deleted, too: the month's sum counts them
    METADATA,
    Column("id", Text, primary_key=True),
    Column("job_id", Text, nullable=False),
    Column("step_key", Text, nullable=False),
    Column("owner", Text, nullable=False),  # whose process sent it
    Column("host", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("inputs", Text, nullable=False),  # an object as JSON
    Column("state", Text, nullable=False),
    Column("run_id", Text),
    Column("estimated_usd", Float, nullable=False),
    Column("cost_usd", Float),
    Column("detail", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Index("paid_calls_by_step", "step_key"),
    Index("paid_calls_by_job", "job_id"),
    Index("paid_calls_by_age", "created_at"),
)

artifacts = Table(
    "artifacts",
    METADATA,
    Column("address", Text, primary_key=True),  # sha256 and suffix
    Column("bytes", BigInteger, nullable=False),
    Column("used_at", UtcTime, nullable=False),  # when a job last made or reused it
)

steps = Table(
    "steps",  # finished steps only
    METADATA,
    Column("key", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("address", Text, ForeignKey("artifacts.address"), nullable=False),
    Index("steps_by_address", "address"),
)

batches = Table(
    "batches",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("source", Text, nullable=False),  # the file, or "-"
    Column("created_at", UtcTime, nullable=False),
    Index("batches_by_age", "created_at"),
)

batch_jobs = Table(
    "batch_jobs",
    METADATA,
    Column("batch_id", Text, ForeignKey("batches.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("line", Integer, nullable=False),
    Column("job_id", Text, ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False),
    Column("state", Text, nullable=False),
    Column("stage", Integer, nullable=False),  # the next one's place in the order of stages
    Column("model", Text, nullable=False),  # that the next stage needs, so that it is loaded once
    Column("units", Float, nullable=False),  # of work in the next stage
    Column("attempts", Integer, nullable=False),
    Column("not_before", UtcTime),
    Column("seconds", Float, nullable=False),
    Column("error", Text, nullable=False),
    Column("hint", Text, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Column("host_bytes", BigInteger),  # peaks of memory while its stages ran; unknown, or none
    Column("gpu_bytes", BigInteger),
    Index("batch_jobs_by_stage", "batch_id", "state", "stage", "model", "number"),
    Index("batch_jobs_by_job", "job_id"),
)

stage_times = Table(
    "stage_times",  # what this machine measured, for estimates
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("stage", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("units", Float, nullable=False),
    Column("seconds", Float, nullable=False),
    Index("stage_times_by_model", "stage", "model", "id"),
)
