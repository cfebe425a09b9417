"""A small Hugging Face hub on loopback: real HTTP, the hub's headers and redirects, and its faults on demand.

Small files are answered after a redirect on the same host; large ones after a redirect to another origin (a
second port), as the hub redirects to its storage. Every request is recorded.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

REPO = "someone/some-model"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: dict[str, str]


@dataclass
class HubServer:
    """Set the attributes to make it misbehave; what is counted down is taken once."""

    files: dict[str, bytes]
    large: set[str]
    commit: str = COMMIT
    also_answers: str = ""
    """A revision for which it answers with `commit` all the same."""
    token: str | None = None
    """Gated: only requests with this token are served."""
    busy: list[int] = field(default_factory=list)
    """Statuses for the next requests."""
    retry_after: str | None = None
    drop_after: list[int] = field(default_factory=list)
    """The next bodies of storage end after so many bytes."""
    hold_after: int | None = None
    """Bodies of storage stand still after so many bytes, until `let_go` is set."""
    corrupt: bool = False
    ignores_range: bool = False
    digests: bool = True
    requests: list[Request] = field(default_factory=list)
    holding: threading.Event = field(default_factory=threading.Event)
    let_go: threading.Event = field(default_factory=threading.Event)
    endpoint: str = ""
    storage: str = ""

    def storage_requests(self) -> list[Request]:
        return [request for request in self.requests if request.path.startswith("/storage/")]

    def etag(self, path: str) -> str:
        body = self.files[path]
        if path in self.large:
            return hashlib.sha256(body).hexdigest()
        return hashlib.sha1(b"blob %d\0" % len(body) + body).hexdigest()


@contextmanager
def serve(server: HubServer) -> Iterator[HubServer]:
    class Handler(_Handler):
        hub = server

    hosts = [ThreadingHTTPServer(("127.0.0.1", 0), Handler) for _ in range(2)]
    server.endpoint, server.storage = (f"http://127.0.0.1:{host.server_port}" for host in hosts)
    threads = [threading.Thread(target=host.serve_forever, args=(0.02,)) for host in hosts]
    for thread in threads:
        thread.start()
    try:
        yield server
    finally:
        server.let_go.set()
        for host in hosts:
            host.shutdown()
            host.server_close()
        for thread in threads:
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    hub: HubServer
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def log_message(self, *_: Any) -> None:
        """Say nothing: what was asked is in `requests`."""

    def _answer(self) -> None:
        hub = self.hub
        hub.requests.append(Request(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}))
        path = unquote(self.path)
        if hub.busy:
            self._status(hub.busy.pop(0), {"Retry-After": hub.retry_after} if hub.retry_after else {})
        elif path.startswith("/storage/"):
            self._send(path.removeprefix("/storage/"))
        elif path.startswith("/api/resolve-cache/"):
            self._small(path.split(f"{REPO}/{hub.commit}/", 1)[1])
        elif hub.token is not None and self.headers["Authorization"] != f"Bearer {hub.token}":
            self._status(401, {"X-Error-Code": "GatedRepo"})
        else:
            self._resolve(path)

    def _resolve(self, path: str) -> None:
        hub = self.hub
        repo, _, rest = path.lstrip("/").partition("/resolve/")
        revision, _, name = rest.partition("/")
        if repo != REPO:
            return self._status(401, {"X-Error-Code": "RepoNotFound"})
        if revision not in ("main", hub.commit, hub.also_answers):
            return self._status(404, {"X-Error-Code": "RevisionNotFound"})
        if name not in hub.files:
            return self._status(404, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": hub.commit})
        headers = {"X-Repo-Commit": hub.commit}
        if name not in hub.large:
            location = f"/api/resolve-cache/models/{REPO}/{hub.commit}/{name}"
            return self._status(307, headers | {"Location": location})
        if hub.digests:
            headers |= {"X-Linked-ETag": f'"{hub.etag(name)}"', "X-Linked-Size": str(len(hub.files[name]))}
        return self._status(302, headers | {"Location": f"{hub.storage}/storage/{name}"})

    def _small(self, name: str) -> None:
        body = self.hub.files[name]
        headers = {"X-Repo-Commit": self.hub.commit, "ETag": f'"{self.hub.etag(name)}"'}
        self._status(200, headers, body)

    def _send(self, name: str) -> None:
        hub = self.hub
        body, start, status, headers = hub.files[name], 0, 200, {}
        if hub.corrupt:
            body = body[:-1] + bytes([body[-1] ^ 1])
        if "Range" in self.headers and not hub.ignores_range:
            start = int(self.headers["Range"].removeprefix("bytes=").rstrip("-"))
            status = 206
            headers = {"Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}"}
        self._status(status, headers, body[start:])

    def _status(self, status: int, headers: dict[str, str], body: bytes = b"") -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "HEAD" or not body:
            return
        storage = self.path.startswith("/storage/")
        if storage and self.hub.drop_after:
            self.wfile.write(body[: self.hub.drop_after.pop(0)])
            self.close_connection = True
        elif storage and self.hub.hold_after is not None:
            self.wfile.write(body[: self.hub.hold_after])
            self.wfile.flush()
            self.hub.holding.set()
            self.hub.let_go.wait(60)
            self.close_connection = True
        else:
            self.wfile.write(body)
