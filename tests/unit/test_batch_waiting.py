"""What no film pays for: a locked database, a disk without room; and a row of another version's, which costs
that film alone."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from batches import new_batch
from sqlalchemy import update

from localvid import FilmOptions, Settings, VideoOrchestrator
from localvid.batch import BatchTerms, Crew, Worker, begin_batch
from localvid.batch.process import _patiently as patiently
from localvid.batch.waiting import Waiting, check_room
from localvid.batch_file import BatchRow
from localvid.errors import DiskFullError, JobUnreadableError, ModelProcessError, WorkspaceBusyError
from localvid.pipelines.animatic.adapter import Animatic
from localvid.schemas import EntryState, OnProgress, Stage, VideoRequest
from localvid.store import BatchRows, Store
from localvid.store.database import Database
from localvid.store.tables import jobs

OPTIONS = FilmOptions(
    width=128, height=72, num_frames=4, fps=8, llm="llm:outline", model="local:animatic", max_shots=1
)
TERMS = BatchTerms(backoff_seconds=0.0, space_poll_seconds=0.05)


@pytest.fixture
def orchestrator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[VideoOrchestrator]:
    """One that waits for a locked database for a moment alone."""
    monkeypatch.setitem(Database.__init__.__kwdefaults__, "busy_seconds", 0.1)
    settings = Settings(workspace=tmp_path / "workspace", min_free_gib=0, device="cpu")
    with VideoOrchestrator(settings, on_notice=lambda _: None) as orchestrator:
        yield orchestrator


def begin(orchestrator: VideoOrchestrator, *prompts: str) -> BatchRows:
    rows = [
        BatchRow(line=number, number=number, prompt=prompt, options=OPTIONS, seed=number)
        for number, prompt in enumerate(prompts, start=1)
    ]
    return begin_batch(orchestrator, rows, source="x")


def lock(workspace: Path, how: str) -> sqlite3.Connection:
    """Another process's, as far as SQLite can tell: in the midst of a commit, or of a read."""
    connection = sqlite3.connect(
        workspace / "localvid.sqlite3", isolation_level=None, check_same_thread=False, timeout=30
    )
    if how == "commit":
        connection.execute("BEGIN EXCLUSIVE")
    else:
        connection.execute("BEGIN")
        connection.execute("SELECT * FROM jobs").fetchall()
    return connection


def lock_within_a_clip(monkeypatch: pytest.MonkeyPatch, orchestrator: VideoOrchestrator, how: str) -> None:
    """Before the first frame of the first clip, so that its reports meet the lock, too."""
    write, locks = Animatic._write_clip, []

    def write_locked(self: Animatic, request: VideoRequest, output: Path, on_progress: OnProgress) -> None:
        if not locks:
            locks.append(lock(orchestrator.settings.workspace, how))
            monkeypatch.setattr(orchestrator, "lock", locks[0], raising=False)
        write(self, request, output, on_progress)

    monkeypatch.setattr(Animatic, "_write_clip", write_locked)


def wait_for(condition: Callable[[], bool]) -> None:
    for _ in range(3000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it did not come")


@pytest.mark.parametrize("how", ["commit", "read"])
def test_a_locked_database_is_waited_for_and_no_film_pays_for_it(
    orchestrator: VideoOrchestrator, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    batch = begin(orchestrator, "a fox", "a whale")
    lock_within_a_clip(monkeypatch, orchestrator, how)
    notices: list[str] = []
    worker = Worker(orchestrator, batch, TERMS, on_notice=notices.append)
    thread = threading.Thread(target=worker.run)
    thread.start()
    wait_for(lambda: bool(notices))
    assert thread.is_alive()
    orchestrator.lock.close()  # type: ignore[attr-defined]
    thread.join(60)
    assert [(entry.state, entry.attempts, entry.error) for entry in batch.entries()] == [("done", 0, "")] * 2
    paused, going_on = notices
    assert paused.startswith("paused: ") and "was locked by another process" in paused
    assert paused.endswith("it goes on by itself when the database is free")
    assert going_on == "the database is free again: going on"


def test_a_stop_while_the_database_is_locked_is_no_failure(
    orchestrator: VideoOrchestrator, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = begin(orchestrator, "a fox")
    lock_within_a_clip(monkeypatch, orchestrator, "commit")
    notices: list[str] = []
    raised: list[BaseException] = []
    worker = Worker(orchestrator, batch, TERMS, on_notice=notices.append)

    def run() -> None:
        try:
            worker.run()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    wait_for(lambda: bool(notices))
    worker.stop()
    thread.join(60)
    assert not thread.is_alive()
    assert raised == []
    orchestrator.lock.close()  # type: ignore[attr-defined]
    monkeypatch.undo()
    with VideoOrchestrator(orchestrator.settings, on_notice=lambda _: None) as other:
        with other.store._database.write() as connection:  # as time would: the lease lapses
            connection.execute(update(jobs).values(lease_owner=None))
        Worker(other, other.store.get_batch(batch.id), TERMS).run()
    assert [(entry.state, entry.attempts) for entry in batch.entries()] == [("done", 0)]


def test_what_ended_the_work_is_told_though_the_database_is_locked(
    orchestrator: VideoOrchestrator, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = begin(orchestrator, "a fox")

    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr(batch, "due", fail)
    with (
        closing(lock(orchestrator.settings.workspace, "commit")),
        pytest.raises(ZeroDivisionError),
    ):
        Worker(orchestrator, batch, TERMS).run()


def test_a_crew_waits_with_a_dead_worker_until_it_can_read(
    orchestrator: VideoOrchestrator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("localvid.batch.crew._RUN", "raise SystemExit(7)")
    batch = begin(orchestrator, "a fox")
    notices: list[str] = []
    crew = Crew(orchestrator.settings, batch, TERMS, devices=["cpu"], on_notice=notices.append)
    summary, refused = batch.summary, [0]
    with closing(lock(orchestrator.settings.workspace, "commit")) as held:

        def read() -> object:
            try:
                return summary()
            except WorkspaceBusyError:
                assert notices == []
                refused[0] += 1
                if refused[0] == 3:
                    held.close()
                raise

        monkeypatch.setattr(batch, "summary", read)
        with pytest.raises(ModelProcessError, match="code 7"):
            crew.run()
    assert refused == [3]
    assert notices == ["a worker ended with code 7; another takes its place"] * 2


def test_a_worker_process_begins_when_the_database_is_free(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    reading, writing = os.pipe()
    left = [2]

    def begin_at_last() -> str:
        if left[0]:
            left[0] -= 1
            raise WorkspaceBusyError("it was locked")
        return "begun"

    with os.fdopen(reading) as stdin, os.fdopen(writing, "w") as parent:
        monkeypatch.setattr("sys.stdin", stdin)
        assert patiently(begin_at_last, TERMS) == "begun"
        assert capsys.readouterr().out.splitlines() == ["a worker waits: it was locked", "", ""]
        left[0] = 99
        parent.close()  # as whoever started it does when it ends
        with pytest.raises(SystemExit):
            patiently(begin_at_last, TERMS)
    assert left == [98]


# --- a row of another version's -----------------------------------------------------------------------


def test_a_film_whose_row_cannot_be_read_is_set_aside_and_the_others_are_made(
    orchestrator: VideoOrchestrator,
) -> None:
    batch = begin(orchestrator, "a fox", "a whale")
    strange = batch.entries()[0].job_id
    with orchestrator.store._database.write() as connection:
        connection.execute(update(jobs).where(jobs.c.id == strange).values(options='{"smell": "of roses"}'))
    Worker(orchestrator, batch, TERMS).run()
    first, second = batch.entries()
    assert (first.state, second.state) == (EntryState.FAILED, EntryState.DONE)
    assert first.error.startswith(f"job {strange} was written by another version of localvid")
    assert first.hint.endswith(f"localvid delete-job {strange}")
    with orchestrator.store._database.read() as connection:
        row = connection.execute(jobs.select().where(jobs.c.id == strange)).one()
    assert (row.lease_owner, row.options) == (None, '{"smell": "of roses"}')


def test_with_fail_fast_a_row_that_cannot_be_read_ends_the_batch(orchestrator: VideoOrchestrator) -> None:
    batch = begin(orchestrator, "a fox", "a whale")
    with orchestrator.store._database.write() as connection:
        first = batch.entries()[0].job_id
        connection.execute(update(jobs).where(jobs.c.id == first).values(storyboard="no JSON"))
    Worker(orchestrator, batch, TERMS.model_copy(update={"fail_fast": True})).run()
    assert batch.summary().failed == 1
    assert batch.summary().done == 0


def test_a_row_that_another_process_can_read_and_works_on_is_not_set_aside(workspace: Path) -> None:
    with Store(workspace) as store, Store(workspace) as newer:
        batch, (job,) = new_batch(store, ["a fox"])
        (due,) = batch.due([Stage.STORYBOARD])
        with newer.lease(job.id):
            assert not batch.set_aside_unread(due, JobUnreadableError("strange"))
        assert batch.set_aside_unread(due, JobUnreadableError("strange", hint="use another"))
        (entry,) = batch.entries()
        assert (entry.state, entry.error, entry.hint) == (EntryState.FAILED, "strange", "use another")


# --- room ---------------------------------------------------------------------------------------------


def test_room_is_what_a_file_can_be_written_into(tmp_path: Path) -> None:
    check_room(tmp_path / "not" / "there" / "yet", 1_000_000)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(DiskFullError, match="bytes are free in"):
        check_room(tmp_path, 2**62)


def test_a_lack_is_said_once_though_two_threads_have_it(workspace: Path) -> None:
    notices: list[str] = []
    stopped, rooms = threading.Event(), threading.Semaphore(0)
    with Store(workspace) as store:
        waiting = Waiting(
            store, poll_seconds=0.01, stopped=stopped, on_notice=notices.append, on_look=lambda: None
        )

        def wait() -> None:
            waiting.until_over(DiskFullError("no room"))

        both = [threading.Thread(target=wait) for _ in range(2)]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(waiting, "_look", lambda _lack: rooms.acquire(timeout=30))
            for thread in both:
                thread.start()
            wait_for(lambda: sum(waiting._lacking.values()) == 2)
            rooms.release(2)
            for thread in both:
                thread.join(30)
    assert notices == [
        "paused: no room; it goes on by itself when there is room",
        "there is room again: going on",
    ]
