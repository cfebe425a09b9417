"""Reading frames back, as `(height, width, 3)` uint8 RGB, in the order in which they are shown."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import av.container
import av.video
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, Interpolation
from numpy.typing import NDArray

from localvid.errors import InvalidRequestError, InvalidVideoError
from localvid.media.containers import open_input
from localvid.media.probing import probe

Frame = NDArray[np.uint8]

_MATRICES = {
    1: Colorspace.ITU709,
    4: Colorspace.FCC,
    5: Colorspace.ITU601,
    6: Colorspace.ITU601,
    7: Colorspace.SMPTE240M,
    9: Colorspace.BT2020,
}
_HD_LINES = 720
_RGB_MATRIX = 0


def read_frames(path: Path) -> Iterator[Frame]:
    """Decode every frame, one at a time; raises InvalidVideoError, also in the middle of a damaged file."""
    with open_input(path) as (container, stream):
        stream.thread_type = "AUTO"
        for frame in container.decode(stream):
            yield to_rgb(frame)


def read_frame(path: Path, index: int) -> Frame:
    """The frame with this number, from 0; negative numbers count from the end, as in a list.

    Exactly that frame: decoding starts at the key frame before it and counts by the frames' own times.
    Raises InvalidRequestError if the film has no such frame, InvalidVideoError.
    """
    info = probe(path)
    number = index + info.num_frames if index < 0 else index
    if not 0 <= number < info.num_frames:
        raise InvalidRequestError(
            f"{path.name} has no frame {index}", hint=f"choose a frame from 0 to {info.num_frames - 1}"
        )
    with open_input(path) as (container, stream):
        found = _at(container, stream, number, info.num_frames) if info.constant_frame_rate else None
    if found is None:
        found = _counted(path, number)
    return to_rgb(found)


def last_frame(path: Path) -> Frame:
    """The frame that the clip ends on."""
    return read_frame(path, -1)


def to_rgb(frame: av.VideoFrame) -> Frame:
    """A decoded frame as `(height, width, 3)` uint8 RGB, by the matrix and range that it is tagged with.

    Untagged frames are taken as players take them: BT.709 from 720 lines on, BT.601 below, limited range.
    """
    rgb = frame.reformat(
        format="rgb24",
        src_colorspace=matrix_of(frame),
        src_color_range=range_of(frame),
        dst_color_range=int(ColorRange.JPEG),
        interpolation=int(Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT),
    )
    return rgb.to_ndarray().astype(np.uint8, copy=False)


def matrix_of(frame: av.VideoFrame) -> int:
    """The matrix that a frame's YUV values are meant in, as swscale numbers them."""
    guess = Colorspace.ITU709 if frame.height >= _HD_LINES else Colorspace.ITU601
    return int(_MATRICES.get(int(frame.colorspace), guess))


def range_of(frame: av.VideoFrame) -> int:
    """Whether a frame's values are limited or full; RGB and the "J" formats are full."""
    full = frame.color_range == ColorRange.JPEG or not frame.format.name.startswith(("yuv4", "yuva4", "nv"))
    return int(ColorRange.JPEG if full or frame.format.name.startswith("yuvj") else ColorRange.MPEG)


def _at(
    container: av.container.InputContainer, stream: av.video.VideoStream, number: int, num_frames: int
) -> av.VideoFrame | None:
    """Frame `number` of a file of constant frame rate; None where its times do not lead to it."""
    start, base = stream.start_time or 0, stream.time_base
    rate = stream.average_rate
    if not base or not rate:
        return None
    ticks = 1 / (Fraction(rate) * Fraction(base))
    container.seek(start + math.floor(number * ticks), stream=stream, backward=True)
    for frame in container.decode(stream):
        if frame.pts is None:
            return None
        shown = round((frame.pts - start) / ticks)
        if shown == number:
            return frame
        if shown > number or shown >= num_frames:
            return None
    return None


def _counted(path: Path, number: int) -> av.VideoFrame:
    """Frame `number` by decoding all frames before it."""
    with open_input(path) as (container, stream):
        stream.thread_type = "AUTO"
        for count, frame in enumerate(container.decode(stream)):
            if count == number:
                return frame
    raise InvalidVideoError(f"{path} ends before its frame {number}", hint="make or fetch the file again")
