"""Signs of life: how a worker's process tells that it goes on, and how its crew finds that it does not.

A lease says less: a thread of its own renews it, also while the work hangs.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SIGN = ""
"""On a worker's standard output, where each notice is a line of its own."""
_PAUSE_SECONDS = 1.0
"""Between two signs; reports of progress come more often."""
_MOST_AT_A_LOOK_SECONDS = 60.0
"""So much silence at most is counted from one look to the next: whoever looks may have stood still itself, as
after Ctrl-Z. Longer than a locked database holds it up."""


class Signs:
    """A worker's own: `on_sign` is called, at most once a second, once every thread that is awaited has shown
    since the last time that it goes on. So a thread that hangs is not hidden by one that does not.

    Safe to use from threads.
    """

    def __init__(self, on_sign: Callable[[], None]) -> None:
        self._on_sign = on_sign
        self._mutex = threading.Lock()
        self._awaited: set[int] = set()
        self._seen: set[int] = set()
        self._told_at = -_PAUSE_SECONDS

    @contextmanager
    def awaited(self) -> Iterator[None]:
        """Within the block no sign is given without this thread."""
        thread = threading.get_ident()
        with self._mutex:
            self._awaited.add(thread)
        try:
            yield
        finally:
            with self._mutex:
                self._awaited.discard(thread)
                self._seen.discard(thread)

    def show(self) -> None:
        """This thread goes on."""
        with self._mutex:
            self._seen.add(threading.get_ident())
            now = time.monotonic()
            if not self._awaited <= self._seen or now - self._told_at < _PAUSE_SECONDS:
                return
            self._seen.clear()
            self._told_at = now
        self._on_sign()


class Silence:
    """How long a process has given no sign, in seconds, as far as somebody was there to hear one.

    One thread hears, another looks.
    """

    def __init__(self) -> None:
        self._seconds = 0.0
        self._looked_at = time.monotonic()
        self._is_deaf = False

    def heard(self) -> None:
        self._seconds = 0.0

    @contextmanager
    def deaf(self) -> Iterator[None]:
        """Within the block nothing is heard, so silence says nothing: a terminal may hold up what is
        printed."""
        self._is_deaf = True
        try:
            yield
        finally:
            self._is_deaf = False

    def look(self) -> float:
        """The silence so far; to be called again and again."""
        now = time.monotonic()
        if not self._is_deaf:
            self._seconds += min(now - self._looked_at, _MOST_AT_A_LOOK_SECONDS)
        self._looked_at = now
        return self._seconds
