"""Writing a shot's frames as they are made: moved by a crop, and ended where the next shot goes on."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from localvid.media.crop import cropped
from localvid.media.encode import ClipWriter, Frame
from localvid.media.sharpness import sharpness
from localvid.schemas import CropPath, HandOver, VideoRequest


class _LateFrame(NamedTuple):
    sharpness: float
    shown: Frame


class ShotWriter:
    """Takes all frames that are made for a shot, in their order; see `writing_shot`."""

    def __init__(
        self, clip: ClipWriter, *, num_frames: int, crop_path: CropPath | None, hand_over: HandOver | None
    ) -> None:
        self._clip = clip
        self._windows = iter(crop_path.windows(num_frames)) if crop_path is not None else None
        self._hand_over = hand_over
        self._late: deque[_LateFrame] = deque()

    def write(self, frame: Frame) -> None:
        """The next frame, `(height, width, 3)` uint8 RGB, or with a fourth channel that says nothing.

        Late ones are held until the end; they must not be written to afterwards.
        """
        shown = frame if self._windows is None else cropped(frame, next(self._windows))
        if self._hand_over is None:
            self._clip.write(shown)
            return
        self._late.append(_LateFrame(sharpness(frame), shown))
        if len(self._late) > self._hand_over.num_late_frames:
            self._clip.write(self._late.popleft().shown)

    def end(self) -> None:
        """Keep the frame that is handed over, and write those before it."""
        if self._hand_over is None or not self._late:
            return
        best = max(range(len(self._late)), key=lambda number: (self._late[number].sharpness, number))
        for frame in list(self._late)[:best]:
            self._clip.write(frame.shown)
        picture = Image.fromarray(self._late[best].shown).convert("RGB")
        picture.save(self._hand_over.output, format="PNG")


@contextmanager
def writing_shot(
    output: Path, request: VideoRequest, *, crop_path: CropPath | None = None
) -> Iterator[ShotWriter]:
    """Write a request's clip to `output`, frame by frame, as `ClipWriter` writes it.

    With a `crop_path` every frame is cropped to the window of its moment. With the request's `hand_over` the
    sharpest of its last frames is kept as a PNG, of equally sharp ones the latest, and the clip ends with
    the frame before it: the frame itself opens the next shot, so that none is seen twice and no time is
    jumped over. Sharpness is measured before the crop, by which the frames of a zoom get softer and softer;
    what is kept is the picture after it, which is the one that would have been seen.

    PNG and clip are complete when the block ends without an error. Raises as `ClipWriter`.
    """
    with ClipWriter(output, width=request.width, height=request.height, fps=request.fps) as clip:
        shot = ShotWriter(
            clip, num_frames=request.num_frames, crop_path=crop_path, hand_over=request.hand_over
        )
        yield shot
        shot.end()
