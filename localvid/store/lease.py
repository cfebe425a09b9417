"""The lease under which one process at a time works on a job, and all that it may then write.

Every write commits only while the row still names this owner: whoever was stopped for so long that another
took the job over finds that out at its next write, and changes nothing.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import Connection, select, update

from localvid.errors import InvalidRequestError, JobBusyError, WorkspaceBusyError, WorkspaceError
from localvid.files import as_workspace_error
from localvid.schemas import JobStatus, Storyboard, VideoJob
from localvid.store import batches as batch_rows
from localvid.store import jobs as job_rows
from localvid.store.artifacts import ArtifactFiles, address_of
from localvid.store.database import Database
from localvid.store.paid import Limits, StepCalls, check_limits, close_published
from localvid.store.space import Space
from localvid.store.steps import add_step, artifact_of, forget_artifact, mark_used, refer
from localvid.store.tables import jobs

logger = logging.getLogger(__name__)

_POLL_SECONDS = 0.5
"""A request to cancel is noticed this much later at most, however often it is asked for."""

Record = Callable[[Connection], None]
"""Writes rows in the transaction that ends the work."""


def _nothing(_connection: Connection) -> None:
    """No further rows."""


class JobLease:
    """A job that this process works on; made by `Store.lease`, given back by `release` or as a context.

    A lease that is given back without `finish`, `fail`, `cancel` or `interrupt` leaves the job interrupted.
    All methods raise JobBusyError once another process has taken the job over; the four that end the work
    by anything but success then leave the row to its new owner and say nothing.
    """

    def __init__(
        self,
        job: VideoJob,
        owner: str,
        *,
        database: Database,
        files: ArtifactFiles,
        space: Space,
        workspace: Path,
        temporaries: Path,
        heartbeat_seconds: float,
        lease_seconds: float,
        on_release: Callable[[], None],
    ) -> None:
        self.job = job
        self._owner = owner
        self._database = database
        self._files = files
        self._space = space
        self._workspace = workspace
        self._temporaries = temporaries
        self._lease_seconds = lease_seconds
        self._on_release = on_release
        self._ended = False
        self._lost = threading.Event()
        self._closing = threading.Event()
        self._cancel_requested = False
        self._next_poll = 0.0
        self._heart = threading.Thread(
            target=self._beat, args=(heartbeat_seconds,), name=f"lease-{job.id}", daemon=True
        )
        self._heart.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    # --- the work --------------------------------------------------------------------------------

    def set_storyboard(self, storyboard: Storyboard) -> None:
        with self._fenced() as connection:
            job_rows.set_values(connection, self.job.id, storyboard=job_rows.to_json(storyboard))
        self.job = self.job.model_copy(update={"storyboard": storyboard})

    def add_notice(self, notice: str) -> bool:
        """Record what a model said of its work; False if it had been said before."""
        notice = _printable(notice)
        if notice in self.job.notices:
            return False
        notices = (*self.job.notices, notice)
        with self._fenced() as connection:
            job_rows.set_values(connection, self.job.id, notices=json.dumps(notices, ensure_ascii=False))
        self.job = self.job.model_copy(update={"notices": notices})
        return True

    def set_plan(self, planned: Sequence[tuple[str, str, str]]) -> None:
        """Record the job's steps as (key, kind, label), in place of those of an earlier plan.

        What only the earlier plan referred to may be removed by the next clean-up.
        """
        with self._fenced() as connection:
            job_rows.set_plan(connection, self.job.id, planned)

    def publish(self, key: str, kind: str, partial: Path) -> Path:
        """Make `partial`, a file from `Store.temporary`, the artifact of the step `key`; return its path.

        When this returns, the bytes, the name and the row are on disk, in that order. Where the step has
        an artifact already, by another job, that one is kept and returned, and `partial` is removed.
        Raises JobBusyError if the lease is lost: nothing is published then, and `partial` stays.
        """
        try:
            address, size = address_of(partial)
            with self._fenced() as connection:
                made = artifact_of(connection, key)
                if made is not None and self._files.has(made.address, made.bytes):
                    partial.unlink()
                    address = made.address
                else:
                    if made is not None:
                        forget_artifact(connection, made.address)
                    # Named inside the transaction: no clean-up finds the file before the row.
                    self._files.place(partial, address)
                    add_step(connection, key=key, kind=kind, address=address, size=size)
                mark_used(connection, address)
                refer(connection, self.job.id, key=key, kind=kind)
                close_published(connection, key)
        except OSError as error:
            raise as_workspace_error(error, partial) from error
        return self._files.path(address)

    def paid_calls(self, key: str, limits: Limits) -> StepCalls:
        """The rows in which a step that a host makes is paid for; safe to use from another thread."""
        return StepCalls(
            self.job.id,
            key,
            self._owner,
            limits=limits,
            database=self._database,
            temporaries=self._temporaries,
            fenced=self._fenced,
        )

    def check_spend(self, amount_usd: float, limits: Limits, *, what: str) -> None:
        """Raise SpendLimitError if so much more would lead beyond a limit; nothing is set aside."""
        with self._database.read() as connection:
            check_limits(connection, self.job.id, amount_usd, limits, what=what)

    def reuse(self, key: str) -> None:
        """Record that this job uses a step that is finished, so that no clean-up takes its artifact.

        Raises InvalidRequestError if there is no such step.
        """
        with self._fenced() as connection:
            made = artifact_of(connection, key)
            if made is None:
                raise InvalidRequestError(f"no finished step {key}", hint=f"localvid resume {self.job.id}")
            mark_used(connection, made.address)
            refer(connection, self.job.id, key=key, kind=made.kind)

    def cancel_requested(self) -> bool:
        """Whether `Store.request_cancel` asked for a stop; cheap, the row is read every half second.

        Raises JobBusyError if the lease is lost, so that whoever polls stops working for nothing.
        """
        now = time.monotonic()
        if now >= self._next_poll:
            self._next_poll = now + _POLL_SECONDS
            try:
                self._look_for_cancel()
            except WorkspaceBusyError as error:  # a locked database costs no work that is under way
                logger.warning("whether job %s is to stop is not known: %s", self.job.id, error)
        if self._lost.is_set():
            raise self._lost_error()
        return self._cancel_requested

    def _look_for_cancel(self) -> None:
        with self._database.read() as connection:
            row = connection.execute(
                select(jobs.c.cancel_requested).where(
                    jobs.c.id == self.job.id, jobs.c.lease_owner == self._owner
                )
            ).first()
        if row is None:
            self._lost.set()
        else:
            self._cancel_requested = row.cancel_requested

    # --- its end ---------------------------------------------------------------------------------

    def finish(self, output: Path, *, record: Record = _nothing) -> None:
        """The film is whole at `output`; `record` as in `pass_on`."""
        stored = job_rows.stored_path(output, self._workspace)
        self._end(JobStatus.DONE, output=stored, also=record)

    def fail(self, message: str, hint: str, *, record: Record = _nothing) -> None:
        """`record` as in `pass_on`."""
        self._end_badly(JobStatus.FAILED, error=message, hint=hint, also=record)

    def cancel(self, *, record: Record = _nothing) -> None:
        """`record` as in `pass_on`."""
        self._end_badly(JobStatus.CANCELLED, hint=f"localvid resume {self.job.id}", also=record)

    def interrupt(self) -> None:
        self._end_badly(JobStatus.INTERRUPTED, hint=f"localvid resume {self.job.id}")

    def pass_on(self, record: Record = _nothing) -> None:
        """The work goes on later, in this process or another: the job is pending again. Where a stop by
        `Store.request_cancel` came too late to be noticed, it is cancelled instead, as its batches are told.

        `record` writes further rows in the same transaction, which exists only while the lease is held.
        """
        self._end(JobStatus.PENDING, also=record)

    def release(self) -> None:
        """Give the job back; idempotent."""
        if self._closing.is_set():
            return
        try:
            if not self._ended:
                self.interrupt()
        finally:
            self._closing.set()
            self._heart.join()
            self._on_release()

    # --- rows ------------------------------------------------------------------------------------

    def _end(
        self,
        status: JobStatus,
        *,
        output: str | None = None,
        error: str = "",
        hint: str = "",
        also: Record = _nothing,
    ) -> None:
        values: dict[str, object] = {"output": output} if output is not None else {}

        def record() -> None:
            with self._fenced() as connection:
                cancelled = status is JobStatus.PENDING and self._is_to_be_cancelled(connection)
                job_rows.set_values(
                    connection,
                    self.job.id,
                    status=JobStatus.CANCELLED if cancelled else status,
                    error=_printable(error),
                    hint=f"localvid resume {self.job.id}" if cancelled else _printable(hint),
                    lease_owner=None,
                    lease_expires_at=None,
                    cancel_requested=False,
                    **values,
                )
                also(connection)
                if cancelled:
                    batch_rows.cancel_waiting(connection, self.job.id)
                elif status is JobStatus.DONE:
                    batch_rows.film_is_made(connection, self.job.id)

        if self._ended:
            raise RuntimeError(f"the work on job {self.job.id} has ended already")
        self._space.spend(record)
        self._ended = True

    def _end_badly(
        self, status: JobStatus, *, error: str = "", hint: str = "", also: Record = _nothing
    ) -> None:
        try:
            self._end(status, error=error, hint=hint, also=also)
        except JobBusyError as lost:
            self._ended = True
            logger.warning("%s", lost)

    @contextmanager
    def _fenced(self) -> Iterator[Connection]:
        """A write transaction that exists only while the row names this owner."""
        with self._database.write() as connection:
            if not self._renew(connection):
                raise self._lost_error()
            yield connection

    def _is_to_be_cancelled(self, connection: Connection) -> bool:
        query = select(jobs.c.cancel_requested).where(jobs.c.id == self.job.id)
        return bool(connection.execute(query).scalar_one())

    def _renew(self, connection: Connection) -> bool:
        expires_at = datetime.now(UTC) + timedelta(seconds=self._lease_seconds)
        renewed = connection.execute(
            update(jobs)
            .where(jobs.c.id == self.job.id, jobs.c.lease_owner == self._owner)
            .values(lease_expires_at=expires_at)
        )
        if renewed.rowcount == 0:
            self._lost.set()
        return renewed.rowcount == 1

    def _beat(self, heartbeat_seconds: float) -> None:
        while not self._closing.wait(heartbeat_seconds):
            try:
                with self._database.write() as connection:
                    if not self._renew(connection):
                        return
            except WorkspaceError as error:  # a full or locked disk: the lease may still last until the next
                logger.warning("the lease of job %s was not renewed: %s", self.job.id, error)

    def _lost_error(self) -> JobBusyError:
        return JobBusyError(
            f"lost the lease of job {self.job.id}: this process stood still, and another took the job over",
            hint=f"see how it goes: localvid get-job {self.job.id}",
        )


def _printable(text: str) -> str:
    """Error texts may quote file names that have no UTF-8 form; a row must."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
