"""A worker in a process of its own: one for each GPU, or as many as were asked for.

Its `main` is run by `Crew`, which writes one line of JSON to its standard input and keeps that open: when it
is closed, the worker ends at its next safe point. So it does not outlive whoever started it, however that
ends.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from localvid.batch.signs import SIGN
from localvid.batch.terms import BatchTerms
from localvid.batch.waiting import LACKS
from localvid.batch.worker import Worker
from localvid.config import load_settings
from localvid.orchestrator import VideoOrchestrator
from localvid.schemas import Frozen

_T = TypeVar("_T")

GRACE_SECONDS = 120.0
"""For the next safe point after the standard input was closed; a model that reports nothing hangs."""
OF_THE_TERMINAL = (signal.SIGINT, signal.SIGHUP)
"""Ctrl-C, and a terminal that is closed, reach the whole group; the parent alone decides."""


class Orders(Frozen):
    """What a worker's process is told."""

    settings: dict[str, Any]
    """All but secrets, which it reads where its parent did."""
    batch_id: str
    terms: BatchTerms
    device: str


def main() -> None:
    for number in OF_THE_TERMINAL:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, OF_THE_TERMINAL)  # as the crew started it
    orders = Orders.model_validate_json(sys.stdin.readline())
    settings = load_settings(**orders.settings)
    with VideoOrchestrator(settings, on_notice=_say) as orchestrator:
        batch = _patiently(lambda: orchestrator.store.get_batch(orders.batch_id), orders.terms)
        worker = Worker(
            orchestrator,
            batch,
            orders.terms,
            device=orders.device,
            on_notice=_say,
            on_sign=lambda: _write_line(SIGN),
        )
        threading.Thread(target=_end_with_input, args=(worker,), daemon=True).start()
        worker.run()


def _patiently(action: Callable[[], _T], terms: BatchTerms) -> _T:
    """What the action gives, once the disk has room and the database is free. SystemExit, if the standard
    input is closed before."""
    is_told = False
    while True:
        try:
            return action()
        except LACKS as error:
            if not is_told:
                _say(f"a worker waits: {error.message}")
                is_told = True
        _write_line(SIGN)
        if select.select([sys.stdin], [], [], terms.space_poll_seconds)[0]:
            raise SystemExit


def _end_with_input(worker: Worker) -> None:
    sys.stdin.read()
    worker.stop()
    alarm = threading.Timer(GRACE_SECONDS, os._exit, args=(1,))
    alarm.daemon = True
    alarm.start()


def _say(notice: str) -> None:
    """A notice for the parent to print: one line each."""
    _write_line(" ".join(notice.split()))


def _write_line(line: str) -> None:
    with contextlib.suppress(OSError):  # the parent is gone, which costs no film
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
