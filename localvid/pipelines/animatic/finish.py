"""What the style words do to colours, and what lies on the lens: vignette, paper, film."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image

from localvid.pipelines.animatic.brush import Floats, noise_field, smoothstep

_LUMA = np.asarray((0.2126, 0.7152, 0.0722), dtype=np.float32)
OUTLINED = frozenset({"sketch"})
"""Styles in which every shape has a drawn edge."""


def grade_of(styles: frozenset[str]) -> Callable[[Floats], Floats]:
    """One function of colour, shape (..., 3) in 0..1, for all the styles together."""
    steps = [_GRADES[style] for style in sorted(styles) if style in _GRADES]

    def grade(colours: Floats) -> Floats:
        for step in steps:
            colours = step(colours)
        return colours

    return grade


def _grey(colours: Floats) -> Floats:
    return np.asarray((colours @ _LUMA)[..., None], dtype=np.float32)


def _contrast(colours: Floats, strength: float, pivot: float = 0.5) -> Floats:
    return np.asarray(np.clip((colours - pivot) * strength + pivot, 0.0, 1.0), dtype=np.float32)


def _saturated(colours: Floats, strength: float) -> Floats:
    level = _grey(colours)
    return np.asarray(np.clip(level + (colours - level) * strength, 0.0, 1.0), dtype=np.float32)


def _tinted(
    colours: Floats, dark: tuple[float, float, float], pale: tuple[float, float, float], share: float
) -> Floats:
    """Towards a scale from one tone to another by brightness."""
    level = _grey(colours)
    scale = (
        np.asarray(dark, dtype=np.float32)
        + (np.asarray(pale, dtype=np.float32) - np.asarray(dark, dtype=np.float32)) * level
    )
    return np.asarray(colours + (scale - colours) * share, dtype=np.float32)


def _noir(colours: Floats) -> Floats:
    return _contrast(np.repeat(_grey(colours), 3, axis=-1), 1.35, 0.46)


def _sepia(colours: Floats) -> Floats:
    return _tinted(colours, (0.12, 0.07, 0.04), (1.0, 0.93, 0.78), 0.82)


def _pastel(colours: Floats) -> Floats:
    return np.asarray(_saturated(colours, 0.8) * 0.68 + 0.3, dtype=np.float32)


def _watercolour(colours: Floats) -> Floats:
    return np.asarray(
        _saturated(colours, 1.12) * 0.78 + np.asarray((0.2, 0.195, 0.18), dtype=np.float32), dtype=np.float32
    )


def _neon(colours: Floats) -> Floats:
    return _contrast(_saturated(_tinted(colours, (0.04, 0.02, 0.14), (0.75, 0.72, 1.0), 0.45), 1.6), 1.12)


def _sketch(colours: Floats) -> Floats:
    level = np.sqrt(np.clip(colours, 0.0, 1.0))  # a drawing of the night is still on white paper
    return np.asarray(
        _tinted(level, (0.3, 0.29, 0.29), (0.97, 0.95, 0.9), 0.88) * 0.72 + 0.26, dtype=np.float32
    )


_GRADES: dict[str, Callable[[Floats], Floats]] = {
    "noir": _noir,
    "sepia": _sepia,
    "pastel": _pastel,
    "watercolour": _watercolour,
    "neon": _neon,
    "sketch": _sketch,
    "vivid": lambda colours: _contrast(_saturated(colours, 1.35), 1.08),
    "muted": lambda colours: _saturated(colours, 0.55),
    "warm": lambda colours: np.clip(colours * np.asarray((1.07, 1.0, 0.88), dtype=np.float32), 0, 1),
    "cold": lambda colours: np.clip(colours * np.asarray((0.88, 0.98, 1.08), dtype=np.float32), 0, 1),
}


def paint_lens(width: int, height: int, styles: frozenset[str]) -> Image.Image:
    """A picture of the frame's size (RGBa) to lay over every frame: darker corners, or paper."""
    xs = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    ys = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    strength = (
        0.5 if styles & {"noir", "sepia"} else 0.0 if styles & {"watercolour", "sketch", "pastel"} else 0.26
    )
    dark = smoothstep(0.75, 1.6, np.hypot(xs, ys)) * strength
    pixels = np.zeros((height, width, 4), dtype=np.float32)
    pixels[..., 3] = dark
    if styles & {"watercolour", "sketch"}:
        rng = np.random.default_rng(7)
        grain = noise_field(rng, (height, width), cells=(height / 3, width / 3), octaves=2)
        edge = smoothstep(
            0.86,
            1.02,
            np.maximum(np.abs(xs), np.abs(ys))
            + 0.05 * (noise_field(rng, (height, width), cells=(6, 9), octaves=4) - 0.5),
        )
        paper = np.clip(0.09 * smoothstep(0.3, 0.9, grain) + edge, 0, 1)
        pixels[..., 3] = paper
        pixels[..., :3] = paper[..., None] * np.asarray((0.985, 0.97, 0.935), dtype=np.float32)
    return Image.frombytes("RGBa", (width, height), (pixels * 255 + 0.5).astype(np.uint8).tobytes())
