"""The commands about jobs: redo, resume, cancel, list-jobs, get-job, delete-job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from localvid.cli import output
from localvid.cli.making import cost_words, describe, film_document, make_film, orchestrating, print_shots
from localvid.cli.options import (
    AllowRemote,
    Device,
    Job,
    Json,
    MaxCost,
    Quiet,
    Transition,
    Workspace,
    Yes,
    option,
    seed_option,
    settings_with,
    validated_options,
)

if TYPE_CHECKING:
    from pathlib import Path

    from localvid.schemas import JobStatus, PaidCall, VideoInfo, VideoJob
    from localvid.store import JobStep, Store

_STATUS_STYLES = {"done": "green", "failed": "red", "running": "cyan", "cancelled": "yellow"}
_FILM_COLUMN_FROM = 110
_TIME_COLUMN_FROM = 70


def redo(
    job: Job,
    shot: Annotated[int | None, option("--shot", metavar="N", help="Which shot, counted from 1.")] = None,
    seed: Annotated[
        int | None, seed_option("The shot's new seed; one is drawn if the description does not change.")
    ] = None,
    description: Annotated[
        str | None, option("--description", metavar="TEXT", help="What the shot shows from now on.")
    ] = None,
    transition: Transition = None,
    as_json: Json = False,
    quiet: Quiet = False,
    device: Device = None,
    workspace: Workspace = None,
) -> None:
    """Make one shot of a job anew.

    Or change the transitions between all shots. The rest is kept, and the film joined again.
    """
    changed = validated_options({"transition": transition}).transition
    settings = settings_with(workspace=workspace, device=device)
    with orchestrating(settings, quiet=quiet) as (orchestrator, display):
        found = orchestrator.redo(job, shot=shot, seed=seed, description=description, transition=changed)
        make_film(orchestrator, display, found, as_json=as_json, quiet=quiet, workspace=workspace)


def resume(
    job: Job,
    confirm: Annotated[
        bool, option("--confirm", help="Have clips made again that may be paid for already and are lost.")
    ] = False,
    allow_remote: AllowRemote = None,
    max_cost_usd: MaxCost = None,
    as_json: Json = False,
    quiet: Quiet = False,
    device: Device = None,
    workspace: Workspace = None,
) -> None:
    """Go on with a job that was stopped or failed.

    What is finished is not made again. A job that is done has its film put back in place.
    """
    validated_options({"max_cost_usd": max_cost_usd})
    settings = settings_with(workspace=workspace, device=device)
    with orchestrating(settings, quiet=quiet) as (orchestrator, display):
        found = orchestrator.allow(job, remote=allow_remote, max_cost_usd=max_cost_usd)
        if confirm:
            orchestrator.confirm_calls(found.id)
        make_film(orchestrator, display, found, as_json=as_json, quiet=quiet, workspace=workspace)


def cancel(job: Job, workspace: Workspace = None) -> None:
    """Stop a job, whichever process works on it.

    It stops at its next safe point; localvid resume goes on from there.
    """
    from localvid.schemas import JobStatus

    with _store(workspace) as store:
        found = store.get_job(job)
        status = store.request_cancel(found.id)
    if status is JobStatus.RUNNING:
        print(f"job {found.id} stops at its next safe point")
    else:
        print(f"job {found.id} is cancelled")


def list_jobs(
    status: Annotated[
        str | None,
        option(
            "--status",
            metavar="STATUS",
            help="Only these: pending, running, done, failed, cancelled or interrupted.",
        ),
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", min=1, max=10_000, help="How many at most.")
    ] = 50,
    offset: Annotated[
        int, typer.Option("--offset", metavar="N", min=0, max=2**31, help="How many newer ones to skip.")
    ] = 0,
    as_json: Json = False,
    workspace: Workspace = None,
) -> None:
    """List jobs, the newest first."""
    wanted = _status(status)
    with _store(workspace) as store:
        jobs = store.list_jobs(limit=limit, offset=offset, status=wanted)
    if as_json:
        output.print_json(jobs)
    elif jobs:
        _print_jobs(jobs)
    else:
        output.print_notice("no jobs here")


def get_job(job: Job, as_json: Json = False, workspace: Workspace = None) -> None:
    """Show a job: storyboard, steps, film, error."""
    with _store(workspace) as store:
        found = store.get_job(job)
        steps = store.steps_of(found.id)
        calls = store.calls_of(found.id)
    film = found.output_video_path
    video = _probe(film) if film else None
    if as_json:
        output.print_json({**film_document(found, video), "steps": steps, "paid_calls": calls})
        return
    _print_job(found, steps, calls, video)


def delete_job(job: Job, yes: Yes = False, workspace: Workspace = None) -> None:
    """Delete a job and its film in the workspace.

    What other jobs share stays, and so does a film that was written elsewhere with --output.
    """
    with _store(workspace) as store:
        found = store.get_job(job)
        words = output.one_line(found.prompt)[:60]
        if not output.confirmed(f"Delete job {found.id} ({words}) and its film?", yes=yes):
            output.print_notice("nothing was deleted")
            return
        freed = store.delete_job(found.id)
    print(f"deleted job {found.id}, {output.byte_size(freed)} freed")


# --- the store -----------------------------------------------------------------------------------


def _store(workspace: Path | None) -> Store:
    from localvid.config import load_settings
    from localvid.store import Store

    return Store(load_settings(workspace=workspace).workspace)


def _status(text: str | None) -> JobStatus | None:
    from localvid.errors import InvalidRequestError
    from localvid.schemas import JobStatus

    if text is None:
        return None
    try:
        return JobStatus(text.lower())
    except ValueError as error:
        raise InvalidRequestError(
            f"--status: there is no status {output.one_line(text)!r}", hint=f"one of {', '.join(JobStatus)}"
        ) from error


def _probe(film: Path) -> VideoInfo | None:
    """None where the user has moved, cut or deleted it: theirs to do."""
    from localvid import media
    from localvid.errors import InvalidVideoError

    try:
        return media.probe(film)
    except InvalidVideoError:
        return None


# --- printing ------------------------------------------------------------------------------------


def _print_jobs(jobs: list[VideoJob]) -> None:
    """A table as wide as the terminal; where that is narrow, the film and the time are left to get-job."""
    from rich.text import Text

    console = output.console()
    columns = ["job", "status", "shots"]
    columns += ["created"] if console.width >= _TIME_COLUMN_FROM else []
    columns += ["prompt"]
    columns += ["film"] if console.width >= _FILM_COLUMN_FROM else []
    table = output.table(console, *columns, flexible=("prompt", "film"))
    for job in jobs:
        film = output.short_path(job.output_video_path) if job.output_video_path else ""
        cells: dict[str, str | Text] = {
            "job": job.id,
            "status": Text(job.status.value, style=_STATUS_STYLES.get(job.status.value, "")),
            "shots": str(len(job.storyboard.shots)) if job.storyboard else "",
            "created": output.local_time(job.created_at),
            "prompt": output.one_line(job.prompt or (job.storyboard.title if job.storyboard else "")),
            "film": output.one_line(film),
        }
        table.add_row(*(cells[name] for name in columns))
    output.print_trimmed(console, table)


def _print_job(job: VideoJob, steps: list[JobStep], calls: list[PaidCall], video: VideoInfo | None) -> None:
    from rich.text import Text

    console = output.console()
    console.print(
        Text.assemble(
            (f"job {job.id}", "bold"), "  ", (job.status.value, _STATUS_STYLES.get(job.status.value, ""))
        )
    )
    output.print_facts(console, _job_facts(job, video))
    if job.storyboard is not None:
        print_shots(console, job.storyboard, transition=job.options.transition)
    if job.notices:
        console.print("\nnotices", style="bold")
        for notice in job.notices:
            output.print_hanging(console, output.one_line(notice), indent=4, mark="  -")
    if calls:
        console.print("\npaid calls", style="bold")
        labels = {step.key: step.label for step in steps}
        for call in calls:
            output.print_hanging(console, _call_line(call, labels), indent=4, mark="  -")
    if steps:
        console.print(f"\nsteps, {job.steps_done} of {job.steps_total} done", style="bold")
        for step in steps:
            console.print(f"  {'✓' if step.done else '·'} {step.label}")


def _call_line(call: PaidCall, labels: dict[str, str]) -> str:
    """One call of a host's: for which step, what became of it, what it cost."""
    from localvid.schemas import usd

    about = "" if call.cost_usd is not None else "about "
    parts = [
        labels.get(call.step_key, "a step of an earlier plan"),
        call.model,
        call.state.value.replace("_", " "),
        f"{about}{usd(call.spent_usd)}",
        call.run_id or "",
        output.one_line(call.detail),
    ]
    return ", ".join(part for part in parts if part)


def _job_facts(job: VideoJob, video: VideoInfo | None) -> dict[str, Any]:
    options = job.options
    film = job.output_video_path
    what = describe(video) if video else "it is no longer there, or no video"
    return {
        "prompt": job.prompt,
        "film": f"{film} ({what})" if film else "",
        "error": job.error,
        "hint": job.hint,
        "created": output.local_time(job.created_at),
        "changed": output.local_time(job.updated_at),
        "model": options.model,
        "fallback": options.fallback or "",
        "cost": cost_words(job),
        "keyframes": options.keyframe_model,
        "storyboard": (job.storyboard.written_by if job.storyboard else options.llm) or "written by hand",
        "seed": job.seed,
    }
