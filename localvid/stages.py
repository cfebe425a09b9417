"""The stages of one film, run under one lease: storyboard, keyframes, clips, join.

A stage opens its model when the first step needs it; a stage whose artifacts are all there opens nothing.
Every report of progress is also the place where a stop takes hold.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from localvid import intake, registry
from localvid.config import Settings
from localvid.delivery import deliver
from localvid.errors import GenerationFailedError
from localvid.files import writing
from localvid.film_clips import FilmClips
from localvid.film_steps import FilmSteps, new_file
from localvid.media.images import fit_image
from localvid.media.join import join_clips
from localvid.media.metadata import RECORD
from localvid.planning import FilmPlan, assign_seeds, storyboard_step
from localvid.reporting import FilmProgress
from localvid.schemas import ModelKind, OnProgress, Shot, Stage, Storyboard
from localvid.sending import Sending
from localvid.slot import ModelSlot
from localvid.store import JobLease, Store

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
        self._steps = FilmSteps(store, lease, self._bar)
        self._sending = Sending(settings, store, lease, self._bar)

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
            plan = self._clips().make(storyboard, plan)
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
                self._clips().make(storyboard, plan)
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

    def _clips(self) -> FilmClips:
        return FilmClips(
            self._settings,
            self._store,
            self._lease,
            models=self._models,
            make_plan=self._make_plan,
            bar=self._bar,
            sending=self._sending,
        )

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
            if self._steps.reuse(shot.keyframe):
                continue
            request = shot.keyframe_request
            partial = new_file(self._store, ".png")
            if request.reference_image is not None:
                with writing(partial) as file:
                    fit_image(request.reference_image, file, width=request.width, height=request.height)
            else:
                info = registry.get_model(request.model_id, self._settings, ModelKind.KEYFRAME)
                painter = self._models.painter(info)
                painter.paint(request.model_copy(update={"output": partial}), self._bar.report)
            self._steps.publish(shot.keyframe, partial)

    def _join(self, plan: FilmPlan) -> Path:
        self._bar.enter(Stage.JOIN, plan.film)
        if not self._steps.reuse(plan.film):
            partial = new_file(self._store, plan.container)
            join_clips(
                [self._steps.artifact(shot.clip) for shot in plan.shots],
                plan.transitions,
                partial,
                metadata=_tags(plan, self._lease.job.notices),
                on_progress=self._bar.report,
            )
            self._steps.publish(plan.film, partial)
        return self._steps.artifact(plan.film)

    def _deliver(self, film: Path) -> Path:
        """A copy of the film where the user wants it: theirs to move, cut or delete."""
        job = self._lease.job
        output = job.options.output or self._store.films / f"{job.id}{film.suffix}"
        deliver(self._store, film, output, on_piece=self._bar.again)
        return output


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
