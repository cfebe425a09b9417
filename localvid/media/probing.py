"""What a video file says of itself, checked against the frames that are really there."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av.container
import av.video

from localvid.errors import InvalidVideoError
from localvid.media.containers import open_input, sniff, stream_rate
from localvid.media.mp4 import read_index
from localvid.schemas import VideoInfo

_CONTAINERS = {"mov": "mp4", "matroska": "webm", "gif": "gif"}
_COLOR_SPACES = {1: "bt709", 4: "fcc", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 9: "bt2020nc"}


@dataclass(frozen=True)
class _Timing:
    num_frames: int
    fps: Fraction
    constant: bool
    faststart: bool


def probe(path: Path) -> VideoInfo:
    """Describe a local video file (mp4, mov, webm, gif); no frame is decoded.

    Frames are counted, not believed: in an mp4 each one must lie inside the file, in other containers
    each packet is read. `constant_frame_rate` is true if every frame comes exactly when its number says,
    within the container's own clock (a millisecond in webm, a hundredth of a second in gif).

    Raises InvalidVideoError for what is missing, no regular file, damaged, truncated or without pictures.
    """
    container_name = sniff(path)
    with open_input(path) as (container, stream):
        context = stream.codec_context
        timing = (_timing_of_index(path) if container_name == "mov" else None) or _timing_of_packets(
            container, stream
        )
        if not timing.num_frames or not timing.fps:
            raise InvalidVideoError(f"{path} holds no frame", hint="make or fetch the file again")
        return VideoInfo(
            path=path,
            container=_container(path, _CONTAINERS[container_name]),
            codec=context.name,
            width=context.width,
            height=context.height,
            num_frames=timing.num_frames,
            fps=float(timing.fps),
            duration_seconds=float(timing.num_frames / timing.fps),
            bytes=path.stat().st_size,
            pixel_format=context.pix_fmt or "",
            color_space=_COLOR_SPACES.get(int(context.colorspace), ""),
            constant_frame_rate=timing.constant,
            faststart=timing.faststart,
        )


def _container(path: Path, known: str) -> str:
    suffix = path.suffix.lower().removeprefix(".")
    return suffix if known == "mp4" and suffix in ("mov", "m4v") else known


def _timing_of_index(path: Path) -> _Timing | None:
    """From an mp4's index; None where the index does not say all (fragments, edits)."""
    index = read_index(path)
    if index is None or not index.whole:
        return None
    return _Timing(index.num_frames, index.fps, index.constant_frame_rate, index.faststart)


def _timing_of_packets(container: av.container.InputContainer, stream: av.video.VideoStream) -> _Timing:
    times: list[int] = []
    end = 0
    for packet in container.demux(stream):
        if packet.size and packet.pts is not None and not packet.is_discard:
            times.append(packet.pts)
            end = max(end, packet.pts + (packet.duration or 0))
    times.sort()
    fps = _rate(times, end, stream)
    ticks = 1 / (fps * Fraction(stream.time_base or 1)) if fps else Fraction(0)
    constant = bool(times) and all(
        abs(time - times[0] - number * ticks) <= 1 for number, time in enumerate(times)
    )
    return _Timing(len(times), fps, constant, faststart=False)


def _rate(times: list[int], end: int, stream: av.video.VideoStream) -> Fraction:
    """The announced rate, unless the frames' own times contradict it by more than the clock's tick."""
    announced = stream_rate(stream)
    span = end - times[0] if times else 0
    if span <= 0 or not stream.time_base:
        return announced
    measured = Fraction(len(times)) / (span * Fraction(stream.time_base))
    if announced and abs(len(times) / announced - len(times) / measured) <= 2 * Fraction(stream.time_base):
        return announced
    return measured.limit_denominator(1001)
