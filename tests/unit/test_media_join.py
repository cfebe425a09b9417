"""Films joined from real clips, judged by their decoded frames and their packets."""

from __future__ import annotations

import re
import resource
import shutil
import subprocess
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from localvid.errors import InvalidRequestError, InvalidVideoError, StoppedError, WorkspaceError
from localvid.media import probe
from localvid.media.convert import convert
from localvid.media.decode import read_frames
from localvid.media.encode import ClipWriter
from localvid.media.join import join_clips
from localvid.media.metadata import read_metadata
from localvid.media.mp4 import read_index
from localvid.schemas import Progress, Transition

WIDTH, HEIGHT, FPS = 96, 64, 24
CUT = Transition.model_validate("cut")


def transition(text: str) -> Transition:
    return Transition.model_validate(text)


def picture(shot: int, number: int, width: int = WIDTH, height: int = HEIGHT) -> NDArray[np.uint8]:
    y, x = np.mgrid[0:height, 0:width]
    wave = np.sin((x + 2 * number) / 9 + shot) * 60 + np.cos(y / 7 + shot * 2) * 40 + 128
    return np.stack([wave, np.roll(wave, 9 * shot, 1), 255 - wave], axis=-1).astype(np.uint8)


def clip(
    folder: Path, shot: int, num_frames: int = 60, *, size: tuple[int, int] = (WIDTH, HEIGHT), fps: int = FPS
) -> Path:
    path = folder / f"shot{shot}.mp4"
    with ClipWriter(path, width=size[0], height=size[1], fps=fps) as writer:
        for number in range(num_frames):
            writer.write(picture(shot, number, *size))
    return path


def foreign(
    path: Path,
    num_frames: int = 60,
    *,
    size: tuple[int, int] = (WIDTH, HEIGHT),
    fps: int = FPS,
    codec: str = "libx264",
    tagged: bool = True,
    options: dict[str, str] | None = None,
) -> Path:
    """A clip as other programs write it: B-frames, long groups, other parameter sets."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=fps, options=options or {"bf": "2", "g": "250"})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        if tagged:
            stream.codec_context.colorspace = 1
            stream.codec_context.color_range = 1
        for number in range(num_frames):
            frame = av.VideoFrame.from_ndarray(picture(5, number, *size), format="rgb24")
            container.mux(
                stream.encode(frame.reformat(format="yuv420p", dst_colorspace=1, dst_color_range=1))
            )
        container.mux(stream.encode(None))
    return path


def packets(path: Path) -> list[bytes]:
    index = read_index(path)
    assert index is not None
    data = path.read_bytes()
    return [data[at : at + size] for at, size in zip(index.offsets, index.sizes, strict=True)]


def planes(path: Path) -> list[NDArray[np.uint8]]:
    with av.open(str(path)) as container:
        return [np.array(frame.to_ndarray()) for frame in container.decode(video=0)]


@pytest.fixture
def clips(tmp_path: Path) -> list[Path]:
    return [clip(tmp_path, shot) for shot in range(3)]


def test_cuts_copy_every_packet(tmp_path: Path, clips: list[Path]) -> None:
    info = join_clips(clips, [CUT, CUT], tmp_path / "film.mp4")
    assert packets(tmp_path / "film.mp4") == [packet for path in clips for packet in packets(path)]
    assert (info.num_frames, info.fps, info.duration_seconds) == (180, 24.0, 7.5)
    assert info.faststart
    assert info.constant_frame_rate
    assert (info.pixel_format, info.color_space) == ("yuv420p", "bt709")
    assert info.path == tmp_path / "film.mp4"


@pytest.mark.parametrize(
    ("kind", "length", "anew"),
    [
        ("crossfade:0.5", 168, range(48 - 0, 60 + 24 - 12)),  # groups 48-59 of one shot, 0-23 of the next
        ("fade_black:1", 180, range(48, 60 + 24)),
        ("crossfade:0.05", 179, range(48, 59 + 24)),
    ],
)
def test_a_transition_encodes_only_the_groups_that_it_touches(
    tmp_path: Path, clips: list[Path], kind: str, length: int, anew: range
) -> None:
    film = tmp_path / "film.mp4"
    join_clips(clips, [transition(kind), CUT], film)
    shortened = 180 - length
    source = planes(clips[0]) + planes(clips[1])[shortened:] + planes(clips[2])
    result, written = planes(film), packets(film)
    originals = packets(clips[0]) + packets(clips[1])[shortened:] + packets(clips[2])
    assert len(result) == length
    for number, (got, want) in enumerate(zip(result, source, strict=True)):
        if number not in anew:
            assert np.array_equal(got, want), number
            assert written[number] == originals[number], number
    assert not set(written[anew.start : anew.stop]) & set(originals)


def test_crossfade_is_the_blend_of_both(tmp_path: Path, clips: list[Path]) -> None:
    join_clips(clips[:2], [transition("crossfade:0.5")], tmp_path / "film.mp4")
    one, two, film = planes(clips[0]), planes(clips[1]), planes(tmp_path / "film.mp4")
    for step in range(12):
        share = (step + 1) / 13
        want = one[48 + step] * (1 - share) + two[step] * share
        assert np.abs(film[48 + step] - want).mean() < 2, step


def test_fade_through_black_reaches_black_between_the_shots(tmp_path: Path, clips: list[Path]) -> None:
    join_clips(clips[:2], [transition("fade_black:1")], tmp_path / "film.mp4")
    brightness = [float(frame.mean()) for frame in read_frames(tmp_path / "film.mp4")]
    assert brightness[59] < 2
    assert brightness[60] < 2
    fall, rise = brightness[47:60], brightness[60:73]
    assert fall == sorted(fall, reverse=True)
    assert rise == sorted(rise)
    assert brightness[47] > 100
    assert brightness[72] > 100


def test_head_and_tail_of_one_short_shot(tmp_path: Path, clips: list[Path]) -> None:
    """All 12 frames of the middle shot lie in transitions: six in each."""
    short = clip(tmp_path, 9, 12)
    film = tmp_path / "film.mp4"
    join_clips(
        [clips[0], short, clips[2]], [transition("crossfade:0.25"), transition("crossfade:0.25")], film
    )
    result, middle = planes(film), planes(short)
    one, three = planes(clips[0]), planes(clips[2])
    assert len(result) == 60 + 12 + 60 - 12
    for step in range(6):
        share = (step + 1) / 7
        first = one[54 + step] * (1 - share) + middle[step] * share
        second = middle[6 + step] * (1 - share) + three[step] * share
        assert np.abs(result[54 + step] - first).mean() < 2
        assert np.abs(result[60 + step] - second).mean() < 2


@pytest.mark.parametrize("kind", ["crossfade:2", "fade_black:4"])
def test_a_transition_longer_than_its_shot_names_the_shot(
    tmp_path: Path, clips: list[Path], kind: str
) -> None:
    short = clip(tmp_path, 9, 24)
    with pytest.raises(InvalidRequestError, match=r"shot 2 has 24 frames \(1\.00 s\)") as caught:
        join_clips([clips[0], short], [transition(kind)], tmp_path / "film.mp4")
    assert "shorter" in caught.value.hint or "at most" in caught.value.hint
    assert not (tmp_path / "film.mp4").exists()


def test_times_are_strictly_constant(tmp_path: Path, clips: list[Path]) -> None:
    film = tmp_path / "film.mp4"
    join_clips(clips, [transition("crossfade:0.3"), transition("fade_black:0.7")], film)
    with av.open(str(film)) as container:
        stream = container.streams.video[0]
        times = [
            (packet.pts, packet.dts, packet.duration) for packet in container.demux(stream) if packet.size
        ]
        assert stream.time_base is not None
        ticks = int(1 / (24 * stream.time_base))
    assert times == [(number * ticks, number * ticks, ticks) for number in range(len(times))]


def test_other_decoders_play_it(tmp_path: Path, clips: list[Path]) -> None:
    """Needs the ffmpeg program, which is another build of the decoder; skipped where there is none."""
    program = shutil.which("ffmpeg")
    if not program:
        pytest.skip("no ffmpeg program here")
    film = tmp_path / "film.mp4"
    join_clips(clips, [transition("crossfade:0.4"), transition("fade_black:0.5")], film)
    command = [
        program,
        "-v",
        "error",
        "-xerror",
        "-err_detect",
        "explode",
        "-i",
        str(film),
        "-f",
        "null",
        "-",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_only_the_odd_clip_is_encoded_anew(tmp_path: Path, clips: list[Path]) -> None:
    odd = foreign(tmp_path / "odd.mp4", 48)
    film = tmp_path / "film.mp4"
    join_clips([clips[0], odd, clips[2]], [CUT, CUT], film)
    assert packets(film)[:60] == packets(clips[0])
    assert packets(film)[-60:] == packets(clips[2])
    middle = planes(film)[60:-60]
    assert len(middle) == 48
    for got, want in zip(middle, planes(odd), strict=True):
        assert np.abs(got.astype(int) - want).mean() < 2


def test_foreign_clips_of_one_encoding_are_copied_between_cuts(tmp_path: Path) -> None:
    """With B-frames: decoding order is not the order of showing."""
    paths = [foreign(tmp_path / f"{name}.mp4", 40) for name in "ab"]
    film = tmp_path / "film.mp4"
    info = join_clips(paths, [CUT], film)
    assert packets(film) == packets(paths[0]) + packets(paths[1])
    assert all(
        np.array_equal(got, want)
        for got, want in zip(planes(film), planes(paths[0]) + planes(paths[1]), strict=True)
    )
    assert info.num_frames == 80
    assert info.constant_frame_rate


def test_untagged_foreign_clips_come_out_tagged(tmp_path: Path) -> None:
    paths = [foreign(tmp_path / f"{name}.mp4", 10, tagged=False) for name in "ab"]
    info = join_clips(paths, [CUT], tmp_path / "film.mp4")
    assert (info.color_space, info.num_frames) == ("bt709", 20)


def test_other_size_is_cropped_and_never_stretched(tmp_path: Path, clips: list[Path]) -> None:
    """A circle in a wider, larger clip stays a circle."""
    wide = tmp_path / "wide.mp4"
    y, x = np.mgrid[0:128, 0:320]
    disc = (((x - 160) ** 2 + (y - 64) ** 2) < 40**2)[..., None].repeat(3, axis=-1)
    with ClipWriter(wide, width=320, height=128, fps=24) as writer:
        for _ in range(5):
            writer.write((disc * 255).astype(np.uint8))
    join_clips([clips[0], wide], [CUT], tmp_path / "film.mp4")
    frame = list(read_frames(tmp_path / "film.mp4"))[-1]
    lit = frame[..., 0] > 128
    rows, columns = np.flatnonzero(lit.any(1)), np.flatnonzero(lit.any(0))
    assert frame.shape == (HEIGHT, WIDTH, 3)
    assert abs((columns[-1] - columns[0]) - (rows[-1] - rows[0])) <= 1
    assert abs(int(rows[-1] - rows[0]) + 1 - 40) <= 1


@pytest.mark.parametrize(
    ("fps", "num_frames", "expected"), [(12, 12, 24), (48, 48, 24), (7, 14, 48), (30, 45, 36)]
)
def test_other_rate_keeps_its_duration(
    tmp_path: Path, clips: list[Path], fps: int, num_frames: int, expected: int
) -> None:
    slow = clip(tmp_path, 8, num_frames, fps=fps)
    film = tmp_path / "film.mp4"
    info = join_clips([clips[0], slow], [CUT], film)
    assert info.num_frames == 60 + expected
    assert info.constant_frame_rate
    source = planes(slow)
    for number, got in enumerate(planes(film)[60:]):
        want = source[number * fps // FPS]
        assert np.abs(got.astype(int) - want).mean() < 2.5, number


def test_webm_clip_among_mp4_clips(tmp_path: Path, clips: list[Path]) -> None:
    webm = foreign(
        tmp_path / "other.webm", 24, codec="libvpx-vp9", options={"cpu-used": "8", "deadline": "realtime"}
    )
    info = join_clips([clips[0], webm, clips[1]], [transition("crossfade:0.25"), CUT], tmp_path / "film.mp4")
    assert info.num_frames == 60 + 24 + 60 - 6


def test_first_foreign_clip_decides_size_and_rate(tmp_path: Path, clips: list[Path]) -> None:
    odd = foreign(tmp_path / "odd.mp4", 20, size=(64, 64), fps=10)
    info = join_clips([odd, clips[0]], [transition("crossfade:0.5")], tmp_path / "film.mp4")
    assert (info.width, info.height, info.fps) == (64, 64, 10.0)
    assert info.num_frames == 20 + 25 - 5


@pytest.mark.parametrize("suffix", [".mp4", ".m4v", ".mov", ".webm", ".gif"])
def test_every_format_holds_the_film_and_its_words(tmp_path: Path, clips: list[Path], suffix: str) -> None:
    words = {
        "title": "Wald — 森 🌲",
        "comment": "made with localvid",
        "record": '{"prompt": "森\\n\\"🎬\\""}' * 4000,
    }
    film = tmp_path / f"film{suffix}"
    info = join_clips(clips, [transition("crossfade:0.5"), CUT], film, metadata=words)
    assert (info.num_frames, info.container) == (168, suffix[1:])
    assert info.constant_frame_rate
    assert read_metadata(film) == words
    assert sum(1 for _ in read_frames(film)) == 168
    assert sorted(path.suffix for path in tmp_path.iterdir()) == sorted([".mp4"] * 3 + [suffix])


@pytest.mark.parametrize(("suffix", "limit"), [(".webm", 6), (".gif", 16)])
def test_other_formats_show_the_same_pictures(
    tmp_path: Path, clips: list[Path], suffix: str, limit: float
) -> None:
    join_clips(clips, [CUT, CUT], tmp_path / "film.mp4")
    convert(tmp_path / "film.mp4", tmp_path / f"film{suffix}")
    for got, want in zip(
        read_frames(tmp_path / f"film{suffix}"), read_frames(tmp_path / "film.mp4"), strict=True
    ):
        assert np.abs(got.astype(int) - want).mean() < limit


def test_gif_is_scaled_down_and_slowed_to_what_a_gif_can_hold(tmp_path: Path) -> None:
    fast = clip(tmp_path, 1, 60, size=(1280, 64), fps=60)
    info = join_clips([fast], [], tmp_path / "film.gif")
    assert (info.width, info.height, info.num_frames) == (640, 32, 30)
    assert info.duration_seconds == pytest.approx(1.0, abs=0.02)


def test_converting_between_containers_copies_packets(tmp_path: Path, clips: list[Path]) -> None:
    join_clips(clips, [CUT, CUT], tmp_path / "film.mp4", metadata={"record": "{}"})
    info = convert(tmp_path / "film.mp4", tmp_path / "film.mov")
    assert packets(tmp_path / "film.mov") == packets(tmp_path / "film.mp4")
    assert info.container == "mov"
    assert read_metadata(tmp_path / "film.mov") == {"record": "{}"}


@pytest.mark.parametrize("name", ["film.avi", "film", "film.mp4.txt", "film.MP3"])
def test_unknown_formats_list_the_known(tmp_path: Path, clips: list[Path], name: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        join_clips(clips, [CUT, CUT], tmp_path / name)
    assert ".mp4, .m4v, .mov, .webm, .gif" in caught.value.hint


def test_same_clips_same_bytes(tmp_path: Path, clips: list[Path]) -> None:
    for name in ("one.mp4", "two.mp4"):
        join_clips(clips, [transition("crossfade:0.5"), transition("fade_black:0.5")], tmp_path / name)
    assert (tmp_path / "one.mp4").read_bytes() == (tmp_path / "two.mp4").read_bytes()


def test_one_clip_and_wrong_numbers(tmp_path: Path, clips: list[Path]) -> None:
    assert join_clips(clips[:1], [], tmp_path / "film.mp4").num_frames == 60
    for given, between in (([], []), (clips, [CUT]), (clips[:1], [CUT])):
        with pytest.raises(InvalidRequestError, match="transitions for"):
            join_clips(given, between, tmp_path / "other.mp4")


def test_existing_output_is_kept_unless_told(tmp_path: Path, clips: list[Path]) -> None:
    film = tmp_path / "film.mp4"
    film.write_bytes(b"precious")
    with pytest.raises(InvalidRequestError, match="exists"):
        join_clips(clips, [CUT, CUT], film)
    assert film.read_bytes() == b"precious"
    assert join_clips(clips, [CUT, CUT], film, overwrite=True).num_frames == 180


@pytest.mark.parametrize("suffix", [".mp4", ".gif", ".webm"])
def test_stopping_leaves_nothing(tmp_path: Path, clips: list[Path], suffix: str) -> None:
    seen: list[Progress] = []

    def stop(progress: Progress) -> None:
        seen.append(progress)
        if len(seen) == 8:
            raise StoppedError("enough")

    before = sorted(tmp_path.iterdir())
    with pytest.raises(StoppedError):
        join_clips(clips, [transition("crossfade:0.5")] * 2, tmp_path / f"film{suffix}", on_progress=stop)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("suffix", [".mp4", ".gif", ".webm"])
def test_progress_rises_to_the_end(tmp_path: Path, clips: list[Path], suffix: str) -> None:
    seen: list[float] = []
    join_clips(
        clips,
        [transition("crossfade:0.5"), CUT],
        tmp_path / f"film{suffix}",
        on_progress=lambda progress: seen.append(progress.fraction),
    )
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    assert len(seen) > 10


def broken(folder: Path) -> Iterator[tuple[str, Path]]:
    whole = clip(folder, 7).read_bytes()
    for name, content in {
        "empty.mp4": b"",
        "truncated.mp4": whole[: len(whole) // 2],
        "head.mp4": whole[:40],
        "text.mp4": b"not a film at all, but long enough to be one",
        "playlist.mp4": b"#EXTM3U\nhttp://127.0.0.1:9/a.ts\n",
    }.items():
        path = folder / name
        path.write_bytes(content)
        yield name, path
    yield "missing", folder / "missing.mp4"
    yield "folder", folder


def test_broken_clips_are_named(tmp_path: Path, clips: list[Path]) -> None:
    for name, path in broken(tmp_path):
        with pytest.raises(InvalidVideoError, match=str(path)) as caught:
            join_clips([clips[0], path, clips[2]], [CUT, transition("crossfade:0.5")], tmp_path / "film.mp4")
        assert caught.value.hint, name
        assert not (tmp_path / "film.mp4").exists()


def test_damage_inside_a_frame_is_found_when_it_must_be_decoded(tmp_path: Path, clips: list[Path]) -> None:
    data = bytearray(clips[1].read_bytes())
    index = read_index(clips[1])
    assert index is not None
    start = int(index.offsets[0]) + 4
    data[start : start + int(index.sizes[0]) - 4] = b"\xff" * (int(index.sizes[0]) - 4)
    clips[1].write_bytes(data)
    with pytest.raises(InvalidVideoError, match="shot1"):
        join_clips(clips[:2], [transition("crossfade:0.5")], tmp_path / "film.mp4")


def test_fractional_rates_stay_exact(tmp_path: Path) -> None:
    rate = Fraction(24000, 1001)
    paths = []
    for shot in range(2):
        paths.append(tmp_path / f"{shot}.mp4")
        with ClipWriter(paths[-1], width=WIDTH, height=HEIGHT, fps=rate) as writer:
            for number in range(30):
                writer.write(picture(shot, number))
    join_clips(paths, [transition("crossfade:0.5")], tmp_path / "film.mp4")
    index = read_index(tmp_path / "film.mp4")
    assert index is not None
    assert (index.fps, index.num_frames) == (rate, 48)
    assert probe(tmp_path / "film.mp4").constant_frame_rate


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".webm", ".gif"])
@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_full_disk_is_said_and_leaves_nothing(
    tmp_path: Path, clips: list[Path], suffix: str, share: float
) -> None:
    """The kernel's limit on a file's size stands in for the disk's end."""
    film = tmp_path / f"film{suffix}"
    join_clips(clips, [CUT, transition("crossfade:0.5")], film)
    size = film.stat().st_size
    film.unlink()
    before = sorted(tmp_path.iterdir())
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(size * share), hard))
    try:
        with pytest.raises(WorkspaceError, match=re.escape(f"cannot write {film}")):
            join_clips(clips, [CUT, transition("crossfade:0.5")], film)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert sorted(tmp_path.iterdir()) == before


def test_a_full_disk_is_said_where_foreign_clips_are_copied(tmp_path: Path) -> None:
    paths = [foreign(tmp_path / f"{name}.mp4", 40) for name in "ab"]
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))
    try:
        with pytest.raises(WorkspaceError, match="film"):
            join_clips(paths, [CUT], tmp_path / "film.mp4")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
