"""The workers on one batch, each in a process of its own: started, watched, replaced when one dies.

They share the batch through its rows. A worker that dies gives its film back by dying: its lease ends, and
another takes the film up where it was. So one that hangs is killed.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from localvid.batch.process import GRACE_SECONDS, OF_THE_TERMINAL, Orders
from localvid.batch.signs import SIGN, Silence
from localvid.batch.terms import MAX_ATTEMPTS, BatchTerms
from localvid.config import Settings, secret_names
from localvid.errors import ModelProcessError, WorkspaceBusyError
from localvid.schemas import BatchSummary
from localvid.store import BatchRows

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 0.2
_MOST_DEATHS = 3
"""In a row, with nothing changed in the batch between them: then no worker is started any more."""
SILENCE_SECONDS = 600.0
"""A worker without a sign of life for so long hangs. Slow work is not silent: models' processes report every
second while they live, and have a limit of their own (`model_stall_seconds`) for work that does not move."""
_RUN = "from localvid.batch.process import main; main()"
"""Not `-m`: Python warns of a module that its package has imported before."""


class Crew:
    """As many worker processes as there are `devices`: GPUs by their numbers, or "cpu".

    A worker that gives no sign of life for `silence_seconds`, from its start on, is killed. `stop` may be
    called from a signal handler.
    """

    def __init__(
        self,
        settings: Settings,
        batch: BatchRows,
        terms: BatchTerms,
        *,
        devices: Sequence[str],
        on_notice: Callable[[str], None] = logger.info,
        silence_seconds: float = SILENCE_SECONDS,
    ) -> None:
        self._settings = settings
        self._batch = batch
        self._terms = terms
        self._devices = devices
        self._on_notice = on_notice
        self._silence_seconds = silence_seconds
        self._processes: dict[int, subprocess.Popen[str]] = {}
        self._silences: dict[int, Silence] = {}
        self._killed: set[int] = set()
        self._counted: set[int] = set()
        """Processes that died, and whose films were told so."""
        self._deaths, self._failed_before = 0, 0
        self._changed = datetime.now(UTC)
        self._ending = False
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
        before = self._patient_summary()
        if before is None or not before.waiting:
            return
        self._failed_before, self._changed = before.failed, before.updated_at
        try:
            for seat in range(len(self._devices)):
                self._start(seat)
            while self._processes:
                time.sleep(_LOOK_SECONDS)
                if self._is_ending():
                    self._close_inputs()
                for seat in list(self._processes):
                    try:
                        self._look_at(seat)
                    except WorkspaceBusyError as error:
                        logger.warning("%s", error)  # its place is looked at again
        except KeyboardInterrupt:  # a second Ctrl-C: what they finished is kept
            for process in self._processes.values():
                process.terminate()
            raise
        finally:
            self._close_inputs()
            for process in self._processes.values():
                _await_end(process)
            for listener in self._listeners:
                listener.join()

    def _patient_summary(self) -> BatchSummary | None:
        """None: it was stopped before the database was free."""
        while not self._stopping.is_set():
            try:
                return self._batch.summary()
            except WorkspaceBusyError as error:
                logger.warning("%s", error)
                self._stopping.wait(_LOOK_SECONDS)
        return None

    def _is_ending(self) -> bool:
        self._ending = self._ending or self._stopping.is_set()
        return self._ending

    def _look_at(self, seat: int) -> None:
        """Raises WorkspaceBusyError, when nothing was done, and as `run`."""
        process = self._processes[seat]
        code = process.poll()
        if code is None:
            self._kill_if_silent(seat)
            return
        died = code != 0 and not self._is_ending()
        if died and process.pid not in self._counted:
            self._count_death(process.pid, code)
        latest = self._batch.summary()
        del self._processes[seat]
        _close_input(process)
        self._ending = self._ending or (self._terms.fail_fast and latest.failed > self._failed_before)
        if died and not self._ending:
            self._replace(seat, code, latest)

    def _count_death(self, pid: int, code: int) -> None:
        """Each film that it held has failed once more: one at which workers die must not end the batch."""
        silent = ", since it gave no sign of life" if pid in self._killed else ""
        error = ModelProcessError(
            f"the worker's process ended with code {code}{silent}",
            hint="`localvid doctor` checks what is installed",
        )
        for number in self._batch.count_death(pid, error, most_attempts=MAX_ATTEMPTS):
            self._on_notice(f"film {number}: {error.message}")
        self._counted.add(pid)

    def _replace(self, seat: int, code: int, latest: BatchSummary) -> None:
        self._deaths = self._deaths + 1 if latest.updated_at == self._changed else 1
        self._changed = latest.updated_at
        if self._deaths >= _MOST_DEATHS:
            raise ModelProcessError(
                f"worker processes of the batch die: the last ended with code {code}",
                hint="`localvid doctor` checks what is installed",
            )
        self._on_notice(f"a worker ended with code {code}; another takes its place")
        self._start(seat)

    def _kill_if_silent(self, seat: int) -> None:
        process = self._processes[seat]
        if self._silences[seat].look() > self._silence_seconds and process.pid not in self._killed:
            self._killed.add(process.pid)
            process.kill()  # whoever looks again finds it dead, and its film is free
            self._on_notice(f"a worker gave no sign of life for {self._silence_seconds:g} s and was killed")

    def _start(self, seat: int) -> None:
        device = self._devices[seat]
        environment = dict(os.environ)
        if device != "cpu":
            environment["CUDA_VISIBLE_DEVICES"] = _name_of_gpu(int(device))
        try:
            with _deaf_to_the_terminal():
                process = subprocess.Popen(
                    [sys.executable, "-c", _RUN],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    env=environment,
                    text=True,
                )
        except OSError as error:
            raise ModelProcessError(
                f"no worker process could be started: {error.strerror or error}",
                hint=f"free memory or processes, then `localvid batch {self._batch.id} --resume`",
            ) from error
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
        self._silences[seat] = silence = Silence()
        listener = threading.Thread(target=self._listen, args=(process, silence), daemon=True)
        listener.start()
        self._listeners.append(listener)

    def _listen(self, process: subprocess.Popen[str], silence: Silence) -> None:
        assert process.stdout is not None
        with process.stdout as lines:
            for line in lines:
                if (said := line.rstrip()) == SIGN:
                    silence.heard()
                else:
                    with silence.deaf():
                        self._on_notice(said)

    def _close_inputs(self) -> None:
        for process in self._processes.values():
            _close_input(process)


def _name_of_gpu(number: int) -> str:
    """What `CUDA_VISIBLE_DEVICES` calls the GPU that this process counts as `number`: it may see only
    some."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    return visible.split(",")[number].strip() if visible else str(number)


@contextmanager
def _deaf_to_the_terminal() -> Iterator[None]:
    """A process that is started within the block holds its terminal's signals back until it says what is to
    become of them, so that none comes too early."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, OF_THE_TERMINAL)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _await_end(process: subprocess.Popen[str]) -> None:
    """Of a worker whose input is closed; one that hangs too hard to end itself is killed."""
    try:
        process.wait(GRACE_SECONDS + 10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _close_input(process: subprocess.Popen[str]) -> None:
    """By which a worker ends at its next safe point; idempotent."""
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError):
        process.stdin.close()
