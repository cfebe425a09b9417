"""What a model reports while it works, and a stop at each of its reports."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from localvid.schemas import OnProgress, Progress

Work = Callable[[OnProgress], object]


class StopError(Exception):
    pass


def reports_of(work: Work) -> list[Progress]:
    """Without those that only say the same again, which come while nothing new does.

    How many there are depends on the machine: one on which work is slow gives more signs of life.
    """
    reports: list[Progress] = []
    work(lambda progress: reports.append(progress) if progress not in reports else None)
    return reports


class StopAt:
    """An `on_progress` that raises at its report `number`, from 0; one that comes again does not count."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._heard: list[Progress] = []
        self.has_raised = False

    def __call__(self, progress: Progress) -> None:
        if progress not in self._heard:
            self._heard.append(progress)
        if len(self._heard) > self._number:
            self.has_raised = True
            raise StopError(self._number)


def stop_at_each_report(work: Work, check: Callable[[], None]) -> int:
    """Stop the work at its first report, then at its second and so on, with a check after each stop, until
    it ends before it is stopped.

    Returns how often it was stopped.
    """
    for number in range(1000):
        stop = StopAt(number)
        try:
            work(stop)
        except StopError as stopped:
            assert stopped.args == (number,)
            check()
        else:
            assert not stop.has_raised, "what the listener raised was swallowed"
            return number
    pytest.fail("it reports without end")
