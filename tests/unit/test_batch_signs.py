"""Signs of life of a worker, and the silence of one that hangs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import faulty_worker
import pytest
from sqlalchemy import select

from localvid import FilmOptions, Settings, VideoOrchestrator
from localvid.batch import BatchTerms, Crew, Worker, begin_batch
from localvid.batch.signs import Signs, Silence
from localvid.batch_file import BatchRow
from localvid.media.join import join_clips
from localvid.schemas import EntryState
from localvid.store.tables import jobs

OPTIONS = FilmOptions(
    width=128, height=72, num_frames=4, fps=8, llm="llm:outline", model="local:animatic", max_shots=1
)


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The clock of `signs`, set by hand."""
    clock = [100.0]
    monkeypatch.setattr("localvid.batch.signs.time", SimpleNamespace(monotonic=lambda: clock[0]))
    return clock


def in_a_thread(action: Callable[[], None]) -> None:
    thread = threading.Thread(target=action)
    thread.start()
    thread.join()


def test_a_sign_is_given_once_a_second_at_most(now: list[float]) -> None:
    given: list[float] = []
    signs = Signs(lambda: given.append(now[0]))
    with signs.awaited():
        for now[0] in (100.0, 100.4, 100.9, 101.0, 101.5, 102.1):
            signs.show()
    assert given == [100.0, 101.0, 102.1]


def test_a_thread_that_hangs_is_not_hidden_by_another(now: list[float]) -> None:
    given: list[float] = []
    signs = Signs(lambda: given.append(now[0]))
    hangs, ends = threading.Event(), threading.Event()

    def hang() -> None:
        with signs.awaited():
            signs.show()
            hangs.set()
            ends.wait(30)

    thread = threading.Thread(target=hang)
    with signs.awaited():
        signs.show()
        thread.start()
        hangs.wait(30)
        now[0] = 110.0
        signs.show()  # the other has shown itself since the first sign, and does no more
        for now[0] in (120.0, 130.0, 140.0):
            signs.show()
        assert given == [100.0, 110.0]
        ends.set()
        thread.join()
        signs.show()  # it has ended, and is not awaited any more
    assert given == [100.0, 110.0, 140.0]


def test_a_thread_that_nobody_awaits_gives_no_sign_for_others(now: list[float]) -> None:
    given: list[float] = []
    signs = Signs(lambda: given.append(now[0]))
    with signs.awaited():
        in_a_thread(signs.show)
        assert given == []


def test_silence_is_counted_while_somebody_listens(now: list[float]) -> None:
    silence = Silence()
    for now[0] in (101.0, 102.0):
        silence.look()
    assert silence.look() == 2.0
    now[0] = 5_000.0  # whoever looks was stopped itself, as all its workers were
    assert silence.look() == 62.0
    with silence.deaf():
        now[0] = 5_001.5
        assert silence.look() == 62.0
    now[0] = 5_002.5
    assert silence.look() == 63.0
    silence.heard()
    assert silence.look() == 0.0


@pytest.mark.parametrize("hangs_in", ["models", "join"])
def test_a_worker_of_which_one_thread_hangs_gives_no_sign(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hangs_in: str
) -> None:
    monkeypatch.setattr("localvid.batch.worker._LOOK_SECONDS", 0.02)
    monkeypatch.setattr("localvid.batch.worker._JOIN_LOOK_SECONDS", 0.02)
    monkeypatch.setattr("localvid.batch.signs._PAUSE_SECONDS", 0.0)
    hangs, goes_on, signs = threading.Event(), threading.Event(), [0]

    def hang(*arguments: object, **named: object) -> object:
        hangs.set()
        goes_on.wait(60)
        return work(*arguments, **named)  # type: ignore[operator]

    def count() -> None:
        signs[0] += 1

    settings = Settings(workspace=tmp_path / "workspace", min_free_gib=0, device="cpu")
    with VideoOrchestrator(settings, on_notice=lambda _: None) as orchestrator:
        row = BatchRow(line=1, number=1, prompt="a fox", options=OPTIONS, seed=1)
        batch = begin_batch(orchestrator, [row], source="x")
        work: object = join_clips
        if hangs_in == "models":
            work = orchestrator.run_of
            monkeypatch.setattr(orchestrator, "run_of", hang)
        else:
            monkeypatch.setattr("localvid.stages.join_clips", hang)
        worker = Worker(orchestrator, batch, BatchTerms(), on_sign=count)
        shown = [0]
        show = worker._signs.show

        def show_and_count() -> None:
            show()
            shown[0] += 1

        monkeypatch.setattr(worker._signs, "show", show_and_count)
        thread = threading.Thread(target=worker.run)
        thread.start()
        assert hangs.wait(60)
        before, given = shown[0], signs[0]
        while shown[0] < before + 5:  # the other thread goes on
            time.sleep(0.01)
        assert signs[0] <= given + 1
        goes_on.set()
        thread.join(60)
        assert batch.entries()[0].state is EntryState.DONE


@pytest.mark.parametrize("what", ["clip", "join"])
def test_a_worker_process_that_hangs_with_its_lease_renewed_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    mark = tmp_path / "hangs"
    faulty_worker.employ(monkeypatch, what, mark)
    settings = Settings(workspace=tmp_path / "workspace", min_free_gib=0, device="cpu")
    notices: list[str] = []
    leases: list[tuple[str, bool]] = []
    with VideoOrchestrator(settings, on_notice=lambda _: None) as orchestrator:
        row = BatchRow(line=1, number=1, prompt="a fox", options=OPTIONS, seed=1)
        batch = begin_batch(orchestrator, [row], source="x")

        def lease() -> tuple[str, object]:
            with orchestrator.store._database.read() as connection:
                found = connection.execute(select(jobs.c.lease_owner, jobs.c.lease_expires_at)).one()
            return found.lease_owner, found.lease_expires_at

        def hear(notice: str) -> None:
            notices.append(notice)
            if "no sign of life" in notice:
                crew._silence_seconds = 600.0

        crew = Crew(settings, batch, BatchTerms(), devices=["cpu"], on_notice=hear)

        def lose_patience() -> None:
            """Once it hangs: a silence that its start, on a machine with other work, might have, too."""
            while not mark.exists():
                time.sleep(0.01)
            first = lease()
            time.sleep(faulty_worker.LEASE_SECONDS * 1.5)
            later = lease()
            leases.append((str(first[0] == later[0]), first[1] != later[1]))
            crew._silence_seconds = 1.5

        watch = threading.Thread(target=lose_patience, daemon=True)
        watch.start()
        crew.run()
        watch.join()
        assert leases == [("True", True)]  # it held the film, and renewed its lease, as it hung
        (entry,) = batch.entries()
        assert (entry.state, entry.attempts, entry.error) == (EntryState.DONE, 0, "")
    assert notices == [
        "a worker gave no sign of life for 1.5 s and was killed",
        "film 1: the worker's process ended with code -9, since it gave no sign of life",
        "a worker ended with code -9; another takes its place",
    ]


def test_a_film_at_which_workers_die_is_set_aside_and_the_others_are_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faulty_worker.employ(monkeypatch, "whale")
    settings = Settings(workspace=tmp_path / "workspace", min_free_gib=0, device="cpu")
    prompts = ("a whale", "a fox")
    rows = [
        BatchRow(line=n, number=n, prompt=prompt, options=OPTIONS, seed=1)
        for n, prompt in enumerate(prompts, start=1)
    ]
    notices: list[str] = []
    with VideoOrchestrator(settings, on_notice=lambda _: None) as orchestrator:
        batch = begin_batch(orchestrator, rows, source="x")
        Crew(settings, batch, BatchTerms(), devices=["cpu"], on_notice=notices.append).run()
        whale, fox = batch.entries()
        job = orchestrator.store.get_job(whale.job_id)
    assert (whale.state, whale.attempts, fox.state) == (EntryState.FAILED, 3, EntryState.DONE)
    assert (job.status, job.error) == ("failed", "the worker's process ended with code 7")
    assert [notice.partition(" failed")[0] for notice in job.notices] == [
        f"attempt {number} in the stage clips" for number in (1, 2, 3)
    ]
    assert notices.count("film 1: the worker's process ended with code 7") == 3


def test_a_worker_that_is_silent_from_its_start_is_killed_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from localvid.errors import ModelProcessError

    monkeypatch.setattr("localvid.batch.crew._RUN", "import time; time.sleep(600)")
    settings = Settings(workspace=tmp_path / "workspace", min_free_gib=0, device="cpu")
    notices: list[str] = []
    with VideoOrchestrator(settings) as orchestrator:
        row = BatchRow(line=1, number=1, prompt="a fox", options=OPTIONS, seed=1)
        batch = begin_batch(orchestrator, [row], source="x")
        crew = Crew(
            settings, batch, BatchTerms(), devices=["cpu"], on_notice=notices.append, silence_seconds=0.3
        )
        with pytest.raises(ModelProcessError, match="code -9"):
            crew.run()
    assert sum("no sign of life" in notice for notice in notices) == 3
