"""What a worker may still write of a film that another process took over, and of a batch that fails early."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from batches import give_up, new_batch, retry_later
from faulty_child import SWELLING, VARIABLE, Fault
from sqlalchemy import select, update

from localvid import FilmOptions, Settings, VideoOrchestrator, memory
from localvid.batch import BatchTerms, Crew, Worker, begin_batch
from localvid.batch.crew import _name_of_gpu as name_of_gpu
from localvid.batch.process import _say as say
from localvid.batch.turns import Turns
from localvid.batch_file import BatchRow
from localvid.batch_report import read_report
from localvid.errors import (
    DiskFullError,
    GenerationFailedError,
    JobCancelledError,
    JobInterruptedError,
    ModelProcessError,
)
from localvid.errors import OutOfMemoryError as NoMemoryError
from localvid.pipelines.animatic.adapter import Animatic
from localvid.pipelines.hosted import HostedVideoModel
from localvid.schemas import (
    EntryState,
    ModelInfo,
    NewJob,
    OnProgress,
    PeakMemory,
    Shot,
    Stage,
    Storyboard,
    VideoJob,
    VideoRequest,
)
from localvid.store import Due, NewEntry, Next, Store
from localvid.store.tables import jobs

OPTIONS = FilmOptions(
    width=128, height=72, num_frames=4, fps=8, llm="llm:outline", model="local:animatic", max_shots=1
)


@pytest.mark.parametrize(
    "error",
    [
        GenerationFailedError("shows nothing"),
        NoMemoryError("no memory"),
        DiskFullError("no space"),
        JobCancelledError("cancelled"),
        JobInterruptedError("stopped"),
        ZeroDivisionError("a defect"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_worker_that_lost_its_film_says_nothing_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    settings = Settings(workspace=tmp_path / "workspace", min_free_gib=0, device="cpu")
    row = BatchRow(line=1, number=1, prompt="a fox", options=OPTIONS, seed=1)
    with VideoOrchestrator(settings) as orchestrator, Store(settings.workspace) as other:
        batch = begin_batch(orchestrator, [row], source="x")
        worker = Worker(orchestrator, batch, BatchTerms(backoff_seconds=0))
        other.temporary(".mp4")  # so that it lives

        def lose_it(_self: Animatic, _request: VideoRequest, _output: Path, _on_progress: OnProgress) -> None:
            with other._database.write() as connection:
                connection.execute(update(jobs).values(lease_owner=other.owner))
            worker.stop()
            raise error

        monkeypatch.setattr(Animatic, "_write_clip", lose_it)
        worker.run()
        (entry,) = batch.entries()
        with other._database.read() as connection:
            row_of_job = connection.execute(select(jobs)).one()
    assert (entry.state, entry.stage, entry.attempts, entry.error) == (EntryState.WAITING, Stage.CLIPS, 0, "")
    assert (row_of_job.status, row_of_job.lease_owner, row_of_job.error) == ("running", other.owner, "")


def test_a_batch_is_recorded_with_its_jobs_or_not_at_all(workspace: Path) -> None:
    first = Next(Stage.STORYBOARD, "llm:outline", 1.0)
    entries = [NewEntry(NewJob(prompt=name, options=OPTIONS, seed=1, storyboard=None), 1) for name in "ab"]
    with Store(workspace) as store:
        with pytest.raises(ValueError, match="shorter"):
            store.create_batch("x", entries, [first])
        assert store.list_jobs() == []
        assert store.list_batches() == []
        batch = store.create_batch("x", entries, [first, first])
        assert [store.get_job(entry.job_id).prompt for entry in batch.entries()] == ["a", "b"]


def test_of_all_stages_and_attempts_the_highest_peak_stays(workspace: Path) -> None:
    clips = Next(Stage.CLIPS, "local:animatic", 1.0)
    with Store(workspace) as store:
        batch, (job,) = new_batch(store, ["a fox"])

        def stage(host_bytes: int | None, gpu_bytes: int | None) -> tuple[int | None, int | None]:
            peak = PeakMemory(host_bytes, gpu_bytes)
            with store._database.write() as connection:
                batch.advance(connection, job.id, clips, seconds=1.0, peak=peak)
            (entry,) = batch.entries()
            return entry.host_bytes, entry.gpu_bytes

        assert stage(None, None) == (None, None)
        assert stage(5 * 2**40, None) == (5 * 2**40, None)
        assert stage(2, 7) == (5 * 2**40, 7)
        batch.fail(
            job.id,
            EntryState.WAITING,
            until=job.created_at,
            error="no",
            hint="",
            attempts=1,
            peak=PeakMemory(gpu_bytes=9),
        )
        assert stage(None, 8) == (5 * 2**40, 9)
        batch.fail(job.id, EntryState.FAILED, error="no", hint="", attempts=3, peak=PeakMemory(6 * 2**40, 1))
        (entry,) = batch.entries()
        assert (entry.host_bytes, entry.gpu_bytes) == (6 * 2**40, 9)


# --- what films take --------------------------------------------------------------------------------


def test_a_film_says_what_memory_it_took(tmp_path: Path) -> None:
    settings = Settings(workspace=tmp_path / "workspace", min_free_gib=0, device="cpu")
    row = BatchRow(line=1, number=1, prompt="a fox", options=OPTIONS, seed=1)
    resident = memory._resident_bytes()
    with VideoOrchestrator(settings) as orchestrator:
        batch = begin_batch(orchestrator, [row], source="x")
        Worker(orchestrator, batch, BatchTerms()).run()
        (entry,) = batch.entries()
        (film,) = read_report(orchestrator.store, batch).films
    assert entry.state is EntryState.DONE
    assert (film.host_bytes, film.gpu_bytes) == (entry.host_bytes, None)
    _skip_where_nothing_is_told(entry.host_bytes)
    installed = memory.total_bytes()
    assert entry.host_bytes is not None
    assert installed is not None
    assert resident * 0.9 < entry.host_bytes < installed  # some of it may have been given back since


def test_what_a_models_process_takes_is_its_films_and_not_the_next_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the first film's clip it takes 200 MiB more, and a GPU that is stood in for."""
    (tmp_path / "strikes").mkdir()
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
    monkeypatch.setenv(VARIABLE, Fault(kind="swell", folder=tmp_path / "strikes", step=2).model_dump_json())
    settings = Settings(workspace=tmp_path / "workspace", min_free_gib=0, device="cpu")

    def open_hosted(info: ModelInfo, settings: Settings) -> HostedVideoModel:
        return HostedVideoModel(info, settings, target="faulty_child:FaultyModel")

    monkeypatch.setattr("localvid.slot.registry.open_video_model", open_hosted)
    rows = [BatchRow(line=n, number=n, prompt=f"a fox {n}", options=OPTIONS, seed=n) for n in (1, 2)]
    with VideoOrchestrator(settings) as orchestrator:
        batch = begin_batch(orchestrator, rows, source="x")
        Worker(orchestrator, batch, BatchTerms()).run()
        first, second = batch.entries()
    assert (first.state, second.state) == (EntryState.DONE, EntryState.DONE)
    assert (first.gpu_bytes, second.gpu_bytes) == (3 * 2**30, 2**30)
    _skip_where_nothing_is_told(first.host_bytes)
    assert first.host_bytes is not None
    assert second.host_bytes is not None
    assert first.host_bytes - second.host_bytes == pytest.approx(SWELLING, rel=0.25)


def test_a_film_that_fails_says_what_it_took_until_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_self: Animatic, _request: VideoRequest, _output: Path, _on_progress: OnProgress) -> None:
        content = b"x" * SWELLING
        raise GenerationFailedError(f"of no use: {len(content)} bytes")

    monkeypatch.setattr(Animatic, "_write_clip", fail)
    settings = Settings(workspace=tmp_path / "workspace", min_free_gib=0, device="cpu")
    row = BatchRow(line=1, number=1, prompt="a fox", options=OPTIONS, seed=1)
    with VideoOrchestrator(settings) as orchestrator:
        batch = begin_batch(orchestrator, [row], source="x")
        resident = memory._resident_bytes()
        Worker(orchestrator, batch, BatchTerms(backoff_seconds=0)).run()
        (entry,) = batch.entries()
    assert entry.state is EntryState.FAILED
    _skip_where_nothing_is_told(entry.host_bytes)
    assert entry.host_bytes is not None
    assert entry.host_bytes - resident > SWELLING * 0.75


def _skip_where_nothing_is_told(host_bytes: int | None) -> None:
    if host_bytes is None and memory.take_peak_bytes(os.getpid()) is None:
        pytest.skip("this system does not tell a process's peak, or lets nobody begin it anew")


# --- one film, from outside its batch ----------------------------------------------------------------


def test_a_waiting_film_that_is_cancelled_is_not_made(workspace: Path) -> None:
    with Store(workspace) as store:
        batch, (job, other) = new_batch(store, ["a fox", "a whale"])
        store.request_cancel(job.id)
        summary = batch.summary()
        assert (summary.cancelled, summary.waiting) == (1, 1)
        assert [due.entry.job_id for due in batch.due([Stage.STORYBOARD])] == [other.id]


def test_a_cancel_that_comes_at_the_end_of_a_stage_is_not_lost(workspace: Path) -> None:
    with Store(workspace) as store:
        batch, (job,) = new_batch(store, ["a fox"])
        clips = Next(Stage.CLIPS, "local:animatic", 1.0)
        with store.lease(job.id) as lease:
            store.request_cancel(job.id)
            lease.pass_on(lambda connection: batch.advance(connection, job.id, clips, seconds=1.0))
        assert store.get_job(job.id).status == "cancelled"
        assert batch.summary().cancelled == 1


def test_a_cancel_holds_when_the_process_at_work_dies(workspace: Path) -> None:
    with Store(workspace) as store:
        batch, (job,) = new_batch(store, ["a fox"])
        with store._database.write() as connection:
            connection.execute(
                update(jobs).values(
                    lease_owner="gone-1-0123456789ab", lease_expires_at=job.created_at, cancel_requested=True
                )
            )
        store.settle_orphans()
        assert store.get_job(job.id).status == "cancelled"
        assert batch.summary().cancelled == 1


def test_a_film_that_was_set_aside_and_is_made_by_itself_is_done_in_its_batch(workspace: Path) -> None:
    with Store(workspace) as store:
        batch, (job,) = new_batch(store, ["a fox"])
        give_up(batch, job)
        with store.lease(job.id) as lease:
            lease.finish(store.films / "fox.mp4")
        (entry,) = batch.entries()
        assert (entry.state, entry.stage, entry.error) == (EntryState.DONE, Stage.JOIN, "")


def test_what_another_process_failed_at_meanwhile_is_not_due_any_more(workspace: Path) -> None:
    with Store(workspace) as store:
        batch, (job,) = new_batch(store, ["a fox"])
        (due,) = batch.due([Stage.STORYBOARD])
        retry_later(batch, job)
        with store._database.read() as connection:
            assert not batch.is_due(connection, due)


def test_a_film_that_is_deleted_under_a_worker_costs_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(workspace=tmp_path / "workspace", min_free_gib=0, device="cpu")
    rows = [BatchRow(line=n, number=n, prompt=f"a fox {n}", options=OPTIONS, seed=n) for n in (1, 2)]
    with VideoOrchestrator(settings) as orchestrator:
        batch = begin_batch(orchestrator, rows, source="x")
        seen = batch.due([Stage.STORYBOARD])
        orchestrator.store.delete_job(seen[0].entry.job_id)
        due = batch.due

        def stale(*arguments: Any, **named: Any) -> list[Due]:
            return [seen.pop(0), *due(*arguments, **named)] if seen else due(*arguments, **named)

        monkeypatch.setattr(batch, "due", stale)
        Worker(orchestrator, batch, BatchTerms(backoff_seconds=0)).run()
        assert [(entry.number, entry.state) for entry in batch.entries()] == [(2, "done")]


def test_films_that_do_not_fit_leave_their_place_to_those_that_do(workspace: Path) -> None:
    long, short = Next(Stage.CLIPS, "svd", 50.0), Next(Stage.CLIPS, "svd", 5.0)
    joined = Next(Stage.JOIN, "", 1.0)
    entries = [NewEntry(NewJob(prompt=name, options=OPTIONS, seed=1, storyboard=None), 1) for name in "abcd"]
    stages = [Stage.CLIPS, Stage.JOIN]
    with Store(workspace) as store:
        batch = store.create_batch("x", entries, [long, short, short, joined])
        due = batch.due(stages, in_flight=1, most_units={"svd": 10.0})
        assert [one.entry.number for one in due] == [2, 4]
        assert [one.entry.number for one in batch.due(stages, in_flight=1)] == [1, 4]
        assert (batch.num_waiting(), batch.num_waiting(most_units={"svd": 10.0})) == (4, 3)


# --- steps that films share --------------------------------------------------------------------------


def test_films_whose_steps_another_makes_now_are_not_due(workspace: Path) -> None:
    clips = Next(Stage.CLIPS, "local:animatic", 1.0)
    board = Storyboard(shots=(Shot(description="a fox", seed=1),))
    job = NewJob(prompt="", options=OPTIONS, seed=1, storyboard=board)
    shared, own = ("a" * 64, "clip", "clip 1"), ("b" * 64, "clip", "clip 1")
    entries = [NewEntry(job, line, (key,)) for line, key in enumerate([shared, shared, own], start=1)]
    with Store(workspace) as store, Store(workspace) as other:
        batch = store.create_batch("x", entries, [clips] * 3)
        first, second, _third = batch.due([Stage.CLIPS])
        with other.lease(first.entry.job_id) as lease:
            assert [due.entry.number for due in batch.due([Stage.CLIPS])] == [3]
            with store._database.read() as connection:
                assert not batch.is_due(connection, second)
            partial = other.temporary(".mp4")
            partial.write_bytes(b"the clip")
            lease.publish(shared[0], "clip", partial)
            assert [due.entry.number for due in batch.due([Stage.CLIPS])] == [2, 3]  # it is found there
        assert [due.entry.number for due in batch.due([Stage.CLIPS])] == [1, 2, 3]


def test_films_of_the_same_words_are_not_written_at_once(workspace: Path) -> None:
    with Store(workspace) as store, Store(workspace) as other:
        batch, (job, *_rest) = new_batch(store, ["a fox", "a fox", "a whale"])
        with other.lease(job.id):
            assert [due.entry.number for due in batch.due([Stage.STORYBOARD])] == [3]
        assert [due.entry.number for due in batch.due([Stage.STORYBOARD])] == [1, 2, 3]


def test_a_shared_clip_keeps_nobody_from_painting(workspace: Path) -> None:
    keyframes, clips = Next(Stage.KEYFRAMES, "a painter", 1.0), Next(Stage.CLIPS, "local:animatic", 1.0)
    board = Storyboard(shots=(Shot(description="a fox", seed=1),))
    job = NewJob(prompt="", options=OPTIONS, seed=1, storyboard=board)
    intro = ("a" * 64, "clip", "clip 1")
    entries = [NewEntry(job, line, (intro, (str(line) * 64, "keyframe", "k"))) for line in (1, 2, 3)]
    stages = [Stage.KEYFRAMES, Stage.CLIPS]
    with Store(workspace) as store, Store(workspace) as other:
        batch = store.create_batch("x", entries, [keyframes, keyframes, clips])
        first, _second, last = batch.due(stages)
        with other.lease(first.entry.job_id):
            assert [due.entry.number for due in batch.due(stages)] == [2, 3]
        with other.lease(last.entry.job_id):
            assert [due.entry.number for due in batch.due(stages)] == [1, 2]


@pytest.mark.parametrize(
    "film", [{"prompt": "a fox"}, {"storyboard": Storyboard(shots=(Shot(description="a fox"),))}], ids=list
)
def test_two_workers_make_no_step_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, film: dict[str, Any]
) -> None:
    settings = Settings(workspace=tmp_path / "workspace", min_free_gib=0, device="cpu")
    rows = [BatchRow(line=n, number=n, options=OPTIONS, seed=1, **film) for n in range(1, 5)]
    drawn: list[Path] = []
    write_clip = Animatic._write_clip

    def count(model: Animatic, request: VideoRequest, output: Path, on_progress: OnProgress) -> Any:
        drawn.append(output)
        return write_clip(model, request, output, on_progress)

    monkeypatch.setattr(Animatic, "_write_clip", count)
    with VideoOrchestrator(settings) as one, VideoOrchestrator(settings) as other:
        batch = begin_batch(one, rows, source="x")
        workers = [Worker(each, batch, BatchTerms()) for each in (one, other)]
        threads = [threading.Thread(target=worker.run) for worker in workers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert [entry.state for entry in batch.entries()] == ["done"] * 4
        assert len({one.store.get_job(entry.job_id).output_video_path for entry in batch.entries()}) == 4
    assert len(drawn) == 1


# --- worker processes --------------------------------------------------------------------------------


@pytest.mark.parametrize("is_found_before", [False, True])
def test_a_death_counts_for_the_film_that_the_process_held(workspace: Path, is_found_before: bool) -> None:
    """Also where another process has found it without an owner and given it back before."""
    error = ModelProcessError("the worker's process ended with code 7")
    with Store(workspace) as store:
        batch, (held, done_with, of_another) = new_batch(store, ["a fox", "a whale", "a bear"])
        with store.lease(done_with.id) as lease:
            lease.pass_on()
        with store.lease(of_another.id):
            host = store.owner.rpartition(f"-{os.getpid()}-")[0]
            with store._database.write() as connection:
                owner = f"{host}-4711-0123456789ab"
                leased = {"lease_owner": owner, "last_owner": owner, "lease_expires_at": held.created_at}
                connection.execute(
                    update(jobs).where(jobs.c.id == held.id).values(status="running", **leased)
                )
            if is_found_before:
                store.settle_orphans()
            assert [batch.count_death(4711, error, most_attempts=2) for _ in "ab"] == [[1], [1]]
            assert batch.count_death(4711, error, most_attempts=2) == []
        assert [(entry.state, entry.attempts) for entry in batch.entries()] == [
            (EntryState.FAILED, 2),
            (EntryState.WAITING, 0),
            (EntryState.WAITING, 0),
        ]
        assert store.get_job(held.id).status == "failed"


def test_a_film_that_has_failed_runs_alone() -> None:
    turns = Turns()
    assert turns.begin(alone=False)
    assert not turns.begin(alone=True)
    assert turns.begin(alone=False)
    turns.end()
    turns.end()
    assert turns.begin(alone=True)
    assert not turns.begin(alone=False)
    turns.end()
    assert turns.begin(alone=False)


@pytest.fixture
def crew(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Crew]:
    """On a batch of one film, with programs for workers: that of GPU 1 ends at once, that of GPU 0 when its
    input does."""
    program = workspace.parent / "program"
    program.write_text('#!/bin/sh\nread orders\ncase $orders in *\'"device":"1"\'*) exit 0;; esac\ncat\n')
    program.chmod(0o700)
    monkeypatch.setattr("localvid.batch.crew.sys.executable", str(program))
    with Store(workspace) as store:
        batch, _jobs = new_batch(store, ["a fox"])
        terms = BatchTerms(fail_fast=True)
        yield Crew(Settings(workspace=workspace), batch, terms, devices=["0", "1"])


def test_the_first_film_that_is_set_aside_ends_every_worker(
    crew: Crew, monkeypatch: pytest.MonkeyPatch
) -> None:
    def set_aside(seconds: float) -> None:
        if not crew._batch.summary().failed:
            give_up(crew._batch, VideoJob.model_construct(id=crew._batch.entries()[0].job_id))
        time.sleep(seconds)

    monkeypatch.setattr("localvid.batch.crew.time", SimpleNamespace(sleep=set_aside))
    thread = threading.Thread(target=crew.run)
    thread.start()
    thread.join(5)
    crew.stop()
    assert not thread.is_alive()
    assert crew._batch.summary().failed == 1


def test_an_interrupt_ends_workers_that_do_not_listen(crew: Crew, monkeypatch: pytest.MonkeyPatch) -> None:
    Path(sys.executable).write_text("#!/bin/sh\nexec sleep 30\n")

    def interrupt(_seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("localvid.batch.crew.time", SimpleNamespace(sleep=interrupt))
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        crew.run()
    assert [process.pid for process in crew._processes.values() if process.poll() is None] == []
    assert time.monotonic() - began < 15


def test_gpus_are_named_as_this_process_may_see_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert name_of_gpu(1) == "1"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2, GPU-8932f937")
    assert [name_of_gpu(0), name_of_gpu(1)] == ["2", "GPU-8932f937"]


def test_a_notice_that_nobody_reads_any_more_costs_nothing() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with pytest.MonkeyPatch.context() as patch:
        gone = os.fdopen(writing, "w")
        patch.setattr("sys.stdout", gone)
        say("shot 1: frozen")
    with contextlib.suppress(BrokenPipeError):
        gone.close()
