"""Which containers are read and written, and opening them safely.

A file is opened only if it is a regular file on this machine that begins like a container known here, and
FFmpeg is then told which one it is: no probing of playlists or image sequences, no network protocol.
"""

from __future__ import annotations

import errno
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import av.container
import av.error
import av.logging
import av.video

from localvid.errors import InvalidRequestError, InvalidVideoError

LOCAL_ONLY = {"protocol_whitelist": "file"}
"""For `av.open`: whatever the file says, no other protocol is spoken."""

_HEAD_BYTES = 12
_WRITE_ERRORS = {
    errno.EACCES,
    errno.EDQUOT,
    errno.EFBIG,
    errno.EIO,
    errno.ENOENT,
    errno.ENOSPC,
    errno.EPERM,
    errno.EROFS,
}


@dataclass(frozen=True)
class Format:
    """How a film is written under one extension."""

    muxer: str
    codec: str
    copies_h264: bool
    """The film's packets go into it as they are; otherwise every frame is encoded anew."""


FORMATS = {
    ".mp4": Format("mp4", "h264", copies_h264=True),
    ".m4v": Format("mp4", "h264", copies_h264=True),
    ".mov": Format("mov", "h264", copies_h264=True),
    ".webm": Format("webm", "vp9", copies_h264=False),
    ".gif": Format("gif", "gif", copies_h264=False),
}


def output_format(output: Path) -> Format:
    """The format that the extension of `output` names; InvalidRequestError for one that is not written."""
    found = FORMATS.get(output.suffix.lower())
    if found is None:
        name = output.name or str(output)
        said = f": {output.suffix!r} is not a film's extension" if output.suffix else " has no extension"
        raise InvalidRequestError(f"{name}{said}", hint=f"use one of {', '.join(FORMATS)}")
    return found


def sniff(path: Path) -> str:
    """FFmpeg's name of the container that `path` begins like: "mov", "matroska" or "gif".

    Raises InvalidVideoError for what is missing, unreadable, no regular file, empty or anything else.
    """
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            raise InvalidVideoError(f"{path} is not a regular file", hint="name a video file")
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError as error:
        raise InvalidVideoError(
            f"{path} cannot be read: {error.strerror or error}", hint="check the path and its permissions"
        ) from error
    if head[4:8] == b"ftyp":
        return "mov"
    if head.startswith(b"\x1aE\xdf\xa3"):
        return "matroska"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "gif"
    raise InvalidVideoError(
        f"{path} is {'empty' if not head else 'not a video that is read here'}",
        hint="name an mp4, mov, m4v, webm or gif file",
    )


@contextmanager
def open_input(path: Path) -> Iterator[tuple[av.container.InputContainer, av.video.VideoStream]]:
    """Open a local video file and its first video stream; every failure inside is InvalidVideoError."""
    container_name = sniff(path)
    with (
        reading(path),
        av.open(
            local_url(path), format=container_name, options=LOCAL_ONLY, metadata_errors="replace"
        ) as container,
    ):
        if not container.streams.video:
            raise InvalidVideoError(f"{path} holds no video", hint="name a file with pictures in it")
        stream = container.streams.video[0]
        if not stream.codec_context.width or not stream.codec_context.height:
            raise InvalidVideoError(
                f"{path} is damaged: its pictures have no size", hint="make or fetch the file again"
            )
        yield container, stream


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Say FFmpeg's and the system's errors about `path` as InvalidVideoError; other errors pass."""
    try:
        yield
    except (av.error.FFmpegError, OSError) as error:
        raise InvalidVideoError(
            f"{path} is damaged or not a video: {error.strerror or error}",
            hint="make or fetch the file again; `ffprobe` may tell more",
        ) from error


@contextmanager
def muxing() -> Iterator[None]:
    """Raise FFmpeg's system errors while writing as OSError, which `localvid.files.writing` says."""
    try:
        yield
    except av.error.FFmpegError as error:
        if error.errno in _WRITE_ERRORS:
            raise OSError(error.errno, error.strerror) from error
        raise


def local_url(path: Path) -> str:
    """`path` so that FFmpeg takes it for a file whatever characters are in it."""
    return f"file:{path.absolute()}"


def stream_rate(stream: av.video.VideoStream) -> Fraction:
    """Frames a second that the stream announces; 0 where it announces none."""
    rate = stream.average_rate or stream.base_rate or stream.guessed_rate
    return Fraction(rate) if rate else Fraction(0)
