"""Kill -9 at random moments, over films whose shots a host makes; then count what was paid for.

As a test it kills 50 times, or `REPLICATE_TEST_KILLS` times.
By hand: `python tests/e2e/test_replicate_kill.py 500`.
"""

from __future__ import annotations

import os
import random
import sqlite3
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import numpy as np
from PIL import Image
from pydantic import SecretStr

from localvid import FilmOptions, Settings, Shot, Storyboard, VideoOrchestrator
from localvid.errors import HostFailedError
from localvid.schemas import CallState, JobStatus, OnProgress, Progress, Stage

SHOTS_A_JOB = 6
SENDING = "sending"
FINISH = "finish"
TOKEN = "r8_token-of-the-tests"
LONGEST_SECONDS = 0.8
GRACE_SECONDS = 1.5
"""Longer than a loaded machine lets a request that was killed lie before the server takes it."""


def test_nothing_is_paid_for_twice_or_lost_by_kill_9(tmp_path: Path) -> None:
    kills = int(os.environ.get("REPLICATE_TEST_KILLS", "50"))
    report = kill_often(tmp_path, kills=kills, seed=20261126)
    assert report["kills"] == kills
    assert report["shots"] >= SHOTS_A_JOB
    assert report["duplicates"] == report["lost"] == report["unpaid"] == report["left open"] == 0, report
    assert report["requests"] <= report["intents"], report


def kill_often(folder: Path, *, kills: int, seed: int) -> dict[str, int]:
    """Kill the worker `kills` times, let it finish its films, and count what is wrong."""
    from processes import Zygote
    from replicate_server import ReplicateServer, serve

    chance = random.Random(seed)
    workspace = folder / "workspace"
    _save_picture(folder / "first.png")
    server = ReplicateServer(queue_seconds=0.02, run_seconds=0.06)
    finished: dict[str, str] = {}
    lost = 0
    with serve(server), Zygote(__file__, str(folder), server.base) as zygote:
        for _ in range(kills):
            server.answer_seconds = chance.choice((0.0, 0.005, 0.02))
            server.create_faults = chance.choices(
                ("", "500 created", "drop created", "429 after 0", "drop"), (12, 1, 1, 1, 1), k=3
            )
            worker = zygote.fork()
            if chance.random() < 0.9:
                assert worker.hear() == SENDING
            time.sleep(chance.uniform(0, LONGEST_SECONDS))
            assert worker.kill()
            now = _published(workspace)
            lost += sum(now.get(key) != address for key, address in finished.items())
            finished |= now
        server.answer_seconds, server.create_faults = 0.0, []
        assert zygote.fork(FINISH).wait() == 0
    now = _published(workspace)
    lost += sum(now.get(key) != address for key, address in finished.items())
    states = _states(workspace)
    made = server.made_by_seed()
    assert server.violations == [], server.violations
    return {
        "kills": kills,
        "shots": len(made),
        "duplicates": sum(made.values()) - len(made),
        "lost": lost,
        "unpaid": len(made) - states[CallState.DONE],
        "left open": sum(states.values()) - states[CallState.DONE] - states[CallState.NOT_CREATED],
        "intents": sum(states.values()),
        "requests": len(server.creations()),
        "closed as not created": states[CallState.NOT_CREATED],
    }


def _save_picture(path: Path) -> None:
    rows, columns = np.mgrid[0:64, 0:64]
    picture = np.stack([rows * 4, columns * 4, (rows + columns) * 2], axis=-1).astype(np.uint8)
    Image.fromarray(picture).save(path)


def _published(workspace: Path) -> dict[str, str]:
    """Step → address of every clip in the workspace, from a database that is sound."""
    rows = _rows(workspace, "SELECT key, address FROM steps WHERE kind = 'clip'")
    for _, address in rows:
        assert (workspace / "artifacts" / address[:2] / address).stat().st_size
    return dict(rows)


def _states(workspace: Path) -> Counter[str]:
    return Counter(state for (state,) in _rows(workspace, "SELECT state FROM paid_calls"))


def _rows(workspace: Path, query: str) -> list[tuple[str, ...]]:
    path = workspace / "localvid.sqlite3"
    if not path.exists():
        return []
    connection = sqlite3.connect(path)
    try:
        if not connection.execute("SELECT name FROM sqlite_master WHERE name = 'paid_calls'").fetchone():
            return []
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return connection.execute(query).fetchall()
    finally:
        connection.close()


# --- the worker, in processes of its own -----------------------------------------------------------


def _work(folder: Path, base: str, *, until_done: bool) -> None:
    """Make films, one after another, until killed or until all are done."""
    settings = Settings(
        workspace=folder / "workspace",
        min_free_gib=0,
        allow_remote=True,
        max_cost_usd=1e6,
        max_cost_usd_per_month=1e6,
        replicate_api_token=SecretStr(TOKEN),
        replicate_base_url=base,
        remote_poll_seconds=0.02,
        remote_grace_seconds=GRACE_SECONDS,
    )
    with VideoOrchestrator(settings) as orchestrator:
        while True:
            jobs = orchestrator.store.list_jobs(limit=10_000)
            waiting = [job.id for job in jobs if job.status is not JobStatus.DONE]
            if not waiting and until_done and jobs:
                return
            job_id = waiting[0] if waiting else _new_film(orchestrator, folder, number=len(jobs))
            with suppress(HostFailedError):  # of several faults in a row: the next attempt goes on
                orchestrator.execute_job(job_id, on_progress=_telling_when_clips_begin())


def _telling_when_clips_begin() -> OnProgress:
    from processes import say

    told = False

    def on_progress(progress: Progress) -> None:
        nonlocal told
        if progress.stage is Stage.CLIPS and not progress.cached and not told:
            told = True
            say(SENDING)

    return on_progress


def _new_film(orchestrator: VideoOrchestrator, folder: Path, *, number: int) -> str:
    shots = tuple(
        Shot(
            description="a forest",
            seed=SHOTS_A_JOB * number + shot,
            reference_image=None if shot == 1 else folder / "first.png",
            continue_from_previous=shot == 1,
        )
        for shot in range(SHOTS_A_JOB)
    )
    options = FilmOptions(width=64, height=64, num_frames=5, model="replicate:svd-xt", llm="outline")
    return orchestrator.create_job(storyboard=Storyboard(shots=shots), options=options).id


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    if sys.argv[1] == "zygote":
        from processes import serve_forks

        import localvid.pipelines.replicate
        import localvid.stages  # noqa: F401

        films, host = Path(sys.argv[2]), sys.argv[3]
        serve_forks(lambda order: _work(films, host, until_done=order == FINISH))
    else:
        import tempfile

        with tempfile.TemporaryDirectory() as made:
            result = kill_often(Path(made), kills=int(sys.argv[1]), seed=time.time_ns())
            sys.stdout.write(f"{result}\n")
