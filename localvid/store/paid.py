"""Rows of calls that cost money: one for each request that is sent to a host, written before it is.

A row is never removed, so that what was spent in a month stays known when jobs are deleted.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, insert, or_, select, update

from localvid.errors import JobBusyError, SpendLimitError
from localvid.schemas import OPEN_CALLS, CallState, ClipOrder, Frozen, PaidCall, usd
from localvid.store import owners
from localvid.store.database import Database
from localvid.store.steps import artifact_of
from localvid.store.tables import job_steps, paid_calls

_ROUNDING_USD = 1e-9
_spent = func.coalesce(paid_calls.c.cost_usd, paid_calls.c.estimated_usd)


class Limits(Frozen):
    """Most that may be spent, in US dollars."""

    job_usd: float
    month_usd: float

    def check(
        self, amount_usd: float, *, what: str, job_usd: float, month_usd: float, allow_job: str
    ) -> None:
        """Raise SpendLimitError if so much more than what the job and the month have spent is beyond a limit.

        `allow_job` says how the job is allowed more.
        """
        for limit, spent, of, raise_it in (
            (self.job_usd, job_usd, "the job", allow_job),
            (self.month_usd, month_usd, "the month", "max_cost_usd_per_month"),
        ):
            if spent + amount_usd > limit + _ROUNDING_USD:
                raise SpendLimitError(
                    f"{what} would cost about {usd(amount_usd)}, and of the limit of {usd(limit)} for {of} "
                    f"{usd(spent)} are spent or set aside",
                    hint=f"to allow more: {raise_it}",
                )


class MadeMeanwhileError(JobBusyError):
    """Another job has published the step's artifact since: nothing is to be sent."""


class StepCalls:
    """The calls of one step of one job, under the job's lease; safe to use from the thread of its clip.

    `fenced` gives a write transaction that exists only while the lease is held: nothing new is sent without
    it. What became of a call that was sent is recorded whoever holds the lease. It knows whether the step had
    an artifact when it was opened.
    """

    def __init__(
        self,
        job_id: str,
        step_key: str,
        owner: str,
        *,
        limits: Limits,
        database: Database,
        temporaries: Path,
        fenced: Callable[[], AbstractContextManager[Connection]],
    ) -> None:
        self._job_id = job_id
        self._step_key = step_key
        self._owner = owner
        self._limits = limits
        self._database = database
        self._temporaries = temporaries
        self._fenced = fenced
        with database.read() as connection:
            self._was_made = artifact_of(connection, step_key) is not None

    def current(self) -> PaidCall | None:
        """The step's call that is open, whichever job sent it; the latest if there are several."""
        with self._database.read() as connection:
            row = _open_call(connection, self._step_key)
        if row is None:
            return None
        elsewhere = row.owner != self._owner and owners.is_alive(self._temporaries, row.owner)
        return _read(row, held_elsewhere=elsewhere)

    def begin(self, order: ClipOrder, inputs: Mapping[str, Any]) -> PaidCall:
        """Write down a call that is about to be sent, unless another process has one open: then that one.

        Raises SpendLimitError if it could lead beyond a limit, MadeMeanwhileError if the step was published
        since, JobBusyError if the lease is lost.
        """
        now = datetime.now(UTC)
        with self._fenced() as connection:
            if (row := _open_call(connection, self._step_key)) is not None:
                return _read(row, held_elsewhere=True)
            if not self._was_made and artifact_of(connection, self._step_key) is not None:
                raise MadeMeanwhileError(
                    "another job has made this clip meanwhile", hint=f"localvid resume {self._job_id}"
                )
            check_limits(
                connection,
                self._job_id,
                order.price.usd_per_clip,
                self._limits,
                what=f"a clip of {order.model}",
            )
            connection.execute(
                insert(paid_calls).values(
                    id=(call_id := token_hex(16)),
                    job_id=self._job_id,
                    step_key=self._step_key,
                    owner=self._owner,
                    host=order.host,
                    model=order.model,
                    version=order.version,
                    inputs=json.dumps(dict(inputs)),
                    state=CallState.INTENT,
                    estimated_usd=order.price.usd_per_clip,
                    detail="",
                    created_at=now,
                    updated_at=now,
                )
            )
            return _read(connection.execute(select(paid_calls).where(paid_calls.c.id == call_id)).one())

    def update(
        self,
        call_id: str,
        state: CallState,
        *,
        run_id: str | None = None,
        cost_usd: float | None = None,
        detail: str = "",
    ) -> None:
        values: dict[str, object] = {"state": state, "detail": detail, "updated_at": datetime.now(UTC)}
        if run_id is not None:
            values["run_id"] = run_id
        if cost_usd is not None:
            values["cost_usd"] = cost_usd
        with self._database.write() as connection:
            connection.execute(update(paid_calls).where(paid_calls.c.id == call_id).values(values))


def check_limits(
    connection: Connection, job_id: str, amount_usd: float, limits: Limits, *, what: str
) -> None:
    """Raise SpendLimitError if so much more would lead beyond the job's limit or the month's."""
    limits.check(
        amount_usd,
        what=what,
        job_usd=_sum(connection, paid_calls.c.job_id == job_id),
        month_usd=month_usd(connection),
        allow_job=f"localvid resume {job_id} --max-cost USD",
    )


def month_usd(connection: Connection) -> float:
    """What all jobs have spent and set aside in this month, in UTC."""
    month = datetime.now(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return _sum(connection, paid_calls.c.created_at >= month)


def has_open_call(connection: Connection, step_key: str) -> bool:
    return _open_call(connection, step_key) is not None


def calls_of(connection: Connection, job_id: str) -> list[PaidCall]:
    """A job's calls, the oldest first."""
    query = select(paid_calls).where(paid_calls.c.job_id == job_id).order_by(paid_calls.c.created_at)
    return [_read(row) for row in connection.execute(query)]


def spent_usd(connection: Connection, job_ids: list[str]) -> dict[str, float]:
    """Job id → what it has spent and set aside; nothing for jobs that sent nothing."""
    query = (
        select(paid_calls.c.job_id, func.sum(_spent))
        .where(paid_calls.c.job_id.in_(job_ids))
        .group_by(paid_calls.c.job_id)
    )
    return {job_id: float(total) for job_id, total in connection.execute(query)}


def read_call(row: Row[Any]) -> PaidCall:
    """The row as a call. Raises ValueError if another version of localvid wrote what this cannot read."""
    return _read(row)


def confirm(connection: Connection, job_id: str) -> int:
    """Let the parked calls of a job's steps be followed by another; how many there were."""
    own = select(job_steps.c.key).where(job_steps.c.job_id == job_id)
    changed = connection.execute(
        update(paid_calls)
        .where(
            or_(paid_calls.c.job_id == job_id, paid_calls.c.step_key.in_(own)),
            paid_calls.c.state == CallState.NEEDS_CONFIRMATION,
        )
        .values(state=CallState.REPEATED, updated_at=datetime.now(UTC))
    )
    return changed.rowcount


def close_published(connection: Connection, step_key: str) -> None:
    """The step's clip is in the workspace: in the same transaction, its call is done."""
    connection.execute(
        update(paid_calls)
        .where(paid_calls.c.step_key == step_key, paid_calls.c.state.in_((CallState.RUNNING, CallState.MADE)))
        .values(state=CallState.DONE, updated_at=datetime.now(UTC))
    )


def _open_call(connection: Connection, step_key: str) -> Row[Any] | None:
    return connection.execute(
        select(paid_calls)
        .where(paid_calls.c.step_key == step_key, paid_calls.c.state.in_(OPEN_CALLS))
        .order_by(paid_calls.c.created_at.desc())
    ).first()


def _sum(connection: Connection, where: ColumnElement[bool]) -> float:
    return float(connection.execute(select(func.coalesce(func.sum(_spent), 0.0)).where(where)).scalar_one())


def _read(row: Row[Any], *, held_elsewhere: bool = False) -> PaidCall:
    values = {name: value for name, value in row._mapping.items() if name != "owner"}
    return PaidCall(**{**values, "inputs": json.loads(row.inputs)}, held_elsewhere=held_elsewhere)
