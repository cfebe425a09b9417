"""Kill -9 at random moments, over a worker that publishes steps; then look at every row and file.

As a test it kills 20 times, or `STORE_TEST_KILLS` times.
By hand: `python tests/e2e/test_store_kill.py 1000`.
"""

from __future__ import annotations

import hashlib
import os
import random
import sqlite3
import sys
import time
from collections import Counter
from pathlib import Path

from localvid.schemas import FilmOptions, JobStatus
from localvid.store import Store

STEPS_A_JOB = 12
LEASED = "leased"
FINISH = "finish"


def test_nothing_is_lost_doubled_or_torn_by_kill_9(tmp_path: Path) -> None:
    kills = int(os.environ.get("STORE_TEST_KILLS", "20"))
    report = kill_often(tmp_path / "workspace", kills=kills, seed=20261122)
    assert report["kills"] == kills
    assert report["finished"] >= STEPS_A_JOB
    assert report["torn"] == report["lost"] == report["doubled"] == report["left"] == 0, report


def kill_often(workspace: Path, *, kills: int, seed: int) -> dict[str, int]:
    """Kill the worker `kills` times, let it finish its job, and count what is wrong."""
    from processes import Zygote

    chance = random.Random(seed)
    workspace.parent.mkdir(parents=True, exist_ok=True)
    log = workspace.parent / "finished.log"
    log.touch()
    partials_met = torn = 0
    with Zygote(__file__, str(workspace), str(log)) as zygote:
        for _ in range(kills):
            worker = zygote.fork()
            if chance.random() < 0.8:
                assert worker.hear() == LEASED
            time.sleep(chance.uniform(0, 0.25))
            assert worker.kill()
            partials_met += sum(1 for _ in (workspace / "tmp").glob("*/*"))
            # Now, and not only at the end: a step whose file is missing would be made again until then.
            torn += sum(not _has_its_size(workspace, *row[1:]) for row in _rows(workspace))
        assert zygote.fork(FINISH).wait() == 0
    report = _look(workspace, log)
    return report | {"kills": kills, "torn": torn + report["torn"], "partials_met": partials_met}


def _look(workspace: Path, log: Path) -> dict[str, int]:
    finished = Counter(log.read_text().split())
    with Store(workspace) as store:
        found = {key: store.find(key) for key in finished}
        statuses = {job.status for job in store.list_jobs(limit=100_000)}
    rows = _rows(workspace)
    assert statuses == {JobStatus.DONE}
    return {
        "finished": len({row[0] for row in rows}),
        "torn": sum(not _is_whole(workspace, *row) for row in rows),
        "lost": sum(path is None for path in found.values()),
        "doubled": sum(count > 1 for count in finished.values()),
        "left": sum(1 for _ in (workspace / "tmp").iterdir()),
    }


def _rows(workspace: Path) -> list[tuple[str | None, str, int]]:
    """Step, address and bytes of every artifact's row, from a database that is sound."""
    path = workspace / "localvid.sqlite3"
    if not path.exists():
        return []
    connection = sqlite3.connect(path)
    try:
        if not connection.execute("SELECT name FROM sqlite_master WHERE name = 'artifacts'").fetchone():
            return []
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        return connection.execute(
            "SELECT steps.key, artifacts.address, artifacts.bytes "
            "FROM artifacts LEFT JOIN steps USING (address)"
        ).fetchall()
    finally:
        connection.close()


def _has_its_size(workspace: Path, address: str, size: int) -> bool:
    path = workspace / "artifacts" / address[:2] / address
    return path.exists() and path.stat().st_size == size


def _is_whole(workspace: Path, key: str | None, address: str, size: int) -> bool:
    path = workspace / "artifacts" / address[:2] / address
    content = path.read_bytes() if path.exists() else b""
    digest = hashlib.sha256(content).hexdigest()
    return (
        key is not None and content == _content(key) and len(content) == size and address == f"{digest}.bin"
    )


# --- the worker, in processes of its own -----------------------------------------------------------


def _content(key: str) -> bytes:
    """What the step makes: 1 byte to 400 KB that only its key decides."""
    made = random.Random(key)
    return made.randbytes(made.randrange(1, 400_000))


def _work(workspace: Path, log: Path, *, until_done: bool) -> None:
    """Make jobs and finish them, one step after another, until killed or until all are done."""
    with Store(workspace) as store, log.open("ab", buffering=0) as finished:
        while True:
            waiting = [job.id for job in store.list_jobs() if job.status is not JobStatus.DONE]
            if until_done and not waiting:
                return
            _make_film(store, waiting[0] if waiting else _new_job(store), finished.fileno())


def _new_job(store: Store) -> str:
    return store.create_job(prompt="x", options=FilmOptions(), seed=1).id


def _make_film(store: Store, job_id: str, log: int) -> None:
    from processes import say

    keys = [hashlib.sha256(f"{job_id} {number}".encode()).hexdigest() for number in range(STEPS_A_JOB)]
    with store.lease(job_id, heartbeat_seconds=0.05) as lease:
        say(LEASED)
        lease.set_plan([(key, "clip", "") for key in keys])
        for key in keys:
            if store.find(key) is None:
                partial = store.temporary(".bin")
                with partial.open("wb") as file:
                    content = _content(key)
                    for start in range(0, len(content), 65_536):
                        file.write(content[start : start + 65_536])
                lease.publish(key, "clip", partial)
                os.write(log, f"{key}\n".encode())
        lease.finish(store.films / "x.mp4")


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    if sys.argv[1] == "zygote":
        from processes import serve_forks

        place, finished_log = Path(sys.argv[2]), Path(sys.argv[3])
        serve_forks(lambda order: _work(place, finished_log, until_done=order == FINISH))
    else:
        import tempfile

        with tempfile.TemporaryDirectory() as folder:
            result = kill_often(Path(folder) / "workspace", kills=int(sys.argv[1]), seed=time.time_ns())
            sys.stdout.write(f"{result}\n")
