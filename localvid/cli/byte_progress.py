"""Progress of work that is counted in bytes, on standard error: downloads, and the reading of artifacts."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from localvid.cli import output

if TYPE_CHECKING:
    from localvid.schemas import OnProgress, Progress


@contextmanager
def byte_progress(*, quiet: bool) -> Iterator[OnProgress]:
    """A bar of bytes on a terminal; elsewhere a line for each tenth and each new message."""
    from localvid.schemas import ignore_progress

    if quiet:
        yield ignore_progress
    elif not sys.stderr.isatty():
        yield _byte_lines()
    else:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )
        from rich.progress import Progress as Bar
        from rich.table import Column

        message = TextColumn("{task.description}", table_column=Column(ratio=1, no_wrap=True), markup=False)
        columns = (message, BarColumn(20), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
        bar = Bar(*columns, console=Console(stderr=True), transient=True, expand=True)
        task = bar.add_task("", total=None)

        def show(report: Progress) -> None:
            bar.update(
                task,
                description=output.one_line(report.message),
                total=report.num_steps or None,
                completed=report.step,
            )
            bar.start()  # not before: what is refused at once has no bar

        try:
            yield show
        finally:
            if bar.live.is_started:
                bar.stop()


def _byte_lines() -> OnProgress:
    said: tuple[str, int] = ("", -1)

    def report(progress: Progress) -> None:
        nonlocal said
        now = (progress.message, int(progress.fraction * 10))
        if now != said:
            said = now
            print(
                f"{progress.fraction:4.0%} {output.one_line(progress.message)}", file=sys.stderr, flush=True
            )

    return report
