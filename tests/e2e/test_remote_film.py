"""Films whose shots a host makes: all of them, or those that cannot be made here; against a real server."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydantic import SecretStr
from replicate_server import TOKEN, ReplicateServer, Stage, serve

from localvid import FilmOptions, Settings, Shot, Storyboard, VideoJob, VideoOrchestrator
from localvid.cli import run
from localvid.errors import (
    CapabilityError,
    GenerationFailedError,
    HostFailedError,
    InvalidRequestError,
    JobCancelledError,
    JobInterruptedError,
    NeedsConfirmationError,
    NotAvailableError,
    OutOfMemoryError,
    SpendLimitError,
)
from localvid.media import probe
from localvid.media.decode import read_frames
from localvid.media.metadata import read_record
from localvid.media.mp4 import read_index
from localvid.pipelines.hosted import HostedVideoModel
from localvid.pipelines.replicate import Replicate
from localvid.registry.catalogue import load_manifests
from localvid.schemas import CallState, FilmRecord, JobStatus, OnProgress, Progress, VideoRequest
from localvid.store import Store

SMALL = FilmOptions(
    width=64, height=64, num_frames=6, model="replicate:svd-xt", llm="outline", allow_remote=True
)
BOARD = Storyboard(
    shots=(
        Shot(description="a forest at dawn", seed=1),
        Shot(description="the sea at night", seed=2),
        Shot(description="a city in the rain", seed=3),
    )
)


@pytest.fixture
def server() -> Iterator[ReplicateServer]:
    with serve(ReplicateServer()) as server:
        yield server
    assert server.violations == []


@pytest.fixture
def settings(tmp_path: Path, server: ReplicateServer) -> Settings:
    return Settings(
        workspace=tmp_path / "workspace",
        hub_cache=tmp_path / "hub",
        min_free_gib=0,
        replicate_api_token=SecretStr(TOKEN),
        replicate_base_url=server.base,
        remote_poll_seconds=0.01,
        remote_grace_seconds=0.3,
        remote_timeout_seconds=2,
    )


@pytest.fixture
def notices() -> list[str]:
    return []


@pytest.fixture
def orchestrator(settings: Settings, notices: list[str]) -> Iterator[VideoOrchestrator]:
    with VideoOrchestrator(settings, on_notice=notices.append) as orchestrator:
        yield orchestrator


def record_of(job: VideoJob) -> FilmRecord:
    assert job.output_video_path is not None
    return FilmRecord.model_validate_json(read_record(job.output_video_path) or "")


def states(orchestrator: VideoOrchestrator, job: VideoJob) -> list[CallState]:
    return [call.state for call in orchestrator.store.calls_of(job.id)]


def test_a_film_whose_shots_a_host_makes(
    orchestrator: VideoOrchestrator, server: ReplicateServer, notices: list[str]
) -> None:
    job = orchestrator.execute_job(orchestrator.create_job(storyboard=BOARD, options=SMALL).id)

    assert job.status is JobStatus.DONE
    assert job.output_video_path is not None
    video = probe(job.output_video_path)
    assert (video.width, video.height, video.num_frames, video.fps) == (64, 64, 18, 7)
    assert server.made_by_seed() == {1: 1, 2: 1, 3: 1}
    assert states(orchestrator, job) == [CallState.DONE] * 3
    # 40 s of the host's time each, at $0.0014.
    assert job.cost_usd == pytest.approx(3 * 40 * 0.0014)
    assert sorted(server.deleted_files) == sorted(server.files)
    price = load_manifests(orchestrator.settings)["replicate:svd-xt"].price
    assert price is not None
    assert (
        f"replicate:svd-xt costs about $0.20 for 3 clips ($0.067 a clip, estimated from what was read on "
        f"{price.read_on}); what is made already costs nothing again"
    ) in notices
    assert (
        "the first frame of shots 1 to 3 is uploaded to replicate, where 3 clips cost about $0.20" in notices
    )
    assert "replicate:svd-xt made shots 1 to 3, for about $0.17" in notices
    assert [model.id for model in record_of(job).models] == ["local:animatic-still", "replicate:svd-xt"]


def test_a_second_run_and_the_same_board_again_pay_for_nothing(
    orchestrator: VideoOrchestrator, server: ReplicateServer
) -> None:
    first = orchestrator.execute_job(orchestrator.create_job(storyboard=BOARD, options=SMALL).id)
    orchestrator.resume(first.id)
    second = orchestrator.execute_job(orchestrator.create_job(storyboard=BOARD, options=SMALL).id)

    assert len(server.creations()) == 3
    assert second.cost_usd == 0
    assert first.output_video_path is not None and second.output_video_path is not None
    assert first.output_video_path.read_bytes() == second.output_video_path.read_bytes()


def test_what_the_model_is_asked_is_what_the_shot_asks(
    orchestrator: VideoOrchestrator, server: ReplicateServer
) -> None:
    board = Storyboard(shots=(Shot(description="a storm", energy=1.0, camera="pan_left", seed=7),))
    options = SMALL.model_copy(update={"fps": 12, "decode_chunk_size": 5, "model": "replicate:svd"})
    job = orchestrator.execute_job(orchestrator.create_job(storyboard=board, options=options).id)

    (prediction,) = server.predictions.values()
    image = prediction.input.pop("input_image")
    assert prediction.input == {
        "video_length": "14_frames_with_svd",
        "sizing_strategy": "use_image_dimensions",
        "frames_per_second": 11,  # the network is told one less than the speed of playback
        "motion_bucket_id": 160,  # its camera is held still: the pan is made by a crop
        "cond_aug": 0.06,
        "decoding_t": 5,
        "seed": 7,
    }
    assert image.startswith(f"{server.base}/files/")
    assert prediction.cancel_after == "30m"
    assert job.output_video_path is not None
    assert probe(job.output_video_path).fps == 12


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"num_inference_steps": 10}, "num inference steps is fixed at 30, not 10"),
        ({"num_frames": 26}, "num_frames 26 is outside 2 to 25"),
        ({"fps": 5}, "fps 5 is outside 6 to 30"),
        ({"width": 100}, "not a multiple of 64"),
        ({"captions": True}, "it draws no captions"),
    ],
)
def test_what_the_host_cannot_do_is_refused_with_the_reason(
    orchestrator: VideoOrchestrator, server: ReplicateServer, changes: dict[str, object], reason: str
) -> None:
    with pytest.raises(CapabilityError, match=reason):
        orchestrator.create_job(storyboard=BOARD, options=SMALL.model_copy(update=changes))
    assert server.requests == []


# --- leave and limits --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, "nothing is sent there without your leave"),
        ({"allow_remote": True, "offline": True}, "set to be offline"),
        ({"allow_remote": True, "replicate_api_token": None}, "no token for replicate"),
    ],
)
def test_nothing_is_sent_without_leave_token_and_network(
    settings: Settings, server: ReplicateServer, changes: dict[str, object], reason: str
) -> None:
    settings = settings.model_copy(update=changes)
    options = SMALL.model_copy(update={"allow_remote": False})
    with VideoOrchestrator(settings) as orchestrator:
        with pytest.raises(NotAvailableError, match=reason) as caught:
            orchestrator.create_job(storyboard=BOARD, options=options)
        assert caught.value.hint
        with pytest.raises(NotAvailableError, match=reason):
            orchestrator.create_job(
                storyboard=BOARD,
                options=options.model_copy(update={"model": "auto", "fallback": "replicate:svd-xt"}),
            )
    assert server.requests == []


def test_auto_pays_only_with_leave_and_says_so(
    settings: Settings, notices: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("localvid.gpu.LIBRARY", "libcuda-of-nobody.so.1")
    options = SMALL.model_copy(update={"model": "auto", "allow_remote": False})
    with VideoOrchestrator(settings, on_notice=notices.append) as orchestrator:
        assert orchestrator.preview(BOARD, options)[0].model == "local:animatic"
    allowed = settings.model_copy(update={"allow_remote": True})
    with VideoOrchestrator(allowed, on_notice=notices.append) as orchestrator:
        chosen, plan = orchestrator.preview(BOARD, options)
    assert (chosen.model, chosen.max_cost_usd) == ("replicate:svd-xt", 1.0)
    assert plan is not None
    assert plan.cost_usd == pytest.approx(3 * 0.067)
    assert any(
        notice.startswith("replicate:svd-xt is used, because there is no CUDA GPU") for notice in notices
    )


@pytest.mark.parametrize(
    ("changes", "limit", "model"),
    [
        ({}, 0.0, "local:animatic"),
        ({}, 0.06, "local:animatic"),
        ({}, 0.07, "replicate:svd-xt"),
        ({"max_cost_usd": 0}, None, "local:animatic"),
        ({"max_cost_usd": 0}, 0.3, "replicate:svd-xt"),
        ({"max_cost_usd_per_month": 0}, None, "local:animatic"),
        ({"clip_prices_usd": {"replicate:svd-xt": 0.0}}, 0.0, "replicate:svd-xt"),
    ],
)
def test_auto_takes_no_host_where_not_a_clip_may_be_paid_for(
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, object],
    limit: float | None,
    model: str,
) -> None:
    monkeypatch.setattr("localvid.gpu.LIBRARY", "libcuda-of-nobody.so.1")
    options = SMALL.model_copy(update={"model": "auto", "max_cost_usd": limit})
    with VideoOrchestrator(settings.model_copy(update=changes)) as orchestrator:
        assert orchestrator.preview(BOARD, options)[0].model == model


def test_a_film_that_cannot_be_finished_within_its_limit_is_not_begun(
    orchestrator: VideoOrchestrator, server: ReplicateServer
) -> None:
    options = SMALL.model_copy(update={"max_cost_usd": 0.15})
    job = orchestrator.create_job(storyboard=BOARD, options=options)
    with pytest.raises(
        SpendLimitError, match=r"3 clips of replicate:svd-xt would cost about \$0.20"
    ) as caught:
        orchestrator.execute_job(job.id)
    assert f"localvid resume {job.id} --max-cost USD" in caught.value.hint
    assert server.requests == []

    orchestrator.allow(job.id, max_cost_usd=0.3)
    assert orchestrator.resume(job.id).status is JobStatus.DONE


def test_the_months_limit_holds_over_jobs_that_were_deleted(
    settings: Settings, server: ReplicateServer
) -> None:
    with VideoOrchestrator(settings.model_copy(update={"max_cost_usd_per_month": 0.3})) as orchestrator:
        job = orchestrator.execute_job(orchestrator.create_job(storyboard=BOARD, options=SMALL).id)
        orchestrator.store.delete_job(job.id)
        again = orchestrator.create_job(storyboard=BOARD, options=SMALL)
        with pytest.raises(SpendLimitError, match=r"of the limit of \$0.30 for the month \$0.17 are spent"):
            orchestrator.execute_job(again.id)
    assert len(server.creations()) == 3


def test_a_dry_run_is_held_to_the_limits_of_what_is_still_to_be_paid_for(settings: Settings) -> None:
    def check(board: Storyboard) -> None:
        limited = settings.model_copy(update={"max_cost_usd": 0.07, "max_cost_usd_per_month": 0.2})
        with VideoOrchestrator(limited) as dry:
            options, plan = dry.preview(board, SMALL)
            assert plan is not None
            dry.check_spend(options, plan)

    with pytest.raises(SpendLimitError, match=r"3 clips of .* of the limit of \$0.070 for the job \$0.00"):
        check(BOARD)
    assert not settings.workspace.exists()
    with VideoOrchestrator(settings) as orchestrator:
        orchestrator.execute_job(orchestrator.create_job(storyboard=BOARD, options=SMALL).id)

    check(BOARD)
    with pytest.raises(SpendLimitError, match=r"1 clip of .* of the limit of \$0.20 for the month \$0.17"):
        check(BOARD.with_shot(0, seed=9))


def test_the_users_own_price_stands_in_for_the_manifests(settings: Settings) -> None:
    with VideoOrchestrator(
        settings.model_copy(update={"clip_prices_usd": {"replicate:svd-xt": 0.4}})
    ) as orchestrator:
        job = orchestrator.create_job(storyboard=BOARD, options=SMALL)
        with pytest.raises(SpendLimitError, match=r"\$1.20"):
            orchestrator.execute_job(job.id)
        _, plan = orchestrator.preview(BOARD, SMALL)
    assert plan is not None
    assert "($0.40 a clip, as clip_prices_usd has it)" in " ".join(plan.notes)


def test_the_upload_of_the_users_own_image_is_said_before_it_is_sent(
    settings: Settings, server: ReplicateServer, tmp_path: Path
) -> None:
    picture = Image.fromarray(np.random.default_rng(1).integers(0, 255, (90, 160, 3), dtype=np.uint8))
    exif = picture.getexif()
    exif[0x010E] = "where I live"
    picture.save(tmp_path / "mine.png", exif=exif)
    shots = (BOARD.shots[0].model_copy(update={"reference_image": tmp_path / "mine.png"}), BOARD.shots[1])
    asked_when_said: dict[str, int] = {}

    def hear(notice: str) -> None:
        asked_when_said[notice] = len(server.requests)

    with VideoOrchestrator(settings, on_notice=hear) as orchestrator:
        job = orchestrator.execute_job(
            orchestrator.create_job(storyboard=Storyboard(shots=shots), options=SMALL).id
        )

    said = (
        "the first frame of shots 1 and 2 is uploaded to replicate, where 2 clips cost about $0.13; that of "
        "shot 1 is an image of yours, cropped to the frame and without its metadata"
    )
    assert said in job.notices
    assert asked_when_said[said] == 0
    assert not any(b"where I live" in request.body for request in server.requests)


# --- fallback ----------------------------------------------------------------------------------------


LOCAL = SMALL.model_copy(update={"model": "local:svd-xt", "fallback": "replicate:svd-xt"})


@pytest.fixture
def local_svd(settings: Settings, tiny_svd: Path, notices: list[str]) -> Iterator[VideoOrchestrator]:
    settings = settings.model_copy(
        update={"device": "cpu", "threads": 1, "model_paths": {"local:svd-xt": tiny_svd}}
    )
    with VideoOrchestrator(settings, on_notice=notices.append) as orchestrator:
        yield orchestrator


def running_out_of_memory(monkeypatch: pytest.MonkeyPatch, *, at: int) -> None:
    """The real model, whose memory does not suffice for the shot with this seed."""
    sample = HostedVideoModel.sample

    def fail(self: HostedVideoModel, request: VideoRequest, output: Path, on_progress: OnProgress) -> None:
        if request.seed == at:
            raise OutOfMemoryError("the GPU's memory does not suffice", hint="use less")
        sample(self, request, output, on_progress)

    monkeypatch.setattr(HostedVideoModel, "sample", fail)


def test_only_the_shot_that_failed_here_is_sent_and_the_film_does_not_show_it(
    local_svd: VideoOrchestrator,
    server: ReplicateServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    running_out_of_memory(monkeypatch, at=2)
    options = LOCAL.model_copy(update={"num_inference_steps": None})
    job = local_svd.execute_job(local_svd.create_job(storyboard=BOARD, options=options).id)

    assert server.made_by_seed() == {2: 1}
    assert job.output_video_path is not None
    assert probe(job.output_video_path).num_frames == 18
    record = record_of(job)
    assert [(model.id, model.shots) for model in record.models if model.role == "video"] == [
        ("local:svd-xt", (1, 3)),
        ("replicate:svd-xt", (2,)),
    ]
    assert not record.options.allow_remote and record.options.fallback is None
    because = "shot 2: replicate:svd-xt makes it, because the GPU's memory does not suffice"
    assert because in job.notices
    sent = "the first frame of shot 2 is uploaded to replicate, where the clip costs about $0.067"
    assert sent in job.notices
    # All clips are of one encoding: a cut copies their packets.
    clips = [
        local_svd.store.find(step.key) for step in local_svd.store.steps_of(job.id) if step.kind == "clip"
    ]
    assert len(clips) == 3
    assert len({read_index(path).config for path in clips if path is not None}) == 1

    assert run(["info", str(job.output_video_path)]) == 0
    printed = capsys.readouterr().out
    assert "local:svd-xt (Stability AI Community License), video of shots 1, 3" in printed
    assert "replicate:svd-xt (Stability AI Community License), video of shot 2" in printed
    assert because in printed

    server.requests.clear()
    assert local_svd.resume(job.id).output_video_path == job.output_video_path
    assert server.requests == []


def test_the_colours_of_a_clip_from_elsewhere_are_those_of_its_first_frame(
    orchestrator: VideoOrchestrator, tmp_path: Path
) -> None:
    picture = np.zeros((64, 64, 3), dtype=np.uint8)
    picture[:32], picture[32:] = (200, 60, 60), (60, 170, 60)
    Image.fromarray(picture).save(tmp_path / "colours.png")
    shot = Shot(description="colours", seed=1, reference_image=tmp_path / "colours.png")
    job = orchestrator.execute_job(
        orchestrator.create_job(storyboard=Storyboard(shots=(shot,)), options=SMALL).id
    )
    assert job.output_video_path is not None
    first = next(iter(read_frames(job.output_video_path))).astype(int)
    blocks = np.random.default_rng(1).integers(-16, 17, (5, 5, 1))  # the server's pattern of this seed
    expected = picture + blocks.repeat(16, axis=0).repeat(16, axis=1)[:64, :64]
    for half in (slice(0, 32), slice(32, 64)):
        # Read by another matrix than it was written in, the halves are off by 13 and 17.
        assert np.abs(first[half].mean(axis=(0, 1)) - expected[half].mean(axis=(0, 1))).max() < 4


def test_a_shot_that_goes_on_from_a_sent_one_is_made_here_from_its_picture(
    local_svd: VideoOrchestrator, server: ReplicateServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    running_out_of_memory(monkeypatch, at=1)
    shots = (BOARD.shots[0], BOARD.shots[1].model_copy(update={"continue_from_previous": True}))
    job = local_svd.execute_job(local_svd.create_job(storyboard=Storyboard(shots=shots), options=LOCAL).id)
    assert server.made_by_seed() == {1: 1}
    assert [model.shots for model in record_of(job).models if model.role == "video"] == [(2,), (1,)]


def test_a_model_that_does_not_run_here_at_all_has_its_shots_made_there(
    settings: Settings, server: ReplicateServer, notices: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("localvid.gpu.LIBRARY", "libcuda-of-nobody.so.1")
    with VideoOrchestrator(settings, on_notice=notices.append) as orchestrator:
        job = orchestrator.execute_job(orchestrator.create_job(storyboard=BOARD, options=LOCAL).id)
    assert server.made_by_seed() == {1: 1, 2: 1, 3: 1}
    assert [(m.id, m.shots) for m in record_of(job).models if m.role == "video"] == [("replicate:svd-xt", ())]
    assert any(notice.startswith("local:svd-xt does not run here") for notice in notices)


def test_a_fallback_that_cannot_match_or_runs_here_is_refused(
    local_svd: VideoOrchestrator, server: ReplicateServer
) -> None:
    with pytest.raises(InvalidRequestError, match="local:svd is no fallback"):
        local_svd.create_job(storyboard=BOARD, options=LOCAL.model_copy(update={"fallback": "local:svd"}))
    with pytest.raises(CapabilityError, match="num_frames 20 is outside 2 to 14"):
        local_svd.create_job(
            storyboard=BOARD,
            options=LOCAL.model_copy(update={"fallback": "replicate:svd", "num_frames": 20}),
        )
    assert server.requests == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "nothing is sent there without your leave"),
        ({"allow_remote": True}, "num_frames 48 is outside 2 to 25"),
    ],
)
def test_a_fallback_of_the_settings_stands_in_only_where_it_can(
    settings: Settings, server: ReplicateServer, notices: list[str], changes: dict[str, object], said: str
) -> None:
    settings = settings.model_copy(update={"fallback": "replicate:svd-xt", **changes})
    options = FilmOptions(model="local:animatic", width=64, height=64, num_frames=48)
    with VideoOrchestrator(settings, on_notice=notices.append) as orchestrator:
        assert orchestrator.create_job(storyboard=BOARD, options=options).options.fallback is None
        assert orchestrator.preview(BOARD, options)[0].fallback is None
    assert [notice for notice in notices if said in notice and "does not stand in" in notice]
    assert server.requests == []


# --- faults ------------------------------------------------------------------------------------------


def test_a_shot_that_the_host_fails_at_leaves_the_others_made(
    orchestrator: VideoOrchestrator, server: ReplicateServer
) -> None:
    server.create_faults = ["", "422"]
    job = orchestrator.create_job(storyboard=BOARD, options=SMALL)
    with pytest.raises(HostFailedError, match="HTTP 422"):
        orchestrator.execute_job(job.id)
    made = sum(server.made_by_seed().values())
    assert made in (1, 2)  # the third may not have been sent yet

    assert orchestrator.resume(job.id).status is JobStatus.DONE
    assert server.made_by_seed() == {1: 1, 2: 1, 3: 1}


def test_stopping_leaves_the_runs_there_and_resuming_takes_them_up(
    orchestrator: VideoOrchestrator, server: ReplicateServer
) -> None:
    def stop(progress: Progress) -> None:
        if progress.message == "rendering at Replicate":
            orchestrator.stop()

    job = orchestrator.create_job(storyboard=BOARD, options=SMALL)
    with pytest.raises(JobInterruptedError):
        orchestrator.execute_job(job.id, on_progress=stop)
    before = server.made_by_seed()
    assert before
    assert not any(prediction.ended for prediction in server.predictions.values())

    assert orchestrator.resume(job.id).status is JobStatus.DONE
    assert server.made_by_seed() == {1: 1, 2: 1, 3: 1}


def test_cancelling_cancels_the_runs_there(orchestrator: VideoOrchestrator, server: ReplicateServer) -> None:
    server.run_seconds = 60.0

    def cancel(progress: Progress) -> None:
        if len(server.predictions) == 3 and progress.message == "rendering at Replicate":
            orchestrator.store.request_cancel(job.id)

    job = orchestrator.create_job(storyboard=BOARD, options=SMALL)
    with pytest.raises(JobCancelledError):
        orchestrator.execute_job(job.id, on_progress=cancel)
    assert [prediction.ended for prediction in server.predictions.values()] == ["canceled"] * 3
    assert states(orchestrator, job) == [CallState.CANCELED] * 3


def test_a_result_that_was_deleted_is_paid_for_again_only_when_confirmed(
    orchestrator: VideoOrchestrator, server: ReplicateServer, capsys: pytest.CaptureFixture[str]
) -> None:
    server.output_faults = ["404"]
    board = Storyboard(shots=BOARD.shots[:1])
    job = orchestrator.create_job(storyboard=board, options=SMALL)
    with pytest.raises(NeedsConfirmationError, match="may have been paid for") as caught:
        orchestrator.execute_job(job.id)
    assert f"localvid resume {job.id} --confirm" in caught.value.hint
    with pytest.raises(NeedsConfirmationError):
        orchestrator.resume(job.id)
    assert len(server.creations()) == 1

    assert run(["get-job", job.id, "--workspace", str(orchestrator.settings.workspace)]) == 0
    assert "needs confirmation" in capsys.readouterr().out
    assert orchestrator.resume(job.id, confirm=True).status is JobStatus.DONE
    assert len(server.creations()) == 2
    assert states(orchestrator, job) == [CallState.REPEATED, CallState.DONE]


def test_black_frames_from_the_host_fail_and_are_not_paid_for_again(
    orchestrator: VideoOrchestrator, server: ReplicateServer, tmp_path: Path
) -> None:
    Image.new("RGB", (64, 64)).save(tmp_path / "black.png")
    shot = Shot(description="night", seed=5, reference_image=tmp_path / "black.png")
    server.still = True
    job = orchestrator.create_job(storyboard=Storyboard(shots=(shot,)), options=SMALL)
    for _ in range(2):
        try:
            orchestrator.resume(job.id)
        except GenerationFailedError as error:
            assert "shows nothing" in error.message
    assert len(server.creations()) == 1


def test_two_jobs_of_the_same_shots_pay_once(
    settings: Settings, server: ReplicateServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one sends, gets and publishes its clips while this one uploads a first frame."""
    shots = Storyboard(shots=BOARD.shots[:2])
    upload, others = Replicate.upload, []

    def slow(self: Replicate, image: bytes, on_progress: OnProgress) -> str:
        monkeypatch.setattr(Replicate, "upload", upload)
        with VideoOrchestrator(settings) as other:
            others.append(other.execute_job(other.create_job(storyboard=shots, options=SMALL).id))
        return upload(self, image, on_progress)

    monkeypatch.setattr(Replicate, "upload", slow)
    settings = settings.model_copy(update={"remote_in_flight": 1})
    with VideoOrchestrator(settings) as orchestrator:
        job = orchestrator.execute_job(orchestrator.create_job(storyboard=shots, options=SMALL).id)
        assert states(orchestrator, job) == []
    assert server.made_by_seed() == {1: 1, 2: 1}
    assert job.cost_usd == 0
    assert [made.status for made in (job, *others)] == [JobStatus.DONE] * 2


# --- twenty shots ------------------------------------------------------------------------------------


def test_four_shots_are_in_flight(
    orchestrator: VideoOrchestrator, server: ReplicateServer, tmp_path: Path
) -> None:
    server.queue_seconds, server.run_seconds = 0.1, 1.9
    shots = tuple(Shot(description=f"shot number {number}", seed=number) for number in range(8))
    Image.fromarray(np.arange(64 * 64 * 3).reshape(64, 64, 3).astype(np.uint8)).save(tmp_path / "first.png")
    options = SMALL.model_copy(update={"max_cost_usd": 5.0, "reference_image": tmp_path / "first.png"})
    job = orchestrator.create_job(storyboard=Storyboard(shots=shots), options=options)
    most = 0

    def count(_progress: Progress) -> None:
        nonlocal most
        now = time.time()
        most = max(most, sum(now - p.created.timestamp() < 2.0 for p in list(server.predictions.values())))

    assert orchestrator.execute_job(job.id, on_progress=count).status is JobStatus.DONE
    assert most == 4
    assert len(server.creations()) == 8


# --- the command line --------------------------------------------------------------------------------


def test_the_command_line_shows_the_estimate_before_and_the_sum_after(
    settings: Settings,
    server: ReplicateServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("REPLICATE_API_TOKEN", TOKEN)
    monkeypatch.setenv("REPLICATE_BASE_URL", server.base)
    monkeypatch.setenv("LOCALVID_REMOTE_POLL_SECONDS", "0.01")
    monkeypatch.setenv("LOCALVID_MIN_FREE_GIB", "0")
    board = tmp_path / "board.json"
    board.write_text(BOARD.model_copy(update={"shots": BOARD.shots[:2]}).model_dump_json(exclude_none=True))
    words = ["render", str(board), "--model", "replicate:svd-xt", "--workspace", str(settings.workspace)]
    words += ["--width", "64", "--height", "64", "--num-frames", "6"]

    assert run(words) == 3
    assert "nothing is sent there without your leave" in capsys.readouterr().err
    assert run([*words, "--allow-remote", "--dry-run"]) == 0
    assert "about $0.13" in capsys.readouterr().out
    assert run([*words, "--allow-remote", "--max-cost", "0.1", "--dry-run"]) == 3
    refused = capsys.readouterr()
    assert "2 clips of replicate:svd-xt would cost about $0.13" in refused.err
    assert "to allow more: --max-cost USD" in refused.err
    assert "to do" not in refused.out
    assert run([*words, "--allow-remote", "--max-cost", "0.1"]) == 3
    stopped = capsys.readouterr().err
    assert "2 clips of replicate:svd-xt would cost about $0.13" in stopped
    assert server.requests == []

    with Store(settings.workspace) as store:
        (job_id,) = (job.id for job in store.list_jobs())
    assert f"{job_id} --max-cost USD" in stopped
    assert run(["resume", job_id, "--max-cost", "0.2", "--workspace", str(settings.workspace)]) == 0
    printed = capsys.readouterr()
    assert "cost about $0.11, of at most $0.20" in printed.out
    assert "replicate:svd-xt costs about $0.13 for 2 clips" in printed.err
    assert run(["get-job", job_id, "--workspace", str(settings.workspace)]) == 0
    shown = capsys.readouterr().out
    assert shown.count("replicate:svd-xt, done, $0.056") == 2
    assert run(["list-models", "--workspace", str(settings.workspace)]) == 0
    listed = capsys.readouterr()
    assert "at replicate, about $0.067 a clip, estimated" in listed.out
    run(["doctor", "--workspace", str(settings.workspace)])
    examined = capsys.readouterr()
    assert "a token for replicate is set" in examined.out
    everything = (stopped, printed.out, printed.err, shown, *listed, *examined)
    assert not any(TOKEN in text for text in everything)


# --- the token ---------------------------------------------------------------------------------------


def test_the_token_is_nowhere_but_in_the_header(
    orchestrator: VideoOrchestrator, server: ReplicateServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server.error = f"your token {TOKEN} is bad"
    server.create_faults = ["", "", "429 after 0"]
    job = orchestrator.execute_job(orchestrator.create_job(storyboard=BOARD, options=SMALL).id)
    assert job.output_video_path is not None
    server.script = (*server.script[:-1], Stage("failed"))
    failing = orchestrator.create_job(
        storyboard=Storyboard(shots=(Shot(description="a cliff", seed=9),)), options=SMALL
    )
    with pytest.raises(GenerationFailedError) as caught:
        orchestrator.execute_job(failing.id)

    assert "your token *** is bad" in caught.value.message
    assert "HTTP Request: POST" in caplog.text  # DEBUG really listened
    assert any(request.headers["authorization"] == f"Bearer {TOKEN}" for request in server.requests)
    said = [caplog.text, str(caught.value), repr(orchestrator.settings), json.dumps(server.base)]
    said += [request.path + request.body.decode("latin-1") for request in server.requests]
    said += [str({**request.headers, "authorization": ""}) for request in server.requests]
    said += [str(failure) for failure in _chain(caught.value)]
    assert not any(TOKEN in text for text in said)
    files = [path for path in orchestrator.settings.workspace.rglob("*") if path.is_file()]
    assert any(path.suffix == ".mp4" for path in files) and any(path.suffix == ".sqlite3" for path in files)
    assert [path for path in files if TOKEN.encode() in path.read_bytes()] == []


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
