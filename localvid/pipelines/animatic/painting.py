"""From floats to pixels: colours and a mask become a plate or a ground."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from localvid.pipelines.animatic.brush import Floats, Rgb
from localvid.pipelines.animatic.ground import Ground
from localvid.pipelines.animatic.plate import NEVER, Motion, Pixels, Plate, cut
from localvid.pipelines.animatic.stage import Stage


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
        cut(pixels), left, top, pixels.shape[1], pixels.shape[0], depth, min(solid, NEVER), motion, sway, soft
    )


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


def _multiplied(stage: Stage, colours: Floats | Rgb, mask: NDArray[np.floating] | None) -> Pixels:
    if isinstance(colours, tuple):
        assert mask is not None  # one colour without a mask has no size
        graded = stage.grade(np.asarray(colours, dtype=np.float32)[None, None])
        shape = mask.shape
    else:
        graded, shape = stage.grade(colours), colours.shape[:2]
    if stage.outlined and mask is not None:
        graded = graded * (1.0 - 0.75 * _outline(mask))[..., None]
    pixels = np.empty((*shape, 4), dtype=np.uint8)
    noise = _dither((shape[0], shape[1]))
    if mask is None:
        values = graded * np.float32(255.0)
        values += noise[..., None]
        np.clip(values, 0.0, 255.0, out=values)
        pixels[..., 3] = 255
    else:
        alpha = np.rint(np.clip(mask, 0.0, 1.0) * np.float32(255.0)).astype(np.float32)
        values = graded * alpha[..., None]
        values += ((noise - np.float32(0.5)) * (alpha * np.float32(1 / 255)) + np.float32(0.5))[..., None]
        np.clip(values, 0.0, alpha[..., None], out=values)
        pixels[..., 3] = alpha
    pixels[..., :3] = values
    return pixels


def _outline(mask: Floats) -> Floats:
    """The border of a mask, about two pixels wide."""
    image = Image.fromarray((np.clip(mask, 0.0, 1.0) * 255.0).astype(np.uint8))
    inner = np.asarray(image.filter(ImageFilter.MinFilter(3)), dtype=np.float32) / 255.0
    return np.clip((mask - inner) * 1.5, 0.0, 1.0)


_TILE = np.random.default_rng(1).random((256, 256)) - np.random.default_rng(2).random((256, 256))
_TILE = np.tile((_TILE + 0.5).astype(np.float32), (2, 4))


def _dither(shape: tuple[int, int]) -> Floats:
    """Triangular noise of one grey level around a half: what is added before the fraction is cut off."""
    rows, columns = shape
    down, across = -(-rows // _TILE.shape[0]), -(-columns // _TILE.shape[1])
    tiled = _TILE if down == across == 1 else np.tile(_TILE, (down, across))
    return np.asarray(tiled[:rows, :columns])


def _solid_row(mask: Floats | None, whole_width: bool) -> int:
    """The row from which on down the mask is opaque."""
    if not whole_width:
        return NEVER
    if mask is None:
        return 0
    gaps = np.flatnonzero(mask.min(axis=1) < 0.998)
    return 0 if gaps.size == 0 else int(gaps[-1]) + 1
