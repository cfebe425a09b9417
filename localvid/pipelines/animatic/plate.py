"""Painted layers that face the camera, and how they are laid over one another.

A plate is a picture with transparency on a plane at a depth. Pixels are kept with colour multiplied by
alpha ("RGBa"), which is what resampling and compositing are exact in.

Drawing at scale 1 costs one paste: copies moved by quarters of a pixel are made once and kept, so motion
is smooth to an eighth of a pixel. Drawing at another scale resamples what the frame shows. A picture with
much emptiness is cut into pieces, and what is empty is never touched.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from localvid.pipelines.animatic.stage import View

NEVER = 10**9
_STEPS = 4
"""Places for a plate within a pixel."""
_MANY_PIXELS = 1_500_000
"""Of a picture this large fewer moved copies are kept: they would fill the memory."""
_LIMIT_ROWS = 16
"""What nearer plates hide is left out in steps of this: a copy made for one frame fits the next."""
_GAP = 24
"""Empty columns that are worth a cut."""
_BAND = 96
"""Rows of a piece where the picture is cut across."""
_EDGE = 3
"""Rows that a piece holds beyond its own, for the filter to read."""

Pixels = NDArray[np.uint8]
Motion = Callable[[float], tuple[float, float]]
"""Seconds → displacement (right, down) in units."""
Box = tuple[int, int, int, int]
"""Left, top, right, bottom; the last two are not in it."""


class Element(Protocol):
    """What a scene is made of, from back to front."""

    def draw(self, canvas: Image.Image, view: View, below: int) -> None:
        """Draw the rows above `below` on an RGBa canvas of `view.size`; what lies under them is hidden."""
        ...

    def covers_from(self, view: View) -> int:
        """The row from which on down this element hides everything behind it; NEVER if it does not."""
        ...


class Piece:
    """Part of a plate's picture and the copies made of it.

    It answers for the rows `first` up to `last` of the plate; its picture begins at (`left`, `top`) of the
    plate and may reach beyond those rows.
    """

    def __init__(self, image: Image.Image, left: int, top: int, first: int, last: int) -> None:
        self.image, self.left, self.top, self.first, self.last = image, left, top, first, last
        self._copies: dict[tuple[int, ...], Image.Image] = {}
        self._most = 2 if image.width * image.height > _MANY_PIXELS else _STEPS + 1

    def moved(self, right: int, down: int) -> Image.Image:
        """The picture moved by quarters of a pixel, one column and row larger where it was."""
        if right == down == 0:
            return self.image
        part = (0, 0, self.image.width + bool(right), self.image.height + bool(down))
        return self._copy((right, down), part, (1.0, 1.0), (right / _STEPS, down / _STEPS))

    def scaled(
        self, key: tuple[int, ...], part: Box, scale: tuple[float, float], at: tuple[float, float]
    ) -> Image.Image:
        """What `part` of the frame shows of the picture, enlarged by `scale` with its corner at `at`.

        `key` names the scale and the corner in whole numbers.
        """
        return self._copy((*key, *part), part, scale, at)

    def _copy(
        self, key: tuple[int, ...], part: Box, scale: tuple[float, float], at: tuple[float, float]
    ) -> Image.Image:
        copy = self._copies.get(key)
        if copy is None:
            west, north = (part[0] - at[0]) / scale[0], (part[1] - at[1]) / scale[1]
            east, south = (part[2] - at[0]) / scale[0], (part[3] - at[1]) / scale[1]
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
    width: int
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
        limit = min(below, canvas.height)
        if y >= limit or y + self.height * scale <= 0:
            return
        lean = self.sway(view.seconds) * view.density if self.sway else 0.0
        paste = self._paste if abs(scale - 1.0) < 1e-6 else self._paste_scaled
        for first, last, offset in self._bands(lean):
            for piece in self.pieces:
                rows = (max(first, piece.first), min(last, piece.last))
                if rows[0] < rows[1]:
                    paste(canvas, piece, scale, (x + offset, y), rows, limit)

    def covers_from(self, view: View) -> int:
        if self.solid_from >= NEVER or self.sway:
            return NEVER
        scale, _, y = self._placed(view)
        # The rows next to the edge are blended with what lies above: two of them where the picture is scaled.
        edge = 0.5 if abs(scale - 1.0) < 1e-6 else 2.5
        return math.ceil(y + scale * (self.solid_from - self.top) + edge)

    @property
    def area(self) -> int:
        """Pixels in all pieces."""
        return sum(piece.image.width * (piece.last - piece.first) for piece in self.pieces)

    def _placed(self, view: View) -> tuple[float, float, float]:
        scale, x, y = view.placed(self.depth)
        right, down = self.motion(view.seconds) if self.motion else (0.0, 0.0)
        grow = scale * view.stage.density
        x, y = x + scale * self.left + right * grow, y + scale * self.top + down * grow
        return (scale, round(x), round(y)) if self.soft else (scale, x, y)

    def _bands(self, lean: float) -> Iterator[tuple[int, int, float]]:
        """(first row, last row, displacement): rows that lean by the same quarter of a pixel."""
        count = min(self.height, max(1, round(abs(lean) * _STEPS)))
        for first, last in pairwise(round(i * self.height / count) for i in range(count + 1)):
            yield first, last, lean * (1 - ((first + last) / 2 / self.height))

    def _paste(
        self,
        canvas: Image.Image,
        piece: Piece,
        _scale: float,
        at: tuple[float, float],
        rows: tuple[int, int],
        limit: int,
    ) -> None:
        right, down = round(at[0] * _STEPS), round(at[1] * _STEPS)
        left, top = right // _STEPS + piece.left, down // _STEPS + piece.top
        moved = piece.moved(right % _STEPS, down % _STEPS)
        last = moved.height if rows[1] == self.height else rows[1] - piece.top
        box = (
            max(0, -left),
            max(rows[0] - piece.top, -top),
            min(moved.width, canvas.width - left),
            min(last, limit - top),
        )
        if box[0] < box[2] and box[1] < box[3]:
            part = moved if box == (0, 0, *moved.size) else moved.crop(box)
            canvas.paste(part, (left + box[0], top + box[1]), part)

    def _paste_scaled(
        self,
        canvas: Image.Image,
        piece: Piece,
        scale: float,
        at: tuple[float, float],
        rows: tuple[int, int],
        limit: int,
    ) -> None:
        # The whole plate is placed in steps, its pieces by what follows from that: they meet exactly.
        step = _STEPS if self.soft else 1
        west, east = _quarters(at[0], step), _quarters(at[0] + self.width * scale, step)
        north, south = _quarters(at[1], step), _quarters(at[1] + self.height * scale, step)
        if west >= east or north >= south:
            return
        across, down = (east - west) / _STEPS / self.width, (south - north) / _STEPS / self.height
        x, y = west / _STEPS, north / _STEPS
        left = x + piece.left * across
        first = math.floor(y) if rows[0] == 0 else math.ceil(y + rows[0] * down)
        last = math.ceil(y + rows[1] * down)
        part = (
            max(0, math.floor(left)),
            max(0, first),
            min(canvas.width, math.ceil(left + piece.image.width * across)),
            min(canvas.height, -(-limit // _LIMIT_ROWS) * _LIMIT_ROWS, last),
        )
        if part[0] < part[2] and part[1] < part[3]:
            key, corner = (west, east, north, south), (left, y + piece.top * down)
            picture = piece.scaled(key, part, (across, down), corner)
            canvas.paste(picture, part[:2], picture)


def _quarters(position: float, step: int) -> int:
    """A position in quarters of a pixel, rounded to a multiple of `step`."""
    return round(position * _STEPS / step) * step


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


def whole_plate(image: Image.Image, *, left: int, top: int, depth: float, solid_from: int = NEVER) -> Plate:
    """A plate of an RGBa picture as it is."""
    pieces = [Piece(image, 0, 0, 0, image.height)]
    return Plate(pieces, left, top, image.width, image.height, depth, solid_from)


def cut(pixels: Pixels) -> list[Piece]:
    """The picture (rows, columns, 4) in pieces that leave out what is empty, if that is worth it."""
    rows, columns = pixels.shape[:2]
    whole = [(0, rows, span) for span in _spans(pixels[..., 3])]
    edges = [*range(0, max(1, rows - _BAND // 2), _BAND), rows]
    bands = [
        (first, last, span)
        for first, last in pairwise(edges)
        for span in _spans(pixels[max(0, first - _EDGE) : last + _EDGE, :, 3])
    ]
    chosen = bands if _area(bands) < 0.75 * _area(whole) else whole
    if not chosen:
        chosen = [(0, rows, (0, columns))]
    return [_piece(pixels, first, last, span) for first, last, span in chosen]


def _spans(alpha: Pixels) -> list[tuple[int, int]]:
    """Runs of columns that hold something, cut where nothing stands over a good width."""
    filled = np.flatnonzero(alpha.any(axis=0))
    if not len(filled):
        return []
    breaks = np.flatnonzero(np.diff(filled) > _GAP)
    starts, ends = np.concatenate([[0], breaks + 1]), np.concatenate([breaks, [len(filled) - 1]])
    return [(int(filled[start]), int(filled[end]) + 1) for start, end in zip(starts, ends, strict=True)]


def _area(parts: Sequence[tuple[int, int, tuple[int, int]]]) -> int:
    return sum((last - first) * (span[1] - span[0]) for first, last, span in parts)


def _piece(pixels: Pixels, first: int, last: int, span: tuple[int, int]) -> Piece:
    top, bottom = max(0, first - _EDGE), min(pixels.shape[0], last + _EDGE)
    part = pixels[top:bottom, span[0] : span[1]]
    image = Image.frombytes("RGBa", (part.shape[1], part.shape[0]), part.tobytes())
    return Piece(image, span[0], top, first, last)


def merged(elements: Sequence[Element]) -> list[Element]:
    """The same picture from fewer plates: neighbours that stand still at one depth become one."""
    result: list[Element] = []
    for element in elements:
        last = result[-1] if result else None
        if isinstance(element, Plate) and isinstance(last, Plate) and _moves_with(last, element):
            both = _laid_over(last, element)
            if both.area <= last.area + element.area:  # two sparse plates may be less than a full one
                result[-1] = both
                continue
        result.append(element)
    return result


def _moves_with(first: Plate, second: Plate) -> bool:
    free = all(part is None for part in (first.motion, first.sway, second.motion, second.sway))
    return free and first.depth == second.depth and first.soft == second.soft


def _laid_over(below: Plate, above: Plate) -> Plate:
    left, top = min(below.left, above.left), min(below.top, above.top)
    right = max(below.left + below.width, above.left + above.width)
    bottom = max(below.top + below.height, above.top + above.height)
    picture = Image.new("RGBa", (right - left, bottom - top))
    for plate in (below, above):
        for piece in plate.pieces:
            own = piece.image.crop((0, piece.first - piece.top, piece.image.width, piece.last - piece.top))
            picture.paste(own, (plate.left + piece.left - left, plate.top + piece.first - top), own)
    pixels = np.frombuffer(picture.tobytes(), dtype=np.uint8).reshape(bottom - top, right - left, 4)
    solid = min(below.solid_from, above.solid_from)
    return Plate(cut(pixels), left, top, right - left, bottom - top, below.depth, solid, soft=below.soft)
