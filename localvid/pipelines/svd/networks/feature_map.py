"""Feature maps of a clip, read and written in slices: on the device, in host memory or in a file.

A map knows frames and pixels, and nothing of layers. Values lie channels last, `(frames, height, width,
channels)`, so a slice of frames is what a convolution takes and a slice of pixels is rows for a product of
matrices, neither of them permuted.
"""

from __future__ import annotations

import errno
import os
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from localvid.pipelines.svd.plan import Maps


class MapShape(NamedTuple):
    """The size of a map; `frames` counts those of all clips of a batch, one clip after the other."""

    frames: int
    height: int
    width: int
    channels: int

    @property
    def pixels(self) -> int:
        """Pixels of one frame."""
        return self.height * self.width

    def num_bytes(self, dtype: torch.dtype) -> int:
        return self.frames * self.pixels * self.channels * dtype.itemsize


class Frames(Protocol):
    """Frames that can be read once, in order: a map, or what is computed from one on the way."""

    @property
    def shape(self) -> MapShape: ...

    def frames(self, start: int, stop: int) -> Tensor:
        """Frames `(stop - start, channels, height, width)` on the compute device, channels last."""
        ...

    def release_frames(self, start: int, stop: int) -> None:
        """Let go of frames that are not read again."""
        ...


class FeatureMap(ABC):
    """One map. It is opened empty; what is read must have been written before.

    A tensor that a reading gives may be the map's own memory, or a buffer that the next reading fills: it is
    used up, or put back, before the next call, and it is written into only if it is put back.
    """

    def __init__(self, shape: MapShape, dtype: torch.dtype, *, device: torch.device) -> None:
        self.shape = shape
        self.dtype = dtype
        self.device = device
        """Where slices are computed; the map itself may lie elsewhere."""

    @abstractmethod
    def frames(self, start: int, stop: int) -> Tensor:
        """Frames `(stop - start, channels, height, width)` on the compute device, channels last."""

    @abstractmethod
    def pixels(self, start: int, stop: int) -> Tensor:
        """Pixels, counted row by row, of every frame: `(frames, stop - start, channels)`, on the device."""

    @abstractmethod
    def put_frames(self, start: int, values: Tensor) -> None:
        """Write frames `(n, channels, height, width)`; the map may keep the tensor itself."""

    @abstractmethod
    def put_pixels(self, start: int, values: Tensor) -> None:
        """Write pixels `(frames, n, channels)`."""

    @abstractmethod
    def release_frames(self, start: int, stop: int) -> None:
        """Let go of frames that are not read again, as far as they can be freed on their own."""

    def close(self) -> None:
        """Let go of the whole map."""
        self.release_frames(0, self.shape.frames)


class DeviceMap(FeatureMap):
    """A map in the memory of the compute device.

    It consists of blocks of `block` frames, each made when it is first written and freed when all of it is
    released. Slices of frames that are whole blocks are not copied, either way; nor are pixels that are read
    from a map of one block.
    """

    def __init__(self, shape: MapShape, dtype: torch.dtype, *, device: torch.device, block: int = 1) -> None:
        super().__init__(shape, dtype, device=device)
        self._block = min(block, shape.frames)
        self._blocks: list[Tensor | None] = [None] * -(-shape.frames // self._block)

    def frames(self, start: int, stop: int) -> Tensor:
        parts = [self._read(index)[first:last] for index, first, last in self._spans(start, stop)]
        return (parts[0] if len(parts) == 1 else torch.cat(parts)).permute(0, 3, 1, 2)

    def pixels(self, start: int, stop: int) -> Tensor:
        parts = [self._read(index).flatten(1, 2)[:, start:stop] for index in range(len(self._blocks))]
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def put_frames(self, start: int, values: Tensor) -> None:
        rows = values.permute(0, 2, 3, 1)
        spans = self._spans(start, start + len(rows))
        parts = torch.split(rows, [last - first for _, first, last in spans])
        for (index, first, last), part in zip(spans, parts, strict=True):
            if self._can_keep(index, part):
                self._blocks[index] = part
            else:
                self._write(index)[first:last] = part

    def put_pixels(self, start: int, values: Tensor) -> None:
        stop = start + values.shape[1]
        for index, part in enumerate(torch.split(values, self._block)):
            target = self._write(index).flatten(1, 2)[:, start:stop]
            if not _is_same(target, part):
                target.copy_(part)

    def release_frames(self, start: int, stop: int) -> None:
        for index in range(len(self._blocks)):
            first = index * self._block
            if start <= first and first + self._length(index) <= stop:
                self._blocks[index] = None

    def _can_keep(self, index: int, part: Tensor) -> bool:
        """Whether the tensor itself can become the block: all of it, and nothing else in its storage."""
        return (
            part.dtype == self.dtype
            and part.shape[0] == self._length(index)
            and part.is_contiguous()
            and part.untyped_storage().nbytes() == part.numel() * part.itemsize
        )

    def _read(self, index: int) -> Tensor:
        block = self._blocks[index]
        if block is None:
            raise LookupError(f"frames from {index * self._block} on were released or never written")
        return block

    def _write(self, index: int) -> Tensor:
        block = self._blocks[index]
        if block is None:
            _, height, width, channels = self.shape
            size = (self._length(index), height, width, channels)
            block = self._blocks[index] = torch.empty(size, dtype=self.dtype, device=self.device)
        return block

    def _length(self, index: int) -> int:
        return min(self._block, self.shape.frames - index * self._block)

    def _spans(self, start: int, stop: int) -> list[tuple[int, int, int]]:
        """Which frames of which blocks: `(index, first, last)`, counted within the block."""
        spans = []
        while start < stop:
            index, first = divmod(start, self._block)
            last = min(first + stop - start, self._length(index))
            spans.append((index, first, last))
            start += last - first
        return spans


def _is_same(one: Tensor, other: Tensor) -> bool:
    """Whether both, of one shape, are the same view of the same memory."""
    steps = zip(one.shape, one.stride(), other.stride(), strict=True)
    return (
        one.untyped_storage()._cdata == other.untyped_storage()._cdata
        and one.storage_offset() == other.storage_offset()
        and all(size == 1 or step == other_step for size, step, other_step in steps)
    )


class HostMap(FeatureMap):
    """A map in host memory, pinned for a CUDA device; slices are copied there and back.

    One allocation, because to pin one takes long. All copies are put on the device's
    current stream, so they happen in the order of the calls and the host waits for none.
    """

    def __init__(self, shape: MapShape, dtype: torch.dtype, *, device: torch.device) -> None:
        super().__init__(shape, dtype, device=device)
        self._rows: Tensor | None = torch.empty(
            (shape.frames, shape.pixels, shape.channels), dtype=dtype, pin_memory=device.type == "cuda"
        )

    def frames(self, start: int, stop: int) -> Tensor:
        _, height, width, channels = self.shape
        rows = self._opened[start:stop]
        return _copy(rows, self.device).view(-1, height, width, channels).permute(0, 3, 1, 2)

    def pixels(self, start: int, stop: int) -> Tensor:
        rows = self._opened[:, start:stop]
        result = torch.empty(rows.shape, dtype=self.dtype, device=self.device)
        for target, part in zip(result, rows, strict=True):  # each part lies in one piece: a plain copy
            target.copy_(part, non_blocking=True)
        return result

    def put_frames(self, start: int, values: Tensor) -> None:
        rows = values.permute(0, 2, 3, 1).contiguous().flatten(1, 2)
        self._opened[start : start + len(rows)].copy_(rows, non_blocking=True)

    def put_pixels(self, start: int, values: Tensor) -> None:
        targets = self._opened[:, start : start + values.shape[1]]
        for target, part in zip(targets, values, strict=True):
            target.copy_(part, non_blocking=True)

    def release_frames(self, start: int, stop: int) -> None:
        """Nothing, unless it is all of them."""
        if start <= 0 and self.shape.frames <= stop:
            self._rows = None

    @property
    def _opened(self) -> Tensor:
        if self._rows is None:
            raise LookupError("the map was released")
        return self._rows


def _copy(rows: Tensor, device: torch.device) -> Tensor:
    result = torch.empty(rows.shape, dtype=rows.dtype, device=device)
    return result.copy_(rows, non_blocking=True)


class FileMap(FeatureMap):
    """A map in a temporary file without a name, which ends with it; slices pass through host memory."""

    def __init__(
        self, shape: MapShape, dtype: torch.dtype, *, device: torch.device, directory: Path | None = None
    ) -> None:
        """Open a file in `directory`, by default the system's place for temporary files.

        Raises MemoryError where the file system has too little room, and OSError.
        """
        super().__init__(shape, dtype, device=device)
        self._pixel_bytes = shape.channels * dtype.itemsize
        self._frame_bytes = shape.pixels * self._pixel_bytes
        with ExitStack() as opened:
            self._file = opened.enter_context(tempfile.TemporaryFile(dir=directory, buffering=0))
            try:
                os.posix_fallocate(self._file.fileno(), 0, max(1, shape.num_bytes(dtype)))
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
                raise MemoryError(f"no room for feature maps on disk: {error.strerror}") from error
            opened.pop_all()  # it is open beyond this block only if there is room for all of it

    def frames(self, start: int, stop: int) -> Tensor:
        _, height, width, channels = self.shape
        rows = torch.empty((stop - start, height, width, channels), dtype=self.dtype)
        self._read(rows, start * self._frame_bytes)
        return rows.to(self.device).permute(0, 3, 1, 2)

    def pixels(self, start: int, stop: int) -> Tensor:
        rows = torch.empty((self.shape.frames, stop - start, self.shape.channels), dtype=self.dtype)
        for frame in range(self.shape.frames):
            self._read(rows[frame], frame * self._frame_bytes + start * self._pixel_bytes)
        return rows.to(self.device)

    def put_frames(self, start: int, values: Tensor) -> None:
        self._write(values.permute(0, 2, 3, 1), start * self._frame_bytes)

    def put_pixels(self, start: int, values: Tensor) -> None:
        for frame, rows in enumerate(values.cpu()):
            self._write(rows, frame * self._frame_bytes + start * self._pixel_bytes)

    def release_frames(self, start: int, stop: int) -> None:
        """Nothing: the file ends with the map."""

    def close(self) -> None:
        self._file.close()

    def _read(self, rows: Tensor, offset: int) -> None:
        view = _as_bytes(rows)
        while view:
            count = os.preadv(self._file.fileno(), [view], offset)
            if count == 0:
                raise OSError("a temporary file of feature maps ended early")
            view, offset = view[count:], offset + count

    def _write(self, rows: Tensor, offset: int) -> None:
        view = _as_bytes(rows.to(device="cpu", dtype=self.dtype).contiguous())
        while view:
            count = os.pwrite(self._file.fileno(), view, offset)
            view, offset = view[count:], offset + count


def _as_bytes(rows: Tensor) -> memoryview:
    return memoryview(rows.view(torch.uint8).numpy().data).cast("B")


NewMap = Callable[[MapShape, torch.dtype], FeatureMap]
"""Opens a map; given to what needs maps, so that it does not know where they are kept."""


def map_opener(maps: Maps, *, device: torch.device, block: int = 1, directory: Path | None = None) -> NewMap:
    """What opens maps in the place that `maps` names; `block` frames are made and freed together."""

    def open_map(shape: MapShape, dtype: torch.dtype) -> FeatureMap:
        if maps is Maps.DISK:
            return FileMap(shape, dtype, device=device, directory=directory)
        if maps is Maps.HOST and device.type != "cpu":
            return HostMap(shape, dtype, device=device)
        return DeviceMap(shape, dtype, device=device, block=block)

    return open_map
