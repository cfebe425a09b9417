"""Looking at a clip's frames before they are encoded.

What a model that fails in silence leaves (`check` says what) is told more sharply here than from the file:
a repeated frame is bit for bit the one before, while the grain of a still one is gone once it is encoded.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from localvid.media.check import Finding

_BLACK_LEVEL = 8
"""Brightest channel of any pixel in a black frame before encoding. A single star is brighter."""
_FLAT_LEVELS = 3
"""Most that the pixels of one channel differ in a frame of one colour, before encoding."""
_SAME_LEVELS = 2
"""Most that any channel of any pixel differs between a frame and its repetition: rounding, and the little
that a decoder which mixes neighbouring frames makes of equal latents. Grain with a
standard deviation of 0.7 levels makes 4 and more somewhere in a frame (tests/unit/test_svd_pixels.py)."""
_SUBSAMPLE = 8


class ClipLook:
    """Looks at the frames of one clip, in their order, before they are encoded.

    `drawn`: a picture without grain that may move by less than can be seen from one frame to the next. It is
    frozen only if every frame repeats the first.
    """

    def __init__(self, *, drawn: bool = False) -> None:
        self._drawn = drawn
        self._total = self._black = self._flat = self._repeated = 0
        self._before: NDArray[np.uint8] | None = None

    def see(self, frame: NDArray[np.uint8]) -> None:
        """The next frame, `(height, width, 3)`, or with a fourth channel that says nothing. It is kept until
        the one after it; of what is drawn, the first to the end."""
        self._total += 1
        is_black = _is_black(frame)
        self._black += is_black
        self._flat += not is_black and _is_flat(frame)
        # Of a drawn clip that has moved once, nothing more is asked.
        if self._before is not None and not (self._drawn and self._repeated < self._total - 2):
            self._repeated += _are_same(self._before, frame)
        if self._before is None or not self._drawn:
            self._before = frame

    def finding(self) -> Finding | None:
        """The worst: black frames, then frames of one colour, then a clip most of whose frames repeat the
        one before. None for a clip with a picture that moves, be it only by its grain."""
        total = self._total
        if self._black:
            return Finding(
                kind="black", num_frames=self._black, detail=f"{self._black} of {total} frames are black"
            )
        if self._flat:
            return Finding(
                kind="flat", num_frames=self._flat, detail=f"{self._flat} of {total} frames are of one colour"
            )
        if self._drawn:
            return self._still() if self._repeated == total - 1 > 0 else None
        if self._repeated * 2 > total - 1:
            detail = f"{self._repeated} of {total} frames repeat the one before"
            return Finding(kind="frozen", num_frames=self._repeated, detail=detail)
        return None

    def _still(self) -> Finding:
        detail = f"all {self._total} frames show the same picture"
        return Finding(kind="frozen", num_frames=self._total, detail=detail)


def _is_black(frame: NDArray[np.uint8]) -> bool:
    return all(bool(channel.max() <= _BLACK_LEVEL) for channel in _channels(frame))


def _is_flat(frame: NDArray[np.uint8]) -> bool:
    return all(int(np.ptp(channel)) <= _FLAT_LEVELS for channel in _channels(frame))


def _are_same(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> bool:
    return all(
        # Not a difference, which wraps around below zero.
        bool((np.maximum(a, b) - np.minimum(a, b)).max() <= _SAME_LEVELS)
        for a, b in zip(_channels(one), _channels(other), strict=True)
    )


def _channels(frame: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    """One after the other, at first of a few pixels: these tell for nearly every frame, and of the first
    channel alone; only where they do not, all pixels are looked at."""
    for pixels in (frame[::_SUBSAMPLE, ::_SUBSAMPLE], frame):
        for channel in range(3):
            yield np.ascontiguousarray(pixels[..., channel])
