"""One process's part in a batch: it takes what is due, stage by stage, until nothing is left.

Films are joined in a thread of their own, beside the next film's clips. A film that fails is tried again
later and set aside after the third time; the batch goes on.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection

from localvid.batch.gauge import MemoryGauge
from localvid.batch.signs import Signs
from localvid.batch.stages import stage_after, stage_again
from localvid.batch.terms import MAX_ATTEMPTS, BatchTerms
from localvid.batch.waiting import LACKS, Waiting
from localvid.errors import (
    DiskFullError,
    InvalidRequestError,
    JobBusyError,
    JobCancelledError,
    JobNotFoundError,
    JobUnreadableError,
    LocalvidError,
    StoppedError,
    WorkspaceBusyError,
    WorkspaceError,
)
from localvid.orchestrator import VideoOrchestrator
from localvid.schemas import Activity, EntryState, PeakMemory, Progress, Stage, StageTime, VideoJob
from localvid.slot import ModelSlot
from localvid.stages import FilmRun
from localvid.store import BatchRows, Due, JobLease, Next

logger = logging.getLogger(__name__)

_MODELS_STAGES = (Stage.STORYBOARD, Stage.KEYFRAMES, Stage.CLIPS)
_LOOK_SECONDS = 0.5
"""How often a worker with nothing to do looks again: others work on what is left, or it is not yet time."""
_ACTIVITY_SECONDS = 1.0

OnNotice = Callable[[str], None]


class Worker:
    """Works on a batch in this process until nothing is left that it may do.

    `device`: what is told to whoever looks on. `lease_seconds`: another worker takes a film over from
    one that stood still for so long. `on_sign` is called about once a second while all of it goes on, from
    either of its threads. `stop` may be called from a signal handler or a thread.
    """

    def __init__(
        self,
        orchestrator: VideoOrchestrator,
        batch: BatchRows,
        terms: BatchTerms,
        *,
        device: str = "",
        on_notice: OnNotice = logger.info,
        on_sign: Callable[[], None] = lambda: None,
        lease_seconds: float = 60.0,
    ) -> None:
        self._orchestrator = orchestrator
        self._store = orchestrator.store
        self._batch = batch
        self._terms = terms
        self._device = device
        self._lease_seconds = lease_seconds
        self._on_notice = on_notice
        self._stopped = threading.Event()
        self._models_are_done = threading.Event()
        self._news = threading.Event()
        """A film was joined, or the work is to stop: there may be nothing left."""
        self._models = ModelSlot(orchestrator.settings)
        self.signs = Signs(on_sign)
        self._waiting = Waiting(
            self._store,
            poll_seconds=terms.space_poll_seconds,
            stopped=self._stopped,
            on_notice=on_notice,
            on_look=self.signs.show,
        )
        self._broken: BaseException | None = None
        self.was_stopped = False
        """Whether it ended because `stop` was called, and not because nothing was left or time was up."""

    @property
    def loads(self) -> int:
        """How many models it loaded."""
        return self._models.loads

    def stop(self) -> None:
        """End at the next safe point; what is finished is kept."""
        self.was_stopped = True
        self._end()

    def _end(self) -> None:
        self._stopped.set()
        self._news.set()

    def run(self) -> None:
        """Work until nothing is left. What is no LocalvidError, and no film's, passes."""
        joining = threading.Thread(target=self._join_films, name="join", daemon=True)
        alarm = self._alarm()
        joining.start()
        try:
            with self.signs.awaited(), self._models:
                while not self._stopped.is_set() and self._broken is None:
                    self.signs.show()
                    if not self._work_once(_MODELS_STAGES, self._models):
                        if self._is_over():
                            break
                        self._news.wait(_LOOK_SECONDS)
                        self._news.clear()
                        self._free_orphans()
        except BaseException:
            self._stopped.set()
            raise
        finally:
            self._models_are_done.set()
            if alarm is not None:
                alarm.cancel()
            joining.join()
            try:
                self._store.forget_activity()
            except WorkspaceError as error:  # what ended the work is what is told
                logger.warning("what this process did last is still shown: %s", error)
        if self._broken is not None:
            raise self._broken

    def _free_orphans(self) -> None:
        """Films of a process that died are free again."""
        try:
            self._store.settle_orphans()
        except LACKS as error:
            self._waiting.until_over(error)

    # --- what is due ------------------------------------------------------------------------------

    def _work_once(self, stages: Sequence[Stage], models: ModelSlot) -> bool:
        """Do one stage of one film; False: none is due that nobody else works on."""
        try:
            taken = self._take(stages)
            if taken is None:
                return False
            due, lease = taken
            with lease:
                self._work(due, lease, models)
        except LACKS as error:  # the film is as it was before: nothing was recorded of it
            self._waiting.until_over(error)
        return True

    def _take(self, stages: Sequence[Stage]) -> tuple[Due, JobLease] | None:
        for due in self._batch.due(stages, in_flight=self._terms.in_flight, most_units=self._most_units()):
            try:
                lease = self._store.lease(
                    due.entry.job_id,
                    heartbeat_seconds=self._lease_seconds / 6,
                    lease_seconds=self._lease_seconds,
                    only_if=lambda connection, due=due: self._batch.is_due(connection, due),  # type: ignore[misc]
                )
            except (JobBusyError, JobNotFoundError):
                continue  # another process was faster, or the job was deleted
            except JobUnreadableError as error:
                if self._batch.set_aside_unread(due, error) and self._terms.fail_fast:
                    self._end()
                continue
            return due, lease
        return None

    def _most_units(self) -> dict[str, float]:
        """Model → the most work in clips of one film that can be done before the end, as far as that is
        known."""
        if self._terms.until is None:
            return {}
        join = self._batch.seconds_a_film(Stage.JOIN) or 0.0
        left = (self._terms.until - datetime.now(UTC)).total_seconds() - join
        most = {}
        for stage, model_id in self._batch.waiting():
            if stage is Stage.CLIPS and (rate := self._batch.seconds_a_unit(stage, model_id)):
                most[model_id] = left / rate
        return most

    def _is_over(self) -> bool:
        """Whether nothing is left but what does not fit into the time."""
        try:
            return self._batch.num_waiting(most_units=self._most_units()) == 0
        except LACKS as error:
            self._waiting.until_over(error)
            return False

    def _alarm(self) -> threading.Timer | None:
        """Ends the work when time is up."""
        if self._terms.until is None:
            return None
        left = max(0.0, (self._terms.until - datetime.now(UTC)).total_seconds())
        alarm = threading.Timer(min(left, threading.TIMEOUT_MAX), self._end)
        alarm.daemon = True
        alarm.start()
        return alarm

    # --- one stage of one film --------------------------------------------------------------------

    def _work(self, due: Due, lease: JobLease, models: ModelSlot) -> None:
        watch = _Watch(due, lease, self, models)
        run = self._orchestrator.run_of(
            lease,
            models=models,
            on_progress=watch.listen,
            on_notice=lambda notice: self._on_notice(f"film {due.entry.number}: {notice}"),
            stopped=self._stopped,
        )
        try:
            try:
                self._advance(run, due, lease, watch)
            except WorkspaceBusyError as error:
                self._waiting.until_over(
                    error
                )  # with the lease still held, or it would lapse before it is free
                lease.pass_on()
        except JobBusyError as error:
            logger.warning("%s", error)  # the lease was lost: another process goes on with the film

    def _advance(self, run: FilmRun, due: Due, lease: JobLease, watch: _Watch) -> None:
        """Do the stage, and record what became of it. Raises JobBusyError once the lease is lost."""
        try:
            with watch.measuring():
                result = run.advance(due.entry.stage)
            following = None if isinstance(result, Path) else self._following(lease.job, due, result)

            def record(connection: Connection) -> None:
                if (time_taken := watch.time_taken()) is not None:
                    self._batch.add_time(connection, time_taken)
                self._batch.advance(
                    connection, lease.job.id, following, seconds=watch.seconds, peak=watch.peak
                )

            if isinstance(result, Path):
                lease.finish(result, record=record)
            else:
                lease.pass_on(record)
        except JobBusyError:
            raise
        except JobCancelledError as error:
            attempts = due.entry.attempts
            lease.cancel(record=self._setting_aside(due, watch, EntryState.CANCELLED, error, attempts))
        except StoppedError:
            lease.pass_on()
        except WorkspaceBusyError:
            raise
        except DiskFullError:
            lease.pass_on()
            raise
        except LocalvidError as error:
            self._fail(due, lease, watch, error, retryable=error.retryable)
        except Exception as error:  # a defect must not cost the other films
            logger.exception("film %d of the batch, job %s", due.entry.number, lease.job.id)
            defect = LocalvidError(
                f"{type(error).__name__}: {error}", hint="report it with what `localvid doctor` prints"
            )
            self._fail(due, lease, watch, defect, retryable=False)

    def _following(self, job: VideoJob, due: Due, again: Stage | None) -> Next:
        assert job.storyboard is not None  # written in the first stage
        plan = self._orchestrator.plan(job.storyboard, job.options, prompt=job.prompt)
        if again is not None:
            return stage_again(again, job.options, plan)
        return stage_after(due.entry.stage, job.options, plan)

    def _fail(
        self, due: Due, lease: JobLease, watch: _Watch, error: LocalvidError, *, retryable: bool
    ) -> None:
        attempts = due.entry.attempts + 1
        # A model that failed is opened anew; a request that was wrong says nothing of it.
        if due.entry.stage is not Stage.JOIN and not isinstance(error, InvalidRequestError):
            self._models.close()
        if retryable and attempts < MAX_ATTEMPTS:
            lease.add_notice(f"attempt {attempts} in the stage {due.entry.stage} failed: {error.message}")
            wait = self._terms.backoff_seconds * 2 ** (attempts - 1)
            until = datetime.now(UTC) + timedelta(seconds=wait)
            lease.pass_on(
                lambda connection: self._batch.put_off(
                    due.entry.job_id,
                    until,
                    error=error.message,
                    hint=error.hint,
                    attempts=attempts,
                    seconds=watch.seconds,
                    peak=watch.peak,
                    connection=connection,
                )
            )
            self._on_notice(
                f"film {due.entry.number}: {error.message}; attempt {attempts + 1} of {MAX_ATTEMPTS} "
                f"follows in {wait:.0f} s"
            )
            return
        record = self._setting_aside(due, watch, EntryState.FAILED, error, attempts)
        lease.fail(error.message, error.hint, record=record)
        if self._terms.fail_fast:
            self._end()

    def _setting_aside(
        self, due: Due, watch: _Watch, state: EntryState, error: LocalvidError, attempts: int
    ) -> Callable[[Connection], None]:
        """What is recorded with the end of the work, so only while the lease is held."""
        return lambda connection: self._batch.set_aside(
            due.entry.job_id,
            state,
            error=error.message,
            hint=error.hint,
            attempts=attempts,
            seconds=watch.seconds,
            peak=watch.peak,
            connection=connection,
        )

    # --- joining ---------------------------------------------------------------------------------

    def _join_films(self) -> None:
        nothing = ModelSlot(self._orchestrator.settings)
        try:
            with self.signs.awaited():
                while not self._stopped.is_set():
                    self.signs.show()
                    if self._work_once((Stage.JOIN,), nothing):
                        self._news.set()
                        continue
                    if self._models_are_done.wait(_LOOK_SECONDS / 5):
                        while not self._stopped.is_set() and self._work_once((Stage.JOIN,), nothing):
                            self.signs.show()
                        return
        except BaseException as error:
            self._broken = error
            self._news.set()

    def say(self, due: Due, job_id: str, progress: Progress) -> None:
        """Tell whoever looks on what is done now."""
        activity = Activity(
            owner=self._store.owner,
            batch_id=self._batch.id,
            job_id=job_id,
            number=due.entry.number,
            device=self._device,
            stage=due.entry.stage,
            message=progress.message,
            shot=progress.shot,
            num_shots=progress.num_shots,
            overall=progress.overall,
            loads=self.loads,
            seen_at=datetime.now(UTC),
        )
        try:
            self._store.show_activity(activity)
        except WorkspaceError as error:  # a full disk costs no work that is under way
            logger.warning("film %d: what is done is not shown: %s", due.entry.number, error)


class _Watch:
    """Listens to one stage of one film: how long it takes, what memory, and whether it made anything."""

    def __init__(self, due: Due, lease: JobLease, worker: Worker, models: ModelSlot) -> None:
        self._due = due
        self._job_id = lease.job.id
        self._worker = worker
        self._started = time.monotonic()
        self._gauge = MemoryGauge(models)
        self._said = 0.0
        self._made = self._reused = False

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._started

    @property
    def peak(self) -> PeakMemory:
        return self._gauge.peak

    def measuring(self) -> AbstractContextManager[object]:
        """While the stage runs. Joining is not measured: it runs beside what is."""
        return nullcontext() if self._due.entry.stage is Stage.JOIN else self._gauge

    def listen(self, progress: Progress) -> None:
        self._worker.signs.show()
        if progress.num_steps and progress.step >= progress.num_steps:
            self._reused |= progress.cached
            self._made |= not progress.cached
        now = time.monotonic()
        # Joining goes on beside other work, which says more.
        if now - self._said >= _ACTIVITY_SECONDS and self._due.entry.stage is not Stage.JOIN:
            self._said = now
            self._worker.say(self._due, self._job_id, progress)

    def time_taken(self) -> StageTime | None:
        """None where the stage made nothing, or not all of it, which would tell nothing of its pace."""
        if self._reused or not self._made:
            return None
        return StageTime(
            stage=self._due.entry.stage,
            model_id=self._due.model_id,
            units=self._due.units,
            seconds=self.seconds,
        )
