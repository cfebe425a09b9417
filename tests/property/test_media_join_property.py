"""Joins of any clips with any transitions: counts as arithmetic says, untouched frames bit for bit."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from localvid.errors import InvalidRequestError
from localvid.media.encode import GOP_FRAMES, ClipWriter
from localvid.media.join import join_clips
from localvid.media.timeline import FULL, lay_out, stretches
from localvid.schemas import Transition, TransitionKind

WIDTH, HEIGHT, FPS = 64, 64, 24
Planes = NDArray[np.uint8]


@dataclass(frozen=True)
class Film:
    lengths: tuple[int, ...]
    transitions: tuple[Transition, ...]


@st.composite
def films(draw: st.DrawFn, longest: int = 60) -> Film:
    lengths = draw(st.lists(st.integers(1, longest), min_size=1, max_size=4))
    kinds = st.sampled_from(TransitionKind)
    seconds = st.floats(0.01, 1.2)
    between = [Transition(kind=draw(kinds), duration_seconds=draw(seconds)) for _ in range(len(lengths) - 1)]
    return Film(tuple(lengths), tuple(between))


def frames_of(transition: Transition) -> tuple[int, int, int]:
    """(tail, head, overlap), written down a second time, from the words in schemas.Transition."""
    frames = Fraction(transition.duration_seconds) * FPS
    if transition.kind is TransitionKind.CROSSFADE:
        whole = max(1, round(frames))
        return whole, whole, whole
    if transition.kind is TransitionKind.FADE_BLACK:
        half = max(1, round(frames / 2))
        return half, half, 0
    return 0, 0, 0


def fits(film: Film) -> bool:
    joints = [(0, 0, 0), *(frames_of(transition) for transition in film.transitions), (0, 0, 0)]
    return all(joints[shot][1] + joints[shot + 1][0] <= length for shot, length in enumerate(film.lengths))


@lru_cache(maxsize=512)
def clip_bytes(shot: int, length: int) -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
        with ClipWriter(path, width=WIDTH, height=HEIGHT, fps=FPS) as writer:
            for number in range(length):
                wave = np.sin((x + 2 * number) / 8 + shot * 2) * 70 + np.cos(y / 6 + shot) * 40 + 128
                writer.write(np.stack([wave, 255 - wave, np.roll(wave, 7, 0)], -1).astype(np.uint8))
        return path.read_bytes()


def decode(path: Path) -> tuple[list[Planes], list[Fraction]]:
    planes, times = [], []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            planes.append(np.array(frame.to_ndarray()))
            assert frame.pts is not None
            assert frame.time_base is not None
            times.append(frame.pts * frame.time_base)
    return planes, times


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(films())
def test_any_film(film: Film) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        clips = []
        for shot, length in enumerate(film.lengths):
            clips.append(folder / f"{shot}.mp4")
            clips[-1].write_bytes(clip_bytes(shot, length))
        output = folder / "film.mp4"
        if not fits(film):
            try:
                join_clips(clips, film.transitions, output)
            except InvalidRequestError as error:
                assert "shot " in error.message
                assert not output.exists()
                return
            raise AssertionError("a transition longer than its shot was not refused")
        info = join_clips(clips, film.transitions, output)
        got, times = decode(output)
        sources = [decode(clip)[0] for clip in clips]
    assert times == [Fraction(number, FPS) for number in range(len(got))]
    assert info.num_frames == len(got)
    check(film, got, sources)


def check(film: Film, got: list[Planes], sources: list[list[Planes]]) -> None:
    """Every frame of the film against the frames of its shots, shot by shot."""
    joints = [(0, 0, 0), *(frames_of(transition) for transition in film.transitions), (0, 0, 0)]
    start = 0
    for shot, length in enumerate(film.lengths):
        head, tail, overlap = joints[shot][1], joints[shot + 1][0], joints[shot][2]
        start -= overlap
        for number in range(length):
            group = min(number // GOP_FRAMES, max(0, (length - 2) // GOP_FRAMES))
            first = group * GOP_FRAMES
            last = length if group == max(0, (length - 2) // GOP_FRAMES) else first + GOP_FRAMES
            frame, own = got[start + number], sources[shot][number]
            if first >= head and last <= length - tail:
                assert np.array_equal(frame, own), (shot, number)
            elif head <= number < length - tail:
                assert np.abs(frame.astype(int) - own).mean() < 3, (shot, number)
            elif number < head and overlap:
                share = (number + 1) / (head + 1)
                before = sources[shot - 1][len(sources[shot - 1]) - head + number]
                assert np.abs(frame - (own * share + before * (1 - share))).mean() < 3, (shot, number)
            elif number < head:
                near_black_mix(frame, own, number / head)
            elif not joints[shot + 1][2]:
                near_black_mix(frame, own, (length - number - 1) / tail)
        start += length
    assert start == len(got)


def near_black_mix(frame: Planes, own: Planes, share: float) -> None:
    black = np.full(own.shape, 128.0)
    black[:HEIGHT] = 16
    assert np.abs(frame - (own * share + black * (1 - share))).mean() < 3


@given(films(longest=5000), st.integers(1, 60))
def test_the_plan_covers_every_frame_once(film: Film, group: int) -> None:
    """The arithmetic alone, with films far longer than a test would encode."""
    groups = [
        [(first, min(first + group, length)) for first in range(0, length, group)] for length in film.lengths
    ]
    if not fits(film):
        return
    timeline = lay_out(film.lengths, film.transitions, Fraction(FPS))
    overlaps = sum(frames_of(transition)[2] for transition in film.transitions)
    assert timeline.num_frames == sum(film.lengths) - overlaps
    plan = stretches(timeline, groups)
    assert [stretch.start for stretch in plan] == [0, *(stretch.stop for stretch in plan[:-1])]
    assert plan[-1].stop == timeline.num_frames
    shots = range(len(film.lengths))
    for stretch in plan:
        assert stretch.start < stretch.stop
        if stretch.shot is not None:
            for number in {stretch.start, stretch.stop - 1}:
                (part,) = timeline.parts(number, shots)
                assert (part.shot, part.weight) == (stretch.shot, FULL)
    for number in range(0, timeline.num_frames, 1 + timeline.num_frames // 50):
        parts = timeline.parts(number, shots)
        assert 1 <= len(parts) <= 2
        assert sum(part.weight for part in parts) <= FULL
        assert len(parts) == 1 or sum(part.weight for part in parts) == FULL
