"""One process's part in a batch: it takes what is due, stage by stage, until nothing is left.

Films are joined in a thread of their own, beside the next film's clips. A film that fails is tried again
later and set aside after the third time; the batch goes on.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from localvid.batch.attempt import Attempt, Bench
from localvid.batch.signs import Signs
from localvid.batch.terms import BatchTerms
from localvid.batch.turns import Turns
from localvid.batch.waiting import LACKS, Waiting
from localvid.errors import (
    JobBusyError,
    JobNotFoundError,
    JobUnreadableError,
    WorkspaceBusyError,
    WorkspaceError,
)
from localvid.orchestrator import VideoOrchestrator
from localvid.schemas import Stage
from localvid.slot import ModelSlot
from localvid.store import BatchRows, Due, JobLease

logger = logging.getLogger(__name__)

_MODELS_STAGES = (Stage.STORYBOARD, Stage.KEYFRAMES, Stage.CLIPS)
_LOOK_SECONDS = 0.5
"""How often a worker with nothing to do looks again: others work on what is left, or it is not yet time."""
_JOIN_LOOK_SECONDS = 2.0
"""How often a film may have come whose clips another process made."""

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
        self._clips_are_made = threading.Event()
        """Of a film, or of all: there may be one to join."""
        self._news = threading.Event()
        """A film was joined, or the work is to stop: there may be nothing left."""
        self._turns = Turns()
        self._models = ModelSlot(orchestrator.settings)
        self._signs = Signs(on_sign)
        self._waiting = Waiting(
            self._store,
            poll_seconds=terms.space_poll_seconds,
            stopped=self._stopped,
            on_notice=on_notice,
            on_look=self._signs.show,
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
        self._clips_are_made.set()

    def run(self) -> None:
        """Work until nothing is left. What is no LocalvidError, and no film's, passes."""
        joining = threading.Thread(target=self._join_films, name="join", daemon=True)
        alarm = self._alarm()
        joining.start()
        try:
            with self._signs.awaited(), self._models:
                while not self._stopped.is_set() and self._broken is None:
                    self._signs.show()
                    if not self._work_once(_MODELS_STAGES, self._models):
                        if self._is_over():
                            break
                        self._news.wait(_LOOK_SECONDS)
                        self._news.clear()
                        self._free_orphans()
                    else:
                        self._clips_are_made.set()
        except BaseException:
            self._stopped.set()
            raise
        finally:
            self._models_are_done.set()
            self._clips_are_made.set()
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
            try:
                with lease:
                    self._work(due, lease, models)
            finally:
                self._turns.end()
        except LACKS as error:  # the film is as it was before: nothing was recorded of it
            self._waiting.until_over(error)
        return True

    def _take(self, stages: Sequence[Stage]) -> tuple[Due, JobLease] | None:
        for due in self._batch.due(stages, in_flight=self._terms.in_flight, most_units=self._most_units()):
            if not self._turns.begin(alone=due.entry.attempts > 0):
                continue
            lease = None
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
            finally:
                if lease is None:
                    self._turns.end()
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
            if stage is Stage.CLIPS and (rate := self._batch.stage_rate(stage, model_id)):
                most[model_id] = rate.units_within(left)
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

    def _work(self, due: Due, lease: JobLease, models: ModelSlot) -> None:
        attempt = Attempt(due, lease, self._bench(models))
        try:
            try:
                attempt.run()
            except WorkspaceBusyError as error:
                # With the lease still held, which would lapse before the database is free.
                self._waiting.until_over(error)
                lease.pass_on()
        except JobBusyError as error:
            logger.warning("%s", error)  # the lease was lost: another process goes on with the film
        if attempt.was_set_aside and self._terms.fail_fast:
            self._end()

    def _bench(self, models: ModelSlot) -> Bench:
        return Bench(
            orchestrator=self._orchestrator,
            batch=self._batch,
            terms=self._terms,
            models=models,
            stopped=self._stopped,
            signs=self._signs,
            on_notice=self._on_notice,
            device=self._device,
        )

    # --- joining ---------------------------------------------------------------------------------

    def _join_films(self) -> None:
        nothing = ModelSlot(self._orchestrator.settings)
        try:
            with self._signs.awaited():
                while not self._stopped.is_set():
                    self._signs.show()
                    is_last_look = self._models_are_done.is_set()
                    if self._work_once((Stage.JOIN,), nothing):
                        self._news.set()
                    elif is_last_look:
                        return
                    else:
                        self._clips_are_made.wait(_JOIN_LOOK_SECONDS)
                        self._clips_are_made.clear()
        except BaseException as error:
            self._broken = error
            self._news.set()
