"""Looking at a clip's frames before they are encoded.

What a model that fails in silence leaves (`check` says what) is told more sharply here than from the file:
a repeated frame is bit for bit the one before, while the grain of a still one is gone once it is encoded.
"""

from __future__ import annotations

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
    """Looks at the frames of one clip, in their order, before they are encoded."""

    def __init__(self) -> None:
        self._total = self._black = self._flat = self._repeated = 0
        self._last: NDArray[np.uint8] | None = None

    def see(self, frame: NDArray[np.uint8]) -> None:
        """The next frame, `(height, width, 3)`. It is kept until the one after it."""
        self._total += 1
        is_black = bool(frame.max() <= _BLACK_LEVEL)
        self._black += is_black
        self._flat += not is_black and _is_flat(frame)
        self._repeated += self._last is not None and _are_same(self._last, frame)
        self._last = frame

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
        if self._repeated * 2 > total - 1:
            detail = f"{self._repeated} of {total} frames repeat the one before"
            return Finding(kind="frozen", num_frames=self._repeated, detail=detail)
        return None


def _is_flat(frame: NDArray[np.uint8]) -> bool:
    """A few pixels tell for nearly every frame; only where they do not, all are looked at."""
    return all(
        bool((np.ptp(pixels, axis=(0, 1)) <= _FLAT_LEVELS).all())
        for pixels in (frame[::_SUBSAMPLE, ::_SUBSAMPLE], frame)
    )


def _are_same(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> bool:
    return all(
        # Not a difference, which wraps around below zero.
        bool((np.maximum(a, b) - np.minimum(a, b)).max() <= _SAME_LEVELS)
        for a, b in ((one[::_SUBSAMPLE, ::_SUBSAMPLE], other[::_SUBSAMPLE, ::_SUBSAMPLE]), (one, other))
    )
