"""Houses and a church."""

from __future__ import annotations

import numpy as np

from localvid.pipelines.animatic.brush import Picture, mix, rgb
from localvid.pipelines.animatic.scenery.light import Light


def draw_house(
    picture: Picture,
    at: tuple[float, float],
    size: float,
    light: Light,
    depth: float,
    rng: np.random.Generator,
    *,
    snow: bool = False,
    cabin: bool = False,
) -> None:
    """A house `size` wide: gable, chimney, door, windows that are lit in the dark."""
    x, foot = at
    walls = rgb(
        ("#8a5a3c", "#7a4e38", "#94664a")[int(rng.integers(3))]
        if cabin
        else ("#e8dcc4", "#d9c2a6", "#c9d2d6", "#e3c9b0", "#d6b7a0")[int(rng.integers(5))]
    )
    roofs = rgb(
        ("#5a3a32", "#4a3f46")[int(rng.integers(2))]
        if cabin
        else ("#a4503c", "#8c4436", "#5d5566", "#7b4a3e")[int(rng.integers(4))]
    )
    face, side = light.shade(walls, depth, lit=0.8), light.shade(walls, depth, lit=0.35)
    roof, roof_dark = light.shade(roofs, depth, lit=0.7), light.shade(roofs, depth, lit=0.25)
    tall = size * float(rng.uniform(0.42, 0.6))
    ridge = size * float(rng.uniform(0.36, 0.5))
    flip = -1.0 if light.sun[0] > 0.5 else 1.0
    half = size / 2

    def p(u: float, v: float) -> tuple[float, float]:
        return (x + flip * u * half, foot - v)

    # The gable faces the viewer; the long side runs off towards the back.
    picture.shape([p(0.1, 0), p(1.0, 0), p(1.0, tall * 0.96), p(0.1, tall)], side)
    picture.shape([p(-1.0, 0), p(0.1, 0), p(0.1, tall), p(-0.45, tall + ridge), p(-1.0, tall)], face)
    if cabin:
        for i in range(1, 6):
            picture.stroke([p(-1.0, tall * i / 6), p(0.1, tall * i / 6)], size * 0.008, side)
    chimney = 0.42
    picture.shape(
        [
            p(chimney, tall),
            p(chimney + 0.16, tall),
            p(chimney + 0.16, tall + ridge * 1.28),
            p(chimney, tall + ridge * 1.28),
        ],
        side,
    )
    cap = light.shade((0.95, 0.97, 1.0), depth) if snow else None
    picture.shape(
        [p(-0.45, tall + ridge), p(0.62, tall + ridge * 0.97), p(1.12, tall * 0.93), p(0.1, tall * 0.97)],
        cap or roof,
    )
    picture.stroke(
        [p(-1.1, tall * 0.9), p(-0.45, tall + ridge), p(0.14, tall * 0.9)], size * 0.045, cap or roof_dark
    )
    pane = rgb("#ffd27a") if light.dark else mix(light.shade((0.3, 0.38, 0.48), depth), light.sky[2], 0.25)
    frame = light.shade((0.9, 0.88, 0.84), depth, lit=0.6)
    windows = (
        [(-0.72, 0.35), (-0.28, 0.35), (0.42, 0.38), (0.74, 0.38)]
        if tall > size * 0.48
        else [(-0.7, 0.4), (0.55, 0.42)]
    )
    for u, share in windows:
        w, h, v = 0.1, tall * 0.2, tall * share
        picture.shape(
            [p(u - w, v - h * 0.15), p(u + w, v - h * 0.15), p(u + w, v + h * 1.75), p(u - w, v + h * 1.75)],
            frame,
        )
        picture.shape(
            [
                p(u - w * 0.8, v),
                p(u + w * 0.8, v),
                p(u + w * 0.8, v + h * 1.55),
                p(u - w * 0.8, v + h * 1.55),
            ],
            pane,
        )
        picture.stroke([p(u, v), p(u, v + h * 1.55)], size * 0.008, frame)
        picture.stroke([p(u - w * 0.8, v + h * 0.8), p(u + w * 0.8, v + h * 0.8)], size * 0.008, frame)
    picture.oval(p(-0.45, tall + ridge * 0.35), size * 0.045, size * 0.045, pane)
    door = light.shade(rgb("#6b3f2e"), depth, lit=0.6)
    picture.shape([p(-0.56, 0), p(-0.36, 0), p(-0.36, tall * 0.56), p(-0.56, tall * 0.56)], door)


def draw_church(picture: Picture, at: tuple[float, float], size: float, light: Light, depth: float) -> None:
    """A nave and a tower with a spire."""
    x, foot = at
    wall, dark = light.shade(rgb("#e6dccb"), depth, lit=0.75), light.shade(rgb("#b8ab9a"), depth, lit=0.35)
    roof = light.shade(rgb("#6a4a46"), depth, lit=0.5)
    picture.shape(
        [(x, foot), (x + size, foot), (x + size, foot - size * 0.45), (x, foot - size * 0.45)], dark
    )
    picture.shape(
        [
            (x - size * 0.05, foot - size * 0.43),
            (x + size * 0.1, foot - size * 0.78),
            (x + size * 0.92, foot - size * 0.78),
            (x + size * 1.05, foot - size * 0.43),
        ],
        roof,
    )
    tower = size * 0.36
    picture.shape(
        [(x - tower, foot), (x, foot), (x, foot - size * 1.1), (x - tower, foot - size * 1.1)], wall
    )
    picture.shape(
        [
            (x - tower * 1.1, foot - size * 1.1),
            (x - tower / 2, foot - size * 1.95),
            (x + tower * 0.1, foot - size * 1.1),
        ],
        roof,
    )
    pane = rgb("#ffd27a") if light.dark else dark
    for i in range(3):
        px = x + size * (0.2 + 0.28 * i)
        picture.shape(
            [
                (px, foot - size * 0.12),
                (px, foot - size * 0.3),
                (px + size * 0.04, foot - size * 0.36),
                (px + size * 0.08, foot - size * 0.3),
                (px + size * 0.08, foot - size * 0.12),
            ],
            pane,
        )
    picture.oval((x - tower / 2, foot - size * 0.85), tower * 0.2, tower * 0.2, pane)
