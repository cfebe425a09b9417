"""Painted layers, and how they are laid over one another.

A plate is a picture with transparency on a plane that faces the camera; a ground is an opaque picture of
the level plane below it. Pixels are kept with colour multiplied by alpha ("RGBa"), which is what
resampling and compositing are exact in.

Drawing at scale 1 costs one paste: copies moved by quarters of a pixel are made once and kept, so motion
is smooth to an eighth of a pixel. Drawing at another scale resamples what the frame shows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from localvid.pipelines.animatic.brush import Floats, Rgb
from localvid.pipelines.animatic.camera import ground_coefficients
from localvid.pipelines.animatic.stage import Stage, View

NEVER = 10**9
_STEPS = 4
_WIDE_GAP = 40
"""Empty columns that are worth a cut."""
_MANY_PIXELS = 1_500_000
"""Of a plate this large fewer moved copies are kept: they would fill the memory."""

Pixels = NDArray[np.uint8]
Motion = Callable[[float], tuple[float, float]]
"""Seconds → displacement (right, down) in units."""


class Element(Protocol):
    """What a scene is made of, from back to front."""

    def draw(self, canvas: Image.Image, view: View, below: int) -> None:
        """Draw the rows above `below` on an RGBa canvas of `view.size`; what lies under them is hidden."""
        ...

    def covers_from(self, view: View) -> int:
        """The row from which on down this element hides everything behind it; NEVER if it does not."""
        ...


def _quarters(position: float, step: int) -> int:
    """A position in quarters of a pixel, rounded to a multiple of `step`."""
    return round(position * _STEPS / step) * step


class Piece:
    """Part of a plate's picture, `left` pixels from the plate's left edge, with the copies made of it."""

    def __init__(self, image: Image.Image, left: int = 0) -> None:
        self.image, self.left = image, left
        self._copies: dict[tuple[int, ...], Image.Image] = {}
        pixels = image.width * image.height
        self._most = 2 if pixels > _MANY_PIXELS else _STEPS + 1

    def moved(self, right: int, down: int) -> Image.Image:
        """The picture moved by quarters of a pixel, one column and row larger where it was."""
        if right == down == 0:
            return self.image
        width, height = self.image.width + bool(right), self.image.height + bool(down)
        return self._copy((right, down), (0, 0, width, height), 1.0, 1.0, right / _STEPS, down / _STEPS)

    def scaled(self, x: tuple[int, int], y: tuple[int, int], part: tuple[int, int, int, int]) -> Image.Image:
        """What `part` (left, top, right, bottom in frame pixels) shows of the picture stretched over x and y,
        given in quarters of a pixel."""
        across = (x[1] - x[0]) / _STEPS / self.image.width
        down = (y[1] - y[0]) / _STEPS / self.image.height
        return self._copy((*x, *y, *part), part, across, down, x[0] / _STEPS, y[0] / _STEPS)

    def _copy(
        self,
        key: tuple[int, ...],
        part: tuple[int, int, int, int],
        across: float,
        down: float,
        x: float,
        y: float,
    ) -> Image.Image:
        copy = self._copies.get(key)
        if copy is None:
            west, north = (part[0] - x) / across, (part[1] - y) / down
            east, south = (part[2] - x) / across, (part[3] - y) / down
            # Beyond its edges the picture is transparent: `crop` adds the pixels that the filter reads there.
            box = (math.floor(west) - 2, math.floor(north) - 2, math.ceil(east) + 2, math.ceil(south) + 2)
            copy = self.image.crop(box).resize(
                (part[2] - part[0], part[3] - part[1]),
                Image.Resampling.BILINEAR,
                box=(west - box[0], north - box[1], east - box[0], south - box[1]),
            )
            # Several threads draw at once: they may make the same copy twice, never take a wrong one.
            for old in list(self._copies)[: -self._most]:
                self._copies.pop(old, None)
            self._copies[key] = copy
        return copy


@dataclass
class Plate:
    """A picture on a plane at `depth`; `left` and `top` are canvas pixels."""

    pieces: Sequence[Piece]
    left: int
    top: int
    height: int
    depth: float
    solid_from: int = NEVER
    """Canvas row from which on down the plate is opaque over the canvas's whole width."""
    motion: Motion | None = None
    sway: Callable[[float], float] | None = None
    """Seconds → displacement of the top edge in units; the bottom edge stands still."""
    soft: bool = False
    """Without edges (mist, light): whole pixels are fine enough for its place."""

    def draw(self, canvas: Image.Image, view: View, below: int) -> None:
        scale, x, y = self._placed(view)
        lean = self.sway(view.seconds) * view.density if self.sway else 0.0
        limit = min(below, canvas.height)
        if y >= limit or y + self.height * scale <= 0:
            return
        paste = self._paste if abs(scale - 1.0) < 1e-6 else self._paste_scaled
        for first, last, offset in self._bands(lean):
            for piece in self.pieces:
                paste(canvas, piece, scale, x + offset, y, first, last, limit)

    def covers_from(self, view: View) -> int:
        if self.solid_from >= NEVER or self.sway:
            return NEVER
        scale, _, y = self._placed(view)
        # The rows next to the edge are blended with what lies above: two of them where the picture is scaled.
        edge = 0.5 if abs(scale - 1.0) < 1e-6 else 2.5
        return math.ceil(y + scale * (self.solid_from - self.top) + edge)

    def _placed(self, view: View) -> tuple[float, float, float]:
        scale, x, y = view.placed(self.depth)
        right, down = self.motion(view.seconds) if self.motion else (0.0, 0.0)
        grow = scale * view.stage.density
        x, y = x + scale * self.left + right * grow, y + scale * self.top + down * grow
        return (scale, round(x), round(y)) if self.soft else (scale, x, y)

    def _bands(self, lean: float) -> list[tuple[int, int, float]]:
        """(first row, last row, displacement): rows that lean by the same quarter of a pixel."""
        count = min(self.height, max(1, round(abs(lean) * _STEPS)))
        edges = [round(i * self.height / count) for i in range(count + 1)]
        return [
            (first, last, lean * (1 - ((first + last) / 2 / self.height)) if lean else 0.0)
            for first, last in pairwise(edges)
        ]

    def _paste(
        self,
        canvas: Image.Image,
        piece: Piece,
        _scale: float,
        x: float,
        y: float,
        first: int,
        last: int,
        limit: int,
    ) -> None:
        right, down = round(x * _STEPS), round(y * _STEPS)
        left, top = right // _STEPS + piece.left, down // _STEPS
        moved = piece.moved(right % _STEPS, down % _STEPS)
        last = moved.height if last == self.height else last
        box = (max(0, -left), max(first, -top), min(moved.width, canvas.width - left), min(last, limit - top))
        if box[0] < box[2] and box[1] < box[3]:
            part = moved if box == (0, 0, *moved.size) else moved.crop(box)
            canvas.paste(part, (left + box[0], top + box[1]), part)

    def _paste_scaled(
        self,
        canvas: Image.Image,
        piece: Piece,
        scale: float,
        x: float,
        y: float,
        first: int,
        last: int,
        limit: int,
    ) -> None:
        step = _STEPS if self.soft else 1
        west, east = piece.left, piece.left + piece.image.width
        across = (_quarters(x + west * scale, step), _quarters(x + east * scale, step))
        down = (_quarters(y, step), _quarters(y + self.height * scale, step))
        part = (
            max(0, across[0] // _STEPS),
            max(0, down[0] // _STEPS if first == 0 else math.ceil(y + first * scale)),
            min(canvas.width, -(-across[1] // _STEPS)),
            min(limit, -(-down[1] // _STEPS) if last == self.height else math.ceil(y + last * scale)),
        )
        if part[0] < part[2] and part[1] < part[3] and across[0] < across[1] and down[0] < down[1]:
            picture = piece.scaled(across, down, part)
            canvas.paste(picture, part[:2], picture)


@dataclass
class Ground:
    """An opaque picture of the level plane at `height` below the camera, from the horizon or a wall on."""

    image: Image.Image
    top: int
    """Canvas row of the picture's first row."""
    height: float
    horizon: float
    start: float
    """Where it begins, in units: the horizon, or the foot of a wall."""

    def draw(self, canvas: Image.Image, view: View, below: int) -> None:
        first = self._first_row(view)
        last = min(below, canvas.height)
        if first >= last:
            return
        stage, d, p = view.stage, view.density, view.stage.density
        a, b, c, _, e, f, _, h = ground_coefficients(
            view.pose, height=self.height, horizon=self.horizon, middle=view.focus[0]
        )
        # From units of the frame to pixels of the band drawn, and to pixels of the picture.
        y0, left = first / d, stage.left
        top = stage.top + self.top / p
        base = 1 + h * y0
        h2 = h / d / base
        data = (
            p * a / d / base,
            p * (b - left * h) / d / base,
            p * ((b - left * h) * y0 + c - left) / base,
            0.0,
            p * (e - top * h) / d / base,
            p * ((e - top * h) * y0 + f - top) / base,
            0.0,
            h2,
        )
        size = (canvas.width, last - first)
        if h == 0.0:
            part = self.image.transform(size, Image.Transform.AFFINE, data[:6], Image.Resampling.BILINEAR)
        else:
            part = self.image.transform(size, Image.Transform.PERSPECTIVE, data, Image.Resampling.BILINEAR)
        canvas.paste(part, (0, first))

    def covers_from(self, view: View) -> int:
        return self._first_row(view) + 1

    def _first_row(self, view: View) -> int:
        under = self.start - self.horizon
        if under > 0:  # where the ground at depth H / u is seen now
            depth = self.height / under
            under = (self.height + view.pose.up) / (depth - view.pose.forward)
        return max(0, math.ceil((self.horizon + view.pose.tilt + under) * view.density))


@dataclass
class Flipbook:
    """Plates shown in turn: a gait, a wing beat."""

    plates: Sequence[Plate]
    rate: float
    """Rounds a second; 0 shows the first."""
    start: float = 0.0

    def draw(self, canvas: Image.Image, view: View, below: int) -> None:
        turn = (view.seconds * self.rate + self.start) % 1.0
        self.plates[int(turn * len(self.plates)) % len(self.plates)].draw(canvas, view, below)

    def covers_from(self, view: View) -> int:  # noqa: ARG002 - the interface's
        return NEVER


def paint(
    stage: Stage,
    colours: Floats | Rgb,
    mask: NDArray[np.floating] | None,
    *,
    depth: float,
    left: int = 0,
    top: int = 0,
    motion: Motion | None = None,
    sway: Callable[[float], float] | None = None,
    soft: bool = False,
) -> Plate:
    """A plate from colours (rows, columns, 3) or one colour, and a mask in 0..1 (None: opaque).

    `left` and `top` say where on the canvas, in pixels. Colours are graded for the style and rounded with
    a triangular dither, so that slow gradients do not band; empty borders are cut off.
    """
    if mask is not None:
        filled_rows, filled_columns = mask.max(axis=1) > 0.002, mask.max(axis=0) > 0.002
        if not filled_rows.any():
            mask, colours = np.zeros((1, 1), dtype=np.float32), (0.0, 0.0, 0.0)
        else:
            first, last = int(filled_rows.argmax()), len(filled_rows) - int(filled_rows[::-1].argmax())
            west, east = (
                int(filled_columns.argmax()),
                len(filled_columns) - int(filled_columns[::-1].argmax()),
            )
            mask = mask[first:last, west:east]
            if not isinstance(colours, tuple):
                colours = colours[first:last, west:east]
            left, top = left + west, top + first
    pixels = _multiplied(stage, colours, mask)
    solid = top + _solid_row(mask, pixels.shape[1] >= stage.columns)
    if top + pixels.shape[0] < stage.rows:
        solid = NEVER
    return Plate(
        _pieces(pixels, mask), left, top, pixels.shape[0], depth, min(solid, NEVER), motion, sway, soft
    )


def whole_plate(image: Image.Image, *, left: int, top: int, depth: float, solid_from: int = NEVER) -> Plate:
    """A plate of an RGBa picture as it is."""
    return Plate([Piece(image)], left, top, image.height, depth, solid_from)


def _pieces(pixels: Pixels, mask: Floats | None) -> list[Piece]:
    """The picture, cut at columns that are empty over a good width: what is not there need not be drawn."""
    spans = [(0, pixels.shape[1])]
    if mask is not None:
        filled = np.flatnonzero(mask.max(axis=0) > 0.002)
        breaks = np.flatnonzero(np.diff(filled) > _WIDE_GAP)
        starts, ends = np.concatenate([[0], breaks + 1]), np.concatenate([breaks, [len(filled) - 1]])
        if len(filled):
            spans = [
                (int(filled[start]), int(filled[end]) + 1) for start, end in zip(starts, ends, strict=True)
            ]
    return [
        Piece(Image.frombytes("RGBa", (end - start, pixels.shape[0]), pixels[:, start:end].tobytes()), start)
        for start, end in spans
    ]


def paint_ground(
    stage: Stage, colours: Floats, *, horizon: float, height: float, start: float | None = None
) -> Ground:
    """A ground from colours (rows, columns, 3) that begins at the height `start`, the horizon if None.

    The first row of `colours` is `stage.row(start)`.
    """
    pixels = _multiplied(stage, colours, None)
    image = Image.frombytes("RGBa", (pixels.shape[1], pixels.shape[0]), pixels.tobytes())
    begin = horizon if start is None else start
    return Ground(image, stage.row(begin), height, horizon, begin)


def _multiplied(stage: Stage, colours: Floats | Rgb, mask: Floats | None) -> Pixels:
    if isinstance(colours, tuple):
        assert mask is not None  # one colour without a mask has no size
        flat = stage.grade(np.asarray(colours, dtype=np.float32)[None, None])
        shape, graded = mask.shape, np.broadcast_to(flat, (*mask.shape, 3))
    else:
        shape, graded = colours.shape[:2], stage.grade(colours)
    if stage.outlined and mask is not None:
        graded = graded * (1.0 - 0.75 * _outline(mask))[..., None]
    dither = _dither(shape)
    pixels = np.empty((*shape, 4), dtype=np.uint8)
    if mask is None:
        pixels[..., 3] = 255
        scaled = graded * np.float32(255.0)
    else:
        alpha = np.clip(mask, 0.0, 1.0)
        rounded = np.rint(alpha * 255.0)
        pixels[..., 3] = rounded
        dither = dither * alpha
        scaled = graded * rounded[..., None]
    scaled = scaled + dither[..., None] + np.float32(0.5)
    ceiling = pixels[..., 3:].astype(np.float32)
    pixels[..., :3] = np.clip(scaled, 0.0, ceiling)
    return pixels


def _outline(mask: Floats) -> Floats:
    """The border of a mask, about two pixels wide."""
    image = Image.fromarray((np.clip(mask, 0.0, 1.0) * 255.0).astype(np.uint8))
    inner = np.asarray(image.filter(ImageFilter.MinFilter(3)), dtype=np.float32) / 255.0
    return np.clip((mask - inner) * 1.5, 0.0, 1.0)


_TILE = (np.random.default_rng(1).random((256, 256)) - np.random.default_rng(2).random((256, 256))).astype(
    np.float32
)


def _dither(shape: tuple[int, int]) -> Floats:
    """Triangular noise of one grey level."""
    rows, columns = shape
    return np.tile(_TILE, (rows // 256 + 1, columns // 256 + 1))[:rows, :columns]


def _solid_row(mask: Floats | None, whole_width: bool) -> int:
    """The row from which on down the mask is opaque."""
    if not whole_width:
        return NEVER
    if mask is None:
        return 0
    gaps = np.flatnonzero(mask.min(axis=1) < 0.998)
    return 0 if gaps.size == 0 else int(gaps[-1]) + 1
