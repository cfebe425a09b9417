"""A batch from its rows to its films: recorded first, then worked on by one process or several."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from localvid.batch.stages import first_stage
from localvid.batch_file import BatchRow
from localvid.orchestrator import VideoOrchestrator
from localvid.store import BatchRows, NewEntry


def begin_batch(
    orchestrator: VideoOrchestrator,
    rows: Sequence[BatchRow],
    *,
    source: str,
    on_row: Callable[[int], None] = lambda _: None,
) -> BatchRows:
    """Record a job for every row, and the batch, all or nothing; nothing is run yet. `on_row` is told each
    row's number.

    Raises as `VideoOrchestrator.create_job` does; `plan_batch` says before what will.
    """
    entries, nexts = [], []
    for row in rows:
        on_row(row.number)
        job = orchestrator.settle_job(
            prompt=row.prompt or "", storyboard=row.storyboard, seed=row.seed, options=row.options
        )
        plan = None
        if job.storyboard is not None:
            plan = orchestrator.plan(job.storyboard, job.options, prompt=job.prompt)
        entries.append(NewEntry(job, row.line, plan.step_rows() if plan else ()))
        nexts.append(first_stage(job.options, plan))
    return orchestrator.store.create_batch(source, entries, nexts)
