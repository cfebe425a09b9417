"""Which part of a frame is shown, and how that changes over a clip: a camera move made by a crop."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from localvid.schemas.base import Frozen

_Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


def eased(progress: float) -> float:
    """Progress 0 to 1 with a gentle start and end: p²·(3 - 2p), the smoothstep polynomial."""
    return progress * progress * (3.0 - 2.0 * progress)


class Window(Frozen):
    """A part of a frame with the frame's shape, in shares of the frame's width and height."""

    left: _Share = 0.0
    top: _Share = 0.0
    size: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] = 1.0
    """Its width in the frame's widths, which is its height in the frame's heights."""

    @model_validator(mode="after")
    def _inside(self) -> Self:
        if max(self.left, self.top) + self.size > 1 + 1e-9:
            raise ValueError(f"a window of {self.size:g} at {self.left:g}, {self.top:g} leaves the frame")
        return self

    @property
    def enlargement(self) -> float:
        """How many times larger things are seen than in the whole frame."""
        return 1 / self.size

    def box(self, width: int, height: int) -> tuple[float, float, float, float]:
        """Its edges in a frame of this size: (left, top, right, bottom) in pixels, none outside of it."""
        return (
            self.left * width,
            self.top * height,
            min(float(width), (self.left + self.size) * width),
            min(float(height), (self.top + self.size) * height),
        )


class CropPath(Frozen):
    """A window's way over a clip, from its first frame to its last.

    Between two windows of one size it goes straight; between two sizes it grows by equal factors in equal
    steps, as a zoom does, about the one point that both windows hold in the same place. Every window on the
    way lies within the two, so none leaves the frame.
    """

    start: Window
    end: Window

    def at(self, progress: float) -> Window:
        """The window at `progress` 0 (first frame) to 1 (last frame), eased at both ends."""
        start, end, share = self.start, self.end, eased(progress)
        if start.size != end.size:
            size = start.size * (end.size / start.size) ** share
            share = min(1.0, max(0.0, (size - start.size) / (end.size - start.size)))
        size = start.size + (end.size - start.size) * share
        return Window(
            left=_between(start.left, end.left, share, most=1 - size),
            top=_between(start.top, end.top, share, most=1 - size),
            size=size,
        )

    def windows(self, num_frames: int) -> list[Window]:
        """The window of every frame."""
        return [self.at(index / max(1, num_frames - 1)) for index in range(num_frames)]

    @property
    def enlargement(self) -> float:
        """The greatest on the way: what the picture loses of its resolution."""
        return max(self.start.enlargement, self.end.enlargement)


def _between(start: float, end: float, share: float, *, most: float) -> float:
    """`most` takes off what rounding adds."""
    return max(0.0, min(start + (end - start) * share, most))
