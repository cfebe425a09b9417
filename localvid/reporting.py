"""Progress of one film: what a model reports of its step becomes the film's, and a stop takes hold there.

It keeps what models say of their work (notices) with the job.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable

from localvid.errors import JobCancelledError, JobInterruptedError
from localvid.planning import FilmPlan, ShotPlan, Step, StepKind
from localvid.schemas import OnProgress, Progress, Stage
from localvid.store import JobLease

_WEIGHTS = {StepKind.STORYBOARD: 6.0, StepKind.KEYFRAME: 6.0, StepKind.LATENTS: 40.0, StepKind.CLIP: 10.0}
"""Rough shares of the time that a kind of step takes; 1 for all others. Only the bar depends on them."""

_STAGES = {StepKind.KEYFRAME: Stage.KEYFRAMES, StepKind.FILM: Stage.JOIN}
"""All other steps of a plan are made with the clips."""


class FilmProgress:
    """Passes a model's reports on, with stage, shot and the share of the whole film."""

    def __init__(
        self,
        lease: JobLease,
        on_progress: OnProgress,
        on_notice: Callable[[str], None],
        stopped: threading.Event,
    ) -> None:
        self._lease = lease
        self._on_progress = on_progress
        self._on_notice = on_notice
        self._stopped = stopped
        # Until the plan is known: a clip for each shot.
        self._total = _WEIGHTS[StepKind.STORYBOARD] + lease.job.options.max_shots * _WEIGHTS[StepKind.CLIP]
        self._finished = 0.0
        self._weight = 0.0
        self._overall = 0.0
        self._template = Progress(step=0, num_steps=0)
        self._last = self._template

    def expect(self, plan: FilmPlan, stage: Stage = Stage.KEYFRAMES) -> None:
        """What is to come, once the storyboard is there; stages before `stage` are done."""
        stages, before = list(Stage), _WEIGHTS[StepKind.STORYBOARD]
        self._total = before + sum(_weight(step) for step in plan.steps())
        earlier = stages[: stages.index(stage)]
        self._finished = before + sum(
            _weight(step) for step in plan.steps() if _STAGES.get(step.kind, Stage.CLIPS) in earlier
        )

    def only(self, step: Step) -> None:
        """All of the plan but this last step counts as done."""
        self._finished = self._total - _weight(step)

    def enter(
        self, stage: Stage, step: Step, *, shot: ShotPlan | None = None, num_shots: int | None = None
    ) -> None:
        self.switch(stage, step, shot=shot, num_shots=num_shots)
        self.report(self._template)

    def switch(
        self, stage: Stage, step: Step, *, shot: ShotPlan | None = None, num_shots: int | None = None
    ) -> None:
        """The reports that follow are of this step, which may have begun before."""
        self._weight = _weight(step)
        self._template = Progress(
            step=0,
            num_steps=0,
            message=step.label,
            stage=stage,
            shot=shot.index + 1 if shot else None,
            num_shots=num_shots,
        )

    def check_stop(self) -> None:
        """Raise JobInterruptedError or JobCancelledError where a stop was asked for."""
        job_id = self._lease.job.id
        if self._stopped.is_set():
            raise JobInterruptedError("stopped at a safe point", hint=f"localvid resume {job_id}")
        if self._lease.cancel_requested():
            raise JobCancelledError(f"job {job_id} was cancelled", hint=f"localvid resume {job_id}")

    def keep_notice(self, notice: str) -> None:
        """Tell the user, and keep it with the job."""
        if self._lease.add_notice(notice):
            self._on_notice(notice)

    def report(self, progress: Progress) -> None:
        """Pass a report on; raises JobInterruptedError or JobCancelledError where a stop was asked for."""
        self.check_stop()
        if progress.notice:
            self.keep_notice(_of_shot(self._template.shot, progress.notice))
        done = self._finished + self._weight * progress.fraction
        # Never backwards, though the whole is only known once the storyboard is.
        self._overall = max(self._overall, min(1.0, done / self._total))
        self._last = self._template.model_copy(
            update={
                "step": progress.step,
                "num_steps": progress.num_steps,
                "message": progress.message or self._template.message,
                "cached": progress.cached,
                "overall": self._overall,
            }
        )
        self._on_progress(self._last)

    def again(self) -> None:
        """Report the same once more: it goes on. Raises as `report` does."""
        self.check_stop()
        self._on_progress(self._last)

    def done(self, *, cached: bool = False) -> None:
        self.report(Progress(step=1, num_steps=1, message=self._template.message, cached=cached))
        self._finished += self._weight


def shot_of_notice(notice: str) -> int | None:
    """The shot (from 1) that a notice kept with a job is about; None: about none alone."""
    found = re.match(r"shot (\d+): ", notice)
    return int(found[1]) if found else None


def _of_shot(shot: int | None, notice: str) -> str:
    return f"shot {shot}: {notice}" if shot else notice


def _weight(step: Step) -> float:
    return _WEIGHTS.get(step.kind, 1.0)
