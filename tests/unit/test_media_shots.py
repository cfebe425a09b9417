"""Frames on their way into a clip: cropped to the sub-pixel, and one of the last handed to the next shot."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from localvid.media.crop import cropped
from localvid.media.decode import read_frames
from localvid.media.encode import ClipWriter
from localvid.media.sharpness import sharpness
from localvid.media.shots import ShotThread, ShotWriter, writing_shot
from localvid.planning.moves import crop_path
from localvid.schemas import Camera, CameraSpeed, CropPath, HandOver, VideoRequest, Window

Frame = NDArray[np.uint8]

WIDTH, HEIGHT = 240, 160
MOVES = [camera for camera in Camera if camera is not Camera.STATIC]
NUM_FRAMES = 9


def ramps(width: int = WIDTH, height: int = HEIGHT) -> Frame:
    """Red tells the column, green the row: cubic convolution gives slopes back as they are."""
    rows, columns = np.indices((height, width))
    return np.stack([columns, rows, np.full_like(rows, 77)], axis=-1).astype(np.uint8)


def path_of(camera: Camera, *, continues: bool = False) -> CropPath:
    path = crop_path(camera, CameraSpeed.NORMAL, seconds=4, width=WIDTH, height=HEIGHT, continues=continues)
    assert path is not None
    return path


def request(output: Path, *, num_frames: int, hand_over: HandOver | None = None) -> VideoRequest:
    return VideoRequest(
        model_id="local:svd-xt",
        description="",
        width=WIDTH,
        height=HEIGHT,
        num_frames=num_frames,
        fps=7,
        seed=0,
        hand_over=hand_over,
        output=output,
    )


@pytest.mark.parametrize("num_late", [0, 3])
def test_a_thread_writes_the_same_bytes(tmp_path: Path, num_late: int) -> None:
    frames = [np.roll(ramps(), 5 * number, axis=1) for number in range(NUM_FRAMES)]
    files = []
    for name in ("beside", "here"):
        hand_over = HandOver(output=tmp_path / f"{name}.png", num_late_frames=num_late) if num_late else None
        asked = request(tmp_path / f"{name}.mp4", num_frames=NUM_FRAMES, hand_over=hand_over)
        shot: ShotThread | ShotWriter
        if name == "beside":
            with ShotThread(asked.output, asked, crop_path=path_of(Camera.PAN_LEFT)) as shot:
                for frame in frames:
                    shot.write(frame)
            shot.wait()
            assert shot.is_done()
        else:
            with writing_shot(asked.output, asked, crop_path=path_of(Camera.PAN_LEFT)) as shot:
                for frame in frames:
                    shot.write(frame)
        files.append([path.read_bytes() for path in sorted(tmp_path.glob(f"{name}.*"))])
    assert files[0] == files[1]
    assert len(files[0]) == (2 if num_late else 1)


def test_what_a_thread_cannot_write_is_raised_to_whoever_makes_the_frames(tmp_path: Path) -> None:
    asked = request(tmp_path / "missing" / "clip.mp4", num_frames=NUM_FRAMES)
    shot = ShotThread(asked.output, asked)
    with pytest.raises(OSError, match="No such file"), shot:
        for _ in range(1000):
            shot.write(ramps())
            time.sleep(0.01)
    with pytest.raises(OSError, match="No such file"):
        shot.wait()


def test_a_shot_whose_frames_end_early_is_not_written_on(tmp_path: Path) -> None:
    asked = request(tmp_path / "clip.mp4", num_frames=NUM_FRAMES)
    shot = ShotThread(asked.output, asked)
    with pytest.raises(ZeroDivisionError), shot:
        shot.write(ramps())
        _ = 1 // 0
    assert shot.is_done()
    size = asked.output.stat().st_size if asked.output.exists() else 0
    shot.give_up()
    assert (asked.output.stat().st_size if asked.output.exists() else 0) == size


@pytest.mark.parametrize("continues", [False, True])
@pytest.mark.parametrize("camera", MOVES)
def test_every_pixel_of_every_frame_comes_from_where_the_path_says(camera: Camera, continues: bool) -> None:
    path = crop_path(camera, CameraSpeed.FAST, seconds=4, width=WIDTH, height=HEIGHT, continues=continues)
    if path is None:
        assert continues
        return
    frame = ramps()
    for window in path.windows(NUM_FRAMES):
        shown = cropped(frame, window).astype(float)
        columns = window.left * WIDTH + (np.arange(WIDTH) + 0.5) * window.size - 0.5
        rows = window.top * HEIGHT + (np.arange(HEIGHT) + 0.5) * window.size - 0.5
        inner = slice(4, -4)  # at the picture's own edge there is no neighbour to weigh
        assert np.abs(shown[inner, inner, 0] - columns[None, inner]).max() <= 0.51
        assert np.abs(shown[inner, inner, 1] - rows[inner, None]).max() <= 0.51
        assert (shown[..., 2] == 77).all()


def test_a_pan_moves_what_is_seen_by_the_pixels_that_are_planned() -> None:
    """A pan of 0.24 of the height: 38.4 pixels to the left, half of them halfway."""
    shown = [cropped(ramps(), window)[80, 100, 0] for window in path_of(Camera.PAN_RIGHT).windows(3)]
    enlargement = 1 + 0.24 * HEIGHT / WIDTH
    ways = [(float(value) - float(shown[0])) * enlargement for value in shown]
    assert ways == pytest.approx([0, 19.2, 38.4], abs=0.6 * enlargement)


@given(
    camera=st.sampled_from(MOVES),
    speed=st.sampled_from(CameraSpeed),
    width=st.integers(min_value=8, max_value=200),
    height=st.integers(min_value=8, max_value=200),
    num_frames=st.integers(min_value=1, max_value=6),
    continues=st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_nothing_but_the_picture_is_ever_shown(
    camera: Camera, speed: CameraSpeed, width: int, height: int, num_frames: int, continues: bool
) -> None:
    white = np.full((height, width, 3), 255, dtype=np.uint8)
    path = crop_path(camera, speed, seconds=4, width=width, height=height, continues=continues)
    for window in path.windows(num_frames) if path else ():
        shown = cropped(white, window)
        assert shown.shape == white.shape
        assert shown.min() == 255


def test_the_whole_frame_is_given_back_as_it_is() -> None:
    frame = np.random.default_rng(1).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    assert cropped(frame, Window()) is frame


def noise(seed: int) -> Frame:
    """Grey blocks of 8x8 pixels: the encoder halves the resolution of colours."""
    grain = np.random.default_rng(seed).integers(0, 256, (HEIGHT // 8, WIDTH // 8, 1), dtype=np.uint8)
    return grain.repeat(8, axis=0).repeat(8, axis=1).repeat(3, axis=2)


def blurred(frame: Frame, times: int) -> Frame:
    picture = frame.astype(float)
    for _ in range(times):
        picture = (picture + np.roll(picture, 1, 0) + np.roll(picture, 1, 1)) / 3
    return picture.astype(np.uint8)


def test_frames_without_a_move_and_without_a_next_shot_are_written_as_they_are(tmp_path: Path) -> None:
    frames = [noise(number) for number in range(5)]
    with ClipWriter(tmp_path / "plain.mp4", width=WIDTH, height=HEIGHT, fps=7) as clip:
        for frame in frames:
            clip.write(frame)
    still = CropPath(start=Window(), end=Window())
    for name, path in (("none.mp4", None), ("whole.mp4", still)):
        with writing_shot(tmp_path / name, request(tmp_path / name, num_frames=5), crop_path=path) as shot:
            for frame in frames:
                shot.write(frame)
        assert (tmp_path / name).read_bytes() == (tmp_path / "plain.mp4").read_bytes()


def hand_over(
    tmp_path: Path, frames: list[Frame], *, late: int, path: CropPath | None = None
) -> tuple[list[Frame], Frame]:
    """(the clip's frames, the picture for the next shot)"""
    picture, clip = tmp_path / "next.png", tmp_path / "clip.mp4"
    asked = request(clip, num_frames=len(frames), hand_over=HandOver(num_late_frames=late, output=picture))
    with writing_shot(clip, asked, crop_path=path) as shot:
        for frame in frames:
            shot.write(frame)
    with Image.open(picture) as opened:
        assert (opened.format, opened.mode) == ("PNG", "RGB")
        return list(read_frames(clip)), np.asarray(opened)


@pytest.mark.parametrize("sharpest", [3, 4, 5, 6])
def test_the_sharpest_late_frame_opens_the_next_shot_and_ends_this_one(tmp_path: Path, sharpest: int) -> None:
    scene = noise(0)
    frames = [scene, *(blurred(scene, 1 + abs(number - sharpest)) for number in range(1, 7))]
    clip, picture = hand_over(tmp_path, frames, late=4)
    np.testing.assert_array_equal(picture, frames[sharpest])  # exactly: it never went through the encoder
    assert len(clip) == sharpest
    for written, frame in zip(clip, frames, strict=False):
        assert np.abs(written.astype(int) - frame).mean() < 4


def test_a_sharper_frame_that_came_early_is_not_looked_at(tmp_path: Path) -> None:
    frames = [noise(0), *(blurred(noise(0), 6) for _ in range(5))]
    clip, picture = hand_over(tmp_path, frames, late=2)
    np.testing.assert_array_equal(picture, frames[5])  # of two that are equally sharp the later
    assert len(clip) == 5


def test_it_is_the_picture_after_the_crop_and_the_sharpness_before(tmp_path: Path) -> None:
    path = path_of(Camera.ZOOM_IN)
    frames = [blurred(noise(3), 2) for _ in range(6)]
    clip, picture = hand_over(tmp_path, frames, late=4, path=path)
    # All are equally sharp before the crop, so it is the last; after it, the last is the softest.
    shown = [cropped(frame, window) for frame, window in zip(frames, path.windows(6), strict=True)]
    assert sharpness(shown[5]) < sharpness(shown[2])
    np.testing.assert_array_equal(picture, shown[5])
    assert len(clip) == 5


def test_frames_with_a_fourth_channel_are_handed_over_without_it(tmp_path: Path) -> None:
    frames = [np.dstack([noise(number), np.full((HEIGHT, WIDTH), 9, np.uint8)]) for number in range(3)]
    clip, picture = hand_over(tmp_path, frames, late=1)
    np.testing.assert_array_equal(picture, frames[2][..., :3])
    assert len(clip) == 2


def test_what_fails_in_between_hands_nothing_over(tmp_path: Path) -> None:
    picture = tmp_path / "next.png"
    asked = request(tmp_path / "a.mp4", num_frames=4, hand_over=HandOver(num_late_frames=2, output=picture))
    with pytest.raises(RuntimeError, match="enough"), writing_shot(asked.output, asked) as shot:
        for number in range(3):
            shot.write(noise(number))
        raise RuntimeError("enough")
    assert not picture.exists()


class TestSharpness:
    def test_a_checkerboard_has_the_variance_of_its_laplacian(self) -> None:
        """Every neighbour of a cell of 0 is 200 and the reverse: the Laplacian is ±800."""
        cells = np.indices((10, 12)).sum(axis=0) % 2 * 200
        frame = np.stack([cells] * 3, axis=-1).astype(np.uint8)
        assert sharpness(frame) == pytest.approx(800**2, rel=1e-5)

    def test_a_slope_is_as_soft_as_one_colour(self) -> None:
        assert sharpness(ramps()) == pytest.approx(0, abs=1e-6)
        assert sharpness(np.full((9, 9, 3), 200, np.uint8)) == pytest.approx(0, abs=1e-6)
        assert sharpness(np.zeros((2, 9, 3), np.uint8)) == 0

    def test_more_blur_is_less_sharp(self) -> None:
        measured = [sharpness(blurred(noise(5), times)) for times in range(5)]
        assert measured == sorted(measured, reverse=True)
        assert len(set(measured)) == 5
