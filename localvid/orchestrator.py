"""VideoOrchestrator: creates jobs, runs their stages, resumes them. It knows no model and no file format.

    prompt → storyboard → keyframes → clips → film

Stages run one after the other, each with one model open: the language model is closed before the first
keyframe is painted, the painter before the first clip is made. Every step whose key has an artifact in
the store is skipped; every artifact is published the moment it is whole.
"""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from pydantic import ValidationError

from localvid import __version__, intake, registry
from localvid.config import Settings, load_settings
from localvid.errors import (
    CapabilityError,
    InvalidRequestError,
    JobCancelledError,
    JobInterruptedError,
    LocalvidError,
    StoppedError,
)
from localvid.planning import FilmPlan, Step, assign_seeds, plan_film
from localvid.reporting import shot_of_notice
from localvid.schemas import (
    MAX_SEED,
    MAX_STORYBOARD_SHOTS,
    FilmOptions,
    ModelInfo,
    ModelKind,
    NewJob,
    OnProgress,
    Progress,
    Revision,
    Storyboard,
    Transition,
    VideoJob,
    explain,
    ignore_progress,
)
from localvid.sending import check_new_spend
from localvid.slot import ModelSlot
from localvid.stages import ANY_STORYBOARD, UNWRITTEN, FilmRun
from localvid.store import IMAGES, JobLease, Store

logger = logging.getLogger(__name__)

_ALL = frozenset(range(MAX_STORYBOARD_SHOTS))

ProgressCallback = Callable[[str, float, int | None], None]
"""The simple form of progress: what is done, percent of the whole film, the shot (from 1) or None."""


class VideoOrchestrator:
    """Makes films in one workspace; a context manager, or closed with `close`.

    `on_notice` is told, in one sentence each, what the user did not ask for and should know: which model
    was chosen and why, what a model cannot do. By default notices are logged.
    """

    def __init__(
        self, settings: Settings | None = None, *, on_notice: Callable[[str], None] = logger.info
    ) -> None:
        self.settings = settings or load_settings()
        self._notice = on_notice
        self._stopped = threading.Event()
        self._store: Store | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        if self._store is not None:
            self._store.close()
            self._store = None

    @property
    def store(self) -> Store:
        """The workspace's store, opened at the first use."""
        if self._store is None:
            self._store = Store(
                self.settings.workspace, min_free_bytes=int(self.settings.min_free_gib * 2**30)
            )
        return self._store

    # --- jobs ------------------------------------------------------------------------------------

    def create_job(
        self,
        *,
        prompt: str = "",
        max_shots: int | None = None,
        storyboard: Storyboard | None = None,
        seed: int | None = None,
        options: FilmOptions | None = None,
    ) -> VideoJob:
        """Record a film to be made from a prompt or from a storyboard; nothing is rendered yet.

        Models left to "auto" are chosen now, once, and every seed is drawn now, so that the job means the
        same whenever it is run; images are copied into the workspace, and may go afterwards. `max_shots`
        stands in for `options.max_shots`.

        Raises InvalidRequestError for a prompt, an image or options that cannot be used and
        NotAvailableError for a model that cannot run here.
        """
        new = self.settle_job(
            prompt=prompt, max_shots=max_shots, storyboard=storyboard, seed=seed, options=options
        )
        return self.store.create_job(
            prompt=new.prompt, options=new.options, seed=new.seed, storyboard=new.storyboard
        )

    def settle_job(
        self,
        *,
        prompt: str = "",
        max_shots: int | None = None,
        storyboard: Storyboard | None = None,
        seed: int | None = None,
        options: FilmOptions | None = None,
    ) -> NewJob:
        """What `create_job` records, before it does: of many films, all or none can be recorded then."""
        options = intake.with_max_shots(options, max_shots)
        prompt, seed = intake.checked_prompt(prompt, storyboard), intake.checked_seed(seed)
        asked_fallback = options.fallback is not None
        storyboard, options = self._settle(storyboard, options, keep=self.store.keep_image)
        options = self._with_fallback_that_can(storyboard, options, prompt, must=asked_fallback)
        if storyboard is not None:
            # Without a seed of its own a storyboard means the same film each time it is rendered.
            seed = 0 if seed is None else seed
            storyboard = assign_seeds(storyboard, seed)
        self._plan_ahead(storyboard, options, prompt)
        if seed is None:
            seed = secrets.randbelow(MAX_SEED + 1)
        return NewJob(prompt=prompt, options=options, seed=seed, storyboard=storyboard)

    def plan(
        self,
        storyboard: Storyboard,
        options: FilmOptions,
        *,
        prompt: str = "",
        sent: frozenset[int] = frozenset(),
    ) -> FilmPlan:
        """Every step of a film, without running any; shots in `sent` (from 0) are made by the fallback.

        Raises as `create_job` does.
        """
        settings = self._allowed(options)
        video = registry.get_model(options.model, settings, ModelKind.VIDEO)
        fallback = None
        if sent and options.fallback is not None:
            fallback = registry.get_model(options.fallback, settings, ModelKind.VIDEO).manifest
        painter = self._painter(options)
        writer = intake.storyboard_model(storyboard, options, settings)
        return plan_film(
            assign_seeds(storyboard, 0),
            options,
            prompt=prompt or storyboard.prompt,
            video=video.manifest,
            painter=painter.manifest if painter else None,
            writer=writer.manifest if writer else None,
            image_digests=intake.image_digests(storyboard, options),
            version=__version__,
            fallback=fallback,
            sent=sent & frozenset(range(len(storyboard.shots))),
        )

    def plan_unwritten(self, options: FilmOptions, *, sent: frozenset[int] = frozenset()) -> FilmPlan:
        """Every step of a film whose words are not written yet; `options` are those of a job."""
        storyboard = Storyboard(shots=(UNWRITTEN,) * options.max_shots)
        video = registry.get_model(options.model, self.settings, ModelKind.VIDEO)
        return self.plan(intake.as_long_as_asked(storyboard, options, video.manifest), options, sent=sent)

    def _plan_ahead(
        self,
        storyboard: Storyboard | None,
        options: FilmOptions,
        prompt: str,
        *,
        sent: frozenset[int] = frozenset(),
    ) -> FilmPlan:
        """The plan; None for a storyboard that is not written: of shots as long as they will be."""
        has_length = options.duration_seconds is not None or options.num_frames is not None
        if storyboard is None and has_length:
            return self.plan_unwritten(options, sent=sent)
        return self.plan(storyboard or ANY_STORYBOARD, options, prompt=prompt, sent=sent)

    def preview(
        self,
        storyboard: Storyboard | None,
        options: FilmOptions,
        *,
        prompt: str = "",
        seed: int | None = None,
    ) -> tuple[FilmOptions, FilmPlan | None]:
        """The options with models chosen, and the plan where there is a storyboard; records nothing.

        Raises as `create_job` does.
        """
        prompt, seed = intake.checked_prompt(prompt, storyboard), intake.checked_seed(seed)
        asked_fallback = options.fallback is not None
        storyboard, options = self._settle(storyboard, options, keep=lambda path: path)
        options = self._with_fallback_that_can(storyboard, options, prompt, must=asked_fallback)
        planned = assign_seeds(storyboard or ANY_STORYBOARD, seed or 0)
        plan = self.plan(planned, options, prompt=prompt)
        return options, plan if storyboard else None

    def check_spend(self, options: FilmOptions, plan: FilmPlan) -> None:
        """Raise SpendLimitError if a job of what `preview` gave would be refused for its cost."""
        store = self.store if self.settings.workspace.exists() else None
        check_new_spend(plan, options, self._allowed(options), store)

    def is_made(self, step: Step) -> bool:
        """Whether the step's artifact is in the workspace, so that it will not run."""
        return self.settings.workspace.exists() and self.store.find(step.key) is not None

    def execute_job(
        self,
        job_id: str,
        *,
        progress_callback: ProgressCallback | None = None,
        on_progress: OnProgress = ignore_progress,
    ) -> VideoJob:
        """Make the film, or what is still missing of it, and return the finished job.

        A job that is done already only has its film put back in place. Raises JobBusyError if another
        process works on it, StoppedError if it was stopped (`execute_job` again goes on from there), and
        any other LocalvidError if a step failed; the row says so too.
        """
        listener = _both(progress_callback, on_progress) if progress_callback else on_progress
        with self.store.lease(self.store.get_job(job_id).id) as lease, ModelSlot(self.settings) as models:
            with self._recorded(lease):
                output = self.run_of(lease, models=models, on_progress=listener).film()
            lease.finish(output)
        return self.store.get_job(job_id)

    @contextmanager
    def _recorded(self, lease: JobLease) -> Iterator[None]:
        """What ends the work within the block is written into the job's row, and passes."""
        try:
            yield
        except JobCancelledError:
            lease.cancel()
            raise
        except (StoppedError, KeyboardInterrupt) as error:
            lease.interrupt()
            if isinstance(error, StoppedError):
                raise
            raise JobInterruptedError("stopped", hint=f"localvid resume {lease.job.id}") from error
        except LocalvidError as error:
            lease.fail(error.message, error.hint)
            raise
        except BaseException as error:
            lease.fail(f"{type(error).__name__}: {error}", "report it with what `localvid doctor` prints")
            raise
        finally:
            self._stopped.clear()  # a stop is for this run alone

    def resume(
        self,
        job_id: str,
        *,
        confirm: bool = False,
        progress_callback: ProgressCallback | None = None,
        on_progress: OnProgress = ignore_progress,
    ) -> VideoJob:
        """Go on with a job that was interrupted, cancelled or failed: what is finished is not made again.

        With `confirm`, clips that may be paid for already and are out of reach are paid for again.
        """
        if confirm:
            self.confirm_calls(job_id)
        return self.execute_job(job_id, progress_callback=progress_callback, on_progress=on_progress)

    def confirm_calls(self, job_id: str) -> int:
        """Let clips that may be paid for already, and are out of reach, be paid for again; how many."""
        return self.store.confirm_calls(job_id)

    def allow(
        self, job_id: str, *, remote: bool | None = None, max_cost_usd: float | None = None
    ) -> VideoJob:
        """Give a job leave to use hosts, take it away, or set what it may spend there; None: as it is."""
        job = self.store.get_job(job_id)
        changes: dict[str, object] = {} if remote is None else {"allow_remote": remote}
        if max_cost_usd is not None:
            changes["max_cost_usd"] = max_cost_usd
        if not changes:
            return job
        try:
            options = FilmOptions.model_validate({**job.options.model_dump(), **changes})
        except ValidationError as error:
            raise InvalidRequestError(explain(error), hint="give an amount of US dollars") from error
        return self.store.update_job(job.id, options=options, read_as=job)

    def redo(
        self,
        job_id: str,
        *,
        shot: int | None = None,
        seed: int | None = None,
        description: str | None = None,
        transition: Transition | None = None,
    ) -> VideoJob:
        """Change one shot (from 1) of a job, or the transitions between all shots; `execute_job` makes it.

        A shot gets the seed and the words that are given; with neither, a new seed is drawn.
        """
        job = self.store.get_job(job_id)
        if job.storyboard is None:
            raise InvalidRequestError(
                f"job {job.id} has no storyboard yet", hint=f"run it first: localvid resume {job.id}"
            )
        storyboard, options = job.storyboard, job.options
        if shot is not None:
            storyboard = _changed_shot(storyboard, shot, seed=seed, description=description)
        elif seed is not None or description is not None or transition is None:
            raise InvalidRequestError("say which shot to redo", hint="--shot N, counted from 1")
        if transition is not None:
            options = options.model_copy(update={"transition": transition})
        # No clip depends on a transition, and those that the job had may be what could not be planned.
        before = self.plan(job.storyboard, options, prompt=job.prompt).shots
        after = self.plan(storyboard, options, prompt=job.prompt).shots
        renewed = {
            new.index + 1 for old, new in zip(before, after, strict=True) if old.clip.key != new.clip.key
        }
        if shot is not None and shot not in renewed:
            self._notice(
                f"shot {shot} stays as it is: what was changed is nothing that "
                f"{before[shot - 1].clip_request.model_id} reads"
            )
        kept = tuple(notice for notice in job.notices if shot_of_notice(notice) not in renewed)
        return self.store.update_job(
            job.id, storyboard=storyboard, options=options, notices=kept, read_as=job
        )

    def stop(self) -> None:
        """Stop whatever `execute_job` is doing at the next safe point; callable from a signal handler."""
        self._stopped.set()

    def run_of(
        self,
        lease: JobLease,
        *,
        models: ModelSlot,
        on_progress: OnProgress = ignore_progress,
        on_notice: Callable[[str], None] | None = None,
        stopped: threading.Event | None = None,
    ) -> FilmRun:
        """The stages of a job that this process holds, not begun; `stopped` stands in for `stop`, and
        `on_notice` for the orchestrator's own."""
        job = lease.job
        return FilmRun(
            self._allowed(job.options),
            self.store,
            lease,
            models=models,
            make_plan=lambda storyboard, sent: self._plan_ahead(
                storyboard, job.options, job.prompt, sent=sent
            ),
            on_progress=on_progress,
            on_notice=on_notice or self._notice,
            stopped=stopped or self._stopped,
        )

    # --- models ----------------------------------------------------------------------------------

    def write_storyboard(
        self,
        prompt: str,
        *,
        options: FilmOptions,
        seed: int | None = None,
        on_progress: OnProgress = ignore_progress,
    ) -> Storyboard:
        """A storyboard with every seed filled in, without a job; where a length is asked for, of so many
        shots and with such durations as the chosen video model needs for it."""
        prompt, seed = intake.checked_prompt(prompt, None), intake.checked_seed(seed)
        seed = secrets.randbelow(MAX_SEED + 1) if seed is None else seed
        info = intake.chosen(registry.choose_writer(self.settings, options.llm), self._notice)
        video = None
        if options.duration_seconds is not None:
            video = registry.choose_video_model(self.settings, options.model).info.manifest
        num_shots = intake.num_shots(options, video) if video else options.max_shots
        with registry.open_writer(info, self.settings) as writer:
            storyboard = writer.write(prompt, num_shots=num_shots, seed=seed, on_progress=on_progress)
        storyboard = intake.as_long_as_asked(storyboard, options, video) if video else storyboard
        return assign_seeds(storyboard.model_copy(update={"prompt": prompt}), seed)

    def revise_storyboard(
        self,
        storyboard: Storyboard,
        instruction: str,
        *,
        options: FilmOptions,
        seed: int | None = None,
        on_progress: OnProgress = ignore_progress,
    ) -> Revision:
        """The storyboard as an instruction changes it; shots that it does not touch stay as they are.

        Without a seed it is 0, so that the same words give the same change again. New shots get seeds where
        all others have one. A length of the film that the instruction asks for is met as `--duration` is.

        Raises InvalidRequestError for an instruction of which nothing can be done, NotAvailableError for a
        writer that cannot run here, StoryboardFailedError where a model gave nothing usable.
        """
        seed = intake.checked_seed(seed) or 0
        info = intake.chosen(registry.choose_writer(self.settings, options.llm), self._notice)
        with registry.open_writer(info, self.settings) as writer:
            revision = writer.revise(storyboard, instruction, seed=seed, on_progress=on_progress)
        board = revision.storyboard
        if revision.film_seconds is not None:
            video = registry.choose_video_model(self.settings, options.model).info.manifest
            board = intake.as_long_as_asked(board, intake.with_length(options, revision.film_seconds), video)
        if all(shot.seed is not None for shot in storyboard.shots):
            board = assign_seeds(board, seed)
        return revision.model_copy(update={"storyboard": board})

    def _settle(
        self, storyboard: Storyboard | None, options: FilmOptions, *, keep: Callable[[Path], Path]
    ) -> tuple[Storyboard | None, FilmOptions]:
        storyboard, options = intake.settle_images(
            intake.checked_storyboard(storyboard), options, kept=self.settings.workspace / IMAGES, keep=keep
        )
        settings = self._allowed(options)
        options = intake.settle_options(options, storyboard, settings, notice=self._notice)
        if storyboard is not None:
            video = registry.get_model(options.model, self.settings, ModelKind.VIDEO)
            storyboard = intake.as_long_as_asked(storyboard, options, video.manifest)
        return storyboard, options

    def _allowed(self, options: FilmOptions) -> Settings:
        """The settings, with the leave to use hosts that a job has, and what it may spend there."""
        changes: dict[str, object] = {"allow_remote": True} if options.allow_remote else {}
        if options.max_cost_usd is not None:
            changes["max_cost_usd"] = options.max_cost_usd
        return self.settings.model_copy(update=changes)

    def _with_fallback_that_can(
        self, storyboard: Storyboard | None, options: FilmOptions, prompt: str, *, must: bool
    ) -> FilmOptions:
        """The options without a fallback that could not make these shots; one that `must` is refused."""
        if options.fallback is None:
            return options
        try:
            self._plan_ahead(storyboard, options, prompt, sent=_ALL)
        except CapabilityError as error:
            if must:
                raise
            self._notice(f"{options.fallback} does not stand in for shots of this film: {error.message}")
            registry.require(registry.get_model(options.model, self.settings, ModelKind.VIDEO))
            return options.model_copy(update={"fallback": None})
        return options

    def _painter(self, options: FilmOptions) -> ModelInfo | None:
        if options.keyframe_model in ("auto", intake.NONE):
            return None
        return registry.get_model(options.keyframe_model, self.settings, ModelKind.KEYFRAME)


# --- checks and choices ------------------------------------------------------------------------------


def _changed_shot(
    storyboard: Storyboard, number: int, *, seed: int | None, description: str | None
) -> Storyboard:
    if not 1 <= number <= len(storyboard.shots):
        raise InvalidRequestError(
            f"there is no shot {number}", hint=f"this film has {len(storyboard.shots)} shots, counted from 1"
        )
    changes: dict[str, object] = {}
    if description is not None:
        changes["description"] = description
    if seed is not None or description is None:
        changes["seed"] = secrets.randbelow(MAX_SEED + 1) if seed is None else seed
    try:
        return storyboard.with_shot(number - 1, **changes)
    except ValidationError as error:
        raise InvalidRequestError(
            f"shot {number}: {explain(error)}", hint="see docs/storyboard.md"
        ) from error


def _both(callback: ProgressCallback, on_progress: OnProgress) -> OnProgress:
    def listen(progress: Progress) -> None:
        on_progress(progress)
        callback(progress.message or str(progress.stage), 100 * progress.overall, progress.shot)

    return listen
