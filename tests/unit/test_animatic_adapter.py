"""The animatic through the interfaces of models: real clips, real stills, the user's own image."""

from __future__ import annotations

import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from localvid.config import Settings
from localvid.errors import JobInterruptedError
from localvid.media.decode import read_frames
from localvid.pipelines.animatic import Animatic, AnimaticPainter, adapter
from localvid.pipelines.animatic.camera import CameraPath
from localvid.pipelines.animatic.direct import Shoot
from localvid.pipelines.animatic.scene import Scene
from localvid.schemas import (
    Camera,
    Caption,
    KeyframeRequest,
    ModelInfo,
    ModelManifest,
    Progress,
    VideoRequest,
)

MODELS = Path(__file__).parents[2] / "models"
WIDTH, HEIGHT = 192, 108


def info(name: str) -> ModelInfo:
    manifest = ModelManifest.model_validate(tomllib.loads((MODELS / name).read_text(encoding="utf-8")))
    return ModelInfo(manifest=manifest, available=True)


@pytest.fixture
def animatic() -> Animatic:
    return Animatic(info("animatic.toml"), Settings())


def request(output: Path, **changes: object) -> VideoRequest:
    fields: dict[str, object] = {
        "model_id": "local:animatic",
        "description": "a fox in a forest at dawn",
        "camera": Camera.TRUCK_RIGHT,
        "width": WIDTH,
        "height": HEIGHT,
        "num_frames": 9,
        "fps": 12,
        "seed": 5,
        "output": output,
    }
    return VideoRequest.model_validate({**fields, **changes})


def frames_of(animatic: Animatic, output: Path, **changes: object) -> list[NDArray[np.uint8]]:
    animatic.generate(request(output, **changes))
    return list(read_frames(output))


def test_an_announced_clip_is_painted_ahead_and_is_the_same(
    animatic: Animatic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = frames_of(animatic, tmp_path / "plain.mp4", seed=6)
    animatic.announce(request(tmp_path / "any.mp4", seed=6))
    frames_of(animatic, tmp_path / "before.mp4")
    painted = counted(monkeypatch)
    ahead = frames_of(animatic, tmp_path / "ahead.mp4", seed=6)
    animatic.close()
    assert painted == []
    for first, second in zip(plain, ahead, strict=True):
        np.testing.assert_array_equal(first, second)


def test_another_clip_than_the_announced_one_is_made_as_asked(animatic: Animatic, tmp_path: Path) -> None:
    plain = frames_of(animatic, tmp_path / "plain.mp4", seed=7)
    animatic.announce(request(tmp_path / "any.mp4", seed=6))
    frames_of(animatic, tmp_path / "before.mp4")
    other = frames_of(animatic, tmp_path / "other.mp4", seed=7)
    animatic.close()
    for first, second in zip(plain, other, strict=True):
        np.testing.assert_array_equal(first, second)


def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The seeds of the scenes that are painted from now on."""
    seeds: list[int] = []

    def direct(shoot: Shoot) -> tuple[Scene, CameraPath]:
        seeds.append(shoot.seed)
        return original(shoot)

    original = adapter.direct
    monkeypatch.setattr(adapter, "direct", direct)
    return seeds


def difference(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> float:
    return float(np.abs(first.astype(int) - second.astype(int)).mean())


def test_an_interrupt_while_its_threads_end_is_not_lost(
    animatic: Animatic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupted(ThreadPoolExecutor):
        def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
            super().shutdown(wait, cancel_futures=cancel_futures)
            raise KeyboardInterrupt

    def stop(progress: Progress) -> None:
        if progress.step:
            raise JobInterruptedError("stopped at a safe point")

    monkeypatch.setattr(adapter, "ThreadPoolExecutor", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        animatic.generate(request(tmp_path / "a.mp4"), on_progress=stop)


def test_a_clip_has_the_frames_that_were_asked_for(animatic: Animatic, tmp_path: Path) -> None:
    reports: list[Progress] = []
    result = animatic.generate(request(tmp_path / "a.mp4"), reports.append)
    assert (result.video.width, result.video.height, result.video.num_frames) == (WIDTH, HEIGHT, 9)
    assert [report.step for report in reports] == list(range(10))
    assert {report.num_steps for report in reports} == {9}
    frames = list(read_frames(tmp_path / "a.mp4"))
    assert difference(frames[0], frames[-1]) > 2  # it moves


def test_the_same_request_gives_the_same_bytes(animatic: Animatic, tmp_path: Path) -> None:
    for name in ("a.mp4", "b.mp4"):
        animatic.generate(request(tmp_path / name, description="a city street in the rain"))
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


@pytest.mark.parametrize("threads", [1, 4])
def test_the_number_of_threads_changes_nothing(tmp_path: Path, threads: int) -> None:
    alone = Animatic(info("animatic.toml"), Settings(threads=2))
    other = Animatic(info("animatic.toml"), Settings(threads=threads))
    alone.generate(request(tmp_path / "a.mp4"))
    other.generate(request(tmp_path / "b.mp4"))
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


class _EnoughError(Exception):
    pass


@pytest.mark.parametrize("last", [0, 1, 6])
def test_whatever_progress_raises_stops_the_work_and_leaves_nothing(
    animatic: Animatic, tmp_path: Path, last: int
) -> None:
    def stop(progress: Progress) -> None:
        if progress.step == last:
            raise _EnoughError

    with pytest.raises(_EnoughError):
        animatic.generate(request(tmp_path / "a.mp4"), stop)
    assert list(tmp_path.iterdir()) == []
    assert len(frames_of(animatic, tmp_path / "b.mp4")) == 9


def test_the_caption_is_in_the_lower_third_and_nowhere_else(animatic: Animatic, tmp_path: Path) -> None:
    words = "a fox in a forest by day"  # bright, and little of it is lost by the encoder
    plain = frames_of(animatic, tmp_path / "a.mp4", description=words)
    caption = Caption(shot_number=2, num_shots=3)
    told = frames_of(animatic, tmp_path / "b.mp4", description=words, caption=caption)
    third = HEIGHT // 3
    for without, with_ in zip(plain, told, strict=True):
        assert difference(without[:third], with_[:third]) < 1.5
        assert difference(without[-third:], with_[-third:]) > 12
    badge = told[0][-third:, : WIDTH // 4].reshape(-1, 3).astype(int)
    assert ((badge[:, 0] > 200) & (badge[:, 1] > 150) & (badge[:, 2] < 140)).any()  # the number's ground


@pytest.mark.parametrize(("camera", "energy"), [(Camera.TRUCK_RIGHT, 0.1), (Camera.STATIC, 0.0)])
def test_a_clip_that_is_as_it_was_asked_for_has_no_notice(
    animatic: Animatic, tmp_path: Path, photo: Path, camera: Camera, energy: float
) -> None:
    asked = request(tmp_path / "clip.mp4", camera=camera, energy=energy, first_frame=photo)
    assert animatic.generate(asked).notices == ()


def test_what_stands_still_unasked_or_shows_nothing_is_told(
    animatic: Animatic, tmp_path: Path, photo: Path
) -> None:
    still = request(tmp_path / "still.mp4", camera=Camera.STATIC, energy=0.5, first_frame=photo)
    assert animatic.generate(still).notices == ("all 9 frames show the same picture",)
    night = tmp_path / "night.png"
    Image.new("RGB", (WIDTH, HEIGHT)).save(night)
    black = request(tmp_path / "black.mp4", camera=Camera.STATIC, first_frame=night)
    assert animatic.generate(black).notices == ("9 of 9 frames are black",)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """An image of the clip's size with a pattern that shows every distortion: a white disc on a ramp."""
    ys, xs = np.mgrid[0:HEIGHT, 0:WIDTH]
    picture = np.stack([60 + xs // 3, 60 + ys // 2, np.full_like(xs, 90)], axis=-1).astype(np.uint8)
    picture[np.hypot(xs - WIDTH / 2 + 0.5, ys - HEIGHT / 2 + 0.5) < 24] = 255
    path = tmp_path / "photo.png"
    Image.fromarray(picture).save(path)
    return path


def disc(frame: NDArray[np.uint8]) -> tuple[float, float, float, float]:
    """(x, y, width, height) of what is white."""
    rows, columns = np.nonzero(frame.min(axis=2) > 190)
    width, height = np.ptp(columns) + 1, np.ptp(rows) + 1
    return float(columns.mean()), float(rows.mean()), float(width), float(height)


def test_a_still_camera_shows_the_image_as_it_is(animatic: Animatic, photo: Path, tmp_path: Path) -> None:
    frames = frames_of(animatic, tmp_path / "a.mp4", first_frame=photo, camera=Camera.STATIC)
    with Image.open(photo) as opened:
        original = np.asarray(opened)
    assert len(frames) == 9
    for frame in frames:
        assert difference(frame, original) < 2.5  # what H.264 takes


@pytest.mark.parametrize("camera", [camera for camera in Camera if camera is not Camera.STATIC])
def test_every_move_over_the_image_goes_its_way_and_distorts_nothing(
    animatic: Animatic, photo: Path, tmp_path: Path, camera: Camera
) -> None:
    changes = {"first_frame": photo, "camera": camera, "num_frames": 24, "fps": 6}
    frames = frames_of(animatic, tmp_path / "a.mp4", **changes)
    first, last = disc(frames[0]), disc(frames[-1])
    for shape in (first, last):
        assert abs(shape[2] - shape[3]) <= 2  # a disc stays round
    assert min(frame.min(axis=2).max() for frame in frames) > 190
    assert all(frame.max(axis=2).min() > 40 for frame in frames)  # no black edge
    kind, _, way = camera.value.partition("_")
    right, down, grown = last[0] - first[0], last[1] - first[1], last[2] / first[2]
    if kind in ("dolly", "zoom"):
        assert grown > 1.05 if way == "in" else grown < 0.96
        assert abs(right) < 1.5
        assert abs(down) < 1.5
        return
    assert grown == pytest.approx(1.0, abs=0.06)
    signs = {"left": (1, 0), "right": (-1, 0), "up": (0, 1), "down": (0, -1)}
    across, along = signs[way]
    assert right * across > 2 if across else abs(right) < 1.5
    assert down * along > 2 if along else abs(down) < 1.5


def test_the_painter_paints_a_still_of_the_size(tmp_path: Path) -> None:
    painter = AnimaticPainter(info("animatic-still.toml"), Settings())
    outputs = []
    for name, seed in (("a.png", 1), ("b.png", 1), ("c.png", 2)):
        keyframe = KeyframeRequest(
            model_id="local:animatic-still",
            description="a lighthouse by the sea at dusk",
            width=200,
            height=120,
            seed=seed,
            output=tmp_path / name,
        )
        painter.paint(keyframe)
        with Image.open(tmp_path / name) as opened:
            assert opened.format == "PNG"
            assert opened.size == (200, 120)
            assert opened.mode == "RGB"
            outputs.append(np.asarray(opened))
    np.testing.assert_array_equal(outputs[0], outputs[1])
    assert difference(outputs[0], outputs[2]) > 8
