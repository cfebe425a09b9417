"""Batches with the real animatic: one load of each model, failures that cost no other film, going on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import faulty_worker
import pytest
from PIL import Image

from localvid import FilmOptions, Settings, Shot, Storyboard, VideoOrchestrator
from localvid.batch import BatchTerms, Worker, begin_batch, plan_batch
from localvid.batch_file import BatchRow
from localvid.cli import run
from localvid.cli.batch import _moment
from localvid.errors import (
    CapabilityError,
    DiskFullError,
    GenerationFailedError,
    InvalidRequestError,
    OutOfMemoryError,
)
from localvid.llm.outline import OutlineWriter
from localvid.media import probe
from localvid.pipelines.animatic.adapter import Animatic
from localvid.schemas import EntryState, OnProgress, Stage, StageTime, VideoRequest
from localvid.slot import ModelSlot
from localvid.store import BatchRows, JobLease, StageRate, Store

OPTIONS = FilmOptions(
    width=128, height=72, num_frames=4, fps=8, llm="outline", model="local:animatic", max_shots=1
)
TERMS = BatchTerms(backoff_seconds=0.0, space_poll_seconds=0.05)


@pytest.fixture
def orchestrator(tmp_path: Path) -> Iterator[VideoOrchestrator]:
    settings = Settings(
        workspace=tmp_path / "workspace",
        hub_cache=tmp_path / "hub",
        min_free_gib=0,
        offline=True,
        device="cpu",
    )
    with VideoOrchestrator(settings, on_notice=lambda _notice: None) as orchestrator:
        yield orchestrator


def rows(*prompts: str, options: FilmOptions = OPTIONS) -> list[BatchRow]:
    return [
        BatchRow(line=number, number=number, prompt=prompt, options=options, seed=number)
        for number, prompt in enumerate(prompts, start=1)
    ]


def begin(orchestrator: VideoOrchestrator, *prompts: str) -> BatchRows:
    return begin_batch(orchestrator, rows(*prompts), source="films.jsonl")


def states(batch: BatchRows) -> list[str]:
    return [entry.state.value for entry in batch.entries()]


def failing_for(
    monkeypatch: pytest.MonkeyPatch, seed_words: str, error: Exception, times: int = 99
) -> list[int]:
    """Clips whose description has these words fail so often."""
    write, left = Animatic._write_clip, [times]

    def fail(self: Animatic, request: VideoRequest, output: Path, on_progress: OnProgress) -> None:
        if seed_words in request.description and left[0]:
            left[0] -= 1
            raise error
        write(self, request, output, on_progress)

    monkeypatch.setattr(Animatic, "_write_clip", fail)
    return left


def test_each_model_is_loaded_once_whatever_the_number_of_films(orchestrator: VideoOrchestrator) -> None:
    batch = begin(orchestrator, "a fox", "a whale", "a castle", "a train")
    worker = Worker(orchestrator, batch, TERMS)
    worker.run()

    assert worker.loads == 2  # what writes, and what draws
    assert states(batch) == ["done"] * 4
    for entry in batch.entries():
        job = orchestrator.store.get_job(entry.job_id)
        assert job.status == "done"
        assert job.output_video_path is not None
        assert probe(job.output_video_path).num_frames == 4
        assert entry.seconds > 0
    assert not list((orchestrator.settings.workspace / "tmp").glob("*/*"))


def test_identical_steps_of_different_films_run_once(
    orchestrator: VideoOrchestrator, monkeypatch: pytest.MonkeyPatch
) -> None:
    shots = tuple(Shot(description=f"a tree {number}", seed=number) for number in range(3))
    made: list[str] = []
    write = Animatic._write_clip

    def count(self: Animatic, request: VideoRequest, output: Path, on_progress: OnProgress) -> None:
        made.append(request.description)
        write(self, request, output, on_progress)

    monkeypatch.setattr(Animatic, "_write_clip", count)
    boards = [Storyboard(shots=(shots[0], shots[1])), Storyboard(shots=(shots[1], shots[2]))]
    found = [
        BatchRow(line=number, number=number, storyboard=board, options=OPTIONS, seed=0)
        for number, board in enumerate(boards, start=1)
    ]
    batch = begin_batch(orchestrator, found, source="films.jsonl")
    Worker(orchestrator, batch, TERMS).run()

    assert states(batch) == ["done", "done"]
    assert sorted(made) == ["a tree 0", "a tree 1", "a tree 2"]


def test_a_film_that_fails_thrice_is_set_aside_and_the_others_are_made(
    orchestrator: VideoOrchestrator, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = failing_for(monkeypatch, "whale", OutOfMemoryError("no memory", hint="use less"))
    batch = begin(orchestrator, "a fox", "a whale", "a castle")
    Worker(orchestrator, batch, TERMS).run()

    assert states(batch) == ["done", "failed", "done"]
    failed = batch.entries(state=EntryState.FAILED)[0]
    assert (failed.attempts, failed.error, failed.hint) == (3, "no memory", "use less")
    assert left == [96]
    assert orchestrator.store.get_job(failed.job_id).status == "failed"

    monkeypatch.undo()
    assert batch.take_up() == 1
    Worker(orchestrator, batch, TERMS).run()
    assert states(batch) == ["done"] * 3


def test_what_succeeds_the_second_time_is_done(
    orchestrator: VideoOrchestrator, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing_for(monkeypatch, "whale", OutOfMemoryError("no memory"), times=2)
    batch = begin(orchestrator, "a whale", "a fox")
    Worker(orchestrator, batch, TERMS).run()
    assert states(batch) == ["done", "done"]
    assert [entry.attempts for entry in batch.entries()] == [0, 0]


@pytest.mark.parametrize("error", [InvalidRequestError("wrong"), ZeroDivisionError("a defect")])
def test_what_no_attempt_mends_is_set_aside_at_once(
    orchestrator: VideoOrchestrator, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    left = failing_for(monkeypatch, "whale", error)
    batch = begin(orchestrator, "a whale", "a fox")
    Worker(orchestrator, batch, TERMS).run()
    assert states(batch) == ["failed", "done"]
    assert left == [98]
    assert str(error) in batch.entries()[0].error


def test_a_wrong_request_costs_no_model_that_is_loaded(
    orchestrator: VideoOrchestrator, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing_for(monkeypatch, "whale", InvalidRequestError("wrong"))
    batch = begin(orchestrator, "a fox", "a whale", "a castle")
    worker = Worker(orchestrator, batch, TERMS)
    worker.run()
    assert states(batch) == ["done", "failed", "done"]
    assert worker.loads == 2


def test_no_keyframe_is_made_for_clips_that_fit_no_memory(
    orchestrator: VideoOrchestrator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse(*_: object) -> None:
        raise CapabilityError("too large", hint="smaller")

    monkeypatch.setattr(ModelSlot, "check_fits", refuse)
    Image.new("RGB", (64, 64), "red").save(tmp_path / "mine.png")
    options = OPTIONS.model_copy(update={"reference_image": tmp_path / "mine.png"})
    board = Storyboard(shots=(Shot(description="a tree", seed=1),))
    row = BatchRow(line=1, number=1, storyboard=board, options=options, seed=0)
    batch = begin_batch(orchestrator, [row], source="films.jsonl")
    assert [entry.stage for entry in batch.entries()] == [Stage.KEYFRAMES]
    Worker(orchestrator, batch, TERMS).run()
    assert [entry.error for entry in batch.entries()] == ["too large"]
    assert not list((orchestrator.settings.workspace / "artifacts").rglob("*.png"))


def test_fail_fast_ends_with_the_first_that_is_set_aside(
    orchestrator: VideoOrchestrator, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing_for(monkeypatch, "fox", InvalidRequestError("wrong"))
    batch = begin(orchestrator, "a fox", "a whale")
    Worker(orchestrator, batch, TERMS.model_copy(update={"fail_fast": True})).run()
    assert states(batch) == ["failed", "waiting"]


def test_a_stop_keeps_what_is_finished_and_another_worker_goes_on(
    orchestrator: VideoOrchestrator, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = begin(orchestrator, "a fox", "a whale", "a castle")
    first = Worker(orchestrator, batch, TERMS)
    write = Animatic._write_clip

    def stop_at_whale(self: Animatic, request: VideoRequest, output: Path, on_progress: OnProgress) -> None:
        if "whale" in request.description:
            first.stop()
        write(self, request, output, on_progress)

    monkeypatch.setattr(Animatic, "_write_clip", stop_at_whale)
    first.run()
    assert first.was_stopped
    assert "waiting" in states(batch)
    assert {job.status.value for job in orchestrator.store.list_jobs()} <= {"done", "pending"}

    monkeypatch.undo()
    Worker(orchestrator, batch, TERMS).run()
    assert states(batch) == ["done"] * 3


@pytest.mark.parametrize("with_picture", [False, True])
def test_what_a_clean_up_took_from_a_film_that_waits_is_made_again(
    orchestrator: VideoOrchestrator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, with_picture: bool
) -> None:
    options = OPTIONS
    if with_picture:
        Image.new("RGB", (128, 72), "teal").save(tmp_path / "teal.png")
        options = OPTIONS.model_copy(update={"reference_image": tmp_path / "teal.png"})

    def fail(*_arguments: object, **_named: object) -> None:
        raise InvalidRequestError("no joining today")

    with monkeypatch.context() as patch:
        patch.setattr("localvid.stages.join_clips", fail)
        batch = begin_batch(orchestrator, rows("a fox", options=options), source="films.jsonl")
        Worker(orchestrator, batch, TERMS).run()
    (entry,) = batch.entries()
    assert (entry.state, entry.stage) == (EntryState.FAILED, Stage.JOIN)

    assert orchestrator.store.clean(everything_unused=True).artifacts.count > 0
    batch.take_up()
    Worker(orchestrator, batch, TERMS).run()
    assert states(batch) == ["done"]


def test_what_does_not_fit_before_the_end_is_not_begun(orchestrator: VideoOrchestrator) -> None:
    batch = begin(orchestrator, "a fox")
    Worker(orchestrator, batch, TERMS).run()  # so that it is known how long a film takes
    again = begin(orchestrator, "a whale", "a castle")
    soon = datetime.now(UTC) + timedelta(seconds=60)
    per_film = again.seconds_a_film(Stage.CLIPS)
    assert per_film is not None and per_film < 20
    slow = orchestrator.store.get_batch(again.id)
    a_unit = StageRate(0.0, 1e9, least_units=1.0, most_units=1.0)
    slow.stage_rate = lambda *_: a_unit  # type: ignore[method-assign]  # a machine so slow
    worker = Worker(orchestrator, slow, TERMS.model_copy(update={"until": soon}))
    worker.run()
    assert states(again) == ["waiting", "waiting"]
    assert [entry.stage for entry in again.entries()] == [Stage.CLIPS, Stage.CLIPS]  # their words are written

    Worker(orchestrator, again, TERMS.model_copy(update={"until": soon})).run()
    assert states(again) == ["done", "done"]


def test_films_far_larger_than_all_that_was_measured_are_begun(orchestrator: VideoOrchestrator) -> None:
    batch = begin(orchestrator, "a fox", "a whale")
    tiny = StageTime(stage=Stage.CLIPS, model_id=OPTIONS.model, units=1e-4, seconds=5.0)
    with orchestrator.store._database.write() as connection:
        batch.add_time(connection, tiny)
    soon = datetime.now(UTC) + timedelta(seconds=60)
    Worker(orchestrator, batch, TERMS.model_copy(update={"until": soon})).run()
    assert states(batch) == ["done", "done"]


def test_time_that_is_up_stops_the_work(orchestrator: VideoOrchestrator) -> None:
    batch = begin(orchestrator, "a fox", "a whale")
    worker = Worker(orchestrator, batch, TERMS.model_copy(update={"until": datetime.now(UTC)}))
    worker.run()
    assert not worker.was_stopped
    assert "waiting" in states(batch)


def test_a_full_disk_is_waited_for_and_no_film_pays_for_it(
    orchestrator: VideoOrchestrator, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = begin(orchestrator, "a fox", "a whale")
    refusals = [3]

    def check(_self: Store) -> None:
        if refusals[0]:
            refusals[0] -= 1
            raise DiskFullError("1 MiB free", hint="free some space")

    monkeypatch.setattr(Store, "check_space", check)
    notices: list[str] = []
    Worker(orchestrator, batch, TERMS, on_notice=notices.append).run()
    assert states(batch) == ["done", "done"]
    assert refusals == [0]
    assert any(notice.startswith("paused: 1 MiB free") for notice in notices)
    assert "there is room again: going on" in notices


def test_few_films_in_flight_are_finished_before_others_are_begun(orchestrator: VideoOrchestrator) -> None:
    batch = begin(orchestrator, "a fox", "a whale", "a castle", "a train")
    order: list[tuple[int, Stage]] = []
    advance = BatchRows.advance

    def record(self: BatchRows, connection: object, job_id: str, following: object, **taken: object) -> None:
        entry = next(entry for entry in seen if entry.job_id == job_id)
        order.append((entry.number, next(e.stage for e in [entry])))
        advance(self, connection, job_id, following, **taken)  # type: ignore[arg-type]

    seen = batch.entries()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BatchRows, "advance", record)
        Worker(orchestrator, batch, TERMS.model_copy(update={"in_flight": 2})).run()
    assert states(batch) == ["done"] * 4
    begun = [number for number, _ in order]
    assert begun.index(3) > max(begun.index(1), begun.index(2))
    assert set(begun[:2]) == {1, 2}


def test_two_workers_share_a_batch_and_make_nothing_twice(
    orchestrator: VideoOrchestrator, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = begin(orchestrator, *(f"a fox number {number}" for number in range(6)))
    published: list[str] = []
    publish = JobLease.publish

    def count(self: JobLease, key: str, kind: str, partial: Path) -> Path:
        published.append(key)
        return publish(self, key, kind, partial)

    monkeypatch.setattr(JobLease, "publish", count)
    with VideoOrchestrator(orchestrator.settings, on_notice=lambda _notice: None) as other:
        second = Worker(other, other.store.get_batch(batch.id), TERMS)
        thread = threading.Thread(target=second.run)
        thread.start()
        Worker(orchestrator, batch, TERMS).run()
        thread.join()
    assert states(batch) == ["done"] * 6
    assert len(published) == len(set(published)) == 6 * 3  # a storyboard, a clip and a film each


def test_what_a_batch_takes_is_known_before_and_better_after(orchestrator: VideoOrchestrator) -> None:
    found = rows("a fox", "a whale")
    plan = plan_batch(orchestrator, found, source="films.jsonl")
    assert (plan.num_jobs, plan.num_shots, plan.mistakes) == (2, 2, ())
    assert (plan.seconds, plan.cost_usd, plan.gpu_bytes) == (None, 0.0, None)
    assert [load.model_id for load in plan.loads] == ["llm:outline", "local:animatic"]
    Worker(orchestrator, begin(orchestrator, "a fox"), TERMS).run()
    seconds = plan_batch(orchestrator, found, source="films.jsonl").seconds
    assert seconds is not None and 0 < seconds < 60


def test_what_no_model_takes_is_a_mistake_with_its_line(orchestrator: VideoOrchestrator) -> None:
    found = rows("a fox", "a whale")
    wrong = found[1].model_copy(update={"options": OPTIONS.model_copy(update={"width": 7})})
    plan = plan_batch(orchestrator, [found[0], wrong], source="films.jsonl")
    (mistake,) = plan.mistakes
    assert str(mistake).startswith("films.jsonl:2: ")
    assert plan.num_jobs == 1
    assert orchestrator.store.list_jobs() == []


def test_a_storyboard_that_fails_leaves_the_next_writer_sound(
    orchestrator: VideoOrchestrator, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, broken = OutlineWriter.write, [1]

    def fail_once(self: OutlineWriter, prompt: str, **named: object) -> Storyboard:
        if broken[0]:
            broken[0] -= 1
            raise GenerationFailedError("nothing usable")
        return write(self, prompt, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(OutlineWriter, "write", fail_once)
    batch = begin(orchestrator, "a fox", "a whale")
    worker = Worker(orchestrator, batch, TERMS)
    worker.run()
    assert worker.loads == 3  # the writer a second time


# --- the command -------------------------------------------------------------------------------------

FLAGS = [
    "--llm",
    "outline",
    "--model",
    "local:animatic",
    "--width",
    "128",
    "--height",
    "72",
    "--num-frames",
    "4",
]


def command(tmp_path: Path, *arguments: str) -> int:
    return run(["batch", *arguments, "--workspace", str(tmp_path / "workspace")])


@pytest.fixture
def films(tmp_path: Path) -> Path:
    path = tmp_path / "films.jsonl"
    lines = [{"prompt": "a fox", "seed": 1}, {"prompt": "../../a whale", "max_shots": 1, "seed": 2}]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def test_films_go_into_the_folder_whatever_their_words(
    tmp_path: Path, films: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert command(tmp_path, str(films), *FLAGS, "--output-dir", str(out)) == 0
    made = sorted(path.name for path in out.iterdir())
    assert made == ["0001-a-fox.mp4", "0002-a-whale.mp4", "report.html", "report.json"]
    printed = capsys.readouterr()
    assert "2 of 2 films done" in printed.out
    assert "film 2 of 2 is done" in printed.err


def test_a_dry_run_starts_nothing(tmp_path: Path, films: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(tmp_path, str(films), *FLAGS, "--dry-run", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["num_jobs"], document["num_shots"], document["seconds"]) == (2, 4, None)
    assert not (tmp_path / "workspace" / "localvid.sqlite3").exists() or not list(
        (tmp_path / "workspace" / "films").iterdir()
    )


def test_rows_that_take_their_time_are_told(
    tmp_path: Path, films: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("localvid.cli.batch._SILENT_SECONDS", -1)
    assert command(tmp_path, str(films), *FLAGS) == 0
    told = capsys.readouterr().err
    assert "planning row 1/2" in told


def test_every_mistake_is_told_before_anything_starts(
    tmp_path: Path, films: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with films.open("a", encoding="utf-8") as file:
        file.write('{"prompt": "x", "widht": 3}\n{"prompt": 7}\n{"prompt": "y", "model": "local:nothing"}\n')
    assert command(tmp_path, str(films), *FLAGS) == 2
    printed = capsys.readouterr().err
    for place in ("films.jsonl:3: widht", "films.jsonl:4: ", "films.jsonl:5: "):
        assert place in printed
    assert "3 mistakes" in printed
    with Store(tmp_path / "workspace") as store:
        assert store.list_jobs() == [] and store.list_batches() == []


def test_failures_give_a_table_and_exit_code_one_and_only_failed_mends_them(
    tmp_path: Path, films: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    faulty_worker.employ(monkeypatch, "refuse:whale")
    assert command(tmp_path, str(films), *FLAGS) == 1
    printed = capsys.readouterr().out
    assert "1 of 2 films done, 1 failed" in printed
    assert "it is too shy" in printed
    monkeypatch.undo()
    assert command(tmp_path, str(films), "--only-failed") == 0
    assert "2 of 2 films done" in capsys.readouterr().out


def test_a_batch_goes_on_without_its_file_and_says_what_it_leaves_out(
    tmp_path: Path, films: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(tmp_path, str(films), *FLAGS) == 0
    films.unlink()
    capsys.readouterr()
    assert command(tmp_path, str(films), "--resume") == 0
    assert "left out" not in capsys.readouterr().err
    assert command(tmp_path, str(films), "--resume", "--width", "640") == 0
    assert "note: films are made as their batch was begun" in capsys.readouterr().err


def test_a_batch_goes_on_by_the_name_of_its_file_but_not_for_another_of_that_name(
    tmp_path: Path, films: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(tmp_path, str(films), *FLAGS) == 0
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert command(tmp_path, films.name, "--resume") == 0
    (elsewhere / films.name).touch()
    assert command(tmp_path, films.name, "--resume") == 2
    assert "no batch" in capsys.readouterr().err


def test_the_beginning_of_several_batches_goes_on_with_none(
    tmp_path: Path, films: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(tmp_path, str(films), *FLAGS) == command(tmp_path, str(films), *FLAGS) == 0
    assert command(tmp_path, "2", "--resume") == 2
    assert "2 is the beginning of several batches" in capsys.readouterr().err


def test_a_clock_time_is_met_though_the_clocks_are_put_back_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    try:
        evening = datetime(2026, 10, 24, 22, 0).astimezone()
        assert _moment("07:00", evening) == datetime(2026, 10, 25, 6, 0, tzinfo=UTC)
        assert _moment("23:30", evening) == datetime(2026, 10, 24, 21, 30, tzinfo=UTC)
    finally:
        monkeypatch.undo()
        time.tzset()


def test_two_worker_processes_make_a_batch(
    tmp_path: Path, films: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert command(tmp_path, str(films), *FLAGS, "--workers", "2", "--quiet") == 0
    assert "Warning" not in capfd.readouterr().err  # of the workers', too
    with Store(tmp_path / "workspace") as store:
        batch = store.get_batch(str(films))
        assert states(batch) == ["done", "done"]
        assert store.activities() == []


def test_the_document_names_the_report(
    tmp_path: Path, films: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(tmp_path, str(films), *FLAGS, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["done"], document["waiting"]) == (2, 0)
    page = Path(document["report"])
    assert page == tmp_path / "workspace" / "reports" / document["id"] / "report.html"
    assert page.is_file()

    assert command(tmp_path, str(films), "--resume", "--json", "--output-dir", str(tmp_path / "out")) == 0
    assert json.loads(capsys.readouterr().out)["report"] == str(tmp_path / "out" / "report.html")


def test_a_closed_terminal_stops_all_workers_where_they_can_go_on(tmp_path: Path) -> None:
    """SIGHUP reaches every process of the group, workers too."""
    films = tmp_path / "films.jsonl"
    rows = [{"prompt": f"a fox {number}", "seed": number, "max_shots": 1} for number in range(3)]
    films.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    size = ["--llm", "outline", "--model", "local:animatic", "--width", "640", "--height", "384"]
    workspace = tmp_path / "workspace"
    begun = [sys.executable, "-m", "localvid", "batch", str(films), "--workspace", str(workspace)]
    with (
        (tmp_path / "said").open("w+") as said,
        Store(workspace) as store,
        subprocess.Popen(
            [*begun, *size, "--num-frames", "48", "--workers", "2"],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,
        ) as process,
    ):
        while len({one.owner for one in store.activities() if one.stage is Stage.CLIPS}) < 2:
            assert process.poll() is None
            time.sleep(0.02)
        for _ in range(2):  # of the shell's and of the kernel's
            os.killpg(process.pid, signal.SIGHUP)
            time.sleep(0.1)
        assert process.wait(60) == 130
        words = (tmp_path / "said").read_text()
        assert "Traceback" not in words
        assert "stopping at the next safe point" in words
        assert "a worker ended" not in words
        summary = store.get_batch(str(films)).summary()
        assert f"stopped; {summary.waiting} films left" in words
        assert (summary.failed, summary.cancelled) == (0, 0)
        assert summary.waiting
        # Interrupted is what a process that was killed leaves behind.
        assert {job.status.value for job in store.list_jobs()} <= {"pending", "done"}
    resumed = subprocess.run([*begun, "--resume"], capture_output=True, text=True)
    assert resumed.returncode == 0, resumed.stderr
    assert "3 of 3 films done" in resumed.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--output", "x.mp4"], "--output-dir"),
        (["--until", "25:00"], "no time"),
        (["--until", "2020-01-01T07:00"], "is past"),
        (["--until", "0001-01-01"], "no time"),
        (["--resume"], "no batch"),
        (["--resume", "--dry-run"], "not begun"),
    ],
)
def test_wrong_use(
    tmp_path: Path, films: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    assert command(tmp_path, str(films), *arguments) == 2
    assert words in capsys.readouterr().err
