"""How far a film is, in words and in time left. Draws nothing."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from localvid.cli.output import one_line

if TYPE_CHECKING:
    from localvid.schemas import Progress, Stage

_RATE_SECONDS = 30.0
"""Time left is estimated from the speed of this last stretch."""


def where(progress: Progress) -> str:
    """`clips, shot 2/3`."""
    stage = progress.stage.value if progress.stage else "working"
    return f"{stage}, shot {progress.shot}/{progress.num_shots}" if progress.shot else stage


def what(progress: Progress) -> str:
    """The message, without the shot that `where` says already."""
    message = one_line(progress.message)
    return message.removesuffix(f" shot {progress.shot}") if progress.shot else message


class Pace:
    """The share that is done, and the time left at the speed of the last half minute.

    Steps that were made already say nothing about speed, so their share is left out of it. Nor does one
    stage about the next: each is measured by itself, and the storyboard, which is short, not at all. What
    has no stage, such as a batch as a whole, has its own estimates.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._started = now()
        self.overall = 0.0
        self._stage: Stage | None = None
        self._worked = 0.0
        self._samples: deque[tuple[float, float]] = deque(maxlen=1000)
        """(time, share worked); two at least are kept however old they are."""

    def add(self, progress: Progress) -> None:
        if progress.stage is not self._stage:
            self._stage = progress.stage
            self._samples.clear()
        gained = max(0.0, progress.overall - self.overall)
        self.overall += gained
        if not self._samples or progress.cached or progress.stage is None:
            gained = 0.0
        self._worked += gained
        now = self._now()
        if not self._samples or gained:
            self._samples.append((now, self._worked))
        while len(self._samples) > 2 and now - self._samples[1][0] > _RATE_SECONDS:
            self._samples.popleft()

    def elapsed(self) -> float:
        return self._now() - self._started

    def seconds_left(self) -> float | None:
        """None as long as the speed is not known."""
        if len(self._samples) < 2 or self._stage == "storyboard":
            return None
        (first, before), (last, after) = self._samples[0], self._samples[-1]
        if last - first < 1.0 or after <= before:
            return None
        rate = (after - before) / (last - first)
        return max(0.0, (1.0 - self.overall) / rate - (self._now() - last))
