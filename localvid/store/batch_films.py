"""One batch: which film is due for which stage, what failed how often, what is left to do.

Any number of processes may share a batch: each picks what is due, and works on it under the job's own lease,
so two never work on one film, and a row changes only with the lease still held.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime

from sqlalchemy import Connection, and_, case, func, not_, or_, select, update

from localvid.errors import LocalvidError
from localvid.schemas import BatchEntry, BatchSummary, EntryState, JobStatus, PeakMemory, Stage, StageTime
from localvid.store import owners, stage_times
from localvid.store.batches import STAGES, Next, is_waiting, read_entry, summary_of
from localvid.store.database import Database
from localvid.store.due import Due, last_in_flight, no_more_than, nobody_makes_its_steps
from localvid.store.jobs import set_values
from localvid.store.stage_times import StageRate
from localvid.store.tables import batch_jobs, jobs

_UNKNOWN = PeakMemory()


class BatchRows:
    """One batch; safe to use from threads."""

    def __init__(self, database: Database, batch_id: str) -> None:
        self._database = database
        self.id = batch_id

    def summary(self) -> BatchSummary:
        with self._database.read() as connection:
            return summary_of(connection, self.id)

    def entries(
        self, *, state: EntryState | None = None, limit: int | None = None, offset: int = 0
    ) -> list[BatchEntry]:
        """Films in the order of the file."""
        query = select(batch_jobs).where(batch_jobs.c.batch_id == self.id).order_by(batch_jobs.c.number)
        if state is not None:
            query = query.where(batch_jobs.c.state == state)
        with self._database.read() as connection:
            return [read_entry(row) for row in connection.execute(query.limit(limit).offset(offset))]

    def due(
        self,
        stages: Sequence[Stage],
        *,
        in_flight: int | None = None,
        most_units: Mapping[str, float] | None = None,
    ) -> list[Due]:
        """Films of which one of these stages comes next, those first that a loaded model serves on: by
        stage, model and number. Films that another process works on are not among them, nor those whose stage
        would make a step that such a film's makes now: it is made once, and found then.

        `most_units`: model → films with more work in clips of it are left out. `in_flight`: of the other
        films that are not ended, so many are looked at; and all whose clips are made.
        """
        now = datetime.now(UTC)
        places = [STAGES.index(stage) for stage in stages]
        due = and_(
            is_waiting(self.id),
            batch_jobs.c.stage.in_(places),
            or_(batch_jobs.c.not_before.is_(None), batch_jobs.c.not_before <= now),
            or_(jobs.c.lease_owner.is_(None), jobs.c.lease_expires_at < now),
            no_more_than(most_units),
        )
        with self._database.read() as connection:
            query = select(batch_jobs).join(jobs, jobs.c.id == batch_jobs.c.job_id)
            query = query.where(due, nobody_makes_its_steps(connection))
            if in_flight is not None:
                last = last_in_flight(connection, self.id, in_flight, most_units)
                made = batch_jobs.c.stage == STAGES.index(Stage.JOIN)
                query = query.where(or_(made, batch_jobs.c.number <= last))
            query = query.order_by(batch_jobs.c.stage, batch_jobs.c.model, batch_jobs.c.number).limit(50)
            return [Due(read_entry(row), row.model, row.units) for row in connection.execute(query)]

    def num_waiting(self, *, most_units: Mapping[str, float] | None = None) -> int:
        """How many films are not ended; `most_units` as in `due`."""
        query = select(func.count()).where(is_waiting(self.id), no_more_than(most_units))
        with self._database.read() as connection:
            return connection.execute(query).scalar_one()

    def is_due(self, connection: Connection, due: Due) -> bool:
        """Whether that still comes next. In the transaction that takes the job's lease."""
        still = and_(
            is_waiting(self.id),
            batch_jobs.c.number == due.entry.number,
            batch_jobs.c.stage == STAGES.index(due.entry.stage),
            batch_jobs.c.attempts == due.entry.attempts,  # or another process failed at it meanwhile
            nobody_makes_its_steps(connection),
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
            return [read_entry(row) for row in connection.execute(query)]

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

    def fail(
        self,
        job_id: str,
        state: EntryState,
        *,
        error: str,
        hint: str,
        attempts: int,
        until: datetime | None = None,
        seconds: float = 0.0,
        peak: PeakMemory = _UNKNOWN,
        connection: Connection | None = None,
    ) -> None:
        """An attempt did not succeed. Where the film waits on, another is made, not before `until`; in any
        other state none is. `connection`: of the lease's transaction."""
        values = {"state": state, "error": error, "hint": hint, "attempts": attempts, "not_before": until}
        with self._transaction(connection) as transaction:
            self._set(transaction, job_id, values, seconds=seconds, peak=peak)

    def set_aside_unread(self, due: Due, error: LocalvidError) -> bool:
        """As `fail`, of a film whose job cannot be read, so that nobody here can take its lease. False:
        it is not due any more, or a process that can read it works on it."""
        with self._database.write() as connection:
            held = select(jobs.c.id).where(
                jobs.c.id == due.entry.job_id,
                jobs.c.lease_owner.is_not(None),
                jobs.c.lease_expires_at > datetime.now(UTC),
            )
            if not self.is_due(connection, due) or connection.execute(held).first() is not None:
                return False
            self.fail(
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
        # Interrupted, if somebody has found the film without its owner since, and its lease ended.
        held = (
            select(jobs, batch_jobs.c.number, batch_jobs.c.stage, batch_jobs.c.attempts)
            .join(batch_jobs, batch_jobs.c.job_id == jobs.c.id)
            .where(
                is_waiting(self.id),
                jobs.c.last_owner > "",
                jobs.c.status.in_((JobStatus.RUNNING, JobStatus.INTERRUPTED)),
                not_(jobs.c.cancel_requested),
            )
        )
        with self._database.write() as connection:
            rows = [row for row in connection.execute(held) if owners.is_of_process(row.last_owner, pid)]
            for row in rows:
                attempts = row.attempts + 1
                told = f"attempt {attempts} in the stage {STAGES[row.stage]} failed: {error.message}"
                notices = json.dumps([*json.loads(row.notices), told], ensure_ascii=False)
                values: dict[str, object] = {"notices": notices}
                state = EntryState.WAITING
                if attempts >= most_attempts:
                    state = EntryState.FAILED
                    values |= {"status": JobStatus.FAILED, "error": error.message, "hint": error.hint}
                    values |= {"lease_owner": None, "lease_expires_at": None}
                set_values(connection, row.id, **values)
                self.fail(
                    row.id,
                    state,
                    error=error.message,
                    hint=error.hint,
                    attempts=attempts,
                    connection=connection,
                )
        return [row.number for row in rows]

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
        stage_times.add(connection, time)

    def waiting(self) -> dict[tuple[Stage, str], tuple[int, float]]:
        """By what comes next and the model that it needs: films that wait, and their work together."""
        query = (
            select(batch_jobs.c.stage, batch_jobs.c.model, func.count(), func.sum(batch_jobs.c.units))
            .where(is_waiting(self.id))
            .group_by(batch_jobs.c.stage, batch_jobs.c.model)
        )
        with self._database.read() as connection:
            return {
                (STAGES[stage], model): (films, units)
                for stage, model, films, units in connection.execute(query)
            }

    def stage_rate(self, stage: Stage, model_id: str) -> StageRate | None:
        """What this machine took lately; None: it never did this."""
        with self._database.read() as connection:
            return stage_times.rate(connection, stage, model_id)

    def seconds_a_film(self, stage: Stage) -> float | None:
        """What a film took lately in that stage, the median, whatever model; None: none ever did."""
        with self._database.read() as connection:
            return stage_times.seconds_a_film(connection, stage)

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
            return [read_entry(row) for row in connection.execute(query)]
