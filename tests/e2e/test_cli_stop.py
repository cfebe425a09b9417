"""Stopping a film by Ctrl-C, SIGTERM, and from another process, and going on with it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from localvid.cli import run
from localvid.schemas import JobStatus, VideoJob
from localvid.slot import ModelSlot
from localvid.store import Store

BOARD = {
    "shots": [
        {"description": f"{place} at dawn", "duration_seconds": 4}
        for place in ("the sea", "a city", "a forest", "a desert")
    ]
}


@pytest.fixture
def rendering(tmp_path: Path, workspace: Path) -> Iterator[subprocess.Popen[str]]:
    """A render of four shots in a process of its own, which has just begun its second."""
    board = tmp_path / "board.json"
    board.write_text(json.dumps(BOARD))
    size = ["--width", "1024", "--height", "576", "--fps", "24", "--model", "animatic"]
    process = subprocess.Popen(
        [sys.executable, "-m", "localvid", "render", str(board), *size, "--workspace", str(workspace)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "shot 2/4" in line:
            break
    yield process
    process.kill()
    process.communicate()


def the_job(workspace: Path) -> VideoJob:
    with Store(workspace) as store:
        (job,) = store.list_jobs()
    return job


def localvid(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "localvid", *arguments], capture_output=True, text=True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_at_a_safe_point_and_the_film_goes_on_from_there(
    rendering: subprocess.Popen[str], workspace: Path, number: int
) -> None:
    rendering.send_signal(number)
    out, err = rendering.communicate(timeout=60)
    assert rendering.returncode == 130
    assert out == ""
    assert "Traceback" not in err
    job = the_job(workspace)
    said, stopped, hint = err.splitlines()[-3:]
    assert said == "stopping at the next safe point; press Ctrl-C again to quit at once"
    assert stopped == "stopped at a safe point"
    assert hint == f"hint: localvid resume --workspace {workspace} {job.id}"
    assert job.status is JobStatus.INTERRUPTED
    assert 1 <= job.steps_done < job.steps_total

    done = localvid(*hint.removeprefix("hint: localvid ").split())
    assert done.returncode == 0
    assert done.stderr.count("(made already)") == job.steps_done
    assert the_job(workspace).status is JobStatus.DONE


def test_a_second_signal_ends_it_at_once(rendering: subprocess.Popen[str], workspace: Path) -> None:
    rendering.send_signal(signal.SIGINT)
    rendering.send_signal(signal.SIGTERM)
    _out, err = rendering.communicate(timeout=60)
    assert rendering.returncode == 130
    assert "Traceback" not in err
    job = the_job(workspace)
    assert err.splitlines()[-1] == f"hint: localvid resume --workspace {workspace} {job.id}"
    assert job.status is JobStatus.INTERRUPTED
    assert list((workspace / "tmp").iterdir()) == []


def test_a_second_signal_while_the_model_is_closed_says_how_to_go_on(
    tmp_path: Path, workspace: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.01)

    monkeypatch.setattr(ModelSlot, "__exit__", interrupted)
    board = tmp_path / "board.json"
    board.write_text(json.dumps({"shots": [{"description": "the sea", "duration_seconds": 0.25}]}))
    size = ["--width", "128", "--height", "72", "--model", "animatic"]
    assert run(["render", str(board), *size, "--workspace", str(workspace)]) == 130
    *_, stopped, hint = capsys.readouterr().err.splitlines()
    assert stopped == "stopped"
    assert hint == f"hint: localvid resume --workspace {workspace} {the_job(workspace).id}"


def test_another_process_cancels_it(rendering: subprocess.Popen[str], workspace: Path) -> None:
    job = the_job(workspace)
    busy = localvid("resume", job.id, "--workspace", str(workspace))
    assert busy.returncode == 1
    assert "is being worked on" in busy.stderr
    cancelled = localvid("cancel", job.id, "--workspace", str(workspace))
    assert (cancelled.returncode, cancelled.stderr) == (0, "")
    assert cancelled.stdout == f"job {job.id} stops at its next safe point\n"
    _out, err = rendering.communicate(timeout=60)
    assert rendering.returncode == 130
    assert err.splitlines()[-2:] == [
        f"job {job.id} was cancelled",
        f"hint: localvid resume --workspace {workspace} {job.id}",
    ]
    assert the_job(workspace).status is JobStatus.CANCELLED
    assert localvid("resume", job.id, "--workspace", str(workspace)).returncode == 0
    assert the_job(workspace).status is JobStatus.DONE


def test_a_terminal_that_goes_away_does_not_fail_the_film(
    rendering: subprocess.Popen[str], workspace: Path
) -> None:
    """Nobody reads the progress any more; the film is still wanted."""
    assert rendering.stderr is not None
    rendering.stderr.close()
    assert rendering.wait(timeout=120) == 0
    assert the_job(workspace).status is JobStatus.DONE
