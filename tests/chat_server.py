"""A server for chat models on loopback: real HTTP, answers as of a model that knows the director's questions,
and faults on demand. `openai_server` and `anthropic_server` say how requests and answers are written.

Every request is recorded.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol

import jsonschema

Turns = list[tuple[str, str]]


@dataclass(frozen=True)
class Asked:
    """One question, whatever its protocol. `turns` leave out the system's."""

    turns: Turns
    schema: dict[str, Any] | None
    max_tokens: int


class Speech(Protocol):
    """How requests and answers are written."""

    path: str

    def read(self, body: dict[str, Any]) -> Asked: ...

    def write(self, text: str, *, is_cut: bool, thought: str) -> dict[str, Any]: ...

    def error(self, status: int, message: str) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Request:
    path: str
    headers: dict[str, str]
    body: dict[str, Any]


@dataclass
class ChatServer:
    """Set the attributes to make it misbehave."""

    speech: Speech
    key: str | None = None
    """Only requests with it are answered."""
    faults: list[Fault] = field(default_factory=list)
    """Of the next requests, one each."""
    always: Fault | None = None
    """Of all others."""
    thought_tokens: int = 0
    """So many of an answer's tokens go into thoughts first."""
    answer: Callable[[Asked], str] = lambda asked: answer_to(asked)
    requests: list[Request] = field(default_factory=list)
    most_at_once: int = 0
    let_go: threading.Event = field(default_factory=threading.Event)
    """Set when the server closes: whatever stands still goes on."""
    address: str = ""


Fault = Callable[["Handler"], None]


@contextmanager
def serve(server: ChatServer) -> Iterator[ChatServer]:
    class OwnHandler(Handler):
        chat = server

    host = ThreadingHTTPServer(("127.0.0.1", 0), OwnHandler)
    server.address = f"http://127.0.0.1:{host.server_port}"
    thread = threading.Thread(target=host.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server
    finally:
        server.let_go.set()
        host.shutdown()
        host.server_close()
        thread.join()


# --- faults -----------------------------------------------------------------------------------------


def status(code: int, message: str = "not now", **headers: str) -> Fault:
    """An error of the protocol; `Retry_After="1"` is a header."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda handler: handler.send_json(code, handler.chat.speech.error(code, message), named)


def redirect(to: str) -> Fault:
    return lambda handler: handler.send(307, b"", "text/plain", {"Location": to})


def raw(body: bytes, content_type: str = "application/json", encoding: str = "identity") -> Fault:
    return lambda handler: handler.send(200, body, content_type, {"Content-Encoding": encoding})


def silence(handler: Handler) -> None:
    """Accepts, and never answers."""
    handler.chat.let_go.wait(60)
    handler.close_connection = True


def drop(handler: Handler) -> None:
    handler.close_connection = True


def dribble(handler: Handler) -> None:
    """A byte now and then, for ever: no time between two bytes is long."""
    handler.begin(200, {"Content-Type": "application/json", "Content-Length": "1000000"})
    while not handler.chat.let_go.wait(0.05):
        try:
            handler.wfile.write(b" ")
        except OSError:
            break
    handler.close_connection = True


def flood(handler: Handler) -> None:
    """A valid beginning, and no end."""
    handler.begin(200, {"Content-Type": "application/json", "Connection": "close"})
    try:
        handler.wfile.write(b'{"choices": [{"message": {"content": "')
        while not handler.chat.let_go.is_set():
            handler.wfile.write(b"a" * 65536)
    except OSError:
        pass
    handler.close_connection = True


# --- answers ----------------------------------------------------------------------------------------

_VIEWS = (
    "under low clouds, grass bending in the wind",
    "up close, wet stones shining in the foreground",
    "from below, birds crossing the sky",
    "from above, a narrow path winding away",
    "through a gap between dark branches",
    "behind a veil of drifting mist",
    "as the last light glides off",
)


def answer_to(asked: Asked) -> str:
    """What a large model might answer: plain lines, or JSON where a schema asks for it."""
    lines = _lines(asked)
    if asked.schema is None:
        return "\n".join(" | ".join(line) for line in lines)
    value = {
        key: line[0] if "properties" not in asked.schema["properties"][key] else _fields(asked, key)
        for key, line in zip(asked.schema["properties"], lines, strict=True)
    }
    jsonschema.validate(value, asked.schema)
    return json.dumps(value, ensure_ascii=False)


def _lines(asked: Asked) -> list[list[str]]:
    last = asked.turns[-1][1]
    users = "\n".join(text for role, text in asked.turns if role == "user")
    if "The author: " in last:
        return _revised(asked)
    idea, count = re.findall(r"Idea: (.*)\nShots: (\d)", users)[-1]
    shots = range(int(count))
    if "Who or what is the film about" in last:
        return [["A wanderer in a red coat."], ["A wide land by the sea."], ["Painted in soft colours."]]
    if "What happens in each" in last:
        return [[f"{idea[:60]}, {_VIEWS[shot]}."] for shot in shots]
    if "Describe each shot" in last:
        number = int(re.findall(r"^(\d)\. [A-Z]", last, re.MULTILINE)[-1])
        return [[f"{idea[:200]}, {_VIEWS[number - 1]}."]]
    return [["static", "calm"] if "camera" in last else ["crossfade", "steady"] for _ in shots]


def _revised(asked: Asked) -> list[list[str]]:
    """Of an edit: everything as it is, and a sentence for a shot that is wanted."""
    assert asked.schema is not None
    return [
        list(_fields(asked, key).values())
        if "properties" in of
        else ["A brook at dawn. Wet stones shine in it."]
        for key, of in asked.schema["properties"].items()
    ]


def _fields(asked: Asked, key: str) -> dict[str, str]:
    assert asked.schema is not None
    fields = asked.schema["properties"][key]["properties"]
    return {name: of["enum"][0] for name, of in fields.items()}


# --- HTTP -------------------------------------------------------------------------------------------


class Handler(BaseHTTPRequestHandler):
    chat: ChatServer
    disable_nagle_algorithm = True
    protocol_version = "HTTP/1.1"
    _lock = threading.Lock()
    _now = 0

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        headers = {name.lower(): value for name, value in self.headers.items()}
        with self._lock:
            self.chat.requests.append(Request(self.path, headers, body))
            type(self)._now += 1
            self.chat.most_at_once = max(self.chat.most_at_once, self._now)
            fault = self.chat.faults.pop(0) if self.chat.faults else self.chat.always
        try:
            if fault is None:
                self._answer(headers, body)
            else:
                fault(self)
        except OSError:
            self.close_connection = True  # whoever asked has gone
        finally:
            with self._lock:
                type(self)._now -= 1

    def log_message(self, *_: Any) -> None:
        """Say nothing: what was asked is in `requests`."""

    def _answer(self, headers: dict[str, str], body: dict[str, Any]) -> None:
        chat = self.chat
        if self.path != chat.speech.path:
            return self.send_json(404, chat.speech.error(404, f"no {self.path} here"))
        if chat.key is not None and headers.get("authorization") != f"Bearer {chat.key}":
            said = f"the key {headers.get('authorization')} is not known"
            return self.send_json(401, chat.speech.error(401, said))
        try:
            asked = chat.speech.read(body)
        except ValueError as error:
            return self.send_json(400, chat.speech.error(400, str(error)))
        if asked.max_tokens <= chat.thought_tokens:
            return self.send_json(200, chat.speech.write("", is_cut=True, thought="Let me see: a"))
        thought = "Let me see: a film about it." if chat.thought_tokens else ""
        return self.send_json(200, chat.speech.write(chat.answer(asked), is_cut=False, thought=thought))

    def send_json(self, code: int, value: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        self.send(code, json.dumps(value).encode(), "application/json", headers)

    def send(self, code: int, body: bytes, content_type: str, headers: dict[str, str] | None = None) -> None:
        lengths = {"Content-Type": content_type, "Content-Length": str(len(body))}
        self.begin(code, {**lengths, **(headers or {})})
        self.wfile.write(body)

    def begin(self, code: int, headers: dict[str, str]) -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
