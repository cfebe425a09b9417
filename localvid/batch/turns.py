"""Which films run beside each other in one worker, which makes clips and joins films at the same time.

A film that has failed runs alone: should it be its doing that the process dies, no other is taken for it.
"""

from __future__ import annotations

import threading


class Turns:
    """What a worker's threads ask before they take a film; safe to use from threads."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._running = 0
        self._is_alone = False

    def begin(self, *, alone: bool) -> bool:
        """Whether a film may be begun now; then `end` follows. Never waits."""
        with self._mutex:
            if self._is_alone or (alone and self._running):
                return False
            self._running += 1
            self._is_alone = alone
            return True

    def end(self) -> None:
        """The film is done with."""
        with self._mutex:
            self._running -= 1
            self._is_alone = False
