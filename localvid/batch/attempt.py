"""One stage of one film: done under its lease, listened to, and recorded, whatever becomes of it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Connection

from localvid.batch.gauge import MemoryGauge
from localvid.batch.signs import Signs
from localvid.batch.stages import stage_after, stage_again
from localvid.batch.terms import MAX_ATTEMPTS, BatchTerms
from localvid.errors import (
    DiskFullError,
    InvalidRequestError,
    JobBusyError,
    JobCancelledError,
    LocalvidError,
    StoppedError,
    WorkspaceBusyError,
    WorkspaceError,
)
from localvid.orchestrator import VideoOrchestrator
from localvid.schemas import Activity, EntryState, Progress, Stage, StageTime
from localvid.slot import ModelSlot
from localvid.store import BatchRows, Due, JobLease, Next

logger = logging.getLogger(__name__)

_ACTIVITY_SECONDS = 1.0


class Bench(NamedTuple):
    """What a worker's thread works with."""

    orchestrator: VideoOrchestrator
    batch: BatchRows
    terms: BatchTerms
    models: ModelSlot
    stopped: threading.Event
    signs: Signs
    on_notice: Callable[[str], None]
    device: str


class Attempt:
    """An attempt at what comes next for a film."""

    def __init__(self, due: Due, lease: JobLease, bench: Bench) -> None:
        self._due = due
        self._lease = lease
        self._bench = bench
        self._batch = bench.batch
        self._started = time.monotonic()
        self._gauge = MemoryGauge(bench.models)
        self._shown = 0.0
        self._made = self._reused = False
        self.was_set_aside = False
        """Whether the film failed for good."""

    def run(self) -> None:
        """Do the stage, and record what became of it in the transaction that gives the lease back.

        Raises JobBusyError once the lease is lost, DiskFullError and WorkspaceBusyError, of which nothing is
        recorded.
        """
        run = self._bench.orchestrator.run_of(
            self._lease,
            models=self._bench.models,
            on_progress=self._listen,
            on_notice=lambda notice: self._bench.on_notice(f"film {self._due.entry.number}: {notice}"),
            stopped=self._bench.stopped,
        )
        try:
            with self._measuring():
                result = run.advance(self._due.entry.stage)
            self._record(result)
        except (JobBusyError, WorkspaceBusyError):
            raise
        except JobCancelledError as error:
            self._lease.cancel(record=self._failing(EntryState.CANCELLED, error, self._due.entry.attempts))
        except StoppedError:
            self._lease.pass_on()
        except DiskFullError:
            self._lease.pass_on()
            raise
        except LocalvidError as error:
            self._fail(error, retryable=error.retryable)
        except Exception as error:  # a defect must not cost the other films
            logger.exception("film %d of the batch, job %s", self._due.entry.number, self._lease.job.id)
            defect = LocalvidError(
                f"{type(error).__name__}: {error}", hint="report it with what `localvid doctor` prints"
            )
            self._fail(defect, retryable=False)

    # --- what became of it -----------------------------------------------------------------------

    def _record(self, result: Path | Stage | None) -> None:
        """As `FilmRun.advance` gives it."""
        following = None if isinstance(result, Path) else self._following(result)

        def record(connection: Connection) -> None:
            if (time_taken := self._time_taken()) is not None:
                self._batch.add_time(connection, time_taken)
            self._batch.advance(
                connection, self._lease.job.id, following, seconds=self._seconds, peak=self._gauge.peak
            )

        if isinstance(result, Path):
            self._lease.finish(result, record=record)
        else:
            self._lease.pass_on(record)

    def _following(self, again: Stage | None) -> Next:
        job = self._lease.job
        assert job.storyboard is not None  # written in the first stage
        plan = self._bench.orchestrator.plan(job.storyboard, job.options, prompt=job.prompt)
        if again is not None:
            return stage_again(again, job.options, plan)
        return stage_after(self._due.entry.stage, job.options, plan)

    def _fail(self, error: LocalvidError, *, retryable: bool) -> None:
        entry, attempts = self._due.entry, self._due.entry.attempts + 1
        # A model that failed is opened anew; a request that was wrong says nothing of it.
        if not isinstance(error, InvalidRequestError):
            self._bench.models.close()
        if not retryable or attempts >= MAX_ATTEMPTS:
            self._lease.fail(
                error.message, error.hint, record=self._failing(EntryState.FAILED, error, attempts)
            )
            self.was_set_aside = True
            return
        self._lease.add_notice(f"attempt {attempts} in the stage {entry.stage} failed: {error.message}")
        wait = self._bench.terms.backoff_seconds * 2 ** (attempts - 1)
        until = datetime.now(UTC) + timedelta(seconds=wait)
        self._lease.pass_on(self._failing(EntryState.WAITING, error, attempts, until=until))
        self._bench.on_notice(
            f"film {entry.number}: {error.message}; attempt {attempts + 1} of {MAX_ATTEMPTS} "
            f"follows in {wait:.0f} s"
        )

    def _failing(
        self, state: EntryState, error: LocalvidError, attempts: int, *, until: datetime | None = None
    ) -> Callable[[Connection], None]:
        """What is recorded with the end of the work, so only while the lease is held."""
        return lambda connection: self._batch.fail(
            self._due.entry.job_id,
            state,
            error=error.message,
            hint=error.hint,
            attempts=attempts,
            until=until,
            seconds=self._seconds,
            peak=self._gauge.peak,
            connection=connection,
        )

    # --- while it goes on ------------------------------------------------------------------------

    @property
    def _seconds(self) -> float:
        return time.monotonic() - self._started

    def _measuring(self) -> AbstractContextManager[object]:
        """Joining is not measured: it runs beside what is."""
        return nullcontext() if self._due.entry.stage is Stage.JOIN else self._gauge

    def _listen(self, progress: Progress) -> None:
        self._bench.signs.show()
        if progress.num_steps and progress.step >= progress.num_steps:
            self._reused |= progress.cached
            self._made |= not progress.cached
        now = time.monotonic()
        # Joining goes on beside other work, which says more.
        if now - self._shown >= _ACTIVITY_SECONDS and self._due.entry.stage is not Stage.JOIN:
            self._shown = now
            self._show(progress)

    def _show(self, progress: Progress) -> None:
        """Tell whoever looks on what is done now."""
        store, entry = self._bench.orchestrator.store, self._due.entry
        activity = Activity(
            owner=store.owner,
            batch_id=self._batch.id,
            job_id=entry.job_id,
            number=entry.number,
            device=self._bench.device,
            stage=entry.stage,
            message=progress.message,
            shot=progress.shot,
            num_shots=progress.num_shots,
            overall=progress.overall,
            loads=self._bench.models.loads,
            seen_at=datetime.now(UTC),
        )
        try:
            store.show_activity(activity)
        except WorkspaceError as error:  # a full disk costs no work that is under way
            logger.warning("film %d: what is done is not shown: %s", entry.number, error)

    def _time_taken(self) -> StageTime | None:
        """None where the stage made nothing, or not all of it, which would tell nothing of its pace."""
        if self._reused or not self._made:
            return None
        return StageTime(
            stage=self._due.entry.stage,
            model_id=self._due.model_id,
            units=self._due.units,
            seconds=self._seconds,
        )
