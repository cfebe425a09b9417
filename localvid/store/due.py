"""Which films of a batch may be worked on now, as conditions of queries over its rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, exists, false, not_, or_, select, true

from localvid.schemas import BatchEntry, Stage
from localvid.store.batches import STAGES, is_waiting
from localvid.store.tables import batch_jobs, job_steps, jobs, steps

_STAGE_OF = {"storyboard": Stage.STORYBOARD, "keyframe": Stage.KEYFRAMES, "film": Stage.JOIN}
"""By the kind of a step; all others are made with the clips."""


class Due(NamedTuple):
    """What comes next for one film."""

    entry: BatchEntry
    model_id: str
    units: float


def no_more_than(most_units: Mapping[str, float] | None) -> ColumnElement[bool]:
    """Whether no clips come next, or no more work in them than that model may be given."""
    clips = batch_jobs.c.stage == STAGES.index(Stage.CLIPS)
    return and_(
        true(),
        *(
            not_(and_(clips, batch_jobs.c.model == model_id, batch_jobs.c.units > most))
            for model_id, most in (most_units or {}).items()
        ),
    )


def nobody_makes_its_steps(connection: Connection) -> ColumnElement[bool]:
    """Whether no job that is worked on now, in any batch or in none, makes a step that a film's next stage is
    for; before its storyboard is written, whether nobody writes one from the same words."""
    leased = and_(jobs.c.lease_owner > "", jobs.c.lease_expires_at >= datetime.now(UTC))
    return not_(or_(false(), *_made_now(connection, leased), *_written_now(connection, leased)))


def _made_now(connection: Connection, leased: ColumnElement[bool]) -> Iterator[ColumnElement[bool]]:
    """By stages: whether a film comes to this one next, and shares a step of it that is made now."""
    unfinished = (
        select(job_steps.c.key, job_steps.c.kind, batch_jobs.c.stage)
        .join(jobs, jobs.c.id == job_steps.c.job_id)
        .outerjoin(steps, steps.c.key == job_steps.c.key)
        .outerjoin(batch_jobs, batch_jobs.c.job_id == jobs.c.id)
        .where(leased, steps.c.key.is_(None))
    )
    keys: dict[int, set[str]] = defaultdict(set)
    for key, kind, stage in connection.execute(unfinished):
        made_in = STAGES.index(_STAGE_OF.get(kind, Stage.CLIPS))
        if stage in (made_in, None):  # a job in no batch goes through all its stages
            keys[made_in].add(key)
    for stage, made in keys.items():
        shares = exists().where(job_steps.c.job_id == batch_jobs.c.job_id, job_steps.c.key.in_(made))
        yield and_(batch_jobs.c.stage == stage, shares)


def _written_now(connection: Connection, leased: ColumnElement[bool]) -> Iterator[ColumnElement[bool]]:
    unwritten = select(jobs.c.prompt, jobs.c.seed).where(leased, jobs.c.storyboard.is_(None))
    from_words, its_job = batch_jobs.c.stage == STAGES.index(Stage.STORYBOARD), jobs.alias()
    for prompt, seed in connection.execute(unwritten):
        same = and_(its_job.c.id == batch_jobs.c.job_id, its_job.c.prompt == prompt, its_job.c.seed == seed)
        yield and_(from_words, exists().where(same))


def last_in_flight(
    connection: Connection, batch_id: str, in_flight: int, most_units: Mapping[str, float] | None
) -> int:
    """The number of the last film that may be begun while so many are not ended."""
    query = (
        select(batch_jobs.c.number)
        .where(is_waiting(batch_id), no_more_than(most_units))
        .order_by(batch_jobs.c.number)
        .limit(1)
        .offset(in_flight - 1)
    )
    found: int | None = connection.execute(query).scalar()
    return 2**31 - 1 if found is None else found
