"""Batches in rows, with real films, as a scheduler would leave them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from sqlalchemy import Connection

from localvid.media.encode import ClipWriter
from localvid.schemas import Activity, EntryState, FilmOptions, PeakMemory, Shot, Stage, Storyboard, VideoJob
from localvid.store import BatchRows, NewEntry, Next, Store

NOT_MEASURED = PeakMemory()
FIRST = Next(Stage.STORYBOARD, "outline", 1.0)


def new_batch(store: Store, prompts: list[str]) -> tuple[BatchRows, list[VideoJob]]:
    """One waiting film for each prompt; their rows begin at line 2 of the file."""
    jobs = [store.create_job(prompt=prompt, options=FilmOptions(), seed=1) for prompt in prompts]
    entries = [NewEntry(job.id, line) for line, job in enumerate(jobs, start=2)]
    return store.create_batch("films.csv", entries, [FIRST] * len(jobs)), jobs


def write_film(path: Path, *, num_frames: int = 8, red: int = 16) -> Path:
    """A film of one colour whose red grows by 24 from frame to frame."""
    with ClipWriter(path, width=64, height=48, fps=8) as writer:
        for number in range(num_frames):
            writer.write(np.full((48, 64, 3), (red + 24 * number, 60, 90), np.uint8))
    return path


def finish(
    store: Store,
    batch: BatchRows,
    job: VideoJob,
    film: Path,
    *,
    title: str = "",
    notices: tuple[str, ...] = (),
    peak: PeakMemory = NOT_MEASURED,
) -> None:
    with store.lease(job.id) as lease:
        lease.set_storyboard(Storyboard(title=title, shots=(Shot(description="a forest"),)))
        for notice in notices:
            lease.add_notice(notice)

        def record(connection: Connection) -> None:
            batch.advance(connection, job.id, None, seconds=4.0, peak=peak)

        lease.finish(film, record=record)


def give_up(batch: BatchRows, job: VideoJob, error: str = "the GPU fell off the bus") -> None:
    batch.fail(job.id, EntryState.FAILED, error=error, hint="look at dmesg", attempts=3, seconds=90.0)


def retry_later(batch: BatchRows, job: VideoJob) -> datetime:
    until = datetime.now(UTC) + timedelta(minutes=5)
    batch.fail(
        job.id, EntryState.WAITING, until=until, error="the process died", hint="", attempts=1, seconds=2.0
    )
    return until


def at_work(store: Store, batch: BatchRows, job: VideoJob, *, silent: float = 0.0, message: str = "") -> None:
    """This store's process renders shot 2 of the film."""
    store.show_activity(
        Activity(
            owner=store.owner,
            batch_id=batch.id,
            job_id=job.id,
            number=next(one.number for one in batch.entries() if one.job_id == job.id),
            device="0",
            stage=Stage.CLIPS,
            message=message or "rendering shot 2",
            shot=2,
            num_shots=3,
            overall=0.64,
            loads=1,
            seen_at=datetime.now(UTC) - timedelta(seconds=silent),
        )
    )
