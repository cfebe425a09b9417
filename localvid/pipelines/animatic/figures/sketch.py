"""A pen for figures that are drawn in a space of their own, and the colours they are drawn in.

A figure stands with its feet at (0, 0), is 1 high (or as long as it is said to be) and faces right; y
grows downwards, so its head is at y = -1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from localvid.pipelines.animatic.brush import Picture, Point, Rgb, mix, rgb, spline, times
from localvid.pipelines.animatic.scenery.light import Light


@dataclass(frozen=True)
class Look:
    """The colours of a figure in the light it stands in."""

    light: Light
    depth: float
    lamps: bool
    """Windows and lamps are lit."""
    dye: tuple[str, str] | None = None
    """(the figure's own colour, the colour that it has by the words)."""

    def tone(self, code: str, lit: float = 0.55) -> Rgb:
        """A material named by its colour; `lit` 0 is its shaded side."""
        if self.dye is not None and code == self.dye[0]:
            code = self.dye[1]
        colour = self.light.shade(rgb(code), self.depth, lit=lit)
        if self.light.dark:  # lifted out of the dark, most where no moon helps: the shot is about it
            lift = 0.2 if self.light.sun_size else 0.55
            colour = mix(colour, times(rgb(code), (0.75, 0.75, 0.8)), lift)
        return mix(colour, self.light.silhouette(self.depth), 0.24 if self.light.dark else 0.14)

    def glow(self, code: str = "#ffd27a") -> Rgb:
        """Something that shines by itself."""
        return rgb(code)

    def pane(self, code: str = "#8fb0c4") -> Rgb:
        """Window glass: lit in the dark, else it shows the sky."""
        return rgb("#ffd27a") if self.lamps else mix(self.tone(code, 0.6), self.light.sky[2], 0.4)


class Sketch:
    """Draws in a figure's own space onto a picture: `size` units for 1, `facing` -1 for left."""

    def __init__(
        self, picture: Picture, at: Point, size: float, *, facing: float = 1.0, turn: float = 0.0
    ) -> None:
        self._picture, self._at, self._size, self._facing = picture, at, size, facing
        self._cos, self._sin = math.cos(turn), math.sin(turn)

    def shape(self, points: Sequence[Point], colour: Rgb | None) -> None:
        self._picture.shape(self._placed(points), colour)

    def blob(self, points: Sequence[Point], colour: Rgb | None) -> None:
        self._picture.shape(self._placed(spline(points, steps=7)), colour)

    def oval(
        self, centre: Point, across: float, down: float, colour: Rgb | None, *, turn: float = 0.0
    ) -> None:
        cos, sin = math.cos(turn), math.sin(turn)
        ring = []
        for i in range(24):
            u, v = across * math.cos(i * math.pi / 12), down * math.sin(i * math.pi / 12)
            ring.append((centre[0] + u * cos - v * sin, centre[1] + u * sin + v * cos))
        self._picture.shape(self._placed(ring), colour)

    def line(
        self, points: Sequence[Point], width: float, colour: Rgb | None, end_width: float | None = None
    ) -> None:
        end = None if end_width is None else end_width * self._size
        self._picture.stroke(self._placed(points), width * self._size, colour, end_width=end)

    def curve(
        self, points: Sequence[Point], width: float, colour: Rgb | None, end_width: float | None = None
    ) -> None:
        self.line(spline(points, closed=False, steps=6), width, colour, end_width)

    def limb(
        self, root: Point, end: Point, *, bend: float, widths: tuple[float, float, float], colour: Rgb
    ) -> None:
        """Two bones from root to end, as long together as 1.04 of their greatest reach; `bend` says which way
        the joint points and by how much."""
        dx, dy = end[0] - root[0], end[1] - root[1]
        joint = (root[0] + dx * 0.5 - dy * bend, root[1] + dy * 0.5 + dx * bend)
        self.line([root, joint], widths[0], colour, widths[1])
        self.line([joint, end], widths[1], colour, widths[2])

    def _placed(self, points: Sequence[Point]) -> list[Point]:
        placed = []
        for x, y in points:
            u = (x * self._cos - y * self._sin) * self._facing
            v = x * self._sin + y * self._cos
            placed.append((self._at[0] + u * self._size, self._at[1] + v * self._size))
        return placed


def stride(phase: float, reach: float, lift: float) -> Point:
    """Where a foot is at a phase of its step (0..1), from the point below its hip: on the ground for the
    first half, moving back; then lifted and brought forward."""
    turn = phase % 1.0
    if turn < 0.5:
        return (reach * (1 - 4 * turn), 0.0)
    swing = (turn - 0.5) * 2
    return (reach * (-1 + 2 * swing), -lift * math.sin(math.pi * swing))
