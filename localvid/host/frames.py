"""Messages between a parent and its child: 4 bytes of length, big-endian, then a JSON object."""

from __future__ import annotations

import contextlib
import json
import select
import socket
import threading
import time
from collections.abc import Mapping
from typing import Any

from localvid.errors import ModelProcessError

HEARTBEAT_SECONDS = 1.0
"""A living child says so this often, and the caller's `on_progress` is called at least as often."""

_MAX_FRAME_BYTES = 16 * 2**20


class PipeEndedError(Exception):
    """The other side of the pipe is gone."""


class Frames:
    """Frames of JSON over a stream socket; reading never blocks for longer than it is told."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._buffer = bytearray()
        self._sending = threading.Lock()

    def send(self, message: Mapping[str, Any]) -> None:
        body = json.dumps(message).encode()
        try:
            with self._sending:
                self._connection.sendall(len(body).to_bytes(4, "big") + body)
        except OSError as error:
            raise PipeEndedError from error

    def receive(self, timeout_seconds: float | None) -> dict[str, Any] | None:
        """The next message; None if it is not whole within `timeout_seconds`."""
        deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        while (message := self._take()) is None:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            if not select.select([self._connection], [], [], left)[0]:
                return None
            try:
                data = self._connection.recv(65_536)
            except OSError as error:
                raise PipeEndedError from error
            if not data:
                raise PipeEndedError
            self._buffer += data
        return message

    def close(self) -> None:
        # Not close alone: a forked grandchild may hold a copy of the other end.
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        self._connection.close()

    def _take(self) -> dict[str, Any] | None:
        if len(self._buffer) < 4:
            return None
        length = int.from_bytes(self._buffer[:4], "big")
        if length > _MAX_FRAME_BYTES:
            raise nonsense()
        if len(self._buffer) < 4 + length:
            return None
        body = bytes(self._buffer[4 : 4 + length])
        del self._buffer[: 4 + length]
        try:
            message = json.loads(body)
        except ValueError as error:
            raise nonsense() from error
        if not isinstance(message, dict):
            raise nonsense()
        return message


def nonsense() -> ModelProcessError:
    return ModelProcessError(
        "a model's process sent nonsense and was stopped",
        hint="something in it wrote to a pipe that is not its own; `localvid doctor` checks the installation",
    )
