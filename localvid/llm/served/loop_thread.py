"""An event loop in a thread of its own: what runs in it can be given up at any moment.

A blocking read of a socket can be ended by nobody, and a server that sends a byte now and then keeps it alive
for ever. A task can be cancelled wherever it waits, and closes its connection. The thread is for callers that
have an event loop of their own, or none.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import wait
from types import TracebackType
from typing import Any, Self, TypeVar

_T = TypeVar("_T")
_HEARTBEAT_SECONDS = 0.25
_CLOSE_SECONDS = 2.0
"""Most that closing waits. Only a name's look-up cannot be ended; its thread goes when the system answers."""


class OutOfTimeError(Exception):
    """The deadline came before the result."""


class LoopThread:
    """Opened and closed like a file; what still runs when it closes is cancelled."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="localvid-server", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        wait([asyncio.run_coroutine_threadsafe(_cancel_others(), self._loop)], timeout=_CLOSE_SECONDS)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_CLOSE_SECONDS)
        if not self._thread.is_alive():
            self._loop.close()

    def run(self, work: Coroutine[Any, Any, _T], on_wait: Callable[[], None], *, deadline: float) -> _T:
        """The result of `work`, or what it raises.

        `on_wait` is called in the calling thread several times a second; what it raises ends the work. So
        does the deadline, on the clock of `time.monotonic`, with OutOfTimeError.
        """
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            while True:
                on_wait()
                left = deadline - time.monotonic()
                if left <= 0:
                    raise OutOfTimeError
                if wait([future], timeout=min(_HEARTBEAT_SECONDS, left)).done:
                    return future.result()
        finally:
            future.cancel()


async def _cancel_others() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
