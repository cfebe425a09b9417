"""Writing clips: H.264 with one constant profile, so that clips join without being encoded again.

All clips of one size and frame rate share their parameter sets (`stitchable`), begin with an IDR picture
and are made of closed groups of pictures, without B-frames: a frame's place in the file is its place in
time. The number of threads is fixed, so that the same frames give the same bytes on any machine.
"""

from __future__ import annotations

import io
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av
import av.codec.context
import av.container
import av.error
import av.video
import numpy as np
from av.video.frame import PictureType
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc, Interpolation
from numpy.typing import NDArray

from localvid.errors import InvalidRequestError
from localvid.media.containers import local_url, muxing

GOP_FRAMES = 24
"""Frames from one key frame to the next: what a transition encodes anew at most, on each side."""

BT709 = int(Colorspace.ITU709)

ENCODER_OPTIONS = {
    "preset": "veryfast",
    "crf": "17",
    "profile": "high",
    "forced-idr": "1",
    "x264-params": ":".join(
        (
            "stitchable=1",
            "keyint=infinite",
            "scenecut=0",
            "bframes=0",
            "open-gop=0",
            "force-cfr=1",
            "aq-mode=3",
            "partitions=none",
            "threads=4",
            "sliced-threads=0",
            "lookahead-threads=1",
        )
    ),
}
"""The constant profile. Of the presets, veryfast was the fastest whose clips are half of superfast's size
(`benchmarks/join.py --encoder`). Blocks are not divided: in two painted clips that took a quarter of the
processor time away, for 5 % more bytes and 0.1 dB less."""

Frame = NDArray[np.uint8]


def rgb_to_yuv(frame: Frame) -> av.VideoFrame:
    """`(height, width, 3)` uint8 RGB → yuv420p, limited range, by the BT.709 matrix.

    A fourth channel is passed over; with it the conversion is faster and the result the same.

    Each chroma sample is the mean of its four pixels; every value is the exact one, rounded (AREA with
    ACCURATE_RND: at most 0.51 from the formula of ITU-R BT.709-6, where bilinear sampling is up to 20 off).
    """
    form = "rgb24" if frame.shape[2] == 3 else "rgba"
    return av.VideoFrame.from_numpy_buffer(np.ascontiguousarray(frame), format=form).reformat(
        format="yuv420p",
        dst_colorspace=BT709,
        src_color_range=int(ColorRange.JPEG),
        dst_color_range=int(ColorRange.MPEG),
        interpolation=int(Interpolation.AREA | Interpolation.ACCURATE_RND),
    )


class Encoder:
    """Turns yuv420p frames into packets, numbered from 0 in a time base of one frame."""

    def __init__(self, context: Any, fps: Fraction) -> None:
        self._context = context
        self._frame_time = 1 / fps
        self._waiting: av.VideoFrame | None = None
        self._since_key = GOP_FRAMES
        self.num_frames = 0

    def encode(self, frame: av.VideoFrame) -> list[av.Packet[Any]]:
        """Take one more frame; give the packets that are ready.

        A frame waits until another follows, so that no group of pictures is a lone key frame at the end:
        two such groups in a row could carry the same `idr_pic_id`, which H.264 (7.4.3) forbids.
        """
        packets = self._encode_waiting(last=False)
        self._waiting = frame
        self.num_frames += 1
        return packets

    def finish(self) -> list[av.Packet[Any]]:
        """Give the remaining packets; no frame may follow."""
        packets = self._encode_waiting(last=True)
        packets.extend(self._context.encode(None))
        return packets

    def _encode_waiting(self, *, last: bool) -> list[av.Packet[Any]]:
        frame, self._waiting = self._waiting, None
        if frame is None:
            return []
        number = self.num_frames - 1
        key = number == 0 or (self._since_key >= GOP_FRAMES and not last)
        frame.pict_type = int(PictureType.I if key else PictureType.NONE)
        frame.pts, frame.time_base = number, self._frame_time
        self._since_key = 1 if key else self._since_key + 1
        packets: list[av.Packet[Any]] = self._context.encode(frame)
        return packets


def new_encoder(width: int, height: int, fps: Fraction) -> Encoder:
    """An encoder of its own, for a stretch of film; its packets are in Annex B form."""
    context = av.CodecContext.create("libx264", "w")
    context.flags |= int(av.codec.context.Flags.global_header)
    _set_profile(context, width, height, fps)
    return Encoder(context, fps)


def _set_profile(context: Any, width: int, height: int, fps: Fraction) -> None:
    context.width, context.height, context.pix_fmt = width, height, "yuv420p"
    context.time_base, context.framerate = 1 / fps, fps
    context.color_primaries = int(ColorPrimaries.BT709)
    context.color_trc = int(ColorTrc.BT709)
    context.colorspace = BT709
    context.color_range = int(ColorRange.MPEG)
    context.options = dict(ENCODER_OPTIONS)


def _add_encoder(container: av.container.OutputContainer, width: int, height: int, fps: Fraction) -> Encoder:
    stream = container.add_stream("libx264", rate=fps)
    _set_profile(stream.codec_context, width, height, fps)
    return Encoder(stream.codec_context, fps)


def mp4_options(fps: Fraction) -> dict[str, str]:
    """Muxer options: a clock on which every frame falls exactly, no date and no version."""
    ticks = fps.numerator if fps.numerator >= 1000 else fps.numerator * 1000
    return {
        "video_track_timescale": str(ticks),
        "movie_timescale": str(ticks),
        "fflags": "+bitexact",
    }


class ClipWriter:
    """Writes RGB frames to an mp4 clip: H.264 High, yuv420p, BT.709 by matrix and by tag, constant frame
    rate, faststart, closed groups of `GOP_FRAMES` pictures.

    A context manager. The file is complete when the block ends without an error; write to a temporary name
    (`localvid.files.writing`) where a half-written file must not be seen. The same frames give the same
    bytes. Raises InvalidRequestError for odd sizes and for a clip without frames, and OSError where the file
    cannot be written, which `writing` says as DiskFullError or WorkspaceError.
    """

    def __init__(self, path: Path, *, width: int, height: int, fps: int | Fraction) -> None:
        check_size(width, height)
        if fps <= 0:
            raise InvalidRequestError(f"{fps} frames a second", hint="give a positive frame rate")
        self.path, self.width, self.height, self.fps = path, width, height, Fraction(fps)

    def __enter__(self) -> Self:
        with muxing():
            options = mp4_options(self.fps) | {"movflags": "+faststart"}
            self._container = av.open(local_url(self.path), "w", format="mp4", options=options)
            self._encoder = _add_encoder(self._container, self.width, self.height, self.fps)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            with suppress(av.error.FFmpegError):  # the first error is the one to tell
                self._container.close()
            return
        with muxing():
            try:
                self._mux(self._encoder.finish())
            finally:
                self._container.close()
        if not self._encoder.num_frames:
            raise InvalidRequestError(f"{self.path.name} has no frame", hint="write at least one frame")

    def write(self, frame: Frame) -> None:
        """Append one frame, `(height, width, 3)` uint8 RGB, or with a fourth channel that says nothing."""
        channels = frame.shape[-1]
        if frame.shape != (self.height, self.width, channels) or channels not in (3, 4):
            raise ValueError(f"a frame of shape {frame.shape} in a clip of {(self.height, self.width, 3)}")
        if frame.dtype != np.uint8:
            raise ValueError(f"a frame of type {frame.dtype}: uint8 is what can be encoded")
        with muxing():
            self._mux(self._encoder.encode(rgb_to_yuv(frame)))

    def _mux(self, packets: list[av.Packet[Any]]) -> None:
        for packet in packets:
            packet.duration = 1
            self._container.mux(packet)


def sample_clip(width: int, height: int, fps: Fraction) -> bytes:
    """An mp4 of one black frame: carries the parameter sets of every clip of this size and frame rate."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4", options=mp4_options(fps)) as container:
        encoder = _add_encoder(container, width, height, fps)
        encoder.encode(rgb_to_yuv(np.zeros((height, width, 3), dtype=np.uint8)))
        container.mux(encoder.finish())
    return buffer.getvalue()


def check_size(width: int, height: int) -> None:
    """Raise InvalidRequestError for a size that yuv420p cannot hold."""
    if width <= 0 or height <= 0 or width % 2 or height % 2:
        raise InvalidRequestError(
            f"{width}x{height} cannot be encoded: width and height must be even",
            hint=f"use {max(2, width - width % 2)}x{max(2, height - height % 2)}",
        )
