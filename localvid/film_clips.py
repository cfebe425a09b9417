"""The stage in which a film's clips are made: here, or at a host where this machine cannot.

While the model makes one clip, the one before is brought to its end beside it: its last frames are encoded,
it is looked at and published.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

from localvid import registry
from localvid.clips import ClipInHand, begin_clip, is_due
from localvid.config import Settings
from localvid.errors import (
    CapabilityError,
    DeviceFailedError,
    LocalvidError,
    ModelProcessError,
    NotAvailableError,
    OutOfMemoryError,
    StoppedError,
    WorkLostError,
)
from localvid.film_steps import FilmSteps, new_file
from localvid.pipelines.base import VideoModel
from localvid.planning import FilmPlan, ShotPlan, Step, StepKind
from localvid.reporting import FilmProgress
from localvid.schemas import ModelKind, Progress, Stage, Storyboard, ignore_progress
from localvid.sending import Sending, chains
from localvid.slot import ModelSlot
from localvid.store import JobLease, Store

_logger = logging.getLogger(__name__)

_NOT_HERE = (CapabilityError, NotAvailableError, OutOfMemoryError, DeviceFailedError, ModelProcessError)
"""What says that this machine cannot make a shot: a fallback may."""

MakePlan = Callable[[Storyboard | None, frozenset[int]], FilmPlan]


class FilmClips:
    """One run of the stage for one job; as `FilmRun` describes what it is given."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        lease: JobLease,
        *,
        models: ModelSlot,
        make_plan: MakePlan,
        bar: FilmProgress,
        sending: Sending,
    ) -> None:
        self._settings = settings
        self._store = store
        self._lease = lease
        self._models = models
        self._make_plan = make_plan
        self._bar = bar
        self._sending = sending
        self._steps = FilmSteps(store, lease, bar)
        self._waiting: list[list[int]] = []
        """Shots that the fallback makes when all others are made."""
        self._made_again: set[int] = set()
        """Shots whose clip was lost with its process once."""
        self._handed_over: set[str] = set()
        """Keys of the keyframes that clips of this run gave."""

    def make(self, storyboard: Storyboard, plan: FilmPlan) -> FilmPlan:
        """All clips; the plan that is returned says which of them the fallback made."""
        model_id = self._lease.job.options.model
        if registry.get_model(model_id, self._settings, ModelKind.VIDEO).manifest.is_remote:
            self._sending.send(plan, chains(plan.shots))
            return plan
        with _Finisher(self._lease) as finisher:
            for index in range(len(plan.shots)):
                if finisher.blocks(plan.shots[index]):
                    plan = self._settle(storyboard, plan, finisher)
                if index in plan.sent:
                    self._leave_to_fallback(plan, index)
                else:
                    plan = self._begin_or_give_up(storyboard, plan, index, finisher)
                plan = self._settle(storyboard, plan, finisher, but=1)
            plan = self._settle(storyboard, plan, finisher)
        self._sending.send(plan, self._waiting)
        return plan

    def _begin_or_give_up(
        self, storyboard: Storyboard, plan: FilmPlan, index: int, finisher: _Finisher
    ) -> FilmPlan:
        try:
            self._begin(plan.shots, index, finisher)
        except _NOT_HERE as error:
            return self._give_up(storyboard, plan, index, error)
        return plan

    # --- the fallback ----------------------------------------------------------------------------

    def _give_up(self, storyboard: Storyboard, plan: FilmPlan, index: int, error: LocalvidError) -> FilmPlan:
        """The plan in which the fallback makes this shot; raises the error where there is none."""
        if self._lease.job.options.fallback is None:
            raise error
        plan = self._make_plan(storyboard, plan.sent | {index})
        self._bar.keep_notice(
            f"shot {index + 1}: {plan.shots[index].clip_request.model_id} makes it, because {error.message}"
        )
        self._lease.set_plan(plan.step_rows())
        self._leave_to_fallback(plan, index)
        return plan

    def _leave_to_fallback(self, plan: FilmPlan, index: int) -> None:
        if plan.shots[index].clip_request.hand_over is not None:
            self._sending.send(plan, [[index]])  # the next shot waits for it
        else:
            self._waiting.append([index])

    # --- here ------------------------------------------------------------------------------------

    def _begin(self, shots: Sequence[ShotPlan], index: int, finisher: _Finisher) -> None:
        """Make the shot's latents and its frames, whichever are missing; the clip is then in hand."""
        shot = shots[index]
        if shot.keyframe is not None and shot.keyframe.kind is StepKind.LAST_FRAME:
            self._enter(shot.keyframe, shots, index)
            if shot.keyframe.key in self._handed_over:
                self._bar.done()
            else:
                self._steps.reuse(shot.keyframe)
        if not is_due(self._store, shots, index):
            for step in (shot.latents, shot.clip):
                if step is not None:
                    self._enter(step, shots, index)
                    self._steps.reuse(step)
            return

        def report(progress: Progress) -> None:
            finisher.go_on()
            self._bar.report(progress)

        request = shot.clip_request
        if shot.keyframe is not None:
            request = request.model_copy(update={"first_frame": self._steps.artifact(shot.keyframe)})
        model = self._models.video_model(
            registry.get_model(request.model_id, self._settings, ModelKind.VIDEO)
        )
        if shot.latents is not None:
            self._enter(shot.latents, shots, index)
            if not self._steps.reuse(shot.latents):
                partial = new_file(self._store, ".safetensors")
                model.sample(request, partial, report)
                self._steps.publish(shot.latents, partial)
            request = request.model_copy(update={"latents": self._steps.artifact(shot.latents)})
        self._enter(shot.clip, shots, index)
        self._announce_next(model, shots[index + 1 :])
        finisher.take(begin_clip(model, shots, index, request, store=self._store, on_progress=report))
        self._bar.done()

    def _enter(self, step: Step, shots: Sequence[ShotPlan], index: int) -> None:
        self._bar.enter(Stage.CLIPS, step, shot=shots[index], num_shots=len(shots))

    def _announce_next(self, model: VideoModel, shots: Sequence[ShotPlan]) -> None:
        """Tell the model of the next clip that is missing, if it waits for no picture."""
        missing = (shot for shot in shots if self._store.find(shot.clip.key) is None)
        shot = next(missing, None)
        if shot is not None and shot.keyframe is None:
            model.announce(shot.clip_request)

    def _settle(
        self, storyboard: Storyboard, plan: FilmPlan, finisher: _Finisher, *, but: int = 0
    ) -> FilmPlan:
        """Wait for the clips in hand, but for so many of the last; the plan, with what is made elsewhere.

        A clip whose process ended before it was written is made once more.
        """
        while finisher.count > but:
            index = finisher.index
            try:
                handed_over = finisher.settle(lambda _report: self._bar.check_stop())
            except WorkLostError as error:
                if index in self._made_again:
                    plan = self._give_up(storyboard, plan, index, error)
                    continue
                self._made_again.add(index)
                self._bar.keep_notice(f"shot {index + 1}: {error.message}; trying once more in a new process")
                plan = self._begin_or_give_up(storyboard, plan, index, finisher)
            except _NOT_HERE as error:
                plan = self._give_up(storyboard, plan, index, error)
            else:
                if handed_over is not None:
                    self._handed_over.add(handed_over.key)
        return plan


class _Finisher:
    """Brings clips to their end, in their order, beside other work. A context manager: what is in hand when
    the block fails is published all the same, unless that fails, too."""

    def __init__(self, lease: JobLease) -> None:
        self._lease = lease
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="clip")
        self._hands: deque[ClipInHand] = deque()
        self._ends: dict[ClipInHand, Future[Step | None]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        while self._hands:
            if isinstance(error, Exception):
                try:
                    self.settle(ignore_progress)
                except Exception as another:  # the first error is the one to tell
                    _logger.info("a clip was not finished either: %s", another)
            else:
                self._hands.popleft().close()
        self._pool.shutdown()

    @property
    def count(self) -> int:
        """Of clips in hand."""
        return len(self._hands)

    @property
    def index(self) -> int:
        """Of the shot (from 0) whose clip is settled next."""
        return self._hands[0].shot.index

    def blocks(self, shot: ShotPlan) -> bool:
        """Whether that shot must wait for the clips in hand: it goes on from one, or has the same clip."""
        goes_on = shot.keyframe is not None and shot.keyframe.kind is StepKind.LAST_FRAME
        return any(goes_on or shot.clip.key == hand.shot.clip.key for hand in self._hands)

    def take(self, hand: ClipInHand) -> None:
        """One clip more."""
        self._hands.append(hand)
        self.go_on()

    def go_on(self) -> None:
        """Without waiting, and without telling yet what became of it."""
        for hand in self._hands:
            if hand not in self._ends and hand.is_written():
                self._ends[hand] = self._pool.submit(hand.publish, self._lease)

    def settle(self, on_progress: Callable[[Progress], None]) -> Step | None:
        """Wait for the first clip in hand, which is in hand no more; the keyframe that it gave.

        Raises what it ended with. What `on_progress` raises leaves it in hand.
        """
        hand = self._hands[0]
        if hand not in self._ends:
            try:
                hand.wait(on_progress)
            except LocalvidError as error:
                if not isinstance(error, StoppedError):
                    self._hands.popleft().close()
                raise
            self._ends[hand] = self._pool.submit(hand.publish, self._lease)
        self._hands.popleft()
        try:
            return self._ends.pop(hand).result()
        finally:
            hand.close()
