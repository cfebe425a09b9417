"""A worker in a process of its own: one for each GPU, or as many as were asked for.

Its `main` is run by `Crew`, which writes one line of JSON to its standard input and keeps that open: when it
is closed, the worker ends at its next safe point. So it does not outlive whoever started it, however that
ends.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from typing import Any

from localvid.batch.terms import BatchTerms
from localvid.batch.worker import Worker
from localvid.config import load_settings
from localvid.orchestrator import VideoOrchestrator
from localvid.schemas import Frozen

_GRACE_SECONDS = 120.0
"""For the next safe point after the standard input was closed; a model that reports nothing hangs."""


class Orders(Frozen):
    """What a worker's process is told."""

    settings: dict[str, Any]
    """All but secrets, which it reads where its parent did."""
    batch_id: str
    terms: BatchTerms
    device: str


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent passes it on
    orders = Orders.model_validate_json(sys.stdin.readline())
    settings = load_settings(**orders.settings)
    with VideoOrchestrator(settings, on_notice=_say) as orchestrator:
        batch = orchestrator.store.get_batch(orders.batch_id)
        worker = Worker(orchestrator, batch, orders.terms, device=orders.device, on_notice=_say)
        threading.Thread(target=_end_with_input, args=(worker,), daemon=True).start()
        worker.run()


def _end_with_input(worker: Worker) -> None:
    sys.stdin.read()
    worker.stop()
    alarm = threading.Timer(_GRACE_SECONDS, os._exit, args=(1,))
    alarm.daemon = True
    alarm.start()


def _say(notice: str) -> None:
    """A notice for the parent to print: one line each."""
    with contextlib.suppress(OSError):  # the parent is gone, which costs no film
        sys.stdout.write(" ".join(notice.split()) + "\n")
        sys.stdout.flush()
