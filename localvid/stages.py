"""The stages of one film, run under one lease: storyboard, keyframes, clips, join.

A stage opens its model when the first step needs it; a stage whose artifacts are all there opens nothing.
Every report of progress is also the place where a stop takes hold.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from localvid import intake, registry
from localvid.clips import artifact, is_due, make_clip, new_file
from localvid.config import Settings
from localvid.errors import (
    CapabilityError,
    DeviceFailedError,
    GenerationFailedError,
    LocalvidError,
    ModelProcessError,
    NotAvailableError,
    OutOfMemoryError,
)
from localvid.files import as_workspace_error, writing
from localvid.media.images import fit_image
from localvid.media.join import join_clips
from localvid.media.metadata import RECORD
from localvid.pipelines.base import VideoModel
from localvid.planning import FilmPlan, ShotPlan, Step, StepKind, assign_seeds, storyboard_step
from localvid.reporting import FilmProgress
from localvid.schemas import ModelKind, OnProgress, Shot, Stage, Storyboard, VideoRequest
from localvid.sending import Sending, chains
from localvid.slot import ModelSlot
from localvid.store import JobLease, Store

_NOT_HERE = (CapabilityError, NotAvailableError, OutOfMemoryError, DeviceFailedError, ModelProcessError)
"""What says that this machine cannot make a shot: a fallback may."""
UNWRITTEN = Shot(description="unwritten")
ANY_STORYBOARD = Storyboard(shots=(UNWRITTEN,))
"""Planned in place of one that is not written yet, so that options which fit no storyboard fail at once."""


class FilmRun:
    """One run of one job. `film` does everything and returns the finished film's path; `advance` does one
    stage of it, for whoever takes the stages of many films in turns.

    `models` is where models are opened. `make_plan` turns the storyboard (None: not written yet) into the
    plan, with the shots (from 0) that the fallback makes. `on_notice` is told what the user should know, and
    `stopped` asks for a stop at the next report of progress.
    """

    def __init__(
        self,
        settings: Settings,
        store: Store,
        lease: JobLease,
        *,
        models: ModelSlot,
        make_plan: Callable[[Storyboard | None, frozenset[int]], FilmPlan],
        on_progress: OnProgress,
        on_notice: Callable[[str], None],
        stopped: threading.Event,
    ) -> None:
        self._settings = settings
        self._store = store
        self._lease = lease
        self._models = models
        self._make_plan = make_plan
        self._on_notice = on_notice
        self._bar = FilmProgress(lease, on_progress, on_notice, stopped)
        self._sending = Sending(settings, store, lease, self._bar, on_notice=on_notice)
        self._handed_over: set[str] = set()
        """Keys of the keyframes that clips of this run gave."""

    def film(self) -> Path:
        """Run what is missing, stage by stage, and put the film where the user wants it."""
        self._refuse_early()
        storyboard = self._write_storyboard()
        self._models.close()
        plan = self._planned(storyboard)
        for note in plan.notes:
            self._on_notice(note)
        self._bar.expect(plan)
        if self._store.find(plan.film.key) is None:
            self._paint_keyframes(plan)
            self._models.close()
            plan = self._make_clips(storyboard, plan)
            self._models.close()
        else:
            self._bar.only(plan.film)
        return self._deliver(self._join(plan))

    def advance(self, stage: Stage) -> Path | Stage | None:
        """Run one stage; its model stays open. The film's path after the last; or, with nothing run, an
        earlier stage whose artifacts a clean-up has removed since it was done."""
        if stage is Stage.STORYBOARD:
            self._refuse_early()
            self._planned(self._write_storyboard())
            return None
        storyboard = self._lease.job.storyboard
        if storyboard is None:
            raise GenerationFailedError(
                f"job {self._lease.job.id} has no storyboard any more",
                hint=f"localvid resume {self._lease.job.id}",
            )
        plan = self._planned(storyboard)
        if (earlier := self._undone(plan, stage)) is not None:
            return earlier
        if stage is Stage.KEYFRAMES:  # a film from a storyboard begins here
            self._refuse_early()
        self._bar.expect(plan, stage)
        if stage is Stage.JOIN:
            return self._deliver(self._join(plan))
        if self._store.find(plan.film.key) is None:
            if stage is Stage.KEYFRAMES:
                self._paint_keyframes(plan)
            else:
                self._make_clips(storyboard, plan)
        return None

    def _undone(self, plan: FilmPlan, stage: Stage) -> Stage | None:
        """The first stage before this one of which something is missing."""
        if stage is Stage.KEYFRAMES or self._store.find(plan.film.key) is not None:
            return None
        missing = [shot for shot in plan.shots if self._store.find(shot.clip.key) is None]
        painted = [shot.keyframe for shot in missing if shot.keyframe_request is not None]
        if any(keyframe is not None and self._store.find(keyframe.key) is None for keyframe in painted):
            return Stage.KEYFRAMES
        return Stage.CLIPS if missing and stage is Stage.JOIN else None

    def _planned(self, storyboard: Storyboard) -> FilmPlan:
        plan = self._with_what_was_sent(storyboard, self._make_plan(storyboard, frozenset()))
        self._record(plan)
        return plan

    def _refuse_early(self) -> None:
        """Before a storyboard and keyframes are made for clips that this machine cannot hold, or that nobody
        allowed to be paid for. With a fallback each shot is tried."""
        plan = self._make_plan(self._lease.job.storyboard, frozenset())
        missing = [shot for shot in plan.shots if self._store.find(shot.clip.key) is None]
        if not missing or self._lease.job.options.fallback is not None:
            return
        info = registry.get_model(missing[0].clip_request.model_id, self._settings, ModelKind.VIDEO)
        if info.manifest.is_remote:
            unwritten = (
                0 if self._lease.job.storyboard else self._lease.job.options.max_shots - len(plan.shots)
            )
            self._sending.check_spend(plan, [shot.index for shot in missing], unwritten=max(0, unwritten))
        else:
            self._models.check_fits(info, missing[0].clip_request, self._bar.report)

    def _with_what_was_sent(self, storyboard: Storyboard, plan: FilmPlan) -> FilmPlan:
        """The plan in which the fallback makes what it has made, or is making, already."""
        if self._lease.job.options.fallback is None:
            return plan
        for index in range(len(plan.shots)):
            if self._store.find(plan.shots[index].clip.key) is None:
                other = self._make_plan(storyboard, plan.sent | {index})
                key = other.shots[index].clip.key
                if self._store.find(key) is not None or self._store.has_open_call(key):
                    plan = other
        return plan

    def _record(self, plan: FilmPlan) -> None:
        self._lease.set_plan(plan.step_rows())

    # --- stages ----------------------------------------------------------------------------------

    def _write_storyboard(self) -> Storyboard:
        job = self._lease.job
        if job.storyboard is not None:
            return job.storyboard
        info = registry.get_model(job.options.llm, self._settings, ModelKind.STORYBOARD)
        registry.require(info)
        num_shots = job.options.max_shots
        step = storyboard_step(
            job.prompt,
            num_shots=num_shots,
            seed=job.seed,
            writer=info.manifest,
            context_tokens=self._settings.llm_context_tokens,
        )
        self._bar.enter(Stage.STORYBOARD, step)
        made = self._store.find(step.key)
        if made is None:
            self._store.check_space()
            written = self._models.writer(info).write(
                job.prompt, num_shots=num_shots, seed=job.seed, on_progress=self._bar.report
            )
            storyboard = assign_seeds(written.model_copy(update={"prompt": job.prompt}), job.seed)
            partial = self._store.temporary(".json")
            with writing(partial) as file:
                file.write_text(storyboard.model_dump_json(indent=2), encoding="utf-8")
            made = self._lease.publish(step.key, step.kind.value, partial)
        video = registry.get_model(job.options.model, self._settings, ModelKind.VIDEO)
        storyboard = Storyboard.model_validate_json(made.read_text(encoding="utf-8"))
        storyboard = intake.as_long_as_asked(storyboard, job.options, video.manifest)
        self._lease.set_storyboard(storyboard)
        self._bar.done()
        return storyboard

    def _paint_keyframes(self, plan: FilmPlan) -> None:
        for shot in plan.shots:
            if shot.keyframe is None or shot.keyframe_request is None:
                continue
            self._bar.enter(Stage.KEYFRAMES, shot.keyframe, shot=shot, num_shots=len(plan.shots))
            if self._reused(shot.keyframe):
                continue
            request = shot.keyframe_request
            partial = self._new_file(".png")
            if request.reference_image is not None:
                with writing(partial) as file:
                    fit_image(request.reference_image, file, width=request.width, height=request.height)
            else:
                info = registry.get_model(request.model_id, self._settings, ModelKind.KEYFRAME)
                painter = self._models.painter(info)
                painter.paint(request.model_copy(update={"output": partial}), self._bar.report)
            self._publish(shot.keyframe, partial)

    def _make_clips(self, storyboard: Storyboard, plan: FilmPlan) -> FilmPlan:
        """All clips; the plan that is returned says which of them the fallback made."""
        if registry.get_model(
            self._lease.job.options.model, self._settings, ModelKind.VIDEO
        ).manifest.is_remote:
            self._sending.send(plan, chains(plan.shots))
            return plan
        waiting: list[list[int]] = []
        for index in range(len(plan.shots)):
            if index not in plan.sent:
                try:
                    self._make_clip(plan.shots, index)
                    continue
                except _NOT_HERE as error:
                    plan = self._sent_instead(storyboard, plan, index, error)
            if plan.shots[index].clip_request.hand_over is not None:
                self._sending.send(plan, [[index]])  # the next shot waits for it
            else:
                waiting.append([index])
        self._sending.send(plan, waiting)
        return plan

    def _sent_instead(
        self, storyboard: Storyboard, plan: FilmPlan, index: int, error: LocalvidError
    ) -> FilmPlan:
        """The plan in which the fallback makes this shot; raises the error where there is none."""
        if self._lease.job.options.fallback is None:
            raise error
        plan = self._make_plan(storyboard, plan.sent | {index})
        self._bar.keep_notice(
            f"shot {index + 1}: {plan.shots[index].clip_request.model_id} makes it, because {error.message}"
        )
        self._record(plan)
        return plan

    def _make_clip(self, shots: Sequence[ShotPlan], index: int) -> None:
        """The shot's latents and clip, whichever are missing, with the keyframe that it hands over."""
        shot = shots[index]
        if shot.keyframe is not None and shot.keyframe.kind is StepKind.LAST_FRAME:
            self._enter(shot.keyframe, shots, index)
            if shot.keyframe.key in self._handed_over:
                self._bar.done()
            else:
                self._reused(shot.keyframe)
        if not is_due(self._store, shots, index):
            for step in (shot.latents, shot.clip):
                if step is not None:
                    self._enter(step, shots, index)
                    self._reused(step)
            return
        request = shot.clip_request
        if shot.keyframe is not None:
            request = request.model_copy(update={"first_frame": self._artifact(shot.keyframe)})
        if shot.latents is not None:
            self._enter(shot.latents, shots, index)
            self._sample(shot.latents, request)
            request = request.model_copy(update={"latents": self._artifact(shot.latents)})
        self._enter(shot.clip, shots, index)
        self._generate(shots, index, request)

    def _sample(self, latents: Step, request: VideoRequest) -> None:
        if not self._reused(latents):
            partial = self._new_file(".safetensors")
            self._video_model(request.model_id).sample(request, partial, self._bar.report)
            self._publish(latents, partial)

    def _video_model(self, model_id: str) -> VideoModel:
        return self._models.video_model(registry.get_model(model_id, self._settings, ModelKind.VIDEO))

    def _generate(self, shots: Sequence[ShotPlan], index: int, request: VideoRequest) -> None:
        model = self._video_model(request.model_id)
        if (following := self._next_from_words(shots[index + 1 :])) is not None:
            model.announce(following)
        handed_over = make_clip(
            model,
            shots,
            index,
            request,
            store=self._store,
            lease=self._lease,
            on_progress=self._bar.report,
            on_notice=self._on_notice,
        )
        if handed_over is not None:
            self._handed_over.add(handed_over.key)
        self._bar.done()

    def _next_from_words(self, shots: Sequence[ShotPlan]) -> VideoRequest | None:
        """The request of the next clip that is missing, if it waits for no picture."""
        missing = (shot for shot in shots if self._store.find(shot.clip.key) is None)
        shot = next(missing, None)
        return shot.clip_request if shot is not None and shot.keyframe is None else None

    def _join(self, plan: FilmPlan) -> Path:
        self._bar.enter(Stage.JOIN, plan.film)
        if not self._reused(plan.film):
            partial = self._new_file(plan.container)
            join_clips(
                [self._artifact(shot.clip) for shot in plan.shots],
                plan.transitions,
                partial,
                metadata=_tags(plan, self._lease.job.notices),
                on_progress=self._bar.report,
            )
            self._publish(plan.film, partial)
        return self._artifact(plan.film)

    def _deliver(self, film: Path) -> Path:
        """A copy of the film where the user wants it: theirs to move, cut or delete."""
        job = self._lease.job
        output = job.options.output or self._store.films / f"{job.id}{film.suffix}"
        try:
            output.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise as_workspace_error(error, output) from error
        with self._store.writing(output) as partial:
            shutil.copyfile(film, partial)
        return output

    # --- steps -----------------------------------------------------------------------------------

    def _enter(self, step: Step, shots: Sequence[ShotPlan], index: int) -> None:
        self._bar.enter(Stage.CLIPS, step, shot=shots[index], num_shots=len(shots))

    def _reused(self, step: Step) -> bool:
        """Whether the step's artifact is there; it is then counted for this job and reported as done."""
        if self._store.find(step.key) is None:
            return False
        self._lease.reuse(step.key)
        self._bar.done(cached=True)
        return True

    def _new_file(self, suffix: str) -> Path:
        return new_file(self._store, suffix)

    def _publish(self, step: Step, partial: Path) -> None:
        self._lease.publish(step.key, step.kind.value, partial)
        self._bar.done()

    def _artifact(self, step: Step) -> Path:
        return artifact(self._store, step, self._lease.job.id)


def _tags(plan: FilmPlan, notices: tuple[str, ...]) -> dict[str, str]:
    """The film's metadata: what players show, and the whole record for `localvid info`."""
    if plan.record is None:
        return {}
    storyboard = plan.record.storyboard
    return {
        "title": storyboard.title or storyboard.prompt[:80],
        "comment": f"Made with localvid {plan.record.localvid}",
        RECORD: plan.record.model_copy(update={"notices": notices}).model_dump_json(exclude_none=True),
    }
