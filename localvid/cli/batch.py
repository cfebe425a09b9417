"""The command `batch`: many films from one file, overnight."""

from __future__ import annotations

import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import fields
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from localvid.cli import output, signals
from localvid.cli.making import orchestrating
from localvid.cli.options import FilmFlags, file_argument, file_option, option, spread
from localvid.errors import (
    InvalidRequestError,
    JobInterruptedError,
    JobNotFoundError,
    LocalvidError,
    WorkspaceBusyError,
)

if TYPE_CHECKING:
    from localvid.batch import BatchPlan, BatchTerms
    from localvid.batch_file import BatchFile
    from localvid.cli.progress import FilmProgress
    from localvid.config import Settings
    from localvid.orchestrator import VideoOrchestrator
    from localvid.schemas import BatchEntry
    from localvid.store import BatchRows

_WATCH_SECONDS = 0.5
_SILENT_SECONDS = 1.0
_OF_ANY_RUN = {"as_json", "quiet", "device", "workspace", "allow_remote", "max_cost_usd"}
"""Flags that say something of a batch that goes on, too."""
_MOST_SHOWN = 20
"""Failures in the table at the end; the report has all."""


@spread
def batch(
    file: Annotated[
        Path,
        file_argument(
            "FILE",
            "One film a row: .jsonl, .json, .yaml or .csv; - reads JSON lines from the standard input.",
        ),
    ],
    *,
    output_dir: Annotated[
        Path | None,
        file_option("--output-dir", metavar="FOLDER", help="Where the films and the report go."),
    ] = None,
    name: Annotated[
        str | None,
        option("--name", metavar="PATTERN", help="Names of films in it, such as {number:04d}-{slug}.mp4."),
    ] = None,
    resume: Annotated[
        bool,
        option("--resume", help="Go on with the latest batch of this file, or with the batch of this id."),
    ] = False,
    only_failed: Annotated[
        bool, option("--only-failed", help="Of that batch, try again what was set aside.")
    ] = False,
    fail_fast: Annotated[bool, option("--fail-fast", help="End with the first film that fails.")] = False,
    until: Annotated[
        str | None,
        option("--until", metavar="TIME", help="Such as 07:00: finish what fits until then, and stop."),
    ] = None,
    jobs_in_flight: Annotated[
        int | None,
        typer.Option(
            "--jobs-in-flight",
            metavar="N",
            min=1,
            show_default=False,
            help="Work on so many films at a time.",
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            metavar="N",
            min=1,
            max=64,
            show_default=False,
            help="Processes that share the batch; if not given, one for each GPU.",
        ),
    ] = None,
    flags: FilmFlags,
) -> None:
    """Make many films, each from a row of a file.

    Every mistake of the file is told before anything starts. Each model is loaded once, a film that fails
    is tried again and then set aside, and what was stopped or killed goes on with --resume.
    """
    if flags.output is not None:
        raise InvalidRequestError("--output names one film", hint="--output-dir names a folder for all")
    terms = _terms(until=until, in_flight=jobs_in_flight, fail_fast=fail_fast)
    settings = flags.settings()
    with orchestrating(settings, quiet=flags.quiet) as (orchestrator, display):
        if resume or only_failed:
            _refuse_what_is_settled(flags, display, name=name)
            found = _begun(orchestrator, file)
            if only_failed and not found.take_up():
                raise InvalidRequestError(
                    f"nothing of batch {found.id} was set aside", hint="--resume goes on with it"
                )
        else:
            read = _read(file, flags, settings, output_dir=output_dir, name=name)
            plan = _plan(orchestrator, read, file, display)
            if flags.dry_run:
                _print_plan(plan, as_json=flags.as_json)
                return
            from localvid.batch import begin_batch

            with display:
                told = _telling(display, "recording", len(read.jobs))
                found = begin_batch(orchestrator, read.jobs, source=_source(file), on_row=told)
        try:
            _run(orchestrator, display, found, terms, settings=settings, workers=workers)
        except LocalvidError:
            with suppress(LocalvidError):  # what ended the batch is what is told
                _report(orchestrator, found, output_dir)
            raise
        _finish(found, _report(orchestrator, found, output_dir), flags)


def _terms(*, until: str | None, in_flight: int | None, fail_fast: bool) -> BatchTerms:
    from localvid.batch import BatchTerms

    return BatchTerms(
        in_flight=in_flight, fail_fast=fail_fast, until=None if until is None else _moment(until)
    )


def _moment(text: str, now: datetime | None = None) -> datetime:
    """`07:00`, the next time that a clock here shows it, or a date with a time."""
    now = now or datetime.now().astimezone()
    clock = re.fullmatch(r"(\d{1,2}):(\d{2})", text.strip())
    try:
        if clock is None:
            moment = datetime.fromisoformat(text.strip()).astimezone()
        else:
            # Without its zone: the clocks may be put forward or back before then.
            here = now.replace(tzinfo=None)
            wall = here.replace(hour=int(clock[1]), minute=int(clock[2]), second=0, microsecond=0)
            moment = (wall if wall > here else wall + timedelta(days=1)).astimezone()
    except (ValueError, OverflowError) as error:
        raise InvalidRequestError(
            f"{text!r} is no time", hint="write it as 07:00, or as 2026-12-24T07:00"
        ) from error
    if moment <= now:
        raise InvalidRequestError(f"{text} is past", hint="--until takes a time to come")
    return moment


def _source(file: Path) -> str:
    """As a batch is found again by; the standard input is no file."""
    return str(file.absolute()) if file.exists() else str(file)


def _begun(orchestrator: VideoOrchestrator, file: Path) -> BatchRows:
    """The batch of that file, which may be gone by now, or of that id."""
    try:
        return orchestrator.store.get_batch(str(file.absolute()))
    except JobNotFoundError:
        if file.is_file():  # its name alone may be another's
            raise
        return orchestrator.store.get_batch(str(file))


def _refuse_what_is_settled(flags: FilmFlags, display: FilmProgress, *, name: str | None) -> None:
    """A batch that was begun has its films planned; what these flags ask for is not dropped in silence."""
    if flags.dry_run:
        raise InvalidRequestError(
            "--dry-run plans a batch that is not begun", hint="`localvid top` shows one that is"
        )
    given = {field.name for field in fields(flags) if getattr(flags, field.name) not in (None, False)}
    if name is not None or given - _OF_ANY_RUN:
        display.notice(
            "films are made as their batch was begun: what this command line asks of them is left out"
        )


def _read(
    file: Path, flags: FilmFlags, settings: Settings, *, output_dir: Path | None, name: str | None
) -> BatchFile:
    """The rows. Raises InvalidRequestError after every mistake was printed."""
    from localvid.batch_file import DEFAULT_PATTERN, read_batch

    is_stdin = str(file) == "-"
    read = read_batch(
        None if is_stdin else file,
        defaults=flags.options(settings),
        stdin=sys.stdin.buffer if is_stdin else None,
        output_dir=output_dir,
        name_pattern=name or DEFAULT_PATTERN,
    )
    if flags.seed is not None:
        jobs = tuple(
            row if row.seed is not None else row.model_copy(update={"seed": flags.seed}) for row in read.jobs
        )
        read = read.model_copy(update={"jobs": jobs})
    return read


def _plan(orchestrator: VideoOrchestrator, read: BatchFile, file: Path, display: FilmProgress) -> BatchPlan:
    from localvid.batch import plan_batch

    with display:
        told = _telling(display, "planning", len(read.jobs))
        plan = plan_batch(orchestrator, read.jobs, source=str(file), on_row=told)
    mistakes = sorted((*read.mistakes, *plan.mistakes), key=lambda mistake: mistake.line)
    if not mistakes:
        return plan
    for mistake in mistakes:
        print(output.one_line(mistake), file=sys.stderr)
    raise InvalidRequestError(
        f"{output.count(len(mistakes), 'mistake')} in {file}: nothing was started",
        hint="docs/batch.md describes what a row may say",
    )


def _telling(display: FilmProgress, what: str, num_rows: int) -> Callable[[int], None]:
    """Shows the row that is at hand, once it takes longer than a moment."""
    from localvid.schemas import Progress

    begun = time.monotonic()

    def tell(number: int) -> None:
        if time.monotonic() - begun > _SILENT_SECONDS:
            display.report(Progress(step=number, num_steps=num_rows, message=f"{what} row"))

    return tell


def _print_plan(plan: BatchPlan, *, as_json: bool) -> None:
    if as_json:
        output.print_json(plan.model_dump(mode="json"))
        return
    from localvid.schemas import usd

    facts = {
        "films": str(plan.num_jobs),
        "shots": str(plan.num_shots),
        "loads": ", ".join(f"{load.model_id} ({load.stage})" for load in plan.loads) or "no model",
        "time": "not known: nothing like it was made here yet"
        if plan.seconds is None
        else output.clock(plan.seconds),
        "GPU memory": "none is used" if plan.gpu_bytes is None else output.byte_size(plan.gpu_bytes),
        "disk": f"at most {output.byte_size(plan.disk_bytes)}",
        "cost": usd(plan.cost_usd) if plan.cost_usd else "nothing",
    }
    output.print_facts(output.console(), facts)


# --- the run -----------------------------------------------------------------------------------------


def _run(
    orchestrator: VideoOrchestrator,
    display: FilmProgress,
    found: BatchRows,
    terms: BatchTerms,
    *,
    settings: Settings,
    workers: int | None,
) -> None:
    from localvid.batch import Crew

    devices = _devices(settings, workers)
    crew = Crew(settings, found, terms, devices=devices, on_notice=display.notice)

    def stop() -> None:
        crew.stop()
        display.stopping()

    try:
        with signals.stopping(stop), display, _watching(orchestrator, found, display, len(devices)):
            crew.run()
    except KeyboardInterrupt as error:
        raise _stopped(found, _num_left(found)) from error
    if crew.was_stopped and (left := _num_left(found)) != 0:
        raise _stopped(found, left)


def _num_left(found: BatchRows) -> int | None:
    """None: the database is locked, which is not to hide that the work was stopped."""
    try:
        return found.summary().waiting
    except WorkspaceBusyError:
        return None


def _stopped(found: BatchRows, left: int | None) -> LocalvidError:
    return JobInterruptedError(
        "stopped" if left is None else f"stopped; {output.count(left, 'film')} left",
        hint=f"localvid batch {found.id} --resume",
    )


def _devices(settings: Settings, workers: int | None) -> list[str]:
    """What each worker runs on: the GPUs in turn, by their numbers, or "cpu"."""
    from localvid.gpu import detect_cuda

    gpus = len(detect_cuda().gpus) if settings.device != "cpu" else 0
    count = workers or max(1, gpus)
    return [str(index % gpus) if gpus else "cpu" for index in range(count)]


@contextmanager
def _watching(
    orchestrator: VideoOrchestrator, found: BatchRows, display: FilmProgress, num_workers: int
) -> Iterator[None]:
    """Show what becomes of the batch, by its rows, until the block is left."""
    ended = threading.Event()
    watch = _Watch(orchestrator, found, display, num_workers)

    def look() -> None:
        while not ended.wait(_WATCH_SECONDS):
            watch.look()
        watch.look()

    thread = threading.Thread(target=look, name="watch", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


class _Watch:
    """Reads the batch's rows, and says what changed."""

    def __init__(
        self, orchestrator: VideoOrchestrator, found: BatchRows, display: FilmProgress, num_workers: int
    ) -> None:
        from localvid.batch.pace import Pace

        self._store = orchestrator.store
        self._batch = found
        self._display = display
        self._num_workers = num_workers
        self._pace = Pace(found)
        self._told: dict[int, str] = {}
        self._trouble = ""
        self._seen = found.summary()
        self._total = self._seen.num_jobs
        for entry in found.changed_since(self._seen.updated_at):
            self._told[entry.number] = entry.state

    def look(self) -> None:
        from localvid.schemas import Progress

        try:
            summary = self._batch.summary()
            if summary != self._seen:  # at first all rows are of one moment, which is long to read
                for entry in self._batch.changed_since(self._seen.updated_at):
                    if self._told.get(entry.number) != entry.state:
                        self._told[entry.number] = entry.state
                        self._tell(entry)
            self._seen = summary
            at_work = [one for one in self._store.activities() if one.batch_id == self._batch.id]
            left = self._pace.seconds_left(num_workers=self._num_workers)
            share = self._pace.share_done()
        except LocalvidError as error:
            if error.message != self._trouble:  # once, however long it lasts
                self._trouble = error.message
                self._display.notice(error.message)
            return
        self._trouble = ""
        ended = self._total - summary.waiting
        words = [f"{ended}/{self._total} films"]
        words += [f"film {one.number}: {one.message}" for one in at_work]
        if left is not None:
            words.append(f"about {output.clock(left)} left")
        report = Progress(step=0, num_steps=0, message=", ".join(words), overall=share)
        self._display.report(report)

    def _tell(self, entry: BatchEntry) -> None:
        if entry.state == "done":
            path = self._store.get_job(entry.job_id).output_video_path
            where = output.short_path(path) if path else entry.job_id
            self._display.notice(f"film {entry.number} of {self._total} is done: {where}")
        elif entry.state == "failed":
            self._display.notice(f"film {entry.number} of {self._total} failed: {entry.error}")


# --- its end -----------------------------------------------------------------------------------------


def _report(orchestrator: VideoOrchestrator, found: BatchRows, folder: Path | None) -> Path:
    from localvid.batch_report import write_report

    store = orchestrator.store
    page, _ = write_report(store, found, folder or store.workspace / "reports" / found.id)
    return page


def _finish(found: BatchRows, page: Path, flags: FilmFlags) -> None:
    """The table of what failed, and the exit code."""
    summary = found.summary()
    if flags.as_json:
        output.print_json({**summary.model_dump(mode="json"), "report": str(page)})
    else:
        console = output.console()
        words = [f"{summary.done} of {output.count(summary.num_jobs, 'film')} done"]
        words += [f"{summary.failed} failed"] if summary.failed else []
        words += [f"{summary.cancelled} cancelled"] if summary.cancelled else []
        words += [f"{summary.waiting} left for another time"] if summary.waiting else []
        console.print(", ".join(words), style="bold")
        _print_failures(found, flags.workspace)
        if summary.waiting:
            again = output.with_workspace(f"localvid batch {found.id} --resume", flags.workspace)
            console.print(f"  go on with: {again}", soft_wrap=True)
        console.print(f"  report: {output.short_path(page)}", soft_wrap=True)
    if summary.failed:
        raise typer.Exit(1)


def _print_failures(found: BatchRows, workspace: Path | None) -> None:
    from localvid.schemas import EntryState

    failed = found.entries(state=EntryState.FAILED, limit=_MOST_SHOWN + 1)
    if not failed:
        return
    console = output.console()
    table = output.table(
        console, "film", "line", "job", "attempts", "what went wrong", flexible=("what went wrong",)
    )
    for entry in failed[:_MOST_SHOWN]:
        table.add_row(
            str(entry.number),
            str(entry.line),
            entry.job_id,
            str(entry.attempts),
            output.one_line(entry.error),
        )
    console.print(table)
    again = output.with_workspace(f"localvid batch {found.id} --only-failed", workspace)
    console.print(f"  try them again: {again}", soft_wrap=True)
