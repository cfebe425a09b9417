"""Looking at a clip's pixels: a file that decodes is not yet a picture.

A model that fails in silence leaves black frames (NaN cast to uint8 is 0), frames of one colour, or one
frame repeated. All three show on every eighth pixel of every eighth line.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from localvid.errors import InvalidVideoError
from localvid.media.containers import open_input
from localvid.schemas import Frozen

_SUBSAMPLE = 8
_BLACK_LUMA = 20.0
"""Brightest sample of a black frame; 16 is black in limited range, the rest is the codec's rounding."""
_FLAT_SPREAD = 6.0
"""Most that the samples of a frame of one colour differ."""
_BLOCK = 4
_FROZEN_MOST = 2.75
"""Most that the mean of a block of 4x4 samples differs from the first frame's in a frozen clip, in levels of
255. Measured at 512x288: coding alone makes 0.4 to 1.8 on stills with any grain and 2.2 on white noise; a
drift of one pixel in three seconds makes 3.4, drifting fog 6, twinkling stars 6."""

Samples = NDArray[np.float32]


class Finding(Frozen):
    """What is wrong with a clip's picture. Whether it is a failure is for the caller, who knows what was
    asked for: a still by intention is frozen too."""

    kind: Literal["black", "flat", "frozen"]
    num_frames: int
    """Frames to which it applies."""
    detail: str


def check_clip(path: Path) -> Finding | None:
    """Decode the clip and report the worst finding: black frames, then flat ones, then a frozen clip.

    Black and flat are reported if at least one frame is so; frozen if no frame differs from the first (a clip
    of one frame is never frozen).
    None for a clip with a picture that moves. Raises InvalidVideoError.
    """
    black = flat = total = 0
    moves = False
    first: Samples | None = None
    for frame in _subsampled(path):
        total += 1
        is_black = float(frame.max()) <= _BLACK_LUMA
        black += is_black
        flat += not is_black and float(np.ptp(frame)) <= _FLAT_SPREAD
        first = frame if first is None else first
        moves = moves or float(np.abs(_block_means(frame - first)).max()) > _FROZEN_MOST
    if not total:
        raise InvalidVideoError(f"{path} holds no frame", hint="make the clip again")
    if black:
        return Finding(kind="black", num_frames=black, detail=f"{black} of {total} frames are black")
    if flat:
        return Finding(kind="flat", num_frames=flat, detail=f"{flat} of {total} frames are of one colour")
    if total > 1 and not moves:
        return Finding(kind="frozen", num_frames=total, detail=f"all {total} frames show the same picture")
    return None


def _block_means(samples: Samples) -> Samples:
    """Coding errors cancel out over a block, motion does not; a clip smaller than a block is one block."""
    rows, columns = (max(1, size // _BLOCK) for size in samples.shape)
    height, width = samples.shape[0] // rows, samples.shape[1] // columns
    blocks = samples[: rows * height, : columns * width].reshape(rows, height, columns, width)
    means: Samples = blocks.mean(axis=(1, 3))
    return means


def _subsampled(path: Path) -> Iterator[Samples]:
    """The luma of every eighth pixel of every eighth line."""
    with open_input(path) as (container, stream):
        stream.thread_type = "AUTO"
        for frame in container.decode(stream):
            gray = frame if frame.format.name.startswith("yuv") else frame.reformat(format="yuv420p")
            plane = gray.planes[0]
            rows = np.frombuffer(memoryview(plane), dtype=np.uint8).reshape(-1, plane.line_size)
            yield rows[: gray.height : _SUBSAMPLE, : gray.width : _SUBSAMPLE].astype(np.float32)
