"""A model in a process of its own: start it, call it, hear of its progress, stop it, bury it.

What runs there is named by a `target`, `"package.module:Class"`, built in the child as
`Class(report, **arguments)` and then called by method name. Arguments and results are JSON. The child is
a fresh interpreter, never a fork and never a second run of the user's script, so a script needs no
`if __name__` guard. This module knows no model.

They talk over a socket pair of their own. What libraries print on the child's stdout or stderr goes
elsewhere: its tail is kept for the error message.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from localvid import errors
from localvid.errors import LocalvidError, ModelProcessError, WorkLostError
from localvid.host.frames import HEARTBEAT_SECONDS, Frames, PipeEndedError, nonsense
from localvid.schemas import OnProgress, Progress, ignore_progress

logger = logging.getLogger(__name__)

_TAIL_BYTES = 16 * 2**10
_GRACE_SECONDS = 2.0


class ChildHost:
    """One child process that holds one model; a context manager.

    - The child is started by `start` or by the first `call`, and again by a `call` after it has died.
    - Whatever goes wrong (Ctrl-C, a crash, a hang), the child is killed and reaped before the exception
      leaves this class. So it is where `on_progress` raises, unless `stop_seconds` lets the child end the
      call by itself at its next report: then it keeps what it has loaded, and can be called again.
    - After `close` the process and what it forked in its group are gone, and so is their memory.
    - If the parent dies, even by `kill -9`, the child dies with it. On Linux the kernel ties this to the
      thread that started the child, so start it on a thread that outlives it.

    Not thread-safe: one call at a time.
    """

    def __init__(
        self,
        target: str,
        arguments: Mapping[str, Any],
        *,
        name: str,
        silence_seconds: float = 60.0,
        stall_seconds: float = math.inf,
        stop_seconds: float = 0.0,
        crash_hint: str = "",
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """`name` begins each error message. A child that is silent for `silence_seconds`, heartbeats
        included, has hung; so has one whose call reports no progress for `stall_seconds`. `stop_seconds`
        is how long it may take to stop by itself. `crash_hint` is the hint of a crash by signal.
        `environment` holds defaults of variables that the child's libraries read; the user's own values
        stand."""
        self._target = target
        self._arguments = dict(arguments)
        self._name = name
        self._silence_seconds = silence_seconds
        self._stall_seconds = stall_seconds
        self._stop_seconds = stop_seconds
        self._crash_hint = crash_hint
        self._environment = dict(environment or {})
        self._process: subprocess.Popen[bytes] | None = None
        self._frames: Frames | None = None
        self._output: _OutputTail | None = None
        self._finished: dict[int, dict[str, Any] | None] = {}
        """What the present child has finished later, with the failure if it was one."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def pid(self) -> int | None:
        """Process id of the child; None where there is none."""
        return self._process.pid if self._process is not None else None

    def start(self, on_progress: OnProgress = ignore_progress, *, timeout_seconds: float) -> None:
        """Start the child and wait until its target is built; idempotent.

        Raises as `call` does.
        """
        if self._process is not None:
            return
        self._spawn()
        try:
            self._exchange(
                {"target": self._target, "arguments": self._arguments}, on_progress, timeout_seconds
            )
        except BaseException:
            self.close()
            raise

    def call(
        self,
        method: str,
        arguments: Mapping[str, Any],
        *,
        on_progress: OnProgress = ignore_progress,
        timeout_seconds: float,
    ) -> Any:
        """Call a method of the target and return its result; `LaterWork` where it returned a `Later`.

        `timeout_seconds` covers the call, and once more the start where the child must be started.
        Raises what the target raised if that is a LocalvidError; ModelProcessError for any other
        exception in the child and for its crash, hang or nonsense; and whatever `on_progress` raises.
        """
        self.start(on_progress, timeout_seconds=timeout_seconds)
        return self._exchange({"method": method, "arguments": dict(arguments)}, on_progress, timeout_seconds)

    def close(self) -> None:
        """End the child and wait until it is gone; idempotent, and raises nothing."""
        process, frames, output = self._process, self._frames, self._output
        self._process = self._frames = self._output = None
        if frames is not None:
            frames.close()  # the child takes the end of its pipe as the order to exit
        if process is not None:
            _await_exit(process, _GRACE_SECONDS)
            _kill_group(process)
        if output is not None:
            output.join()

    def _spawn(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            command = [
                sys.executable,
                "-P",
                "-m",
                "localvid.host.child",
                str(theirs.fileno()),
                str(os.getpid()),
            ]
            try:
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    pass_fds=(theirs.fileno(),),
                    env={**self._environment, **_environment()},
                    start_new_session=True,  # Ctrl-C reaches the parent alone, which decides
                )
            except OSError as error:
                ours.close()
                raise ModelProcessError(
                    f"{self._name} could not be started: {error.strerror or error}",
                    hint="check that there are memory and processes left, then try again",
                ) from error
        self._frames = Frames(ours)
        self._finished = {}
        self._output = _OutputTail(self._process)

    def _exchange(self, request: dict[str, Any], on_progress: OnProgress, timeout_seconds: float) -> Any:
        assert self._frames is not None
        try:
            self._frames.send(request)
            answer = self._answer(self._frames, on_progress, timeout_seconds)
        except PipeEndedError as error:
            raise self._death() from error
        except BaseException:
            self._kill()
            raise
        if isinstance(answer, Exception):
            self._stop()
            raise answer
        if "error" in answer:
            raise self._failure(answer)
        if "later" in answer:
            return LaterWork(self, answer["later"])
        return answer.get("result")

    def _await(self, number: int, on_progress: OnProgress) -> None:
        """Wait for what the child finishes later. Between two calls."""
        assert self._frames is not None
        try:
            answer = self._answer(
                self._frames, on_progress, math.inf, lambda message: message.get("finished") == number
            )
        except PipeEndedError as error:
            death = self._death()
            raise WorkLostError(death.message, hint=death.hint) from error
        except BaseException as error:
            self._kill()
            if isinstance(error, ModelProcessError):
                raise WorkLostError(error.message, hint=error.hint) from error
            raise
        if isinstance(answer, Exception):
            raise answer

    def _answer(
        self,
        frames: Frames,
        on_progress: OnProgress,
        timeout_seconds: float,
        is_awaited: Callable[[dict[str, Any]], bool] = lambda message: (
            "result" in message or "error" in message
        ),
    ) -> dict[str, Any] | Exception:
        """Wait for what is awaited, the call's result or error; the last report is repeated while nothing
        new comes.

        What `on_progress` raises is returned: unlike what goes wrong here it is no reason to kill the child.
        """
        deadline = time.monotonic() + timeout_seconds
        heard = moved = time.monotonic()
        progress = Progress(step=0, num_steps=0)
        while True:
            message = frames.receive(min(HEARTBEAT_SECONDS, max(0.0, deadline - time.monotonic())))
            now = time.monotonic()
            if message is not None:
                heard = now
                self._note_finished(message)
                if is_awaited(message):
                    return message
                if "progress" in message:
                    progress, moved = _read_progress(message), now
            elif self._has_ended():
                raise PipeEndedError  # a grandchild holds the pipe open
            try:
                on_progress(progress)
            except Exception as error:
                return error
            progress = progress.model_copy(update={"notice": ""})  # said once, though the rest is repeated
            if now - heard > self._silence_seconds:
                raise self._hang(f"gave no sign of life for {self._silence_seconds:g} s")
            if now - moved > self._stall_seconds:
                raise self._hang(f"made no progress for {self._stall_seconds:g} s")
            if now >= deadline:
                raise self._hang(f"did not answer within {timeout_seconds:g} s")

    def _stop(self) -> None:
        """Have the child end its call at its next report; kill it if that takes too long."""
        assert self._frames is not None
        deadline = time.monotonic() + self._stop_seconds
        try:
            self._frames.send({"stop": True})
            later: int | None = None
            while (left := deadline - time.monotonic()) > 0:
                message = self._frames.receive(left) or {}
                self._note_finished(message)
                later = message.get("later", later)
                ended = not message.keys().isdisjoint(("stopped", "result", "error"))
                # What an answer that came all the same left to do is of no use, and must not go on.
                if (ended and later is None) or (later is not None and later in self._finished):
                    return
        except (PipeEndedError, ModelProcessError):
            pass  # it is killed below
        except BaseException:
            self._kill()
            raise
        self._kill()

    def _note_finished(self, message: dict[str, Any]) -> None:
        if "finished" in message:
            self._finished[message["finished"]] = message.get("failure")

    def _has_ended(self) -> bool:
        assert self._process is not None
        return _ended(self._process)

    def _hang(self, what: str) -> ModelProcessError:
        return ModelProcessError(
            f"{self._name} {what} and was stopped",
            hint="try again; on a slow machine allow it more time or choose a smaller model",
        )

    def _failure(self, answer: dict[str, Any]) -> LocalvidError:
        """The child's exception: of the same class if it is one of ours."""
        kind = getattr(errors, str(answer["error"]), None)
        message, hint = str(answer.get("message", "")), str(answer.get("hint", ""))
        if isinstance(kind, type) and issubclass(kind, LocalvidError):
            return kind(message, hint=hint)
        logger.info("%s raised:\n%s", self._name, answer.get("traceback", ""))
        return ModelProcessError(
            f"{self._name} failed: {answer['error']}: {_one_line(message)}",
            hint="try again; if it happens again, report it with what `localvid doctor` says",
        )

    def _death(self) -> ModelProcessError:
        """Bury a child whose pipe ended, and say what it died of."""
        process, output, frames = self._process, self._output, self._frames
        assert process is not None
        assert output is not None
        assert frames is not None
        with contextlib.suppress(PipeEndedError, ModelProcessError):
            while (message := frames.receive(0)) is not None:  # it may have finished something before
                self._note_finished(message)
        _await_exit(process, _GRACE_SECONDS)
        ended = _ended(process)
        self.close()
        if output.text():
            logger.info("%s printed last:\n%s", self._name, output.text())
        returncode = process.returncode
        if not ended:
            return ModelProcessError(f"{self._name} closed its pipe and was stopped", hint="try again")
        if returncode >= 0:
            last = output.last_line()
            return ModelProcessError(
                f"{self._name} ended with exit code {returncode}" + (f": {last}" if last else ""),
                hint="`localvid doctor` checks the installation",
            )
        return ModelProcessError(
            f"{self._name} was ended by {_signal_name(-returncode)}",
            hint=_KILLED_HINT if returncode == -signal.SIGKILL else self._crash_hint or "try again",
        )

    def _kill(self) -> None:
        if self._process is not None:
            _kill_group(self._process)
        self.close()


class LaterWork:
    """What a child goes on with after it answered a call; heard of during its next calls, or by `wait`."""

    def __init__(self, host: ChildHost, number: int) -> None:
        self._host = host
        self._number = number
        self._finished = host._finished

    def is_done(self) -> bool:
        """Whether the child said so, as far as its messages were read."""
        return self._number in self._finished

    def wait(self, on_progress: OnProgress = ignore_progress) -> None:
        """Return when it is done; not while another call is on its way.

        Raises what it raised in the child, WorkLostError if the child ended before, and whatever
        `on_progress` raises: then it goes on, and may be waited for again.
        """
        if not self.is_done():
            if self._host.pid is None or self._host._finished is not self._finished:
                raise WorkLostError(f"{self._host._name} ended before it had finished", hint="try again")
            self._host._await(self._number, on_progress)
        if (failure := self._finished[self._number]) is not None:
            raise self._host._failure(failure)

    def give_up(self) -> None:
        """Return when the child works on it no more; raises nothing."""
        with contextlib.suppress(LocalvidError):
            self.wait()


_KILLED_HINT = "if nobody killed it, memory ran out: free some, or choose a smaller model"


class _OutputTail:
    """Reads what the child prints, so that it never blocks on it, and keeps the end."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._tail = b""
        self._thread = threading.Thread(target=self._read, name="child output", daemon=True)
        self._thread.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        while data := os.read(descriptor, 65_536):
            self._tail = (self._tail + data)[-_TAIL_BYTES:]

    def join(self) -> None:
        """Wait for the end of the output. A process that left the child's group may still hold the pipe;
        then its reader stays behind rather than the caller."""
        self._thread.join(_GRACE_SECONDS)
        if not self._thread.is_alive() and self._process.stdout is not None:
            self._process.stdout.close()

    def text(self) -> str:
        return self._tail.decode(errors="replace").strip()

    def last_line(self) -> str:
        return _one_line(self.text().rpartition("\n")[2])


def _environment() -> dict[str, str]:
    """The parent's environment, in which the child finds the very same localvid.

    The child runs with -P: a json.py in the user's current folder is not imported in place of Python's.
    """
    root = str(Path(__file__).resolve().parents[2])
    paths = [root, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def _await_exit(process: subprocess.Popen[bytes], seconds: float) -> None:
    """Wait until the child has ended, and leave it unreaped, so that its number stays its own."""
    deadline = time.monotonic() + seconds
    while not _ended(process) and time.monotonic() < deadline:
        time.sleep(0.005)


def _ended(process: subprocess.Popen[bytes]) -> bool:
    return (
        process.returncode is not None
        or os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    )


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill the child and what it forked, then reap it."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _read_progress(message: dict[str, Any]) -> Progress:
    try:
        return Progress.model_validate(message["progress"])
    except ValueError as error:
        raise nonsense() from error


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _one_line(text: str) -> str:
    return " ".join(text.split())[:300]
