"""Several workers on one batch, each in a process of its own: started, watched, replaced when one dies.

They share the batch through its rows. A worker that dies gives its film back by dying: its lease ends, and
another takes the film up where it was.
"""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence

from localvid.batch.process import Orders
from localvid.batch.terms import BatchTerms
from localvid.config import Settings, secret_names
from localvid.errors import ModelProcessError
from localvid.store import BatchRows

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 0.2
_MOST_DEATHS = 3
"""In a row, with nothing changed in the batch between them: then no worker is started any more."""
_RUN = "from localvid.batch.process import main; main()"
"""Not `-m`: Python warns of a module that its package has imported before."""


class Crew:
    """As many worker processes as there are `devices`: GPUs by their numbers, or "cpu".

    `stop` may be called from a signal handler.
    """

    def __init__(
        self,
        settings: Settings,
        batch: BatchRows,
        terms: BatchTerms,
        *,
        devices: Sequence[str],
        on_notice: Callable[[str], None] = logger.info,
    ) -> None:
        self._settings = settings
        self._batch = batch
        self._terms = terms
        self._devices = devices
        self._on_notice = on_notice
        self._processes: dict[int, subprocess.Popen[str]] = {}
        self._listeners: list[threading.Thread] = []
        self._stopping = threading.Event()

    @property
    def was_stopped(self) -> bool:
        return self._stopping.is_set()

    def stop(self) -> None:
        """Have all workers end at their next safe point."""
        self._stopping.set()

    def run(self) -> None:
        """Work until nothing is left. Raises ModelProcessError where workers die without doing anything."""
        before = self._batch.summary()
        deaths, changed, ending = 0, before.updated_at, False
        try:
            for seat in range(len(self._devices)):
                self._start(seat)
            while self._processes:
                time.sleep(_LOOK_SECONDS)
                if ending := ending or self._stopping.is_set():
                    self._close_inputs()
                for seat, process in list(self._processes.items()):
                    code = process.poll()
                    if code is None:
                        continue
                    del self._processes[seat]
                    _close_input(process)
                    latest = self._batch.summary()
                    ending = ending or (self._terms.fail_fast and latest.failed > before.failed)
                    if code == 0 or ending or self._stopping.is_set():
                        continue
                    deaths = deaths + 1 if latest.updated_at == changed else 1
                    changed = latest.updated_at
                    if deaths >= _MOST_DEATHS:
                        raise ModelProcessError(
                            f"worker processes of the batch die: the last ended with code {code}",
                            hint="`localvid doctor` checks what is installed; "
                            "with --workers 1 the batch runs in this process",
                        )
                    self._on_notice(f"a worker ended with code {code}; another takes its place")
                    self._start(seat)
        except KeyboardInterrupt:  # a second Ctrl-C: what they finished is kept
            for process in self._processes.values():
                process.terminate()
            raise
        finally:
            self._close_inputs()
            for process in self._processes.values():
                process.wait()
            for listener in self._listeners:
                listener.join()

    def _start(self, seat: int) -> None:
        device = self._devices[seat]
        environment = dict(os.environ)
        if device != "cpu":
            environment["CUDA_VISIBLE_DEVICES"] = _name_of_gpu(int(device))
        process = subprocess.Popen(
            [sys.executable, "-c", _RUN],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            text=True,
        )
        orders = Orders(
            settings=self._settings.model_dump(mode="json", exclude=secret_names(), exclude_none=True),
            batch_id=self._batch.id,
            terms=self._terms,
            device=device,
        )
        assert process.stdin is not None and process.stdout is not None
        with contextlib.suppress(BrokenPipeError):  # it died at once, which is seen at the next look
            process.stdin.write(orders.model_dump_json() + "\n")
            process.stdin.flush()
        self._processes[seat] = process
        listener = threading.Thread(target=self._listen, args=(process,), daemon=True)
        listener.start()
        self._listeners.append(listener)

    def _listen(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        with process.stdout as lines:
            for line in lines:
                self._on_notice(line.rstrip())

    def _close_inputs(self) -> None:
        for process in self._processes.values():
            _close_input(process)


def _name_of_gpu(number: int) -> str:
    """What `CUDA_VISIBLE_DEVICES` calls the GPU that this process counts as `number`: it may see only
    some."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    return visible.split(",")[number].strip() if visible else str(number)


def _close_input(process: subprocess.Popen[str]) -> None:
    """By which a worker ends at its next safe point; idempotent."""
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError):
        process.stdin.close()
