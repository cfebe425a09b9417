"""What Ctrl-C, SIGTERM and a closed terminal do."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_Handler = Callable[[int, FrameType | None], None]

_ASKED_TO_END = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def interrupting() -> Iterator[None]:
    """Within the block each of the signals raises KeyboardInterrupt, so that everything is closed."""
    with _handled_by(_interrupt):
        yield


@contextmanager
def stopping(stop: Callable[[], None]) -> Iterator[None]:
    """Within the block the first signal calls `stop`, which ends the work at its next safe point.

    The second raises KeyboardInterrupt, which ends it at once and closes what is open; a third ends the
    process whatever it is doing. For a terminal that is closed one signal comes from the shell and one from
    the kernel: of those that follow none counts.
    """
    received = 0

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal received
        if received and number == signal.SIGHUP:
            return
        received += 1
        if received == 1:
            stop()
            return
        signal.signal(number, signal.SIG_DFL)
        _interrupt(number, frame)

    with _handled_by(handle):
        yield


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@contextmanager
def _handled_by(handler: _Handler) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set handlers; tests call the command line from others
        return
    before = {
        number: signal.signal(number, handler)
        for number in _ASKED_TO_END
        if signal.getsignal(number) is not signal.SIG_IGN  # `nohup` ignores SIGHUP on purpose
    }
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)
