"""A clip from elsewhere, made into a clip of a film: its frames, its size, its moves, its encoding."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from localvid.errors import GenerationFailedError, InvalidVideoError
from localvid.media.decode import Frame, read_frames
from localvid.media.probing import probe
from localvid.media.shots import writing_shot
from localvid.schemas import VideoRequest

_SHAPES_APART = 0.01
"""Most that the ratio of width to height may differ for a picture to be resampled: less than a pixel in a
hundred is stretched."""


def fit_clip(source: Path, output: Path, request: VideoRequest, *, on_frame: Callable[[int], None]) -> None:
    """Write the request's clip to `output` from the first frames of `source`.

    Whatever codec, rate and colours `source` has, the frames are decoded by its own tags and encoded as all
    clips here are, at the request's rate, with its crop path and hand-over, so that a join copies them. A
    picture of another size and the same shape is resampled (Lanczos). `on_frame` is told each frame's number,
    from 1. Raises GenerationFailedError for a file that is no whole video, of another shape, or too short.
    """
    try:
        _check_shape(source, request)
        with writing_shot(output, request, crop_path=request.crop_path) as shot:
            number = 0
            for number, frame in enumerate(read_frames(source), start=1):
                shot.write(_resampled(frame, request))
                on_frame(number)
                if number == request.num_frames:
                    break
            if number < request.num_frames:
                raise GenerationFailedError(
                    f"{number} frames came in place of {request.num_frames}", hint="resume to fetch it again"
                )
    except InvalidVideoError as error:
        raise GenerationFailedError(
            f"what came is no whole video: {error.message}", hint="resume to fetch it again"
        ) from error


def _check_shape(source: Path, request: VideoRequest) -> None:
    video = probe(source)
    asked = request.width / request.height
    if abs(video.width / video.height / asked - 1) > _SHAPES_APART or video.width > 4 * request.width:
        raise GenerationFailedError(
            f"frames of {video.width}x{video.height} came in place of {request.width}x{request.height}",
            hint="ask for another size, or another model",
        )


def _resampled(frame: Frame, request: VideoRequest) -> Frame:
    if frame.shape[:2] == (request.height, request.width):
        return frame
    picture = Image.fromarray(frame)
    return np.asarray(picture.resize((request.width, request.height), Image.Resampling.LANCZOS))
