"""A small Replicate on loopback: real HTTP, the API's published form, and its faults on demand.

What comes in and what goes out is held to `replicate_schema`; `violations` has what is not so. Predictions
go through `script`, one stage at each request for them, or, where `queue_seconds` or `run_seconds` is set, by
the clock. A clip is the uploaded picture, moving to the left, with a pattern that its seed decides.

Faults are words in lists, of which each request of that kind takes the first:

- `create_faults`: "429", "429 after 2", "429 after date", "429 words"; a status such as "500", or
  "500 created" (it is created all the same); "drop", "drop created"; "hang", "hang created" (no answer until
  `let_go`); "garbage created"
- `get_faults`, `list_faults`, `upload_faults`: "429", "500", "drop", "hang", "404"
- `output_faults`: "404", "410", "500", "drop", "truncated", "huge", "endless", "html", "damaged",
  "redirect URL"
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import av
import jsonschema
import numpy as np
import replicate_schema
from PIL import Image

VERSION = "3f0457e4619daac51203dedb472816fd4af51f3149fa7a9e0b5ffcf1b8172438"
MODEL = "stability-ai/stable-video-diffusion"
TOKEN = "r8_token-of-the-tests"
NUM_FRAMES = {"14_frames_with_svd": 14, "25_frames_with_svd_xt": 25}


@dataclass(frozen=True)
class Stage:
    """What a request for a prediction is told, before it goes on to the next stage."""

    status: str
    logs: str = ""


SCRIPT = (
    Stage("starting"),
    Stage("processing", "Using seed: 1\n  0%|          | 0/30"),
    Stage("processing", "Using seed: 1\n 50%|█████     | 15/30"),
    Stage("succeeded", "Using seed: 1\n100%|██████████| 30/30"),
)


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Prediction:
    id: str
    input: dict[str, Any]
    created: datetime
    cancel_after: str
    stage: int = 0
    ended: str = ""
    """A status that it was given from outside."""
    clip: bytes = b""


@dataclass
class ReplicateServer:
    """Set the attributes to make it misbehave."""

    token: str = TOKEN
    script: tuple[Stage, ...] = SCRIPT
    queue_seconds: float | None = None
    run_seconds: float | None = None
    answer_seconds: float = 0.0
    """Before each answer."""
    create_faults: list[str] = field(default_factory=list)
    get_faults: list[str] = field(default_factory=list)
    list_faults: list[str] = field(default_factory=list)
    upload_faults: list[str] = field(default_factory=list)
    output_faults: list[str] = field(default_factory=list)
    error: str = "CUDA out of memory"
    outputs_kept: bool = True
    """False: outputs and inputs are deleted, as after an hour."""
    hides_inputs: bool = False
    """The list shows the image's address in another form."""
    frame_size: tuple[int, int] | None = None
    num_frames: int | None = None
    still: bool = False
    others: list[dict[str, Any]] = field(default_factory=list)
    """Of other models, before all else in the list."""
    page_size: int = 100
    clock_ahead: timedelta = timedelta()
    """Of this machine's clock."""
    requests: list[Request] = field(default_factory=list)
    predictions: dict[str, Prediction] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    deleted_files: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    let_go: threading.Event = field(default_factory=threading.Event)
    mutex: threading.RLock = field(default_factory=threading.RLock)
    base: str = ""

    def creations(self) -> list[Request]:
        """Every request that could make something."""
        return [r for r in self.requests if r.method == "POST" and r.path == "/v1/predictions"]

    def made_by_seed(self) -> Counter[int]:
        """How many predictions there are of each seed."""
        return Counter(prediction.input["seed"] for prediction in self.predictions.values())


@contextmanager
def serve(server: ReplicateServer) -> Iterator[ReplicateServer]:
    class Handler(_Handler):
        api = server

    host = _Host(("127.0.0.1", 0), Handler)
    server.base = f"http://127.0.0.1:{host.server_port}/v1"
    thread = threading.Thread(target=host.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.let_go.set()
        host.shutdown()
        host.server_close()
        thread.join()


class _Host(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever asked may be gone, killed perhaps; any other error is the server's own."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    api: ReplicateServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_DELETE(self) -> None:
        self._answer()

    def date_time_string(self, timestamp: float | None = None) -> str:
        return super().date_time_string(timestamp or (datetime.now(UTC) + self.api.clock_ahead).timestamp())

    def log_message(self, *_: Any) -> None:
        """Say nothing: what was asked is in `requests`."""

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length)
        if len(body) < length:
            return self._drop()  # whoever asked was killed while asking
        headers = {name.lower(): value for name, value in self.headers.items()}
        api, path = self.api, urlsplit(self.path).path
        with api.mutex:
            api.requests.append(Request(self.command, path, headers, body))
        if api.answer_seconds:
            time.sleep(api.answer_seconds)
        if headers.get("authorization") != f"Bearer {api.token}":
            return self._problem(401, "Unauthenticated", "You did not pass a valid authentication token")
        if path == "/v1/files" and self.command == "POST":
            return self._upload(body)
        if path.startswith("/v1/files/") and self.command == "DELETE":
            return self._delete_file(path.rpartition("/")[2])
        if path == "/v1/predictions" and self.command == "POST":
            return self._create(body)
        if path == "/v1/predictions":
            return self._list()
        if found := re.fullmatch(r"/v1/predictions/(\w+)(/cancel)?", path):
            return self._get(found[1], cancel=bool(found[2]) and self.command == "POST")
        if found := re.fullmatch(r"/outputs/(\w+)\.mp4", path):
            return self._output(found[1])
        return self._problem(404, "Not found", "There is nothing here")

    # --- files -----------------------------------------------------------------------------------

    def _upload(self, body: bytes) -> None:
        if self._fails(self.api.upload_faults):
            return
        boundary = self.headers["Content-Type"].partition("boundary=")[2].encode()
        parts = body.split(b"--" + boundary)
        head, _, content = parts[1].partition(b"\r\n\r\n")
        if b'name="content"' not in head or b"filename=" not in head:
            self.api.violations.append("the file is not in a part named content")
        content = content.removesuffix(b"\r\n")
        name = f"file{len(self.api.files)}{hashlib.sha256(content).hexdigest()[:12]}"
        with self.api.mutex:
            self.api.files[name] = content
        now = datetime.now(UTC)
        document = {
            "id": name,
            "content_type": "image/png",
            "size": len(content),
            "checksums": {"sha256": hashlib.sha256(content).hexdigest()},
            "metadata": {},
            "created_at": _time(now),
            "expires_at": _time(now + timedelta(hours=1)),
            "urls": {"get": f"{self.api.base}/files/{name}"},
        }
        self._json(201, document, replicate_schema.FILE)

    def _delete_file(self, name: str) -> None:
        with self.api.mutex:
            self.api.deleted_files.append(name)
        self._send(204, b"", {})

    # --- predictions -----------------------------------------------------------------------------

    def _create(self, body: bytes) -> None:
        fault = self._taken(self.api.create_faults)
        kind, _, created = fault.partition(" created")
        if kind.startswith("429"):
            return self._too_many(kind)
        prediction = None
        if not fault or fault.endswith(" created"):
            prediction = self._new_prediction(body)
            if prediction is None:
                return None
        if kind == "drop":
            return self._drop()
        if kind == "hang":
            return self._hang()
        if kind == "garbage":
            return self._send(201, b"<html>", {"Content-Type": "text/html"})
        if kind:
            return self._problem(int(kind), "A fault", f"asked for by the test{created and ', created'}")
        assert prediction is not None
        return self._json(201, self._document(prediction), replicate_schema.PREDICTION)

    def _new_prediction(self, body: bytes) -> Prediction | None:
        document = json.loads(body)
        self._hold(document, replicate_schema.CREATE, "a request to create")
        if not re.fullmatch(replicate_schema.CANCEL_AFTER, self.headers.get("Cancel-After", "")):
            self.api.violations.append("no valid Cancel-After")
        if document["version"].rpartition(":")[2] != VERSION:
            self._problem(422, "Input validation failed", "Invalid version or not permitted")
            return None
        name = document["input"]["input_image"].rpartition("/")[2]
        if name not in self.api.files:
            self._problem(422, "Input validation failed", "input_image: no such file")
            return None
        with self.api.mutex:
            number = len(self.api.predictions)
            prediction = Prediction(
                id=f"p{number:06d}{hashlib.sha256(body).hexdigest()[:12]}",
                input=document["input"],
                created=datetime.now(UTC),
                cancel_after=self.headers.get("Cancel-After", ""),
            )
            self.api.predictions[prediction.id] = prediction
        return prediction

    def _list(self) -> None:
        if self._fails(self.api.list_faults):
            return
        query = parse_qs(urlsplit(self.path).query)
        after = datetime.fromisoformat(query["created_after"][0])
        start = int(query.get("cursor", ["0"])[0])
        with self.api.mutex:
            found = [
                prediction
                for prediction in reversed(self.api.predictions.values())
                if prediction.created + self.api.clock_ahead >= after
            ]
            page = found[start : start + self.api.page_size]
            results = [self._document(prediction, listed=True) for prediction in page]
        more = start + self.api.page_size < len(found)
        after_text = query["created_after"][0]
        link = f"{self.api.base}/predictions?created_after={after_text}&cursor={start + self.api.page_size}"
        results = [*self.api.others, *results] if not start else results
        document = {"next": link if more else None, "previous": None, "results": results}
        self._json(200, document, replicate_schema.PREDICTIONS)

    def _get(self, name: str, *, cancel: bool) -> None:
        if self._fails(self.api.get_faults):
            return None
        with self.api.mutex:
            prediction = self.api.predictions.get(name)
            if prediction is None:
                return self._problem(404, "Not found", "The requested resource could not be found.")
            if cancel and self._stage(prediction).status in ("starting", "processing"):
                prediction.ended = "canceled"
            document = self._document(prediction)
            if self.api.run_seconds is None and prediction.stage < len(self.api.script) - 1:
                prediction.stage += 1
        return self._json(200, document, replicate_schema.PREDICTION)

    def _stage(self, prediction: Prediction) -> Stage:
        if prediction.ended:
            return Stage(prediction.ended)
        if self.api.run_seconds is None:
            return self.api.script[prediction.stage]
        elapsed = (datetime.now(UTC) - prediction.created).total_seconds() - (self.api.queue_seconds or 0.0)
        if elapsed < 0:
            return Stage("starting")
        if elapsed < self.api.run_seconds:
            percent = int(100 * elapsed / self.api.run_seconds)
            return Stage("processing", f"{percent:3d}%|")
        return Stage("succeeded", "100%|")

    def _document(self, prediction: Prediction, *, listed: bool = False) -> dict[str, Any]:
        api, stage = self.api, self._stage(prediction)
        ended = stage.status not in ("starting", "processing")
        inputs = dict(prediction.input) if api.outputs_kept else {}
        if listed and api.hides_inputs and inputs:
            inputs["input_image"] = "https://replicate.delivery/somewhere/else.png"
        succeeded = stage.status == "succeeded" and api.outputs_kept
        document = {
            "id": prediction.id,
            "model": MODEL,
            "version": VERSION,
            "input": inputs,
            "output": f"{api.base.removesuffix('/v1')}/outputs/{prediction.id}.mp4" if succeeded else None,
            "data_removed": ended and not api.outputs_kept,
            "error": api.error if stage.status == "failed" else None,
            "status": stage.status,
            "source": "api",
            "logs": stage.logs if api.outputs_kept else "",
            "created_at": _time(prediction.created),
            "urls": {
                "web": f"https://replicate.com/p/{prediction.id}",
                "get": f"{api.base}/predictions/{prediction.id}",
                "cancel": f"{api.base}/predictions/{prediction.id}/cancel",
            },
        }
        if ended and stage.status != "aborted":
            document["metrics"] = {"predict_time": 40.0, "total_time": 42.0}
            document["completed_at"] = _time(datetime.now(UTC))
        return document

    # --- outputs ---------------------------------------------------------------------------------

    def _output(self, name: str) -> None:
        api = self.api
        fault = self._taken(api.output_faults)
        kind = {"Content-Type": "video/mp4"}
        if fault in ("404", "410") or not api.outputs_kept:
            return self._send(int(fault or 404), b"gone", {"Content-Type": "text/plain"})
        if fault == "500":
            return self._problem(500, "A fault", "asked for by the test")
        if fault == "drop":
            return self._drop()
        if fault == "html":
            return self._send(200, b"<html>sign in</html>", {"Content-Type": "text/html; charset=utf-8"})
        if fault == "huge":
            return self._send(200, b"", {**kind, "Content-Length": str(2**40)})
        if fault.startswith("redirect "):
            return self._send(302, b"", {"Location": fault.removeprefix("redirect ")})
        with api.mutex:
            prediction = api.predictions[name]
            prediction.clip = prediction.clip or clip_of(api, prediction)
            body = prediction.clip
        if fault == "damaged":
            body = body[: len(body) // 3] + bytes(len(body) - len(body) // 3)
        if fault == "endless":
            self._send(200, b"", {**kind, "Transfer-Encoding": "chunked"})
            block = bytes(65_536)
            try:
                while not api.let_go.is_set():
                    self.wfile.write(b"%x\r\n" % len(block) + block + b"\r\n")
            except OSError:
                self.close_connection = True
            return None
        if fault == "truncated":
            self._send(200, body[: len(body) // 2], {**kind, "Content-Length": str(len(body))})
            self.close_connection = True
            return None
        return self._send(200, body, kind)

    # --- answers ---------------------------------------------------------------------------------

    def _taken(self, faults: list[str]) -> str:
        with self.api.mutex:
            return faults.pop(0) if faults else ""

    def _fails(self, faults: list[str]) -> bool:
        """Whether the request meets a fault, which has then been answered."""
        fault = self._taken(faults)
        if not fault:
            return False
        if fault.startswith("429"):
            self._too_many(fault)
        elif fault == "drop":
            self._drop()
        elif fault == "hang":
            self._hang()
        else:
            self._problem(int(fault), "A fault", "asked for by the test")
        return True

    def _too_many(self, fault: str) -> None:
        words = "Request was throttled. Your rate limit resets in ~1s." if "words" in fault else "Throttled."
        after = fault.partition("after ")[2]
        if after == "date":
            after = formatdate(time.time() + 1, usegmt=True)
        self._problem(429, "Too many requests", words, {"Retry-After": after} if after else {})

    def _drop(self) -> None:
        self.close_connection = True
        self.connection.close()

    def _hang(self) -> None:
        self.api.let_go.wait(30)
        self._drop()

    def _hold(self, document: Any, schema: dict[str, Any], what: str) -> None:
        for error in jsonschema.Draft202012Validator(schema).iter_errors(document):
            self.api.violations.append(f"{what}: {error.json_path}: {error.message}")

    def _json(self, status: int, document: dict[str, Any], schema: dict[str, Any]) -> None:
        self._hold(document, schema, f"the answer to {self.command} {self.path}")
        self._send(status, json.dumps(document).encode(), {"Content-Type": "application/json"})

    def _problem(self, status: int, title: str, detail: str, headers: dict[str, str] | None = None) -> None:
        document = {"title": title, "detail": detail, "status": status}
        self._hold(document, replicate_schema.PROBLEM, "a problem")
        kind = {"Content-Type": "application/problem+json", **(headers or {})}
        self._send(status, json.dumps(document).encode(), kind)

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        try:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if "Transfer-Encoding" not in headers and "Content-Length" not in headers:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except OSError:
            self.close_connection = True  # whoever asked is gone, killed perhaps


def clip_of(api: ReplicateServer, prediction: Prediction) -> bytes:
    """As the model's source writes it: H.264, untagged, one more frame a second than the network was told."""
    picture = Image.open(io.BytesIO(api.files[prediction.input["input_image"].rpartition("/")[2]]))
    if api.frame_size is not None:
        picture = picture.resize(api.frame_size)
    frames = moving(np.asarray(picture), prediction.input["seed"])
    written = io.BytesIO()
    with av.open(written, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=prediction.input["frames_per_second"] + 1)
        stream.width, stream.height, stream.pix_fmt = picture.width, picture.height, "yuv420p"
        stream.codec_context.thread_count = 1
        stream.options = {"crf": "8", "preset": "ultrafast"}
        for _ in range(api.num_frames or NUM_FRAMES[prediction.input["video_length"]]):
            frame = next(frames)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
            if api.still:
                frames = moving(np.asarray(picture), prediction.input["seed"])
        container.mux(stream.encode(None))
    return written.getvalue()


def moving(picture: np.ndarray, seed: int) -> Iterator[np.ndarray]:
    """The picture, three pixels further to the left in each frame, under its seed's pattern."""
    height, width = picture.shape[:2]
    blocks = np.random.default_rng(seed).integers(-16, 17, (height // 16 + 1, width // 16 + 1, 1))
    pattern = blocks.repeat(16, axis=0).repeat(16, axis=1)[:height, :width]
    number = 0
    while True:
        moved = np.roll(picture.astype(int), -3 * number, axis=1) + pattern
        yield np.clip(moved, 0, 255).astype(np.uint8)
        number += 1


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
