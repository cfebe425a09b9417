"""Clips as they are written: exact colours, one profile, the same bytes, no half-written file."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from localvid.errors import InvalidRequestError
from localvid.media import probe
from localvid.media.decode import read_frames
from localvid.media.encode import GOP_FRAMES, ClipWriter, rgb_to_yuv, sample_clip
from localvid.media.mp4 import read_index

WIDTH, HEIGHT = 96, 64


def picture(number: int, width: int = WIDTH, height: int = HEIGHT) -> NDArray[np.uint8]:
    y, x = np.mgrid[0:height, 0:width]
    red = (x * 2 + number * 5) % 256
    green = (y * 3 + number * 2) % 256
    blue = (x + y + number) % 256
    return np.stack([red, green, blue], axis=-1).astype(np.uint8)


def write(path: Path, num_frames: int, fps: int | Fraction = 24, width: int = WIDTH) -> Path:
    with ClipWriter(path, width=width, height=HEIGHT, fps=fps) as writer:
        for number in range(num_frames):
            writer.write(picture(number, width))
    return path


def test_clip_is_what_the_contract_says(tmp_path: Path) -> None:
    info = probe(write(tmp_path / "clip.mp4", 30))
    assert (info.container, info.codec, info.pixel_format, info.color_space) == (
        "mp4",
        "h264",
        "yuv420p",
        "bt709",
    )
    assert (info.width, info.height, info.num_frames, info.fps) == (WIDTH, HEIGHT, 30, 24.0)
    assert info.constant_frame_rate
    assert info.faststart
    assert info.duration_seconds == pytest.approx(30 / 24)


def test_profile_and_every_colour_tag(tmp_path: Path) -> None:
    with av.open(str(write(tmp_path / "clip.mp4", 3))) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        tags = (context.color_primaries, context.color_trc, context.colorspace, context.color_range)
        assert tags == (1, 1, 1, 1)
        assert context.profile == "High"
        assert not context.has_b_frames
        assert stream.average_rate == 24


def test_matrix_is_bt709_not_only_its_tag() -> None:
    """Against the formula of BT.709 in floating point, on colours where BT.601 is 20 levels away."""
    frame = np.random.default_rng(7).integers(0, 256, (HEIGHT, WIDTH, 3)).astype(np.uint8)
    planes = rgb_to_yuv(frame).to_ndarray().astype(np.float64).reshape(-1)
    rgb = frame.astype(np.float64) / 255
    luma = rgb @ np.array([0.2126, 0.7152, 0.0722])
    blue, red = (rgb[..., 2] - luma) / 1.8556, (rgb[..., 0] - luma) / 1.5748

    def halved(plane: NDArray[np.float64]) -> NDArray[np.float64]:
        return plane.reshape(HEIGHT // 2, 2, WIDTH // 2, 2).mean(axis=(1, 3))

    exact = np.concatenate(
        [
            (16 + 219 * luma).reshape(-1),
            (128 + 224 * halved(blue)).reshape(-1),
            (128 + 224 * halved(red)).reshape(-1),
        ]
    )
    assert np.abs(planes - exact).max() < 0.6


@pytest.mark.parametrize(
    "colour", [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0), (90, 160, 30)]
)
def test_colours_survive_the_way_there_and_back(tmp_path: Path, colour: tuple[int, int, int]) -> None:
    frame = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    frame[:] = colour
    with ClipWriter(tmp_path / "clip.mp4", width=WIDTH, height=HEIGHT, fps=24) as writer:
        writer.write(frame)
    (back,) = read_frames(tmp_path / "clip.mp4")
    assert np.abs(back.astype(int) - frame).max() <= 3


def test_same_frames_same_bytes(tmp_path: Path) -> None:
    first, second = (write(tmp_path / name, 60).read_bytes() for name in ("a.mp4", "b.mp4"))
    assert first == second


@pytest.mark.parametrize("fps", [1, 7, 24, 25, 60, Fraction(30000, 1001)])
def test_every_rate_is_exact(tmp_path: Path, fps: int | Fraction) -> None:
    index = read_index(write(tmp_path / "clip.mp4", 50, fps))
    assert index is not None
    assert index.fps == fps
    assert index.constant_frame_rate
    assert index.whole


def test_all_clips_of_a_size_share_their_parameter_sets(tmp_path: Path) -> None:
    calm, wild = tmp_path / "calm.mp4", tmp_path / "wild.mp4"
    noise = np.random.default_rng(1)
    with ClipWriter(calm, width=WIDTH, height=HEIGHT, fps=24) as writer:
        writer.write(np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    with ClipWriter(wild, width=WIDTH, height=HEIGHT, fps=24) as writer:
        for _ in range(70):
            writer.write(noise.integers(0, 256, (HEIGHT, WIDTH, 3)).astype(np.uint8))
    indexes = [read_index(calm), read_index(wild)]
    configs = {index.config for index in indexes if index}
    assert len(configs) == 1
    assert configs.pop() in sample_clip(WIDTH, HEIGHT, Fraction(24))


@pytest.mark.parametrize(
    ("num_frames", "keys"), [(1, [0]), (24, [0]), (25, [0]), (26, [0, 24]), (49, [0, 24]), (50, [0, 24, 48])]
)
def test_groups_are_of_fixed_length_and_never_end_in_a_lone_key(
    tmp_path: Path, num_frames: int, keys: list[int]
) -> None:
    assert GOP_FRAMES == 24
    index = read_index(write(tmp_path / "clip.mp4", num_frames))
    assert index is not None
    assert np.flatnonzero(index.is_key).tolist() == keys


@pytest.mark.parametrize(("width", "height"), [(95, 64), (96, 63), (0, 64), (-2, 64)])
def test_sizes_that_yuv420p_cannot_hold_are_refused(tmp_path: Path, width: int, height: int) -> None:
    with pytest.raises(InvalidRequestError, match="even"):
        ClipWriter(tmp_path / "clip.mp4", width=width, height=height, fps=24)


def test_wrong_frames_are_refused(tmp_path: Path) -> None:
    with ClipWriter(tmp_path / "clip.mp4", width=WIDTH, height=HEIGHT, fps=24) as writer:
        writer.write(picture(0))
        with pytest.raises(ValueError, match="shape"):
            writer.write(picture(0, WIDTH + 2))
        with pytest.raises(ValueError, match="uint8"):
            writer.write(picture(0).astype(np.float32))  # type: ignore[arg-type]


def test_a_clip_without_frames_is_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(InvalidRequestError, match="no frame"),
        ClipWriter(tmp_path / "clip.mp4", width=WIDTH, height=HEIGHT, fps=24),
    ):
        pass


def test_an_error_in_the_block_passes_through(tmp_path: Path) -> None:
    with (
        pytest.raises(KeyError),
        ClipWriter(tmp_path / "clip.mp4", width=WIDTH, height=HEIGHT, fps=24) as writer,
    ):
        writer.write(picture(0))
        raise KeyError


def test_a_fourth_channel_says_nothing() -> None:
    frame = np.random.default_rng(4).integers(0, 256, (HEIGHT, WIDTH, 4), dtype=np.uint8)
    np.testing.assert_array_equal(rgb_to_yuv(frame).to_ndarray(), rgb_to_yuv(frame[..., :3]).to_ndarray())


def test_frames_may_be_views(tmp_path: Path) -> None:
    """A mirrored frame is a view with negative strides."""
    with ClipWriter(tmp_path / "clip.mp4", width=WIDTH, height=HEIGHT, fps=24) as writer:
        writer.write(picture(3)[:, ::-1])
    (back,) = read_frames(tmp_path / "clip.mp4")
    assert np.abs(back.astype(int) - picture(3)[:, ::-1]).mean() < 4


def test_a_folder_that_does_not_exist_is_said(tmp_path: Path) -> None:
    with (
        pytest.raises(FileNotFoundError),
        ClipWriter(tmp_path / "nowhere" / "clip.mp4", width=WIDTH, height=HEIGHT, fps=24) as writer,
    ):
        writer.write(picture(0))


@pytest.mark.parametrize("name", ["http:a.mp4", "a%03d.mp4", "конец 終 🎬.mp4", "-i.mp4", "a'b\"c.mp4"])
def test_any_file_name_is_a_file_name(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(Path(name), 2)
    assert probe(Path(name)).num_frames == 2
    assert [path.name for path in tmp_path.iterdir()] == [name]
