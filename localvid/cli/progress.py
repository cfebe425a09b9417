"""Progress of a film on standard error: a bar that moves on a terminal, plain lines anywhere else."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self, TextIO

from localvid.cli.output import clock, count, one_line, print_notice
from localvid.cli.pace import Pace, what, where

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.text import Text

    from localvid.schemas import Progress, Stage

STOPPING = "stopping at the next safe point; press Ctrl-C again to quit at once"

_HEARTBEAT_SECONDS = 30.0
"""Where lines are printed, a step that lasts says so this often."""


class FilmProgress(Protocol):
    """Shows a film's progress while it is open; `report` may be called from any thread."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def report(self, progress: Progress) -> None: ...

    def notice(self, message: str) -> None:
        """One line that the user should know, also while the display is not open."""
        ...

    def stopping(self) -> None:
        """Say that a stop was asked for; callable from a signal handler."""
        ...


def film_progress(*, quiet: bool) -> FilmProgress:
    """The display for where standard error goes: nothing, a bar, or lines."""
    if quiet:
        return _Silence()
    if sys.stderr.isatty() and os.environ.get("TERM", "dumb") not in ("dumb", "unknown"):
        return _Bar()
    return _Lines(sys.stderr)


@contextmanager
def noting_log(say: Callable[[str], None]) -> Iterator[None]:
    """Within the block, what the library logs as a warning is said, once; Python would print it bare."""
    import logging

    said: set[str] = set()

    class Notes(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            message = record.getMessage()
            if message not in said:
                said.add(message)
                say(message)

    handler, log = Notes(logging.WARNING), logging.getLogger("localvid")
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)


class _Silence:
    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def report(self, progress: Progress) -> None:
        pass

    def notice(self, message: str) -> None:
        pass

    def stopping(self) -> None:
        pass


# --- lines ---------------------------------------------------------------------------------------


class _Lines:
    """One line when a step begins, and one every half minute while it lasts; no control characters."""

    def __init__(self, stream: TextIO, *, now: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._now = now
        self._pace = Pace(now)
        self._place: tuple[object, ...] = ()
        self._complete = False
        self._begun = ""
        self._next_heartbeat = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def report(self, progress: Progress) -> None:
        self._pace.add(progress)
        place = (progress.stage, progress.shot)
        complete = progress.num_steps > 0 and progress.step >= progress.num_steps
        if place != self._place or (self._complete and not complete):
            # Printed with the next report, which tells whether the step was made already.
            self._begun = self._line(progress)
            self._next_heartbeat = self._now() + _HEARTBEAT_SECONDS
        elif self._begun:
            self._print(self._line(progress) if progress.cached else self._begun)
            self._begun = ""
        elif not complete and self._now() >= self._next_heartbeat:
            self._print(self._line(progress))
            self._next_heartbeat = self._now() + _HEARTBEAT_SECONDS
        self._place, self._complete = place, complete

    def notice(self, message: str) -> None:
        self._print(f"note: {one_line(message)}")

    def stopping(self) -> None:
        self._print(STOPPING)

    def _line(self, progress: Progress) -> str:
        counted = f" {progress.step}/{progress.num_steps}" if progress.num_steps > 1 else ""
        made = " (made already)" if progress.cached else ""
        left = self._pace.seconds_left()
        remaining = f", about {clock(left)} left" if left is not None and not progress.cached else ""
        return f"{self._pace.overall:4.0%} {where(progress)}: {what(progress)}{counted}{made}{remaining}"

    def _print(self, line: str) -> None:
        with suppress(OSError):  # whoever listened is gone; the film is still wanted
            print(line, file=self._stream, flush=True)


# --- the bar -------------------------------------------------------------------------------------


class _Bar:
    """Two lines that move, with the finished stages above them.

        ✓ storyboard  9.1 s
        ⠹ clips · shot 2/3 · rendering · 41/97
          ━━━━━━━━━━━━━━━━━━━━━━╸━━━━━━━━━━━━━━━━━━━━  52 %  0:12  0:11 left

    A thread of the display draws it anew eight times a second, so it moves while a model loads too.
    """

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live
        from rich.spinner import Spinner

        self._console = Console(stderr=True, highlight=False, markup=False, emoji=False)
        self._live = Live(
            get_renderable=lambda: self,
            console=self._console,
            refresh_per_second=8,
            transient=True,
            # Results on the standard output must stay there.
            redirect_stdout=False,
        )
        self._utf8 = self._console.encoding.lower().startswith("utf")
        self._spinner = Spinner("dots" if self._utf8 else "line")
        self._pace = Pace(time.monotonic)
        self._mutex = threading.Lock()
        self._progress: Progress | None = None
        self._stages: _StageTally | None = None
        self._stopping = False

    def __enter__(self) -> Self:
        with suppress(OSError):
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._close_stage()
        with suppress(OSError):
            self._live.stop()

    def report(self, progress: Progress) -> None:
        with self._mutex:
            self._pace.add(progress)
            self._progress = progress
        if progress.stage is None:
            return
        if self._stages is None or self._stages.stage is not progress.stage:
            self._close_stage()
            self._stages = _StageTally(progress.stage)
        self._stages.add(progress)

    def notice(self, message: str) -> None:
        if not self._live.is_started:
            print_notice(message)
            return
        from rich.text import Text

        self._print(Text.assemble(("note:", "bold cyan"), " ", one_line(message)))

    def stopping(self) -> None:
        # The signal may have come while this very thread draws, so it is the display's thread that says it.
        self._stopping = True

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.text import Text

        with self._mutex:
            progress = self._progress
            overall, elapsed, left = self._pace.overall, self._pace.elapsed(), self._pace.seconds_left()
        width = options.max_width
        spinner = self._spinner.render(console.get_time())
        line = Text.assemble(spinner if isinstance(spinner, Text) else "", " ")
        if self._stopping:
            line.append(STOPPING, style="bold yellow")
        else:
            line.append_text(_activity(progress, separator=" · " if self._utf8 else " - "))
        line.truncate(width, overflow="ellipsis" if self._utf8 else "crop")
        yield line
        yield _bar_line(overall, elapsed, left, width=width, utf8=self._utf8)

    def _close_stage(self) -> None:
        if self._stages is None:
            return
        from rich.text import Text

        mark = "✓" if self._utf8 else "+"
        self._print(Text.assemble((mark, "bold green"), " ", self._stages.summary()))
        self._stages = None

    def _print(self, text: Text) -> None:
        with suppress(OSError):
            self._console.print(text, overflow="fold")


def _activity(progress: Progress | None, *, separator: str) -> Text:
    from rich.text import Text

    if progress is None:
        return Text("starting")
    parts = [where(progress).replace(", ", separator), what(progress)]
    if progress.num_steps > 1:
        parts.append(f"{progress.step}/{progress.num_steps}")
    return Text(separator.join(parts))


def _bar_line(overall: float, elapsed: float, left: float | None, *, width: int, utf8: bool) -> Text:
    """The bar, its percentage, the time gone and the time left; what has no room is left out."""
    from rich.text import Text

    percent, gone = f" {overall:4.0%}", f"  {clock(elapsed)}"
    remaining = f"  {clock(left)} left" if left is not None else ""
    width -= 4  # two cells to the left, and two to the right for the terminal's own ^C
    tail = percent
    for more in (gone, remaining):
        if width - len(tail) - len(more) >= 10:
            tail += more
    cells = max(0, min(50, width - len(tail)))
    full = round(cells * overall)
    done, rest = ("━", "─") if utf8 else ("#", "-")
    return Text.assemble("  ", (done * full, "green"), (rest * (cells - full), "bright_black"), tail)


class _StageTally:
    """What one stage did: how many shots, how many of them were there already, how long."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self._started = time.monotonic()
        self._shots: dict[int, bool] = {}

    def add(self, progress: Progress) -> None:
        if progress.shot is None:
            complete = progress.num_steps > 0 and progress.step >= progress.num_steps
            self._shots[0] = progress.cached if complete else self._shots.get(0, False)
            return
        if progress.num_steps and progress.step >= progress.num_steps:
            self._shots[progress.shot] = progress.cached and self._shots.get(progress.shot, True)

    def summary(self) -> str:
        seconds = time.monotonic() - self._started
        cached = sum(self._shots.values())
        if 0 in self._shots:
            return f"{self.stage.value}  " + ("made already" if cached else f"{seconds:.1f} s")
        made = f", {cached} made already" if cached else ""
        return f"{self.stage.value}  {count(len(self._shots), 'shot')}{made}, {seconds:.1f} s"
