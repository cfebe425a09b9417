"""Writing a shot's frames as they are made: moved by a crop, and ended where the next shot goes on."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from PIL import Image

from localvid.media.crop import cropped
from localvid.media.encode import ClipWriter, Frame
from localvid.media.sharpness import sharpness
from localvid.schemas import CropPath, HandOver, OnProgress, Progress, VideoRequest, ignore_progress

_LISTEN_SECONDS = 0.5
"""So much later, at most, a stop takes hold of whoever waits."""


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


class ShotThread:
    """A shot that is written by a thread of its own, as `writing_shot` does it.

    A context manager for whoever makes the frames: the thread goes on after the block, until `wait`, so that
    the next shot's frames can be made meanwhile. What the block raises ends it at once.
    """

    def __init__(self, output: Path, request: VideoRequest, *, crop_path: CropPath | None = None) -> None:
        self._output, self._request, self._crop_path = output, request, crop_path
        # Unbounded: frames come in a burst at the end of decoding, and nobody should wait for them there.
        self._frames: queue.SimpleQueue[Frame | None] = queue.SimpleQueue()
        self._is_given_up = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="encoder", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self.give_up()
        self._frames.put(None)

    def write(self, frame: Frame) -> None:
        """The next frame, as `ShotWriter.write` takes it; it must not be written to afterwards.

        Raises what writing an earlier one raised.
        """
        self._frames.put(frame)
        if self._error is not None:
            raise self._error

    def is_done(self) -> bool:
        """Whether PNG and clip are complete, or failed."""
        return not self._thread.is_alive()

    def wait(self, on_progress: OnProgress = ignore_progress) -> None:
        """Return when PNG and clip are complete. Raises as `writing_shot` does, and whatever `on_progress`
        raises."""
        self._thread.join(_LISTEN_SECONDS)
        while not self.is_done():
            on_progress(Progress(step=0, num_steps=0, message="encoding"))
            self._thread.join(_LISTEN_SECONDS)
        if self._error is not None:
            raise self._error

    def give_up(self) -> None:
        """Return when nothing is written any more."""
        self._is_given_up = True
        self._frames.put(None)
        self._thread.join()

    def _run(self) -> None:
        try:
            with writing_shot(self._output, self._request, crop_path=self._crop_path) as shot:
                while not self._is_given_up and (frame := self._frames.get()) is not None:
                    shot.write(frame)
                if self._is_given_up:
                    raise _GivenUpError
        except BaseException as error:
            self._error = error


class _GivenUpError(Exception):
    """Ends a shot that is not to be completed."""


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
