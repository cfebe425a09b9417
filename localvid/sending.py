"""Shots that a host makes: several in flight at once, each paid for once, within the limits.

Each chain of shots that go on from one another has a thread, in which one clip after the other is made and
published; reports are passed on by the thread that called.
"""

from __future__ import annotations

import queue
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

from localvid import registry
from localvid.clips import is_due, make_clip
from localvid.config import Settings
from localvid.errors import LocalvidError
from localvid.film_steps import artifact
from localvid.planning import FilmPlan, ShotPlan, Step, StepKind
from localvid.reporting import FilmProgress
from localvid.schemas import FilmOptions, ModelInfo, ModelKind, OnProgress, Progress, Stage, usd
from localvid.store import JobLease, Limits, MadeMeanwhileError, Store

_LISTEN_SECONDS = 0.1


def chains(shots: Sequence[ShotPlan]) -> list[list[int]]:
    """The shots' indexes, those together of which one goes on from the other."""
    found: list[list[int]] = []
    for shot in shots:
        if shot.keyframe is not None and shot.keyframe.kind is StepKind.LAST_FRAME:
            found[-1].append(shot.index)
        else:
            found.append([shot.index])
    return found


def check_new_spend(plan: FilmPlan, options: FilmOptions, settings: Settings, store: Store | None) -> None:
    """Raise SpendLimitError if a new job with this plan would be refused for its cost.

    `store` is None where there is no workspace yet: nothing is made, and nothing was spent.
    """
    info = registry.get_model(options.model, settings, ModelKind.VIDEO)
    if not info.manifest.is_remote:
        return
    new = [
        shot
        for shot in plan.shots
        if store is None or (is_due(store, plan.shots, shot.index) and not store.has_open_call(shot.clip.key))
    ]
    if new:
        amount, what = _bill(info, len(new))
        spent = store.month_usd() if store is not None else 0.0
        _limits(options, settings).check(
            amount, what=what, job_usd=0.0, month_usd=spent, allow_job="--max-cost USD"
        )


class Sending:
    """What one run of one job sends to a host."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        lease: JobLease,
        bar: FilmProgress,
    ) -> None:
        self._settings = settings
        self._store = store
        self._lease = lease
        self._bar = bar
        self._limits = _limits(lease.job.options, settings)

    def check_spend(self, plan: FilmPlan, indexes: Sequence[int], *, unwritten: int = 0) -> None:
        """Raise SpendLimitError if those of these shots that are missing would cost too much, with so many
        more that are not written yet.

        A film that cannot be finished is not begun. Raises NotAvailableError where nothing may be sent.
        """
        due = self._due(plan, indexes)
        new = [index for index in due if not self._store.has_open_call(plan.shots[index].clip.key)]
        if not due:
            return
        info = self._model(plan, due[0])
        registry.require(info)
        if count := len(new) + unwritten:
            amount, what = _bill(info, count)
            self._lease.check_spend(amount, self._limits, what=what)

    def send(self, plan: FilmPlan, groups: Sequence[Sequence[int]]) -> None:
        """Have the shots of each group made, one after the other, and the groups beside each other.

        Where a shot fails, what is in flight is brought to its end, nothing new is sent, and its error is
        raised. A stop is passed on to all.
        """
        for group in groups:
            for index in group:
                if not is_due(self._store, plan.shots, index):
                    self._reuse(plan, index)
        waiting = [due for group in groups if (due := self._due(plan, group))]
        if not waiting:
            return
        indexes = [index for group in waiting for index in group]
        self.check_spend(plan, indexes)
        self._say_what_is_sent(plan, indexes)
        try:
            _Flight(self._make, self._bar, plan).run(waiting, self._settings.remote_in_flight)
        finally:
            self._say_what_it_cost(plan, indexes)

    def _due(self, plan: FilmPlan, indexes: Sequence[int]) -> list[int]:
        return [index for index in indexes if is_due(self._store, plan.shots, index)]

    def _model(self, plan: FilmPlan, index: int) -> ModelInfo:
        return registry.get_model(plan.shots[index].clip_request.model_id, self._settings, ModelKind.VIDEO)

    def _make(self, plan: FilmPlan, index: int, on_progress: OnProgress) -> None:
        """The clip of a shot; where another job has published the same one since, that one."""
        try:
            self._have_made(plan, index, on_progress)
        except MadeMeanwhileError:
            self._lease.reuse(plan.shots[index].clip.key)

    def _have_made(self, plan: FilmPlan, index: int, on_progress: OnProgress) -> None:
        shot, request = plan.shots[index], plan.shots[index].clip_request
        if shot.keyframe is not None:
            first_frame = artifact(self._store, shot.keyframe, self._lease.job.id)
            request = request.model_copy(update={"first_frame": first_frame})
        calls = self._lease.paid_calls(shot.clip.key, self._limits)
        if not is_due(self._store, plan.shots, index):  # it was when it came into the queue
            raise MadeMeanwhileError("another job has made this clip meanwhile")
        with registry.open_remote_model(self._model(plan, index), self._settings, calls) as model:
            make_clip(
                model,
                plan.shots,
                index,
                request,
                store=self._store,
                lease=self._lease,
                on_progress=on_progress,
            )

    def _reuse(self, plan: FilmPlan, index: int) -> None:
        clip = plan.shots[index].clip
        self._bar.enter(Stage.CLIPS, clip, shot=plan.shots[index], num_shots=len(plan.shots))
        self._lease.reuse(clip.key)
        self._bar.done(cached=True)

    def _say_what_is_sent(self, plan: FilmPlan, indexes: Sequence[int]) -> None:
        """What goes to the host, whose image it is and what it costs; not again what was sent before."""
        manifest = self._model(plan, indexes[0]).manifest
        new = [index for index in indexes if not self._store.has_open_call(plan.shots[index].clip.key)]
        if not new or manifest.price is None:
            return
        own = [index + 1 for index in new if _is_users_image(plan.shots[index])]
        whose = ""
        if own:
            of = _numbers(own) if len(new) > 1 else "this shot"
            whose = f"; that of {of} is an image of yours, cropped to the frame and without its metadata"
        clips = "the clip costs" if len(new) == 1 else f"{len(new)} clips cost"
        self._bar.keep_notice(
            f"the first frame of {_numbers([index + 1 for index in new])} is uploaded to {manifest.host}, "
            f"where {clips} about {usd(len(new) * manifest.price.usd_per_clip)}{whose}"
        )

    def _say_what_it_cost(self, plan: FilmPlan, indexes: Sequence[int]) -> None:
        made = {plan.shots[index].clip.key: index + 1 for index in indexes if not self._due(plan, [index])}
        calls = self._store.calls_of(self._lease.job.id)
        spent = sum(call.spent_usd for call in calls if call.step_key in made)
        if made:
            model_id = plan.shots[indexes[0]].clip_request.model_id
            self._bar.keep_notice(f"{model_id} made {_numbers([*made.values()])}, for about {usd(spent)}")


class _Flight:
    """Groups of shots on their way, and their reports."""

    def __init__(
        self, make: Callable[[FilmPlan, int, OnProgress], None], bar: FilmProgress, plan: FilmPlan
    ) -> None:
        self._make = make
        self._bar = bar
        self._plan = plan
        self._reports: queue.SimpleQueue[tuple[int, Progress | None]] = queue.SimpleQueue()
        self._stop: LocalvidError | None = None
        self._ends = False
        """Nothing more is begun."""
        self._shown: dict[int, str] = {}
        self._current: int | None = None

    def run(self, groups: Sequence[Sequence[int]], in_flight: int) -> None:
        with ThreadPoolExecutor(max_workers=in_flight, thread_name_prefix="sending") as pool:
            futures = [pool.submit(self._make_group, group) for group in groups]
            try:
                self._listen(futures)
            except BaseException as stop:
                self._stop = stop if isinstance(stop, LocalvidError) else LocalvidError("stopped")
                self._ends = True
                raise
        for future in futures:
            future.result()

    def _make_group(self, group: Sequence[int]) -> None:
        for index in group:
            if self._ends:
                return
            try:
                self._make(self._plan, index, partial(self._report, index))
            except BaseException:
                self._ends = True
                raise
            self._reports.put((index, None))

    def _report(self, index: int, progress: Progress) -> None:
        """From a clip's own thread."""
        if self._stop is not None:
            raise type(self._stop)(self._stop.message, hint=self._stop.hint)
        self._reports.put((index, progress))

    def _listen(self, futures: Sequence[Future[None]]) -> None:
        """Pass reports on until all are done; raises what the bar raises, which is how a stop comes in."""
        while not all(future.done() for future in futures):
            self._bar.check_stop()
            self._pass_on(_LISTEN_SECONDS)
        while self._pass_on(0):
            pass

    def _pass_on(self, seconds: float) -> bool:
        try:
            index, progress = self._reports.get(timeout=seconds) if seconds else self._reports.get_nowait()
        except queue.Empty:
            return False
        if progress is None:
            self._done(index)
        elif progress.notice or self._current in (None, index) or self._shown.get(index) != progress.message:
            self._shown[index] = progress.message
            self._switch(index)
            self._bar.report(progress)
        else:
            self._bar.again()  # what is shown may have come to its end, and others go on
        return True

    def _done(self, index: int) -> None:
        """The clip, and the picture that the one before handed over to it."""
        keyframe = self._plan.shots[index].keyframe
        if keyframe is not None and keyframe.kind is StepKind.LAST_FRAME:
            self._switch(index, keyframe)
            self._bar.done()
        self._switch(index)
        self._bar.done()
        self._current = None  # the next report shows which others go on

    def _switch(self, index: int, step: Step | None = None) -> None:
        """One shot is shown until another has something new to say."""
        shot = self._plan.shots[index]
        self._current = index
        self._bar.switch(Stage.CLIPS, step or shot.clip, shot=shot, num_shots=len(self._plan.shots))


def _limits(options: FilmOptions, settings: Settings) -> Limits:
    limit = options.max_cost_usd
    return Limits(
        job_usd=settings.max_cost_usd if limit is None else limit, month_usd=settings.max_cost_usd_per_month
    )


def _bill(info: ModelInfo, count: int) -> tuple[float, str]:
    """(US dollars, what they are for) of so many clips."""
    price, clips = info.manifest.price, "clip" if count == 1 else "clips"
    return count * price.usd_per_clip if price else 0.0, f"{count} {clips} of {info.manifest.id}"


def _is_users_image(shot: ShotPlan) -> bool:
    return shot.keyframe_request is not None and shot.keyframe_request.reference_image is not None


def _numbers(numbers: Sequence[int]) -> str:
    """One shot, a row of them, or each by its number."""
    first, last = numbers[0], numbers[-1]
    if len(numbers) == 1:
        return f"shot {first}"
    if len(numbers) > 2 and last - first == len(numbers) - 1:
        return f"shots {first} to {last}"
    return f"shots {', '.join(map(str, numbers[:-1]))} and {last}"
