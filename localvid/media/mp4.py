"""The index of an mp4 or mov file: where every frame lies, read from its atoms without any codec.

Knows ISO/IEC 14496-12 (boxes, sample tables, edit lists) and 14496-15 (`avcC`), as far as one video track
needs. Every count is held against the file's size before anything is allocated.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from localvid.errors import InvalidVideoError

_MAX_MOOV_BYTES = 64 * 2**20
_MAX_TOP_LEVEL = 100_000
_VISUAL_ENTRY_BYTES = 78

Int64s = NDArray[np.int64]


@dataclass(frozen=True)
class Index:
    """One video track's samples in decoding order, and what they are coded with."""

    path: Path
    faststart: bool
    """The index stands before the frames, so that playing can start before the file is there."""
    sample_entry: str
    """Four characters that name the codec: "avc1" for H.264."""
    width: int
    height: int
    config: bytes
    """The `avcC` box's content: H.264 parameter sets; empty for other codecs."""
    timescale: int
    """Ticks a second."""
    offsets: Int64s
    sizes: Int64s
    durations: Int64s
    presentation: Int64s
    """When each sample is shown, in ticks from the earliest."""
    is_key: NDArray[np.bool_]
    whole: bool
    """One track and no edit: all samples are shown, none twice."""

    @property
    def num_frames(self) -> int:
        return len(self.offsets)

    @property
    def constant_frame_rate(self) -> bool:
        return self.num_frames > 0 and bool((self.durations == self.durations[0]).all()) and self._is_dense()

    @property
    def fps(self) -> Fraction:
        """Mean frames a second; exact where the frame rate is constant."""
        total = int(self.durations.sum())
        return Fraction(self.timescale * self.num_frames, total) if total else Fraction(0)

    @property
    def display_order(self) -> Int64s:
        """For each sample in decoding order, which frame of the clip it is; needs a constant frame rate."""
        order: Int64s = self.presentation // self.durations[0]
        return order

    def _is_dense(self) -> bool:
        ticks = int(self.durations[0])
        if ticks <= 0:
            return False
        return bool((np.sort(self.presentation) == np.arange(self.num_frames, dtype=np.int64) * ticks).all())


def read_index(path: Path) -> Index | None:
    """Read the index of the file's video track; None where there is none (fragments, or no video).

    Raises InvalidVideoError if the atoms contradict each other or the file ends before its last frame.
    """
    try:
        with path.open("rb") as file:
            return parse_index(file, path)
    except OSError as error:
        raise InvalidVideoError(
            f"{path} cannot be read: {error.strerror or error}", hint="check the path and its permissions"
        ) from error


def parse_index(file: BinaryIO, path: Path) -> Index | None:
    """As `read_index`, from an open file; `path` only names it."""
    file_bytes = file.seek(0, 2)
    try:
        moov, faststart = _find_moov(file, file_bytes, path)
        boxes = _children(moov)
        tracks = [_children(body) for kind, body in boxes if kind == b"trak"]
        videos = [track for track in tracks if _handler(track) == b"vide"]
        if not videos or any(kind == b"mvex" for kind, _ in boxes):
            return None
        return _track_index(path, videos[0], file_bytes, faststart, alone=len(tracks) == 1)
    except (struct.error, ValueError, IndexError, KeyError) as error:
        raise _damaged(path, f"its index makes no sense ({error})") from error


def _damaged(path: Path, why: str) -> InvalidVideoError:
    return InvalidVideoError(f"{path} is damaged: {why}", hint="make or fetch the file again")


def _find_moov(file: BinaryIO, file_bytes: int, path: Path) -> tuple[bytes, bool]:
    """The content of `moov`, and whether it stands before `mdat`."""
    position, seen_mdat = 0, False
    for _ in range(_MAX_TOP_LEVEL):
        if position + 8 > file_bytes:
            break
        file.seek(position)
        size, kind = struct.unpack(">I4s", file.read(8))
        header = 8
        if size == 1:
            (size,) = struct.unpack(">Q", file.read(8))
            header = 16
        elif size == 0:
            size = file_bytes - position
        if size < header:
            raise ValueError(f"box of {size} bytes")
        if kind == b"moov":
            if size > _MAX_MOOV_BYTES or position + size > file_bytes:
                raise ValueError(f"moov of {size} bytes in a file of {file_bytes}")
            return file.read(size - header), not seen_mdat
        seen_mdat = seen_mdat or kind == b"mdat"
        position += size
    raise _damaged(path, "it has no index; it was not written to its end")


Box = tuple[bytes, bytes]


def _children(data: bytes) -> list[Box]:
    return list(_iterate(data))


def _iterate(data: bytes) -> Iterator[Box]:
    position = 0
    while position + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, position)
        header = 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, position + 8)
            header = 16
        elif size == 0:
            size = len(data) - position
        if size < header or position + size > len(data):
            raise ValueError(f"box of {size} bytes inside {len(data)}")
        yield kind, data[position + header : position + size]
        position += size


def _find(boxes: list[Box], *path: bytes) -> bytes | None:
    body: bytes | None = None
    for depth, kind in enumerate(path):
        if depth:
            assert body is not None
            boxes = _children(body)
        body = next((content for found, content in boxes if found == kind), None)
        if body is None:
            return None
    return body


def _handler(track: list[Box]) -> bytes:
    handler = _find(track, b"mdia", b"hdlr")
    return handler[8:12] if handler else b""


def _track_index(path: Path, track: list[Box], file_bytes: int, faststart: bool, *, alone: bool) -> Index:
    header = _find(track, b"mdia", b"mdhd")
    table = _find(track, b"mdia", b"minf", b"stbl")
    if header is None or table is None:
        raise ValueError("a track without header or sample table")
    boxes = dict(_children(table))
    timescale = struct.unpack_from(">I", header, 20 if header[0] == 1 else 12)[0]
    if not timescale:
        raise ValueError("a timescale of 0")
    entry = _sample_entry(boxes[b"stsd"])
    sizes = _sample_sizes(boxes[b"stsz"], file_bytes)
    count = len(sizes)
    offsets = _sample_offsets(boxes, sizes)
    if count and (int(offsets.min()) < 0 or int((offsets + sizes).max()) > file_bytes):
        raise _damaged(path, "it ends before its last frame")
    durations = _run_lengths(boxes[b"stts"], count, signed=False)
    shown = np.cumsum(durations) - durations
    if b"ctts" in boxes:
        shown += _run_lengths(boxes[b"ctts"], count, signed=True)
    first = int(shown.min()) if count else 0
    return Index(
        path=path,
        faststart=faststart,
        sample_entry=entry.kind,
        width=entry.width,
        height=entry.height,
        config=entry.config,
        timescale=timescale,
        offsets=offsets,
        sizes=sizes,
        durations=durations,
        presentation=shown - first,
        is_key=_keys(boxes.get(b"stss"), count),
        whole=alone and entry.alone and _shows_all(_find(track, b"edts", b"elst"), first),
    )


@dataclass(frozen=True)
class _SampleEntry:
    kind: str
    width: int
    height: int
    alone: bool
    config: bytes = field(repr=False, default=b"")


def _sample_entry(stsd: bytes) -> _SampleEntry:
    entries = _children(stsd[8:])
    kind, body = entries[0]
    width, height = struct.unpack_from(">HH", body, 24)
    config = dict(_children(body[_VISUAL_ENTRY_BYTES:])).get(b"avcC", b"") if kind == b"avc1" else b""
    return _SampleEntry(kind.decode("latin-1"), width, height, len(entries) == 1, config)


def _sample_sizes(stsz: bytes, file_bytes: int) -> Int64s:
    same, count = struct.unpack_from(">II", stsz, 4)
    if count > file_bytes:
        raise ValueError(f"{count} frames in {file_bytes} bytes")
    if same:
        return np.full(count, same, dtype=np.int64)
    return np.frombuffer(stsz, dtype=">u4", count=count, offset=12).astype(np.int64)


def _sample_offsets(boxes: dict[bytes, bytes], sizes: Int64s) -> Int64s:
    """Chunk offsets and samples per chunk, spread over the samples."""
    wide = b"co64" in boxes
    table = boxes[b"co64" if wide else b"stco"]
    (num_chunks,) = struct.unpack_from(">I", table, 4)
    chunks = np.frombuffer(table, dtype=">u8" if wide else ">u4", count=num_chunks, offset=8).astype(np.int64)
    (num_runs,) = struct.unpack_from(">I", boxes[b"stsc"], 4)
    runs = np.frombuffer(boxes[b"stsc"], dtype=">u4", count=num_runs * 3, offset=8).reshape(-1, 3)
    firsts = runs[:, 0].astype(np.int64) - 1
    spans = np.diff(np.append(firsts, num_chunks))
    if (spans < 0).any() or (num_runs and firsts[0] != 0):
        raise ValueError("chunks out of order")
    per_chunk = np.repeat(runs[:, 1].astype(np.int64), spans)
    if int(per_chunk.sum()) != len(sizes):
        raise ValueError(f"{per_chunk.sum()} frames in chunks, {len(sizes)} in all")
    if not len(sizes):
        return np.zeros(0, np.int64)
    before = np.cumsum(sizes) - sizes
    first_in_chunk = np.cumsum(per_chunk) - per_chunk
    if len(first_in_chunk) and int(first_in_chunk.max()) >= len(sizes):
        raise ValueError("an empty last chunk")
    offsets: Int64s = before + np.repeat(chunks - before[first_in_chunk], per_chunk)
    return offsets


def _run_lengths(box: bytes, count: int, *, signed: bool) -> Int64s:
    """`stts` and `ctts`: pairs of (how many samples, value)."""
    (num_runs,) = struct.unpack_from(">I", box, 4)
    pairs = np.frombuffer(box, dtype=">u4", count=num_runs * 2, offset=8).reshape(-1, 2)
    counts = pairs[:, 0].astype(np.int64)
    if int(counts.sum()) != count:
        raise ValueError(f"times for {counts.sum()} of {count} frames")
    values = pairs[:, 1].astype(np.int64)
    if signed:
        values = pairs[:, 1].astype(np.uint32).view(np.int32).astype(np.int64)
    return np.repeat(values, counts)


def _keys(stss: bytes | None, count: int) -> NDArray[np.bool_]:
    if stss is None:  # no table: every sample is a sync sample
        return np.ones(count, dtype=np.bool_)
    (num_keys,) = struct.unpack_from(">I", stss, 4)
    found = np.zeros(count, dtype=np.bool_)
    found[np.frombuffer(stss, dtype=">u4", count=num_keys, offset=8).astype(np.int64) - 1] = True
    return found


def _shows_all(elst: bytes | None, first_shown: int) -> bool:
    """No edit list, or one edit that starts at the first frame at normal speed."""
    if elst is None:
        return first_shown == 0
    (count,) = struct.unpack_from(">I", elst, 4)
    layout = ">QqI" if elst[0] == 1 else ">IiI"
    if count != 1:
        return False
    _duration, start, rate = struct.unpack_from(layout, elst, 8)
    return bool(start == first_shown and rate == 0x10000)
