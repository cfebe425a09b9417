"""A batch on a disk that is full at every write in turn, and then has room again.

For every page that the disk may have left (ENOSPC, on a small tmpfs), and every size at which files may end
(EFBIG, by RLIMIT_FSIZE), a batch is run over a workspace that holds an older film. What is said must name the
cause, what was there before must stay whole, and with room again all films must be made, byte for byte.

As a test it takes some of the places. By hand, all of them: `python tests/e2e/test_batch_full.py`.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

PAGE_BYTES = 4096
SOURCE = "films.jsonl"
CAUSES = re.compile(r"no space left|File too large|the disk failed")
_ALONE = ("unshare", "--user", "--map-root-user", "--mount")


@pytest.mark.parametrize("what", ["ENOSPC", "EFBIG"])
def test_a_disk_that_is_full_at_some_writes(tmp_path: Path, what: str) -> None:
    figures = sweep_apart(tmp_path, what, every=9)
    if figures is None:
        pytest.skip("no mount namespaces for this user here")
    assert figures["places"] > 5
    assert figures["stopped by it"] > 3
    assert not {name: count for name, count in figures.items() if name.startswith("fault")}


def sweep_apart(folder: Path, what: str, *, every: int) -> Counter[str] | None:
    """`sweep` in a process of its own, on a tmpfs that only it sees; None where nobody may mount one."""
    mount = f"mount -t tmpfs -o size=8m none {folder}"
    if shutil.which("unshare") is None or subprocess.run([*_ALONE, "sh", "-c", mount]).returncode:
        return None
    command = f'{mount} && exec "{sys.executable}" "{__file__}" sweep "{folder}" {what} {every}'
    done = subprocess.run([*_ALONE, "sh", "-c", command], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return Counter(json.loads(done.stdout.splitlines()[-1]))


def sweep(folder: Path, what: str, every: int) -> Counter[str]:
    """Every so manieth place, until the disk is large enough."""
    begun, quiet = folder / "begun", folder / "quiet"
    assert in_child(partial(prepare, begun)) == "done"
    shutil.copytree(begun, quiet)
    assert in_child(partial(work, quiet)) == "done"
    expected = films_in(quiet)
    assert len(expected) == 3, expected
    figures: Counter[str] = Counter()
    undisturbed = place = 0
    at_work = folder / "work"
    while undisturbed < 3:
        figures["places"] += 1
        shutil.copytree(begun, at_work)
        limit = limited(folder, what, place)
        said = in_child(partial(work, at_work, limit))
        (folder / "filler").unlink(missing_ok=True)
        undisturbed = undisturbed + 1 if said == "done" else 0
        figures["stopped by it"] += said != "done"
        figures[f"fault: {said}"] += said != "done" and not CAUSES.search(said)
        figures["fault: not whole"] += not is_whole(at_work, expected)
        again = in_child(partial(work, at_work))
        figures[f"fault: with room again: {again}"] += again != "done"
        figures["fault: other films"] += films_in(at_work) != expected
        figures["fault: left over"] += any((at_work / "tmp").iterdir())
        shutil.rmtree(at_work)
        place += every * PAGE_BYTES
    return +figures


def limited(folder: Path, what: str, room: int) -> Callable[[], None]:
    """Takes the disk away from whoever calls it, but for `room` bytes: of the whole, or for each file."""

    def fill() -> None:
        with (folder / "filler").open("wb", buffering=0) as filler:
            free = shutil.disk_usage(folder).free - room
            os.posix_fallocate(filler.fileno(), 0, max(1, free // PAGE_BYTES * PAGE_BYTES))

    def end_files() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))

    return fill if what == "ENOSPC" else end_files


def in_child(action: Callable[[], str]) -> str:
    """What the action says, in a fork of this warm process."""
    reading, writing = os.pipe()
    if (pid := os.fork()) == 0:
        try:
            said = action()
        except BaseException as error:
            said = f"defect: {type(error).__name__}: {error}"
        os.write(writing, said.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as words:
        said = words.read()
    os.waitpid(pid, 0)
    return said


# --- in the child ------------------------------------------------------------------------------------


def prepare(workspace: Path) -> str:
    """A workspace with a film that is made, and a batch that is begun."""
    from localvid import FilmOptions, VideoOrchestrator
    from localvid.batch import begin_batch
    from localvid.batch_file import BatchRow

    options = FilmOptions(
        width=128, height=72, num_frames=8, fps=8, llm="llm:outline", model="local:animatic", max_shots=2
    )
    with VideoOrchestrator(settings_of(workspace), on_notice=lambda _: None) as orchestrator:
        old = orchestrator.create_job(prompt="a whale", options=options, seed=9)
        orchestrator.execute_job(old.id)
        rows = [
            BatchRow(line=number, number=number, prompt=prompt, options=options, seed=number)
            for number, prompt in enumerate(("a fox in the snow", "a village at night"), start=1)
        ]
        begin_batch(orchestrator, rows, source=SOURCE)
    return "done"


def work(workspace: Path, limit: Callable[[], None] = lambda: None) -> str:
    """Go on with the batch as far as it goes: "done", or what was said of the disk."""
    from localvid import VideoOrchestrator
    from localvid.batch import BatchTerms, Worker
    from localvid.errors import LocalvidError

    said: list[str] = []
    limit()
    try:
        with VideoOrchestrator(settings_of(workspace), on_notice=lambda _: None) as orchestrator:
            batch = orchestrator.store.get_batch(SOURCE)
            batch.take_up()

            def hear(notice: str) -> None:
                if notice.startswith("paused"):
                    said.append(notice)
                    worker.stop()

            terms = BatchTerms(backoff_seconds=0, space_poll_seconds=0.05)
            worker = Worker(orchestrator, batch, terms, on_notice=hear)
            worker.run()
            said += [entry.error for entry in batch.entries() if entry.state == "failed"]
            waiting = batch.summary().waiting
    except LocalvidError as error:
        return error.message
    if said:
        return "; ".join(said)
    return "done" if not waiting else f"defect: {waiting} films left, and nothing was said"


def settings_of(workspace: Path):  # type: ignore[no-untyped-def]  # localvid is imported in children alone
    from localvid import Settings

    return Settings(workspace=workspace, min_free_gib=0, offline=True, device="cpu", threads=1)


# --- what is there -----------------------------------------------------------------------------------


def films_in(workspace: Path) -> dict[str, str]:
    """Name → SHA-256."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (workspace / "films").glob("*.mp4")
    }


def is_whole(workspace: Path, expected: dict[str, str]) -> bool:
    """The rows, every artifact, and every film under its name."""
    with closing(sqlite3.connect(workspace / "localvid.sqlite3")) as connection:
        rows = connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    artifacts = (path for path in (workspace / "artifacts").glob("*/*") if path.is_file())
    films = films_in(workspace)
    return (
        rows
        and all(hashlib.sha256(path.read_bytes()).hexdigest() == path.stem for path in artifacts)
        and films.items() <= expected.items()
        and len(films) >= 1
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["sweep"]:
        import localvid.batch
        import localvid.batch_file
        import localvid.llm.outline
        import localvid.pipelines.animatic
        import localvid.stages  # noqa: F401

        sys.stdout.write(json.dumps(sweep(Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]))))
    else:
        from tempfile import TemporaryDirectory

        for kind in ("ENOSPC", "EFBIG"):
            with TemporaryDirectory() as name:
                found = sweep_apart(Path(name), kind, every=1)
                sys.stdout.write(f"{kind}: {dict(found) if found else 'no mount namespaces here'}\n")
