"""Killed with SIGKILL at ten moments and resumed, a film is byte for byte that of a quiet run."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from localvid.store import Store

ARGUMENTS = ["--llm", "outline", "--width", "256", "--height", "144", "--num-frames", "24", "--seed", "5"]
KILLS = int(os.environ.get("FILM_TEST_KILLS", "10"))


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "localvid", *arguments]


BOARD = {
    "shots": [
        {"description": "A forest at dawn", "camera": "truck_left"},
        {"description": "The sun rises", "camera": "dolly_in", "continue_from_previous": True},
        {"description": "A bird flies up", "camera": "tilt_up", "continue_from_previous": True},
    ]
}
"""Each shot waits for the picture of the one before."""


def make(what: str, source: str, workspace: Path, output: Path) -> list[str]:
    return command(
        what,
        source,
        *ARGUMENTS,
        "--workspace",
        str(workspace),
        "--output",
        str(output),
        "--json",
    )


@pytest.mark.parametrize("what", ["generate", "render"])
def test_ten_kills(tmp_path: Path, what: str) -> None:
    source = "A forest at dawn"
    if what == "render":
        source = str(tmp_path / "board.json")
        Path(source).write_text(json.dumps(BOARD), encoding="utf-8")
    quiet = tmp_path / "quiet.mp4"
    started = time.monotonic()
    subprocess.run(
        make(what, source, tmp_path / "quiet", quiet),
        check=True,
        capture_output=True,
        stdin=subprocess.DEVNULL,
    )
    whole = time.monotonic() - started

    workspace, output = tmp_path / "killed", tmp_path / "killed.mp4"
    running = make(what, source, workspace, output)
    killed = 0
    for attempt in range(KILLS):
        process = subprocess.Popen(
            running, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            process.wait(timeout=whole * (attempt + 1) / (KILLS + 1))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            killed += 1
        assert not output.exists() or output.read_bytes() == quiet.read_bytes()
        with Store(workspace) as store:
            jobs = store.list_jobs()
        if jobs:
            running = command("resume", jobs[0].id, "--workspace", str(workspace), "--json")
    done = subprocess.run(running, check=True, capture_output=True, stdin=subprocess.DEVNULL, text=True)
    assert killed > 0
    assert json.loads(done.stdout)["status"] == "done"
    assert output.read_bytes() == quiet.read_bytes()
    assert list((workspace / "tmp").iterdir()) == []
