"""Drawing tools that know no scene: noise, gradients, smooth curves, anti-aliased shapes.

All positions are in units of the frame's shorter side (see `stage.py`), x to the right, y downwards.
Colours are sRGB in 0..1; arrays are float32.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

Floats = NDArray[np.float32]
Point = tuple[float, float]
Rgb = tuple[float, float, float]
Fill = int | tuple[int, int, int, int]

_LATTICE = 256


def rgb(code: str) -> Rgb:
    """`"#ff8800"` as three numbers in 0..1."""
    return (int(code[1:3], 16) / 255, int(code[3:5], 16) / 255, int(code[5:7], 16) / 255)


def mix(first: Rgb, second: Rgb, share: float) -> Rgb:
    """`first` at share 0, `second` at share 1."""
    return (
        first[0] + (second[0] - first[0]) * share,
        first[1] + (second[1] - first[1]) * share,
        first[2] + (second[2] - first[2]) * share,
    )


def times(first: Rgb, second: Rgb) -> Rgb:
    """A surface of the one colour in light of the other."""
    return (first[0] * second[0], first[1] * second[1], first[2] * second[2])


def grey(colour: Rgb) -> float:
    """Luma as in BT.709, from the encoded values."""
    return 0.2126 * colour[0] + 0.7152 * colour[1] + 0.0722 * colour[2]


def smoothstep(low: float, high: float, values: NDArray[np.floating]) -> Floats:
    """0 below `low`, 1 above `high`, smooth between; `low` may be the greater for a falling step."""
    share = np.clip((values - low) / (high - low), 0.0, 1.0)
    return np.asarray(share * share * (3.0 - 2.0 * share), dtype=np.float32)


def ramp(positions: Floats, stops: Sequence[tuple[float, Rgb]]) -> Floats:
    """Colours along `positions`, shape (*positions.shape, 3), linear between the stops."""
    knots = [stop for stop, _ in stops]
    channels = [np.interp(positions, knots, [colour[i] for _, colour in stops]) for i in range(3)]
    return np.stack(channels, axis=-1).astype(np.float32)


def noise_line(
    rng: np.random.Generator, xs: Floats, *, waves: float, octaves: int, fall: float = 0.5
) -> Floats:
    """Smooth noise in about -1..1 along `xs`: `waves` bumps a unit, each octave finer and `fall` as high.

    What it draws from `rng` does not depend on `xs`, so a wider overscan leaves the picture as it was.
    """
    total = np.zeros_like(xs, dtype=np.float64)
    height, reach = 1.0, 0.0
    for octave in range(octaves):
        lattice = rng.uniform(-1.0, 1.0, _LATTICE)
        places = xs * (waves * 2.0**octave) + _LATTICE / 2
        cell = np.floor(places).astype(np.int64)
        share = places - cell
        share = share * share * (3.0 - 2.0 * share)
        left, right = lattice[cell % _LATTICE], lattice[(cell + 1) % _LATTICE]
        total += height * (left + (right - left) * share)
        reach += height
        height *= fall
    return np.asarray(total / reach * 1.6, dtype=np.float32)


def noise_field(
    rng: np.random.Generator,
    shape: tuple[int, int],
    *,
    cells: tuple[float, float],
    octaves: int,
    fall: float = 0.5,
) -> Floats:
    """Cloudy noise in 0..1 of `shape` (rows, columns) with `cells` (down, across) in the first octave."""
    rows, columns = shape
    total = np.zeros(shape, dtype=np.float32)
    height, reach = 1.0, 0.0
    for octave in range(octaves):
        down = min(rows, max(2, round(cells[0] * 2**octave) + 1))
        across = min(columns, max(2, round(cells[1] * 2**octave) + 1))
        grid = Image.fromarray(rng.random((down, across), dtype=np.float32))
        total += height * np.asarray(grid.resize((columns, rows), Image.Resampling.BICUBIC))
        reach += height
        height *= fall
    return np.asarray(np.clip((total / reach - 0.5) * 1.5 + 0.5, 0.0, 1.0), dtype=np.float32)


def spline(points: Sequence[Point], *, closed: bool = True, steps: int = 8) -> list[Point]:
    """A Catmull-Rom curve through the points."""
    knots = np.asarray(points, dtype=np.float64)
    if closed:
        around = np.concatenate([knots[-1:], knots, knots[:2]])
    else:
        around = np.concatenate([knots[:1], knots, knots[-1:]])
    share = (np.arange(steps) / steps)[None, :, None]
    before, start, end, after = (around[i : len(around) - 3 + i, None, :] for i in range(4))
    curve = 0.5 * (
        2 * start
        + (end - before) * share
        + (2 * before - 5 * start + 4 * end - after) * share**2
        + (3 * start - before - 3 * end + after) * share**3
    )
    flat = curve.reshape(-1, 2)
    if not closed:
        flat = np.concatenate([flat, knots[-1:]])
    return [(float(x), float(y)) for x, y in flat]


def soften(mask: NDArray[np.floating], radius: float) -> Floats:
    """A mask in 0..1 blurred by `radius` pixels."""
    if radius < 0.3:
        return np.asarray(mask, dtype=np.float32)
    image = Image.fromarray((np.clip(mask, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8))
    return np.asarray(image.filter(ImageFilter.GaussianBlur(radius)), dtype=np.float32) / 255.0


class Drawing:
    """Filled shapes, anti-aliased by drawing them `sharpness` times as large.

    It covers `left..right` by `top..bottom` (units) at `density` pixels a unit.
    """

    _mode = "L"

    def __init__(
        self, left: float, top: float, right: float, bottom: float, *, density: float, sharpness: int = 3
    ) -> None:
        self.columns = max(1, math.ceil((right - left) * density))
        self.rows = max(1, math.ceil((bottom - top) * density))
        self.left, self.top, self.density = left, top, density
        self._scale = density * sharpness
        self._sharpness = sharpness
        self._image = Image.new(self._mode, (self.columns * sharpness, self.rows * sharpness), 0)
        self._draw = ImageDraw.Draw(self._image)

    def _shape(self, points: Sequence[Point], fill: Fill) -> None:
        if len(points) >= 3:
            self._draw.polygon([self._pixel(point) for point in points], fill=fill)

    def _oval(self, centre: Point, across: float, down: float, fill: Fill) -> None:
        left, top = self._pixel((centre[0] - across, centre[1] - down))
        right, bottom = self._pixel((centre[0] + across, centre[1] + down))
        self._draw.ellipse((left, top, right, bottom), fill=fill)

    def _stroke(self, points: Sequence[Point], width: float, end_width: float | None, fill: Fill) -> None:
        last = width if end_width is None else end_width
        count = max(1, len(points) - 1)
        for index, (start, end) in enumerate(pairwise(points)):
            near = width + (last - width) * index / count
            far = width + (last - width) * (index + 1) / count
            dx, dy = end[0] - start[0], end[1] - start[1]
            length = math.hypot(dx, dy) or 1.0
            nx, ny = -dy / length / 2, dx / length / 2
            corners = [
                (start[0] + nx * near, start[1] + ny * near),
                (end[0] + nx * far, end[1] + ny * far),
                (end[0] - nx * far, end[1] - ny * far),
                (start[0] - nx * near, start[1] - ny * near),
            ]
            self._shape(corners, fill)
            self._oval(start, near / 2, near / 2, fill)
            self._oval(end, far / 2, far / 2, fill)

    def _pixel(self, point: Point) -> Point:
        return ((point[0] - self.left) * self._scale, (point[1] - self.top) * self._scale)


class Ink(Drawing):
    """A mask to draw on."""

    def shape(self, points: Sequence[Point], *, value: float = 1.0) -> None:
        """Fill a polygon; value 0 cuts it out."""
        self._shape(points, round(value * 255))

    def blob(self, points: Sequence[Point], *, value: float = 1.0) -> None:
        """Fill a smooth closed curve through the points."""
        self._shape(spline(points), round(value * 255))

    def oval(self, centre: Point, across: float, down: float, *, value: float = 1.0) -> None:
        """Fill an ellipse of the given half axes."""
        self._oval(centre, across, down, round(value * 255))

    def stroke(
        self, points: Sequence[Point], width: float, end_width: float | None = None, *, value: float = 1.0
    ) -> None:
        """A line through the points with round joints, `width` at its start, tapering to `end_width`."""
        self._stroke(points, width, end_width, round(value * 255))

    def mask(self) -> Floats:
        """What was drawn, 0..1, shape (rows, columns)."""
        return np.asarray(self._image.reduce(self._sharpness), dtype=np.float32) / 255.0


class Picture(Drawing):
    """Coloured shapes on nothing; a colour of None cuts out."""

    # Four channels that Pillow takes for plain numbers: red, green, blue and alpha. They are either
    # opaque or all zero, so that averaging them is right without multiplying by alpha.
    _mode = "CMYK"

    def shape(self, points: Sequence[Point], colour: Rgb | None) -> None:
        self._shape(points, _fill(colour))

    def shapes(self, outlines: NDArray[np.float64], colours: Sequence[Rgb]) -> None:
        """Fill many polygons `(shapes, points, 2)` at once, the later over the earlier."""
        pixels = (outlines - (self.left, self.top)) * self._scale
        for outline, colour in zip(pixels.reshape(len(outlines), -1).tolist(), colours, strict=True):
            self._draw.polygon(outline, fill=_fill(colour))

    def blob(self, points: Sequence[Point], colour: Rgb | None) -> None:
        self._shape(spline(points), _fill(colour))

    def oval(self, centre: Point, across: float, down: float, colour: Rgb | None) -> None:
        self._oval(centre, across, down, _fill(colour))

    def stroke(
        self, points: Sequence[Point], width: float, colour: Rgb | None, *, end_width: float | None = None
    ) -> None:
        self._stroke(points, width, end_width, _fill(colour))

    def curve(
        self, points: Sequence[Point], width: float, colour: Rgb | None, *, end_width: float | None = None
    ) -> None:
        """A stroke along a smooth curve through the points."""
        self._stroke(spline(points, closed=False), width, end_width, _fill(colour))

    def colours_and_mask(self, *, around: float = 0.0) -> tuple[Floats, Floats]:
        """(colours (rows, columns, 3), mask (rows, columns)), 0..1; colours mean nothing where mask is 0.

        The picture is first cut to what was drawn and `around` units more on every side: `left`, `top`,
        `rows` and `columns` change with it.
        """
        self._cut(round(around * self.density))
        pixels = np.frombuffer(self._image.reduce(self._sharpness).tobytes(), dtype=np.uint8)
        values = pixels.reshape(self.rows, self.columns, 4).astype(np.float32) / np.float32(255.0)
        mask = values[..., 3]
        return values[..., :3] / np.maximum(mask, np.float32(1 / 255))[..., None], mask

    def _cut(self, around: int) -> None:
        box = self._image.getbbox() or (0, 0, 1, 1)
        step = self._sharpness
        west, north = box[0] // step - around, box[1] // step - around
        east, south = -(-box[2] // step) + around, -(-box[3] // step) + around
        self._image = self._image.crop((west * step, north * step, east * step, south * step))
        self.left, self.top = self.left + west / self.density, self.top + north / self.density
        self.columns, self.rows = east - west, south - north


@lru_cache(maxsize=1024)
def _fill(colour: Rgb | None) -> tuple[int, int, int, int]:
    if colour is None:
        return (0, 0, 0, 0)
    red, green, blue = (min(255, max(0, round(channel * 255))) for channel in colour)
    return (red, green, blue, 255)
