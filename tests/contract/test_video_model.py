"""One suite for every video model: what `VideoModel` promises, held against real files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import av
import numpy as np
import pytest
from fixtures_tiny import svd_info
from numpy.typing import NDArray
from PIL import Image
from pydantic import SecretStr
from reports import StopAt, StopError, reports_of, stop_at_each_report

from localvid.config import Settings
from localvid.errors import CapabilityError, InvalidRequestError
from localvid.media import probe
from localvid.pipelines.base import VideoModel
from localvid.schemas import (
    Camera,
    CropPath,
    HandOver,
    IntRange,
    ModelCapabilities,
    ModelKind,
    Progress,
    VideoRequest,
    Window,
)

NUM_FRAMES = 5
"""More than two chunks of the tiny model, and a last one that is not full."""


def open_tiny_svd(request: pytest.FixtureRequest) -> VideoModel:
    from localvid.pipelines.svd.adapter import StableVideoDiffusion

    return StableVideoDiffusion(svd_info(request.getfixturevalue("tiny_svd")), Settings())


def open_hosted_svd(request: pytest.FixtureRequest) -> VideoModel:
    from localvid.pipelines.hosted import HostedVideoModel

    return HostedVideoModel(svd_info(request.getfixturevalue("tiny_svd")), Settings())


def open_replicate_svd(request: pytest.FixtureRequest) -> VideoModel:
    return _open_replicate(request, "replicate:svd")


def open_replicate_svd_xt(request: pytest.FixtureRequest) -> VideoModel:
    return _open_replicate(request, "replicate:svd-xt")


def _open_replicate(request: pytest.FixtureRequest, model_id: str) -> VideoModel:
    from paid_calls import CallList

    from localvid import registry

    settings = request.getfixturevalue("replicate_settings")
    info = registry.get_model(model_id, settings, ModelKind.VIDEO)
    # Each test is an attempt of its own: nothing is taken up from the one before.
    return registry.open_remote_model(info, settings, CallList(forgets=True))


def open_animatic(_request: pytest.FixtureRequest) -> VideoModel:
    from localvid import registry

    settings = Settings()
    return registry.open_video_model(
        registry.get_model("local:animatic", settings, ModelKind.VIDEO), settings
    )


@pytest.fixture(scope="module")
def replicate_settings() -> Iterator[Settings]:
    """Leave, a token, and a Replicate on this machine; whatever was asked of it was in its published form."""
    from replicate_server import TOKEN, ReplicateServer, serve

    with serve(ReplicateServer()) as server:
        yield Settings(
            allow_remote=True,
            replicate_api_token=SecretStr(TOKEN),
            replicate_base_url=server.base,
            remote_poll_seconds=0.01,
        )
        assert server.violations == []


Opener = Callable[[pytest.FixtureRequest], VideoModel]


@pytest.fixture(
    params=[open_tiny_svd, open_hosted_svd, open_animatic, open_replicate_svd, open_replicate_svd_xt],
    ids=["svd", "hosted svd", "animatic", "replicate:svd", "replicate:svd-xt"],
    scope="module",
)
def opener(request: pytest.FixtureRequest) -> Opener:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def model(opener: Opener, request: pytest.FixtureRequest) -> Iterator[VideoModel]:
    """Opened once, so that each test also meets what the ones before it left behind."""
    with opener(request) as model:
        yield model


@pytest.fixture
def clip_request(model: VideoModel, tmp_path: Path) -> VideoRequest:
    """The smallest clip that the model makes."""
    capabilities = model.capabilities
    width, height = smallest(capabilities.width, capabilities), smallest(capabilities.height, capabilities)
    return VideoRequest(
        model_id=model.info.manifest.id,
        description="A lighthouse above a stormy sea at night",
        width=width,
        height=height,
        num_frames=capabilities.num_frames.clamp(NUM_FRAMES),
        fps=capabilities.fps.clamp(7),
        seed=11,
        first_frame=gradient(tmp_path / "first.png", width, height)
        if capabilities.takes_first_frame
        else None,
        output=tmp_path / "clip.mp4",
    )


def smallest(side: IntRange, capabilities: ModelCapabilities) -> int:
    return -(-side.minimum // capabilities.size_multiple) * capabilities.size_multiple


def gradient(path: Path, width: int, height: int) -> Path:
    rows, columns = np.mgrid[0:height, 0:width]
    channels = (rows * 255 // height, columns * 255 // width, (rows + columns) % 256)
    Image.fromarray(np.stack(channels, axis=-1).astype(np.uint8)).save(path)
    return path


def frames_of(path: Path) -> NDArray[np.uint8]:
    """`(frames, height, width, 3)`"""
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def test_clip_is_what_was_asked_for(model: VideoModel, clip_request: VideoRequest) -> None:
    result = model.generate(clip_request)

    video = probe(clip_request.output)
    assert (video.width, video.height) == (clip_request.width, clip_request.height)
    assert video.num_frames == clip_request.num_frames == len(frames_of(clip_request.output))
    assert video.fps == clip_request.fps
    assert (video.codec, video.pixel_format, video.color_space) == ("h264", "yuv420p", "bt709")
    assert video.constant_frame_rate
    assert video.faststart
    assert result.video == video
    assert (result.model_id, result.seed) == (clip_request.model_id, clip_request.seed)
    assert result.seconds > 0


def test_a_clip_hands_a_frame_to_the_next_shot_and_ends_before_it(
    model: VideoModel, clip_request: VideoRequest
) -> None:
    clip_request = clip_request.model_copy(update={"camera": Camera.PAN_RIGHT})
    plain = clip_request.model_copy(update={"output": clip_request.output.with_name("plain.mp4")})
    picture = clip_request.output.with_name("next.png")
    handing_over = clip_request.model_copy(update={"hand_over": HandOver(num_late_frames=3, output=picture)})
    model.generate(plain)
    result = model.generate(handing_over)

    shown, made = frames_of(clip_request.output).astype(int), frames_of(plain.output).astype(int)
    assert result.video.num_frames == len(shown)
    assert NUM_FRAMES - 3 <= len(shown) <= NUM_FRAMES - 1
    assert np.abs(shown - made[: len(shown)]).mean() < 4
    with Image.open(picture) as opened:
        assert (opened.format, opened.mode) == ("PNG", "RGB")
        handed = np.asarray(opened).astype(int)
    # Nearest to the frame that is left out, and free of what the encoder did to it.
    distances = [np.abs(handed - frame).mean() for frame in made]
    assert int(np.argmin(distances)) == len(shown)
    assert distances[len(shown)] > 0


def test_stopping_leaves_no_picture_for_the_next_shot(model: VideoModel, clip_request: VideoRequest) -> None:
    picture = clip_request.output.with_name("next.png")
    before = sorted(clip_request.output.parent.iterdir())
    handing_over = clip_request.model_copy(update={"hand_over": HandOver(num_late_frames=1, output=picture)})

    def stop_at_the_last_frame(progress: Progress) -> None:
        if progress.num_steps and progress.step == progress.num_steps:
            raise StopError

    with pytest.raises(StopError):
        model.generate(handing_over, stop_at_the_last_frame)
    assert sorted(clip_request.output.parent.iterdir()) == before


def test_a_crop_path_moves_the_frames_and_a_whole_one_leaves_them(
    model: VideoModel, clip_request: VideoRequest
) -> None:
    still = clip_request.model_copy(update={"camera": Camera.STATIC})
    whole, left = CropPath(start=Window(), end=Window()), Window(left=0, top=0.25, size=0.5)
    paths = {"still.mp4": None, "whole.mp4": whole, "left.mp4": CropPath(start=left, end=left)}
    clips = {}
    for name, path in paths.items():
        request = still.model_copy(update={"crop_path": path, "output": still.output.with_name(name)})
        model.generate(request)
        clips[name] = frames_of(request.output).astype(int)

    assert np.array_equal(clips["still.mp4"], clips["whole.mp4"])
    height, width = clip_request.height, clip_request.width
    for moved, frame in zip(clips["left.mp4"], clips["still.mp4"], strict=True):
        part = frame[height // 4 : height * 3 // 4, : width // 2]
        enlarged = np.asarray(
            Image.fromarray(part.astype(np.uint8)).resize((width, height), Image.Resampling.BICUBIC)
        )
        assert np.abs(moved - enlarged).mean() < np.abs(moved - frame).mean() / 2


def test_frames_differ_from_each_other_and_are_not_black(
    model: VideoModel, clip_request: VideoRequest
) -> None:
    moving = clip_request.model_copy(update={"energy": 1.0, "camera": Camera.PAN_RIGHT})
    model.generate(moving)

    frames = frames_of(moving.output).astype(int)
    assert frames.max() > 32
    assert frames.std(axis=(1, 2)).max() > 4
    assert abs(frames[0] - frames[-1]).max() > 8


def test_same_seed_same_frames_and_another_seed_others(model: VideoModel, clip_request: VideoRequest) -> None:
    again = clip_request.model_copy(update={"output": clip_request.output.with_name("again.mp4")})
    other = clip_request.model_copy(
        update={
            "seed": 12,
            "first_frame": clip_request.first_frame,
            "output": clip_request.output.with_name("o.mp4"),
        }
    )
    if not model.capabilities.needs_first_frame:
        # A model that paints for itself shows its seed in what it paints.
        clip_request, again, other = (
            request.model_copy(update={"first_frame": None}) for request in (clip_request, again, other)
        )
    for request in (clip_request, again, other):
        model.generate(request)

    assert np.array_equal(frames_of(clip_request.output), frames_of(again.output))
    if model.capabilities.takes_seed:
        assert not np.array_equal(frames_of(clip_request.output), frames_of(other.output))


def test_every_opening_gives_the_same_frames(
    opener: Opener, request: pytest.FixtureRequest, model: VideoModel, clip_request: VideoRequest
) -> None:
    model.generate(clip_request)
    second = clip_request.model_copy(update={"output": clip_request.output.with_name("second.mp4")})
    with opener(request) as other:
        other.generate(second)

    assert np.array_equal(frames_of(clip_request.output), frames_of(second.output))


def test_progress_rises_to_the_end(model: VideoModel, clip_request: VideoRequest) -> None:
    reports = [report for report in reports_of(partial(model.generate, clip_request)) if report.num_steps]

    assert len({report.num_steps for report in reports}) == 1
    steps = [report.step for report in reports if not report.notice]
    assert steps == sorted(steps)
    assert steps[-1] == reports[-1].num_steps
    if not model.info.manifest.is_remote:
        assert set(steps) >= set(range(1, reports[-1].num_steps + 1)), "a step was not told"
    assert all(report.message for report in reports)


def test_clips_are_begun_one_after_the_other_and_ended_later(
    model: VideoModel, clip_request: VideoRequest
) -> None:
    outputs = [clip_request.output.with_name(f"{number}.mp4") for number in range(3)]
    before = sorted(clip_request.output.parent.iterdir())
    begun = [model.begin(clip_request.model_copy(update={"output": output})) for output in outputs]
    begun.pop().close()
    for clip, output in zip(begun, outputs, strict=False):
        assert not output.exists()
        clip.wait()
        assert clip.is_written()
        assert clip.result().video.path == output
        clip.close()
    assert sorted(clip_request.output.parent.iterdir()) == sorted([*before, *outputs[:2]])
    assert np.array_equal(frames_of(outputs[0]), frames_of(outputs[1]))
    model.generate(clip_request)
    assert outputs[0].read_bytes() == clip_request.output.read_bytes()


def test_stopping_at_any_report_leaves_no_file_and_a_working_model(
    model: VideoModel, clip_request: VideoRequest
) -> None:
    whole = clip_request.model_copy(update={"output": clip_request.output.with_name("whole.mp4")})
    num_steps = reports_of(partial(model.generate, whole))[-1].num_steps
    before = sorted(clip_request.output.parent.iterdir())

    def check() -> None:
        assert sorted(clip_request.output.parent.iterdir()) == before

    # What runs on a host is asked now and then, and tells of some steps: the more, the longer it takes.
    fewest = 2 if model.info.manifest.is_remote else num_steps
    assert stop_at_each_report(partial(model.generate, clip_request), check) >= fewest >= 2
    assert np.array_equal(frames_of(clip_request.output), frames_of(whole.output))


def test_stopping_while_it_loads(
    opener: Opener, request: pytest.FixtureRequest, clip_request: VideoRequest
) -> None:
    with opener(request) as fresh:
        with pytest.raises(StopError):
            fresh.generate(clip_request, StopAt(0))
        assert not clip_request.output.exists()
        fresh.generate(clip_request)
    assert len(frames_of(clip_request.output)) == clip_request.num_frames


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("width", lambda able: able.width.maximum + able.size_multiple),
        ("height", lambda able: max(1, able.height.minimum - able.size_multiple)),
        ("width", lambda able: smallest(able.width, able) + 1),
        ("num_frames", lambda able: able.num_frames.maximum + 1),
        ("fps", lambda able: able.fps.maximum + 1),
    ],
    ids=["too wide", "too low", "off the multiple", "too many frames", "too fast"],
)
def test_refuses_before_any_work(
    opener: Opener,
    request: pytest.FixtureRequest,
    clip_request: VideoRequest,
    field: str,
    change: Callable[[ModelCapabilities], int],
) -> None:
    reports: list[Progress] = []
    with opener(request) as fresh:
        value = change(fresh.capabilities)
        with pytest.raises(CapabilityError, match=field):
            fresh.generate(clip_request.model_copy(update={field: value}), reports.append)

    assert reports == []
    assert not clip_request.output.exists()


def test_refuses_what_its_capabilities_deny(model: VideoModel, clip_request: VideoRequest) -> None:
    able = model.capabilities
    denied: dict[str, dict[str, object]] = {}
    if able.needs_first_frame:
        denied["first frame"] = {"first_frame": None}
    if not able.stores_latents:
        denied["latents"] = {"latents": Path("latents.safetensors")}
    if not able.draws_captions:
        denied["captions"] = {"caption": {"shot_number": 1, "num_shots": 2}}
    assert denied

    for reason, changes in denied.items():
        with pytest.raises(CapabilityError, match=reason):
            model.generate(VideoRequest.model_validate({**clip_request.model_dump(), **changes}))
    assert not clip_request.output.exists()


def test_existing_output_is_refused_and_kept(model: VideoModel, clip_request: VideoRequest) -> None:
    clip_request.output.write_bytes(b"a film of the user's")

    with pytest.raises(InvalidRequestError, match="exists already"):
        model.generate(clip_request)
    assert clip_request.output.read_bytes() == b"a film of the user's"


@pytest.mark.parametrize("name", ["森の夜明け 🌲.mp4", "a b 'c' \"d\" %03d.mp4", "-n.mp4"])
def test_output_of_any_name(model: VideoModel, clip_request: VideoRequest, name: str) -> None:
    output = clip_request.output.with_name(name)

    assert model.generate(clip_request.model_copy(update={"output": output})).video.path == output
    assert len(frames_of(output)) == clip_request.num_frames


def test_closing_twice_and_opening_again(
    opener: Opener, request: pytest.FixtureRequest, clip_request: VideoRequest
) -> None:
    model = opener(request)
    model.load()
    model.close()
    model.close()

    model.generate(clip_request)
    model.close()
    assert len(frames_of(clip_request.output)) == clip_request.num_frames


def test_stored_latents_give_the_same_frames(model: VideoModel, clip_request: VideoRequest) -> None:
    latents = clip_request.output.with_name("clip.safetensors")
    if not model.capabilities.stores_latents:
        with pytest.raises(CapabilityError, match="no latents"):
            model.sample(clip_request, latents)
        assert not latents.exists()
        return

    reports: list[Progress] = []
    model.sample(clip_request, latents, reports.append)
    decoded = clip_request.model_copy(
        update={"latents": latents, "first_frame": None, "output": clip_request.output.with_name("later.mp4")}
    )
    model.generate(decoded)
    model.generate(clip_request)

    assert [report.step for report in reports if report.num_steps][-1] == reports[-1].num_steps
    assert np.array_equal(frames_of(clip_request.output), frames_of(decoded.output))


def test_stopping_the_sampling_leaves_no_latents(model: VideoModel, clip_request: VideoRequest) -> None:
    latents = clip_request.output.with_name("clip.safetensors")
    before = sorted(latents.parent.iterdir())

    with pytest.raises(StopError if model.capabilities.stores_latents else CapabilityError):
        model.sample(clip_request, latents, StopAt(0))
    assert sorted(latents.parent.iterdir()) == before
