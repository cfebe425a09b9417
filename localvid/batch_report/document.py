"""A batch as a document: every film of it, what went wrong, what is missing, what it took."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path

from localvid import __version__, media
from localvid.errors import InvalidVideoError
from localvid.schemas import BatchEntry, BatchSummary, EntryState, Frozen, Stage, VideoInfo, VideoJob
from localvid.store import BatchRows, Store

_PAGE = 200
"""Rows that are read at once."""


class FilmReport(Frozen):
    """One film of a batch."""

    number: int
    """From 1, in the order of the file."""
    line: int
    """Of the file, where its row begins."""
    job_id: str
    prompt: str
    title: str
    model: str
    state: EntryState
    stage: Stage
    """The one that comes next, or failed; of a film that is done, the last."""
    attempts: int
    """How often that stage failed."""
    error: str
    hint: str
    not_before: datetime | None
    """When it is tried again."""
    notices: tuple[str, ...]
    """What its models said: what was tried once more, what they fell back to."""
    missing: tuple[str, ...]
    """Of a film that is not done, the steps that are still to be made; of one that is, its file if that is
    gone."""
    output: Path | None
    video: VideoInfo | None
    """What the file says of itself; None where there is none."""
    seconds: float
    """Of work on it, all stages and attempts together."""
    host_bytes: int | None
    """Most main memory at a time, of the worker's process and its model's together; None: not known."""
    gpu_bytes: int | None
    """Most that torch reserved on the GPU at a time; None: no model used one by torch."""
    cost_usd: float


class BatchReport(Frozen):
    """A batch as a whole, and each of its films in the order of the file."""

    localvid: str
    """The version that wrote the report."""
    id: str
    source: str
    """The file, or "-"."""
    created_at: datetime
    ended_at: datetime | None
    """When the last film ended; None while some wait."""
    num_films: int
    done: int
    failed: int
    cancelled: int
    waiting: int
    work_seconds: float
    """Of all films together."""
    wall_seconds: float
    """From when the batch was recorded until its last film changed."""
    film_seconds: float
    """How long the finished films are, one after the other."""
    host_bytes: int | None
    """Most of any film; workers beside each other are not added up."""
    gpu_bytes: int | None
    """Most of any film, so on one GPU."""
    cost_usd: float
    """Spent on hosts, and set aside for what runs there."""
    films: tuple[FilmReport, ...]


def read_report(store: Store, batch: BatchRows) -> BatchReport:
    """What the rows and the films say now. Of each film its index is read; no frame is decoded."""
    summary = batch.summary()
    films = tuple(_films(store, batch))
    states = Counter(film.state for film in films)  # of these very rows: others may work on them meanwhile
    waiting = states[EntryState.WAITING]
    return BatchReport(
        localvid=__version__,
        id=summary.id,
        source=summary.source,
        created_at=summary.created_at,
        ended_at=None if waiting else summary.updated_at,
        num_films=len(films),
        done=states[EntryState.DONE],
        failed=states[EntryState.FAILED],
        cancelled=states[EntryState.CANCELLED],
        waiting=waiting,
        work_seconds=sum(film.seconds for film in films),
        wall_seconds=_wall_seconds(summary),
        film_seconds=sum(film.video.duration_seconds for film in films if film.video),
        host_bytes=_most(film.host_bytes for film in films),
        gpu_bytes=_most(film.gpu_bytes for film in films),
        cost_usd=sum(film.cost_usd for film in films),
        films=films,
    )


def _films(store: Store, batch: BatchRows) -> Iterator[FilmReport]:
    offset = 0
    while entries := batch.entries(limit=_PAGE, offset=offset):
        jobs = store.get_jobs([entry.job_id for entry in entries])
        for entry in entries:
            if entry.job_id in jobs:  # else deleted between the two
                yield _film(store, entry, jobs[entry.job_id])
        offset += len(entries)


def _film(store: Store, entry: BatchEntry, job: VideoJob) -> FilmReport:
    done = entry.state is EntryState.DONE
    video = _probe(job.output_video_path) if done else None
    if not done:
        missing = tuple(step.label for step in store.steps_of(job.id) if not step.done)
    else:
        missing = () if video else (str(job.output_video_path or "the film"),)
    return FilmReport(
        number=entry.number,
        line=entry.line,
        job_id=job.id,
        prompt=job.prompt,
        title=job.storyboard.title if job.storyboard else "",
        model=job.options.model,
        state=entry.state,
        stage=entry.stage,
        attempts=entry.attempts,
        error=entry.error or ("" if done else job.error),
        hint=entry.hint or ("" if done else job.hint),
        not_before=entry.not_before if entry.state is EntryState.WAITING else None,
        notices=job.notices,
        missing=missing,
        output=job.output_video_path,
        video=video,
        seconds=entry.seconds,
        host_bytes=entry.host_bytes,
        gpu_bytes=entry.gpu_bytes,
        cost_usd=job.cost_usd,
    )


def _probe(film: Path | None) -> VideoInfo | None:
    """None where the user has moved, cut or deleted it: theirs to do."""
    if film is None:
        return None
    try:
        return media.probe(film)
    except InvalidVideoError:
        return None


def _most(counts: Iterable[int | None]) -> int | None:
    return max((count for count in counts if count is not None), default=None)


def _wall_seconds(summary: BatchSummary) -> float:
    return max(0.0, (summary.updated_at - summary.created_at).total_seconds())
