"""The frame with its overscan, and the view of it at one moment.

Units: 1 is the frame's shorter side. (0, 0) is the frame's upper left corner and (wide, tall) its lower
right; plates are painted on a canvas that reaches `margin` units beyond the frame on every side.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from localvid.pipelines.animatic.brush import Drawing, Floats, Ink
from localvid.pipelines.animatic.camera import Pose


@dataclass(frozen=True)
class Stage:
    """Sizes of the frame and of the canvas that plates are painted on."""

    width: int
    height: int
    margin_x: float = 0.0
    margin_y: float = 0.0
    detail: float = 1.0
    """Canvas pixels for one frame pixel: above 1 where the camera will come closer."""
    grade: Callable[[Floats], Floats] = lambda colours: colours
    """What the style makes of each colour, shape (..., 3)."""
    outlined: bool = False
    """Shapes have a drawn edge."""

    @property
    def unit(self) -> int:
        """Frame pixels in a unit."""
        return min(self.width, self.height)

    @property
    def wide(self) -> float:
        return self.width / self.unit

    @property
    def tall(self) -> float:
        return self.height / self.unit

    @property
    def density(self) -> float:
        """Canvas pixels in a unit."""
        return self.unit * self.detail

    def _border(self, margin: float) -> int:
        """Whole pixels, so that a camera that stands still shows the canvas as it was painted."""
        return math.ceil(margin * self.density - 1e-6) + 1

    @property
    def columns(self) -> int:
        return math.ceil(self.wide * self.density) + 2 * self._border(self.margin_x)

    @property
    def rows(self) -> int:
        return math.ceil(self.tall * self.density) + 2 * self._border(self.margin_y)

    @property
    def left(self) -> float:
        """The canvas's left edge in units (0 or less)."""
        return -self._border(self.margin_x) / self.density

    @property
    def top(self) -> float:
        return -self._border(self.margin_y) / self.density

    @property
    def right(self) -> float:
        return self.left + self.columns / self.density

    @property
    def bottom(self) -> float:
        return self.top + self.rows / self.density

    def row(self, y: float) -> int:
        """The canvas row at height y, kept on the canvas."""
        return min(self.rows, max(0, math.floor((y - self.top) * self.density)))

    def pixel(self, drawing: Drawing) -> tuple[int, int]:
        """The canvas pixel of a drawing's upper left corner."""
        return round((drawing.left - self.left) * self.density), round(
            (drawing.top - self.top) * self.density
        )

    def xs(self) -> Floats:
        """The middle of each canvas column, in units."""
        return (self.left + (np.arange(self.columns, dtype=np.float32) + 0.5) / self.density).astype(
            np.float32
        )

    def ys(self, first_row: int = 0, last_row: int | None = None) -> Floats:
        """The middle of the canvas rows `first_row` up to `last_row`, in units."""
        rows = np.arange(first_row, self.rows if last_row is None else last_row, dtype=np.float32)
        return (self.top + (rows + 0.5) / self.density).astype(np.float32)

    def ink(self, top: float, bottom: float, *, left: float | None = None, right: float | None = None) -> Ink:
        """A mask of the canvas between two heights, on the canvas's own pixels."""
        first, last = self.row(top), min(self.rows, self.row(bottom) + 1)
        west = 0 if left is None else max(0, math.floor((left - self.left) * self.density))
        east = (
            self.columns
            if right is None
            else min(self.columns, math.ceil((right - self.left) * self.density))
        )
        return Ink(
            self.left + west / self.density,
            self.top + first / self.density,
            self.left + max(west + 1, east) / self.density - 1e-9,
            self.top + max(first + 1, last) / self.density - 1e-9,
            density=self.density,
        )


_FAR = 6.0
"""Beyond this depth a dolly enlarges a plane so slowly that no step of half a pixel is seen, and most frames
find the copy of its picture that was made for the one before."""


@dataclass(frozen=True)
class View:
    """One moment of the shot as plates are asked to draw it."""

    stage: Stage
    pose: Pose
    seconds: float
    density: float
    """Pixels in a unit of the picture that is drawn."""
    focus: tuple[float, float]
    """The vanishing point in units: where a dolly heads for."""

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the picture that is drawn, in pixels."""
        scale = self.density / self.stage.unit
        return (round(self.stage.width * scale), round(self.stage.height * scale))

    def placed(self, depth: float) -> tuple[float, float, float]:
        """(scale, x, y): canvas pixel (i, j) of a plane at `depth` is drawn at (scale·i + x, scale·j + y)."""
        stage, size = self.stage, self._enlargement(depth)
        shift_x, shift_y = self.pose.shift(depth)
        return (
            size * self.density / stage.density,
            self.density * (self.focus[0] * (1 - size) + size * stage.left + shift_x),
            self.density * (self.focus[1] * (1 - size) + size * stage.top + shift_y),
        )

    def _enlargement(self, depth: float) -> float:
        """That of a plane, in steps that move the frame's edges by half a pixel where the plane is far."""
        size = self.pose.scale(depth)
        if depth < _FAR or size == 1.0:
            return size
        steps = max(self.size)
        return 1.0 + round((size - 1.0) * steps) / steps
