"""Where a join takes its frames from: clips whose packets can be copied, and clips to be encoded anew."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import av
import av.video
import numpy as np
from av.video.reformatter import ColorRange, Interpolation

from localvid.errors import InvalidVideoError
from localvid.media.containers import LOCAL_ONLY, local_url, open_input, reading, sniff
from localvid.media.decode import matrix_of, range_of
from localvid.media.encode import BT709, Frame, check_size, sample_clip
from localvid.media.mp4 import Index, parse_index, read_index
from localvid.media.probing import probe


@dataclass(frozen=True)
class Encoding:
    """What every packet of a film is coded with."""

    width: int
    height: int
    fps: Fraction
    config: bytes
    """The `avcC` box's content, the same in all clips whose packets are copied."""


class Source(Protocol):
    """A shot's clip, counted in frames of the film's rate."""

    path: Path

    @property
    def num_frames(self) -> int: ...

    def groups(self) -> list[tuple[int, int]]:
        """Frames (first, after the last) of each group of pictures whose packets can be copied."""
        ...

    def frames(self, start: int, stop: int) -> Iterator[av.VideoFrame]:
        """Decode frames `start` to `stop`: yuv420p, BT.709, of the film's size."""
        ...


class CopyableClip:
    """A clip in the film's own encoding."""

    def __init__(self, index: Index) -> None:
        self.index = index
        self.path = index.path
        self.display_order = index.display_order

    @property
    def num_frames(self) -> int:
        return self.index.num_frames

    @property
    def delay(self) -> int:
        """Frames by which decoding runs ahead of showing: 0 without B-frames."""
        return int((np.arange(self.num_frames) - self.display_order).max())

    def groups(self) -> list[tuple[int, int]]:
        """A key frame opens a group if all frames before it in the file are also shown before it."""
        shown_before = np.maximum.accumulate(self.display_order)
        starts = [
            int(key)
            for key in np.flatnonzero(self.index.is_key)
            if key == 0 or (shown_before[key - 1] == key - 1 and self.display_order[key] == key)
        ]
        return list(zip(starts, [*starts[1:], self.num_frames], strict=True))

    def packets(self, start: int, stop: int) -> Iterator[tuple[av.Packet[Any], int, int]]:
        """Samples `start` to `stop` in decoding order as (packet, decoding number, frame number)."""
        with reading(self.path), self.path.open("rb") as file:
            for number in range(start, stop):
                packet = av.Packet(self._read(file, number))
                packet.is_keyframe = bool(self.index.is_key[number])
                yield packet, number, int(self.display_order[number])

    def _read(self, file: BinaryIO, number: int) -> bytes:
        size = int(self.index.sizes[number])
        file.seek(int(self.index.offsets[number]))
        data = file.read(size)
        if len(data) != size:
            raise InvalidVideoError(f"{self.path} ended while it was read", hint="leave the clips in place")
        return data

    def frames(self, start: int, stop: int) -> Iterator[av.VideoFrame]:
        """Only the groups of pictures that hold the frames are read and decoded."""
        groups = [group for group in self.groups() if group[0] < stop and group[1] > start]
        number = groups[0][0]
        for frame in self._decode(groups[0][0], groups[-1][1]):
            if start <= number < stop:
                yield frame
            number += 1
        if number < stop:
            raise _undecodable(self.path, number)

    def _decode(self, start: int, stop: int) -> Iterator[av.VideoFrame]:
        decoder = av.CodecContext.create("h264", "r")
        decoder.extradata = self.index.config
        with reading(self.path):
            for packet, _, shown in self.packets(start, stop):
                packet.pts = shown
                yield from decoder.decode(packet)
            yield from decoder.decode(None)


class ForeignClip:
    """A clip of another encoding, size or frame rate: each of its frames is encoded anew.

    It keeps its duration: each frame of the film shows what the clip shows at that time. Its picture is
    scaled until it covers the film's frame and cropped around the centre, never stretched.
    """

    def __init__(self, path: Path, encoding: Encoding) -> None:
        info = probe(path)
        self.path = path
        self._encoding = encoding
        self._num_frames = max(1, round(Fraction(info.duration_seconds) * encoding.fps))

    @property
    def num_frames(self) -> int:
        return self._num_frames

    def groups(self) -> list[tuple[int, int]]:
        return []

    def frames(self, start: int, stop: int) -> Iterator[av.VideoFrame]:
        number = 0
        shown: av.VideoFrame | None = None
        for seconds, frame in self._timed():
            while shown is not None and number < stop and number / self._encoding.fps < seconds:
                if number >= start:
                    yield _fitted(shown, self._encoding)
                number += 1
            shown = frame
        if shown is None:
            raise _undecodable(self.path, 0)
        for _ in range(max(number, start), stop):
            yield _fitted(shown, self._encoding)

    def _timed(self) -> Iterator[tuple[Fraction, av.VideoFrame]]:
        """Each frame with its time from the first, less half a tick of the container's clock."""
        first: Fraction | None = None
        with open_input(self.path) as (container, stream):
            stream.thread_type = "AUTO"
            base = Fraction(stream.time_base or 1)
            for frame in container.decode(stream):
                seconds = (frame.pts or 0) * base
                first = seconds if first is None else first
                yield seconds - first - base / 2, frame


Template = bytes | Path
"""An mp4 that carries a film's parameter sets: in memory, or a clip."""


@contextmanager
def opened(template: Template) -> Iterator[av.video.VideoStream]:
    """The template's video stream; errors of the block pass as they are."""
    file = local_url(template) if isinstance(template, Path) else BytesIO(template)
    with av.open(file, format="mov", options=LOCAL_ONLY) as container:
        yield container.streams.video[0]


def choose_encoding(clips: Sequence[Path], *, only_cuts: bool) -> tuple[Encoding, Template, list[Source]]:
    """What the film is coded with, an mp4 that carries it as a template, and the clips as sources.

    Size and frame rate are the first clip's. The encoding is localvid's own, unless all clips share another
    one that plays everywhere and nothing lies between them but cuts: then all packets are copied.
    """
    indexes = [_copyable_index(clip) for clip in clips]
    width, height, fps = _shape(clips[0], indexes[0])
    encoding, template = _own_encoding(width, height, fps)
    if only_cuts and indexes[0] is not None and indexes[0].config != encoding.config:
        shared = Encoding(width, height, fps, indexes[0].config)
        if all(_has(index, shared) for index in indexes) and _plays_everywhere(clips[0]):
            encoding, template = shared, clips[0]
    return (
        encoding,
        template,
        [
            CopyableClip(index)
            if index is not None and _has(index, encoding)
            else ForeignClip(clip, encoding)
            for clip, index in zip(clips, indexes, strict=True)
        ],
    )


def _copyable_index(clip: Path) -> Index | None:
    """The clip's index if its packets could stand in a film as they are; None for every other clip."""
    if sniff(clip) != "mov":
        return None
    index = read_index(clip)
    if index is None or not index.num_frames:
        return None
    plain = index.whole and index.constant_frame_rate and index.config and index.is_key[0]
    return index if plain and index.display_order[0] == 0 and int(index.sizes.min()) > 0 else None


def _shape(clip: Path, index: Index | None) -> tuple[int, int, Fraction]:
    if index is not None:
        width, height, fps = index.width, index.height, index.fps
    else:
        info = probe(clip)
        width, height, fps = info.width, info.height, Fraction(info.fps).limit_denominator(1001)
    width, height = max(2, width - width % 2), max(2, height - height % 2)
    check_size(width, height)
    return width, height, fps


@lru_cache(maxsize=8)
def _own_encoding(width: int, height: int, fps: Fraction) -> tuple[Encoding, Template]:
    template = sample_clip(width, height, fps)
    index = parse_index(BytesIO(template), Path("template.mp4"))
    assert index is not None  # the encoder's own file
    return Encoding(width, height, fps, index.config), template


def _has(index: Index | None, encoding: Encoding) -> bool:
    return index is not None and encoding == Encoding(index.width, index.height, index.fps, index.config)


def _plays_everywhere(clip: Path) -> bool:
    info = probe(clip)
    return info.pixel_format == "yuv420p" and info.color_space == "bt709"


def _fitted(frame: av.VideoFrame, encoding: Encoding) -> av.VideoFrame:
    """The frame as yuv420p in BT.709, covering the film's size."""
    width, height = encoding.width, encoding.height
    matrix, value_range = matrix_of(frame), range_of(frame)
    same_size = (frame.width, frame.height) == (width, height)
    bt709 = frame.format.name == "yuv420p" and (matrix, value_range) == (BT709, int(ColorRange.MPEG))
    if same_size and bt709:
        return _copy(frame)
    scale = max(Fraction(width, frame.width), Fraction(height, frame.height))
    scaled = frame.reformat(
        width=max(width, 2 * round(frame.width * scale / 2)),
        height=max(height, 2 * round(frame.height * scale / 2)),
        format="yuv420p",
        src_colorspace=matrix,
        dst_colorspace=BT709,
        src_color_range=value_range,
        dst_color_range=int(ColorRange.MPEG),
        interpolation=int(Interpolation.LANCZOS | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INP),
    )
    return _cropped(scaled, width, height)


def _copy(frame: av.VideoFrame) -> av.VideoFrame:
    """A frame of its own: one that is shown twice is encoded under two numbers."""
    return av.VideoFrame.from_ndarray(frame.to_ndarray(), format="yuv420p")


def _cropped(frame: av.VideoFrame, width: int, height: int) -> av.VideoFrame:
    """Cut around the centre, at even offsets, so that luma and chroma stay together."""
    flat = frame.to_ndarray().reshape(-1)
    left, top = (frame.width - width) // 4 * 2, (frame.height - height) // 4 * 2
    planes = []
    position = 0
    for divisor in (1, 2, 2):
        rows, columns = frame.height // divisor, frame.width // divisor
        plane = flat[position : position + rows * columns].reshape(rows, columns)
        position += rows * columns
        cut = plane[top // divisor :, left // divisor :][: height // divisor, : width // divisor]
        planes.append(cut.reshape(-1))
    joined: Frame = np.concatenate(planes).reshape(height * 3 // 2, width).astype(np.uint8, copy=False)
    return av.VideoFrame.from_ndarray(joined, format="yuv420p")


def _undecodable(path: Path, number: int) -> InvalidVideoError:
    return InvalidVideoError(f"{path}: frame {number} cannot be decoded", hint="make or fetch the clip again")
