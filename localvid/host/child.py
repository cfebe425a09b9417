"""The child's side: build the target, answer calls, give signs of life, and die with the parent.

Run as `python -m localvid.host.child <descriptor> <parent's process id>` by ChildHost.
"""

from __future__ import annotations

import ctypes
import faulthandler
import importlib
import itertools
import json
import os
import queue
import resource
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from localvid.errors import LocalvidError
from localvid.host.frames import HEARTBEAT_SECONDS, Frames, PipeEndedError
from localvid.host.later import Later

if TYPE_CHECKING:
    from localvid.schemas import Progress

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main(descriptor: int, parent: int) -> None:
    """Serve the parent at the other end of the socket until it closes it."""
    _die_with(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a crashed model would leave gigabytes behind
    faulthandler.enable()
    frames = Frames(socket.socket(fileno=descriptor))
    os.set_inheritable(descriptor, False)
    requests: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    stopped = threading.Event()
    for work in (lambda: _receive_all(frames, requests, stopped), lambda: _beat(frames)):
        threading.Thread(target=work, daemon=True).start()
    _serve(frames, requests, stopped)


def _die_with(parent: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the line above
        os._exit(1)


class _StopRequest(BaseException):
    """Raised from a report where the parent asked for a stop. No Exception: a model must not catch it."""


def _receive_all(
    frames: Frames, requests: queue.SimpleQueue[dict[str, Any]], stopped: threading.Event
) -> None:
    try:
        while True:
            message = frames.receive(None)
            assert message is not None
            if "stop" in message:
                stopped.set()
            else:
                requests.put(message)
    except BaseException:
        os._exit(0)  # the parent closed the pipe or is gone: nothing here is worth keeping


def _beat(frames: Frames) -> None:
    while True:
        time.sleep(HEARTBEAT_SECONDS)
        _send_or_exit(frames, {"heartbeat": True})


def _send_or_exit(frames: Frames, message: Mapping[str, Any]) -> None:
    try:
        frames.send(message)
    except PipeEndedError:
        os._exit(0)


def _serve(frames: Frames, requests: queue.SimpleQueue[dict[str, Any]], stopped: threading.Event) -> None:
    def report(progress: Progress) -> None:
        _send_or_exit(frames, {"progress": progress.model_dump(mode="json")})
        if stopped.is_set():
            raise _StopRequest

    model: Any = None
    for number in itertools.count():
        request = requests.get()
        stopped.clear()  # it was for the call before, which had ended by itself
        later: Later | None = None
        try:
            if "target" in request:
                module, _, name = request["target"].partition(":")
                model = getattr(importlib.import_module(module), name)(report, **request["arguments"])
                answer: dict[str, Any] = {"result": None}
            else:
                result = getattr(model, request["method"])(**request["arguments"])
                if isinstance(result, Later):
                    later, result = result, None
                answer = {"result": result} | ({"later": number} if later else {})
            json.dumps(answer)
        except _StopRequest:
            answer = {"stopped": True}
        except Exception as error:
            answer = _described(error)
        _send_or_exit(frames, answer)
        if later is not None:
            threading.Thread(target=_finish, args=(frames, later, number), daemon=True).start()


def _finish(frames: Frames, later: Later, number: int) -> None:
    message: dict[str, Any] = {"finished": number}
    try:
        later.finish()
    except Exception as error:
        message["failure"] = _described(error)
    _send_or_exit(frames, message)


def _described(error: Exception) -> dict[str, Any]:
    """Within its `except` block."""
    return {
        "error": type(error).__name__,
        "message": str(error),
        "hint": error.hint if isinstance(error, LocalvidError) else "",
        "traceback": traceback.format_exc(),
    }


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
