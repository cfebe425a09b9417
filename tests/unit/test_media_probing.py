"""Describing files, reading single frames, and what damaged or strange files get."""

from __future__ import annotations

import os
import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from localvid.errors import InvalidRequestError, InvalidVideoError, LocalvidError
from localvid.media import probe
from localvid.media.decode import last_frame, read_frame, read_frames
from localvid.media.encode import ClipWriter
from localvid.media.mp4 import read_index

WIDTH, HEIGHT = 64, 48


def coded(number: int) -> NDArray[np.uint8]:
    """A frame that says its number in eight wide bars."""
    bars = [(number >> bit & 1) * 200 + 20 for bit in range(8)]
    row = np.repeat(np.array(bars, np.uint8), WIDTH // 8)
    return np.broadcast_to(row[None, :, None], (HEIGHT, WIDTH, 3)).copy()


def number_of(frame: NDArray[np.uint8]) -> int:
    means = frame[..., 1].reshape(HEIGHT, 8, WIDTH // 8).mean(axis=(0, 2))
    return int(sum(1 << bit for bit in range(8) if means[bit] > 110))


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    with ClipWriter(path, width=WIDTH, height=HEIGHT, fps=24) as writer:
        for number in range(60):
            writer.write(coded(number))
    return path


def other(path: Path, codec: str, times: list[int] | None = None, **options: str) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=24, options=options)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 24)
        for number in range(60):
            frame = av.VideoFrame.from_ndarray(coded(number), format="rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = times[number] if times else number, Fraction(1, 24)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def test_every_frame_is_found_by_its_number(clip: Path) -> None:
    assert [number_of(frame) for frame in read_frames(clip)] == list(range(60))
    for number in (0, 1, 23, 24, 25, 47, 48, 59):
        assert number_of(read_frame(clip, number)) == number
    assert number_of(read_frame(clip, -60)) == 0
    assert number_of(last_frame(clip)) == 59


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("b-frames.mp4", "libx264", {"bf": "3", "g": "30"}),
        ("open.mp4", "libx264", {"bf": "3", "g": "12", "x264-params": "open-gop=1"}),
        ("long.webm", "libvpx-vp9", {"deadline": "realtime", "cpu-used": "8", "g": "40"}),
        ("fragments.mp4", "libx264", {"bf": "2"}),
    ],
)
def test_other_programs_files_are_found_by_number_too(
    tmp_path: Path, name: str, codec: str, options: dict[str, str]
) -> None:
    path = other(tmp_path / name, codec, **options)
    assert probe(path).num_frames == 60
    for number in (0, 11, 12, 13, 41, 59):
        assert number_of(read_frame(path, number)) == number


def test_variable_rate_is_said_and_counted(tmp_path: Path) -> None:
    times = [number + (number > 20) * 3 for number in range(60)]
    path = other(tmp_path / "jump.mp4", "libx264", times)
    info = probe(path)
    assert not info.constant_frame_rate
    assert info.num_frames == 60
    for number in (20, 21, 59):
        assert number_of(read_frame(path, number)) == number


@pytest.mark.parametrize("index", [60, -61, 10**9])
def test_frames_that_do_not_exist(clip: Path, index: int) -> None:
    with pytest.raises(InvalidRequestError, match="no frame") as caught:
        read_frame(clip, index)
    assert "0 to 59" in caught.value.hint


def test_index_at_the_end_is_no_faststart(tmp_path: Path, clip: Path) -> None:
    assert probe(clip).faststart
    assert not probe(other(tmp_path / "late.mp4", "libx264")).faststart


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.9, 0.999])
def test_truncated_files_are_refused_wherever_they_end(clip: Path, share: float) -> None:
    clip.write_bytes(clip.read_bytes()[: int(clip.stat().st_size * share)])
    with pytest.raises(InvalidVideoError, match=r"clip\.mp4"):
        probe(clip)


def test_what_is_no_video(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "list.m3u8").write_text("#EXTM3U\n#EXTINF:1,\nfile:///etc/hostname\n")
    (tmp_path / "list.txt").write_text("ffconcat version 1.0\nfile clip.mp4\n")
    for name in ("pipe.mp4", "empty.mp4", "list.m3u8", "list.txt", "missing.mp4", "."):
        with pytest.raises(InvalidVideoError) as caught:
            probe(tmp_path / name)
        assert caught.value.hint


def test_addresses_are_file_names_and_nothing_is_fetched() -> None:
    """Loopback port 9 would refuse; the error must speak of a file."""
    for name in ("http://127.0.0.1:9/a.mp4", "tcp://127.0.0.1:9", "concat:a.mp4|b.mp4", "lavfi:testsrc"):
        with pytest.raises(InvalidVideoError, match="No such file"):
            probe(Path(name))


def test_changed_bytes_give_a_description_or_an_error(clip: Path) -> None:
    """The index is untrusted: any bytes in it give LocalvidError or an answer, and no large allocation."""
    whole = clip.read_bytes()
    moov = whole.index(b"moov")
    (size,) = struct.unpack(">I", whole[moov - 4 : moov])
    generator = np.random.default_rng(11)
    refused = 0
    for _ in range(300):
        data = bytearray(whole)
        for at in generator.integers(moov, moov + size, 2):
            data[at] = int(generator.choice([0, 1, 127, 255, generator.integers(0, 256)]))
        clip.write_bytes(data)
        try:
            read_index(clip)
            probe(clip)
        except LocalvidError as error:
            refused += 1
            assert error.hint
    assert refused > 50


def test_the_index_agrees_with_the_demuxer(tmp_path: Path, clip: Path) -> None:
    for path in (clip, other(tmp_path / "b.mp4", "libx264", bf="3")):
        index = read_index(path)
        assert index is not None
        with av.open(str(path)) as container:
            packets = [packet for packet in container.demux(video=0) if packet.size]
        assert [packet.pos for packet in packets] == index.offsets.tolist()
        assert [packet.size for packet in packets] == index.sizes.tolist()
        assert [packet.is_keyframe for packet in packets] == index.is_key.tolist()
        assert [packet.pts for packet in packets] == index.presentation.tolist()
