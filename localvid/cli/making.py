"""Making a film under the user's eyes: progress, a stop that can be resumed, and what to say at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from localvid.cli import output, signals
from localvid.cli.progress import FilmProgress, film_progress, noting_log
from localvid.errors import InvalidRequestError, JobInterruptedError, LocalvidError, StoppedError

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from localvid.config import Settings
    from localvid.orchestrator import VideoOrchestrator
    from localvid.schemas import Progress, Storyboard, Transition, VideoInfo, VideoJob


@contextmanager
def orchestrating(settings: Settings, *, quiet: bool) -> Iterator[tuple[VideoOrchestrator, FilmProgress]]:
    """An orchestrator and the display that shows its notices, what it logs as warnings, and its progress."""
    from localvid.orchestrator import VideoOrchestrator

    display = film_progress(quiet=quiet)
    with (
        noting_log(display.notice),
        VideoOrchestrator(settings, on_notice=_once(display.notice)) as orchestrator,
    ):
        yield orchestrator, display


def make_film(
    orchestrator: VideoOrchestrator,
    display: FilmProgress,
    job: VideoJob,
    *,
    as_json: bool,
    quiet: bool,
    workspace: Path | None,
) -> None:
    """Run the job and print its film. The first Ctrl-C stops it where it can be resumed.

    `workspace` is the one that this command line named: what it prints to be typed next names it too.
    """

    def stop() -> None:
        orchestrator.stop()
        display.stopping()

    try:
        with signals.stopping(stop), display:
            job = orchestrator.execute_job(job.id, on_progress=display.report)
    except LocalvidError as error:
        raise _with_resume(error, job) from error
    except KeyboardInterrupt as error:
        raise JobInterruptedError("stopped", hint=f"localvid resume {job.id}") from error
    _print_film(job, as_json=as_json, quiet=quiet, workspace=workspace)


def _print_film(job: VideoJob, *, as_json: bool, quiet: bool, workspace: Path | None) -> None:
    """The finished film on the standard output: its path first, then what it is and how to change it."""
    if job.output_video_path is None:
        raise LocalvidError(f"job {job.id} has no film", hint=f"localvid resume {job.id}")
    if quiet and not as_json:
        print(job.output_video_path)
        return
    from localvid import media

    video = media.probe(job.output_video_path)
    if as_json:
        output.print_json(film_document(job, video))
        return
    console = output.console()
    console.print(output.one_line(output.short_path(job.output_video_path)), style="bold")
    console.print(f"  {describe(video)}")
    for number, shot in enumerate(job.storyboard.shots if job.storyboard else (), start=1):
        line = f"  shot {number}  seed {shot.seed}  {output.one_line(shot.description)}"
        console.print(line, overflow="ellipsis", no_wrap=True)
    if cost := cost_words(job):
        console.print(f"  cost {cost}")
    redo = output.with_workspace(f"localvid redo {job.id} --shot 1", workspace)
    console.print(f"  job {job.id}")
    console.print(f"  another take of a shot: {redo}", soft_wrap=True)


def of_storyboard(progress: Progress) -> Progress:
    """A writer's own report, as one of a film of which nothing else is made."""
    from localvid.schemas import Stage

    return progress.model_copy(update={"stage": Stage.STORYBOARD, "overall": progress.fraction})


def cost_words(job: VideoJob) -> str:
    """What hosts were paid for the job, as far as is known; empty where nothing was sent."""
    if not job.cost_usd:
        return ""
    from localvid.schemas import usd

    most = "" if job.options.max_cost_usd is None else f", of at most {usd(job.options.max_cost_usd)}"
    return f"about {usd(job.cost_usd)}{most}"


def film_document(job: VideoJob, video: VideoInfo | None) -> dict[str, Any]:
    """A job as JSON, with what its film says of itself."""
    return {**job.model_dump(mode="json"), "video": video.model_dump(mode="json") if video else None}


def describe(video: VideoInfo) -> str:
    """`11.0 s, 1024x576, 24 fps, 264 frames, h264, 3.1 MB`."""
    return ", ".join(
        (
            f"{video.duration_seconds:.1f} s",
            f"{video.width}x{video.height}",
            f"{video.fps:g} fps",
            output.count(video.num_frames, "frame"),
            video.codec,
            output.byte_size(video.bytes),
        )
    )


def print_shots(console: Console, storyboard: Storyboard, *, transition: Transition | None) -> None:
    """Every shot with how it moves; `transition` stands in for those of the storyboard."""
    console.print("\nshots", style="bold")
    last = len(storyboard.shots)
    for number, shot in enumerate(storyboard.shots, start=1):
        moves = f"{shot.move_in_words}, energy {shot.energy:g}, {shot.duration_seconds:g} s, seed {shot.seed}"
        if number < last:
            moves += f", then {(transition or shot.transition).in_words}"
        output.print_hanging(console, moves, indent=5, mark=f"  {number}")
        output.print_hanging(console, shot.description, indent=5)


def _with_resume(error: LocalvidError, job: VideoJob) -> LocalvidError:
    """The same error; unless the call itself must be mended, its hint ends with how to go on."""
    if isinstance(error, StoppedError) or "localvid resume" in error.hint:
        return error
    if isinstance(error, InvalidRequestError):
        kept = f"job {job.id} is kept: localvid get-job {job.id}"
        return type(error)(error.message, hint=f"{error.hint}; {kept}")
    resume = f"what is finished is kept: localvid resume {job.id}"
    return type(error)(error.message, hint=f"{error.hint}; {resume}" if error.hint else resume)


def _once(say: Callable[[str], None]) -> Callable[[str], None]:
    """The same note is not said twice in one run."""
    said: set[str] = set()

    def say_once(message: str) -> None:
        if message not in said:
            said.add(message)
            say(message)

    return say_once
