"""Rows of batches: which film is due for which stage, what failed how often, what stages took.

A row says what comes next for a film. Any number of processes may share a batch: each picks what is due, and
works on it under the job's own lease, so two never work on one film, and a row changes only with the lease
still held.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    and_,
    case,
    exists,
    false,
    func,
    insert,
    not_,
    or_,
    select,
    true,
    update,
)

from localvid.errors import JobNotFoundError, LocalvidError
from localvid.schemas import (
    BatchEntry,
    BatchSummary,
    EntryState,
    JobStatus,
    NewJob,
    PeakMemory,
    Stage,
    StageTime,
)
from localvid.store import owners
from localvid.store.database import Database
from localvid.store.jobs import add as add_job
from localvid.store.jobs import new_id, set_plan, set_values
from localvid.store.tables import batch_jobs, batches, job_steps, jobs, stage_times, steps

STAGES = tuple(Stage)
_RECENT = 20
"""As many of a model's latest times make an estimate: the machine may do other work by now."""
_UNKNOWN = PeakMemory()


class NewEntry(NamedTuple):
    """A film that joins a batch: the id of its job, or a job that is recorded with the batch."""

    job: str | NewJob
    line: int
    steps: Sequence[tuple[str, str, str]] = ()
    """Of the new job, as (key, kind, label), where its storyboard is written."""


class Due(NamedTuple):
    """What comes next for one film."""

    entry: BatchEntry
    model_id: str
    units: float


class Next(NamedTuple):
    """The stage that follows, with the model that it needs and how much work it is."""

    stage: Stage
    model_id: str
    units: float


class BatchRows:
    """One batch; safe to use from threads."""

    def __init__(self, database: Database, batch_id: str) -> None:
        self._database = database
        self.id = batch_id

    def summary(self) -> BatchSummary:
        with self._database.read() as connection:
            return _summary(connection, self.id)

    def entries(
        self, *, state: EntryState | None = None, limit: int | None = None, offset: int = 0
    ) -> list[BatchEntry]:
        """Films in the order of the file."""
        query = select(batch_jobs).where(batch_jobs.c.batch_id == self.id).order_by(batch_jobs.c.number)
        if state is not None:
            query = query.where(batch_jobs.c.state == state)
        with self._database.read() as connection:
            return [_entry(row) for row in connection.execute(query.limit(limit).offset(offset))]

    def due(
        self,
        stages: Sequence[Stage],
        *,
        in_flight: int | None = None,
        most_units: Mapping[str, float] | None = None,
    ) -> list[Due]:
        """Films of which one of these stages comes next, those first that a loaded model serves on: by
        stage, model and number. Films that another process works on are not among them, nor those that share
        a step with such a film that is not finished: it is made once, and found then.

        `most_units`: model → films with more work in clips of it are left out. `in_flight`: of the other
        films that are not ended, so many are looked at; and all whose clips are made.
        """
        now = datetime.now(UTC)
        places = [STAGES.index(stage) for stage in stages]
        due = and_(
            _waiting(self.id),
            batch_jobs.c.stage.in_(places),
            or_(batch_jobs.c.not_before.is_(None), batch_jobs.c.not_before <= now),
            or_(jobs.c.lease_owner.is_(None), jobs.c.lease_expires_at < now),
            _no_more_than(most_units),
        )
        with self._database.read() as connection:
            query = select(batch_jobs).join(jobs, jobs.c.id == batch_jobs.c.job_id)
            query = query.where(due, _nobody_makes_its_steps(connection))
            if in_flight is not None:
                last = _last_in_flight(connection, self.id, in_flight, most_units)
                made = batch_jobs.c.stage == STAGES.index(Stage.JOIN)
                query = query.where(or_(made, batch_jobs.c.number <= last))
            query = query.order_by(batch_jobs.c.stage, batch_jobs.c.model, batch_jobs.c.number).limit(50)
            return [Due(_entry(row), row.model, row.units) for row in connection.execute(query)]

    def num_waiting(self, *, most_units: Mapping[str, float] | None = None) -> int:
        """How many films are not ended; `most_units` as in `due`."""
        query = select(func.count()).where(_waiting(self.id), _no_more_than(most_units))
        with self._database.read() as connection:
            return connection.execute(query).scalar_one()

    def is_due(self, connection: Connection, due: Due) -> bool:
        """Whether that still comes next. In the transaction that takes the job's lease."""
        still = and_(
            _waiting(self.id),
            batch_jobs.c.number == due.entry.number,
            batch_jobs.c.stage == STAGES.index(due.entry.stage),
            batch_jobs.c.attempts == due.entry.attempts,  # or another process failed at it meanwhile
            _nobody_makes_its_steps(connection),
        )
        return connection.execute(select(batch_jobs.c.number).where(still)).first() is not None

    def changed_since(self, moment: datetime) -> list[BatchEntry]:
        """Films of which something changed at that moment or later, the earliest change first."""
        query = (
            select(batch_jobs)
            .where(batch_jobs.c.batch_id == self.id, batch_jobs.c.updated_at >= moment)
            .order_by(batch_jobs.c.updated_at, batch_jobs.c.number)
        )
        with self._database.read() as connection:
            return [_entry(row) for row in connection.execute(query)]

    # --- what became of a film -------------------------------------------------------------------

    def advance(
        self,
        connection: Connection,
        job_id: str,
        following: Next | None,
        *,
        seconds: float,
        peak: PeakMemory = _UNKNOWN,
    ) -> None:
        """A stage is done; `following` comes next, None: the film is done. In the lease's transaction."""
        values: dict[str, object] = {"attempts": 0, "not_before": None, "error": "", "hint": ""}
        if following is None:
            values["state"] = EntryState.DONE
        else:
            values |= {
                "stage": STAGES.index(following.stage),
                "model": following.model_id,
                "units": following.units,
            }
        self._set(connection, job_id, values, seconds=seconds, peak=peak)

    def set_aside(
        self,
        job_id: str,
        state: EntryState,
        *,
        error: str,
        hint: str,
        attempts: int,
        seconds: float = 0.0,
        peak: PeakMemory = _UNKNOWN,
        connection: Connection | None = None,
    ) -> None:
        """No further attempt is made. `connection`: of the lease's transaction."""
        values: dict[str, object] = {"state": state, "error": error, "hint": hint, "attempts": attempts}
        with self._transaction(connection) as transaction:
            self._set(transaction, job_id, values, seconds=seconds, peak=peak)

    def set_aside_unread(self, due: Due, error: LocalvidError) -> bool:
        """As `set_aside`, of a film whose job cannot be read, so that nobody here can take its lease. False:
        it is not due any more, or a process that can read it works on it."""
        with self._database.write() as connection:
            held = select(jobs.c.id).where(
                jobs.c.id == due.entry.job_id,
                jobs.c.lease_owner.is_not(None),
                jobs.c.lease_expires_at > datetime.now(UTC),
            )
            if not self.is_due(connection, due) or connection.execute(held).first() is not None:
                return False
            self.set_aside(
                due.entry.job_id,
                EntryState.FAILED,
                error=error.message,
                hint=error.hint,
                attempts=due.entry.attempts + 1,
                connection=connection,
            )
        return True

    def count_death(self, pid: int, error: LocalvidError, *, most_attempts: int) -> list[int]:
        """A process of this machine died: an attempt has failed at each film of this batch that it held, and
        what has failed so often is set aside. Returns their numbers."""
        held = (
            select(jobs, batch_jobs.c.number, batch_jobs.c.stage, batch_jobs.c.attempts)
            .join(batch_jobs, batch_jobs.c.job_id == jobs.c.id)
            .where(_waiting(self.id), jobs.c.lease_owner > "", not_(jobs.c.cancel_requested))
        )
        with self._database.write() as connection:
            rows = [row for row in connection.execute(held) if owners.is_of_process(row.lease_owner, pid)]
            for row in rows:
                attempts = row.attempts + 1
                told = f"attempt {attempts} in the stage {STAGES[row.stage]} failed: {error.message}"
                notices = json.dumps([*json.loads(row.notices), told], ensure_ascii=False)
                values: dict[str, object] = {"notices": notices}
                outcome: dict[str, object] = {
                    "error": error.message,
                    "hint": error.hint,
                    "attempts": attempts,
                }
                if attempts >= most_attempts:
                    values |= {"status": JobStatus.FAILED, "error": error.message, "hint": error.hint}
                    values |= {"lease_owner": None, "lease_expires_at": None}
                    outcome["state"] = EntryState.FAILED
                set_values(connection, row.id, **values)
                self._set(connection, row.id, outcome, seconds=0.0, peak=_UNKNOWN)
        return [row.number for row in rows]

    def put_off(
        self,
        job_id: str,
        until: datetime,
        *,
        error: str,
        hint: str,
        attempts: int,
        seconds: float = 0.0,
        peak: PeakMemory = _UNKNOWN,
        connection: Connection | None = None,
    ) -> None:
        """Another attempt is made, not before then. `connection`: of the lease's transaction."""
        values: dict[str, object] = {"not_before": until, "error": error, "hint": hint, "attempts": attempts}
        with self._transaction(connection) as transaction:
            self._set(transaction, job_id, values, seconds=seconds, peak=peak)

    def take_up(self) -> int:
        """What was set aside is tried again, from the stage that failed; how many films."""
        again = and_(
            batch_jobs.c.batch_id == self.id,
            batch_jobs.c.state.in_((EntryState.FAILED, EntryState.CANCELLED)),
        )
        with self._database.write() as connection:
            return connection.execute(
                update(batch_jobs)
                .where(again)
                .values(state=EntryState.WAITING, attempts=0, not_before=None, error="", hint="")
            ).rowcount

    def _transaction(self, connection: Connection | None) -> AbstractContextManager[Connection]:
        return self._database.write() if connection is None else nullcontext(connection)

    def _set(
        self,
        connection: Connection,
        job_id: str,
        values: dict[str, object],
        *,
        seconds: float,
        peak: PeakMemory,
    ) -> None:
        """Change the film's row; its seconds add up, and of its peaks of memory the highest stays."""
        for name, taken in peak._asdict().items():
            if taken is not None:
                before = batch_jobs.c[name]
                values[name] = case((before > taken, before), else_=taken)
        connection.execute(
            update(batch_jobs)
            .where(batch_jobs.c.batch_id == self.id, batch_jobs.c.job_id == job_id)
            .values(**values, seconds=batch_jobs.c.seconds + seconds, updated_at=datetime.now(UTC))
        )

    # --- time ------------------------------------------------------------------------------------

    def add_time(self, connection: Connection, time: StageTime) -> None:
        """Remember how long a stage took. In the lease's transaction."""
        connection.execute(
            insert(stage_times).values(
                stage=time.stage, model=time.model_id, units=time.units, seconds=time.seconds
            )
        )

    def waiting(self) -> dict[tuple[Stage, str], tuple[int, float]]:
        """By what comes next and the model that it needs: films that wait, and their work together."""
        query = (
            select(batch_jobs.c.stage, batch_jobs.c.model, func.count(), func.sum(batch_jobs.c.units))
            .where(_waiting(self.id))
            .group_by(batch_jobs.c.stage, batch_jobs.c.model)
        )
        with self._database.read() as connection:
            return {
                (STAGES[stage], model): (films, units)
                for stage, model, films, units in connection.execute(query)
            }

    def seconds_a_unit(self, stage: Stage, model_id: str) -> float | None:
        """What this machine took lately, the median; None: it never did this."""
        with self._database.read() as connection:
            return seconds_a_unit(connection, stage, model_id)

    def seconds_a_film(self, stage: Stage) -> float | None:
        """What a film took lately in that stage, the median, whatever model; None: none ever did."""
        with self._database.read() as connection:
            return _latest(connection, stage_times.c.seconds, stage_times.c.stage == stage)

    # --- for whoever looks on --------------------------------------------------------------------

    def latest_failures(self, *, limit: int) -> list[BatchEntry]:
        """Films that were set aside, and those that wait for another attempt; the latest first."""
        failed = or_(
            batch_jobs.c.state == EntryState.FAILED,
            and_(batch_jobs.c.state == EntryState.WAITING, batch_jobs.c.error != ""),
        )
        query = (
            select(batch_jobs)
            .where(batch_jobs.c.batch_id == self.id, failed)
            .order_by(batch_jobs.c.updated_at.desc(), batch_jobs.c.number.desc())
            .limit(limit)
        )
        with self._database.read() as connection:
            return [_entry(row) for row in connection.execute(query)]


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
    """The id of the batch that `name` is, or begins, or of the latest of a file so named.

    Raises JobNotFoundError.
    """
    begins = name.strip().lower().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    wanted = or_(
        batches.c.source == name,
        batches.c.id.like(f"{begins}%", escape="\\"),
        batches.c.id.like(f"%-{begins}%", escape="\\"),
    )
    query = select(batches.c.id).where(wanted).order_by(batches.c.created_at.desc(), batches.c.id.desc())
    found: str | None = connection.execute(query.limit(1)).scalar()
    if found is None or not begins:
        raise JobNotFoundError(
            f"no batch {name[:80]!r} in this workspace", hint="`localvid batch FILE` begins one"
        )
    return found


def page(connection: Connection, *, limit: int) -> list[BatchSummary]:
    """Batches, the newest first."""
    query = select(batches.c.id).order_by(batches.c.created_at.desc(), batches.c.id.desc()).limit(limit)
    return [_summary(connection, batch_id) for batch_id in connection.execute(query).scalars()]


def seconds_a_unit(connection: Connection, stage: Stage, model_id: str) -> float | None:
    """What this machine took lately, the median; None: it never did this."""
    alike = and_(stage_times.c.stage == stage, stage_times.c.model == model_id)
    return _latest(connection, stage_times.c.seconds / stage_times.c.units, alike)


def _latest(connection: Connection, value: Any, where: ColumnElement[bool]) -> float | None:
    query = select(value).where(where).order_by(stage_times.c.id.desc()).limit(_RECENT)
    found = [float(each) for each in connection.execute(query).scalars()]
    return statistics.median(found) if found else None


def _waiting(batch_id: str) -> ColumnElement[bool]:
    return and_(batch_jobs.c.batch_id == batch_id, batch_jobs.c.state == EntryState.WAITING)


def _no_more_than(most_units: Mapping[str, float] | None) -> ColumnElement[bool]:
    """Whether no clips come next, or no more work in them than that model may be given."""
    clips = batch_jobs.c.stage == STAGES.index(Stage.CLIPS)
    return and_(
        true(),
        *(
            not_(and_(clips, batch_jobs.c.model == model_id, batch_jobs.c.units > most))
            for model_id, most in (most_units or {}).items()
        ),
    )


def _nobody_makes_its_steps(connection: Connection) -> ColumnElement[bool]:
    """Whether a film shares no step that is not finished with one that is worked on now, in any batch or in
    none; before its storyboard is written, not the words that it is written from."""
    leased = and_(jobs.c.lease_owner > "", jobs.c.lease_expires_at >= datetime.now(UTC))
    unfinished = (
        select(job_steps.c.key)
        .join(jobs, jobs.c.id == job_steps.c.job_id)
        .outerjoin(steps, steps.c.key == job_steps.c.key)
        .where(leased, steps.c.key.is_(None))
    )
    keys = set(connection.execute(unfinished).scalars())
    unwritten = select(jobs.c.prompt, jobs.c.seed).where(leased, jobs.c.storyboard.is_(None))
    from_words = batch_jobs.c.stage == STAGES.index(Stage.STORYBOARD)
    its_job, alike = jobs.alias(), []
    for prompt, seed in connection.execute(unwritten):
        same = and_(its_job.c.id == batch_jobs.c.job_id, its_job.c.prompt == prompt, its_job.c.seed == seed)
        alike.append(and_(from_words, exists().where(same)))
    if keys:
        alike.append(exists().where(job_steps.c.job_id == batch_jobs.c.job_id, job_steps.c.key.in_(keys)))
    return not_(or_(false(), *alike))


def _last_in_flight(
    connection: Connection, batch_id: str, in_flight: int, most_units: Mapping[str, float] | None
) -> int:
    """The number of the last film that may be begun while so many are not ended."""
    query = (
        select(batch_jobs.c.number)
        .where(_waiting(batch_id), _no_more_than(most_units))
        .order_by(batch_jobs.c.number)
        .limit(1)
        .offset(in_flight - 1)
    )
    found: int | None = connection.execute(query).scalar()
    return 2**31 - 1 if found is None else found


def _summary(connection: Connection, batch_id: str) -> BatchSummary:
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


def _entry(row: Row[Any]) -> BatchEntry:
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
