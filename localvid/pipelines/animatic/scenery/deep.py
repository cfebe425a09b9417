"""Under water and under ground."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from localvid.pipelines.animatic.brush import (
    Picture,
    Rgb,
    mix,
    noise_field,
    noise_line,
    ramp,
    rgb,
    smoothstep,
    soften,
)
from localvid.pipelines.animatic.painting import paint
from localvid.pipelines.animatic.plate import Element, Plate
from localvid.pipelines.animatic.scenery.groves import picture_of, plate_of, sway
from localvid.pipelines.animatic.scenery.light import Hour, Light
from localvid.pipelines.animatic.scenery.sky import Glints
from localvid.pipelines.animatic.scenery.terrain import hill_outline
from localvid.pipelines.animatic.stage import Stage

_CORALS = (rgb("#f26d6d"), rgb("#ff9e5e"), rgb("#e86bb0"), rgb("#f2c14e"), rgb("#a06bd6"))


def under_water_light(light: Light) -> Light:
    """What is left of a light below the surface: blue, and soon lost."""
    night = light.hour is Hour.NIGHT
    top, low = (rgb("#0f5f86"), rgb("#041426")) if night else (rgb("#4fc3d6"), rgb("#07304f"))
    return replace(
        light,
        sky=(top, mix(top, low, 0.35), mix(top, low, 0.72), low),
        haze=mix(top, low, 0.62),
        glow=rgb("#7fd8e6") if night else rgb("#d6fff4"),
        ambient=rgb("#4a7f9a") if night else rgb("#8fc6cc"),
        shadow=rgb("#04182c"),
        sun=(light.sun[0], 0.0),
        sun_size=0.0,
        stars=0.0,
        haze_depth=5.0,
    )


def paint_depths(stage: Stage, light: Light, rng: np.random.Generator) -> Element:  # noqa: ARG001 - a Build
    """The water itself, bright where the light comes in."""
    xs, ys = stage.xs(), stage.ys()
    sun_x = light.sun[0] * stage.wide
    stops = list(zip((0.0, 0.3, 0.65, 1.0), light.sky, strict=True))
    column = ramp(np.clip(ys / stage.tall, 0, 1).astype(np.float32), stops)
    colours = np.repeat(column[:, None], len(xs), axis=1)
    bright = np.exp(-np.hypot((xs[None, :] - sun_x) * 0.8, ys[:, None] + 0.1) / 0.38)[..., None] * 0.75
    colours = colours + (np.asarray(light.glow, dtype=np.float32) - colours) * bright
    return paint(stage, colours.astype(np.float32), None, depth=math.inf)


def paint_bubbles(stage: Stage, light: Light, rng: np.random.Generator, *, energy: float) -> Element:
    """Bubbles that rise."""
    count = 40
    xs, ys = rng.uniform(stage.left, stage.right, count), rng.uniform(stage.top, stage.bottom, count)
    return Glints(
        stage,
        np.stack([xs, ys], axis=-1).astype(np.float32),
        colour=mix(light.glow, rgb("#cfffff"), 0.7),
        radius=0.0035,
        depth=1.8,
        rng=rng,
        pace=0.15 + 0.3 * energy,
        least=0.45,
        wander=0.01,
        rise=0.02 + 0.1 * energy,
    )


def paint_rays(
    stage: Stage, light: Light, rng: np.random.Generator, *, depth: float, energy: float
) -> Element:
    """Beams of light that swing with the waves above."""
    xs, ys = stage.xs(), stage.ys()
    angle = (xs[None, :] - light.sun[0] * stage.wide) / (ys[:, None] + 0.55)
    beams = noise_line(rng, angle.ravel().astype(np.float32), waves=6.5, octaves=2).reshape(angle.shape)
    near_top = smoothstep(stage.tall * 0.95, 0.0, ys)[:, None]
    mask = smoothstep(0.0, 0.9, beams) * near_top * np.exp(-np.abs(angle) * 0.9) * 0.34
    phase = float(rng.uniform(0, 6.28))

    def swing(seconds: float) -> tuple[float, float]:
        return (0.03 * math.sin(seconds * (0.3 + 0.5 * energy) + phase), 0.0)

    moving = swing if energy > 0.02 else None
    return paint(stage, light.glow, mask.astype(np.float32), depth=depth, motion=moving, soft=True)


def paint_reef(
    stage: Stage, light: Light, rng: np.random.Generator, *, base: float, height: float, depth: float
) -> Plate:
    xs = stage.xs()
    crest = base - height * (0.4 + noise_line(rng, xs, waves=1.7, octaves=5, fall=0.5))
    first = stage.row(float(crest.min()) - 2 / stage.density)
    ys = stage.ys(first)
    under = ys[:, None] - crest[None, :]
    mask = np.clip(under * stage.density + 0.5, 0, 1)
    grain = (
        noise_field(
            rng, mask.shape, cells=(max(2, len(ys) / stage.density * 16), stage.wide * 14), octaves=4
        )[..., None]
        - 0.5
    )
    tone = np.asarray(light.shade(rgb("#6f7f86"), depth), dtype=np.float32)
    low = np.asarray(light.shade(rgb("#3b4f5e"), depth, lit=0.2), dtype=np.float32)
    colours = tone + (low - tone) * smoothstep(0.0, 0.14, under)[..., None]
    colours = colours * (1 + 0.3 * grain)
    return paint(stage, np.clip(colours, 0, 1).astype(np.float32), mask, depth=depth, top=first)


def paint_weeds(
    stage: Stage, light: Light, rng: np.random.Generator, *, base: float, depth: float, energy: float
) -> Plate:
    tall = 0.9 / depth**0.75
    picture = picture_of(stage, base - tall * 1.05, base + 0.05)
    green = rgb("#4f9a6a")
    clusters = rng.uniform(-0.3, stage.wide + 0.3, max(3, round(1.6 + depth)))
    for centre in clusters.tolist():
        for _ in range(int(rng.integers(3, 7))):
            x, high = centre + float(rng.normal(0, 0.09)) / depth, tall * float(rng.uniform(0.35, 0.9))
            tone = light.shade(
                mix(green, rgb("#8a8f4a"), float(rng.random())), depth, lit=float(rng.uniform(0.3, 0.9))
            )
            bend = float(rng.uniform(0.01, 0.04))
            points = [
                (x + bend * math.sin(i * 1.1 + centre * 9) * (i / 9) * 2, base + 0.03 - high * i / 9)
                for i in range(10)
            ]
            picture.curve(points, 0.034 / depth, tone, end_width=0.006 / depth)
            for i in range(1, 9):
                side = 1 if i % 2 else -1
                px, py = points[i]
                leaf = 0.075 / depth
                picture.blob(
                    [
                        (px, py),
                        (px + side * leaf * 0.5, py - leaf * 0.5),
                        (px + side * leaf, py - leaf * 0.55),
                        (px + side * leaf * 0.55, py - leaf * 0.12),
                    ],
                    tone,
                )
    return plate_of(
        stage,
        picture,
        depth=depth - 0.05,
        lean=sway(0.3 + 0.7 * energy if energy > 0.02 else 0.0, rng, reach=0.03),
    )


def paint_coral(stage: Stage, light: Light, rng: np.random.Generator, *, foot: float, depth: float) -> Plate:
    picture = picture_of(stage, foot - 0.34, stage.bottom)
    ground = light.shade(rgb("#7c6f68"), depth, lit=0.3)
    line = hill_outline(rng, base=foot - 0.02, height=0.035, waves=1.4)
    xs = np.linspace(-0.6, stage.wide + 0.6, 80, dtype=np.float32)
    edge = list(zip(xs.tolist(), line(xs).tolist(), strict=True))
    for x, y in edge[::4]:
        if rng.random() < 0.3:
            continue
        colour = light.shade(_CORALS[int(rng.integers(len(_CORALS)))], depth, lit=0.95)
        size = float(rng.uniform(0.07, 0.17))
        if rng.random() < 0.6:
            _branching(picture, (x, y + 0.01), math.pi / 2, size * 0.4, size * 0.13, colour, rng, 4)
        else:
            for i in range(9):
                turn = math.pi * (0.08 + 0.84 * i / 8)
                tip = (x + math.cos(turn) * size * 0.6, y - math.sin(turn) * size * 0.55)
                picture.stroke(
                    [(x, y + 0.01), tip],
                    size * 0.12,
                    mix(colour, ground, 0.35 * (i % 2)),
                    end_width=size * 0.16,
                )
    picture.shape([*edge, (stage.right + 1, stage.bottom + 1), (stage.left - 1, stage.bottom + 1)], ground)
    return plate_of(stage, picture, depth=depth, light=light, rim=0.4)


def _branching(
    picture: Picture,
    at: tuple[float, float],
    angle: float,
    length: float,
    width: float,
    colour: Rgb,
    rng: np.random.Generator,
    order: int,
) -> None:
    end = (at[0] + math.cos(angle) * length, at[1] - math.sin(angle) * length)
    picture.stroke([at, end], width, colour, end_width=width * 0.8)
    if order:
        for side in (-1, 1):
            _branching(
                picture,
                end,
                angle + side * float(rng.uniform(0.3, 0.6)),
                length * 0.72,
                width * 0.78,
                colour,
                rng,
                order - 1,
            )


RINGS = ((7.0, 0.25), (4.2, 0.36), (2.7, 0.48), (1.75, 0.62), (1.15, 0.78))
"""(depth, half of the opening's height) of a cave's walls, from its mouth to the viewer."""


def paint_ring(
    stage: Stage,
    light: Light,
    rng: np.random.Generator,
    *,
    ring: tuple[float, float],
    centre: tuple[float, float],
    rock: Rgb,
    crystals: bool,
) -> list[Element]:
    """One of the walls of a cave around what is painted behind its mouth: nearer ones are darker."""
    depth, opening = ring
    near = RINGS.index(ring) / (len(RINGS) - 1)
    xs, ys = stage.xs()[None, :], stage.ys()[:, None]
    angle = np.arctan2(ys - centre[1], (xs - centre[0]) / 1.35).astype(np.float32)
    lumps = _around(rng, angle)
    teeth = _teeth(rng, stage, opening)
    hole = opening * (1 + 0.12 * lumps) * min(1.0, stage.wide / 1.4) + 0.02
    away = np.hypot((xs - centre[0]) / 1.35, (ys - centre[1]) * (1.15 - 0.2 * (ys > centre[1])))
    outside = away - hole
    outside = np.maximum(
        outside, np.where(ys < centre[1], teeth[0] - (ys - stage.top), teeth[1] - (stage.bottom - ys))
    )
    mask = np.clip(outside * stage.density + 0.5, 0, 1).astype(np.float32)
    relief = noise_field(rng, mask.shape, cells=(stage.tall * 4, stage.wide * 4), octaves=4, fall=0.5)
    step = max(1, round(0.008 * stage.density))
    bumps = np.clip((relief - np.roll(relief, -step, axis=0)) * 3.0, -0.4, 0.4)[..., None]
    tone = light.shade(rock, 1.0, lit=0.8 - 0.5 * near)
    wall = mix(mix(tone, light.haze, 0.34 * (1 - near)), light.shadow, 0.25 + 0.55 * near)
    lit = np.exp(-np.maximum(outside, 0) / (0.11 - 0.06 * near)).astype(np.float32)[..., None]
    rim = np.exp(-np.maximum(outside, 0) / 0.006).astype(np.float32)[..., None]
    colours = np.asarray(wall, dtype=np.float32) * (1 + 0.7 * bumps)
    bright = np.asarray(mix(tone, light.glow, 0.5), dtype=np.float32)
    colours = colours + (bright - colours) * lit * (0.62 - 0.42 * near) * (1 + bumps)
    colours = colours + (np.asarray(light.glow, dtype=np.float32) - colours) * rim * (0.4 - 0.22 * near)
    wall_plate = paint(stage, np.clip(colours, 0, 1).astype(np.float32), mask, depth=depth)
    if crystals and 1.2 < depth < 5:
        return [wall_plate, *_crystals(stage, rng, centre=centre, opening=opening, depth=depth)]
    return [wall_plate]


def _around(rng: np.random.Generator, angle: np.ndarray) -> np.ndarray:
    """Noise on a circle: it has no seam where the angle starts anew."""
    circle = np.linspace(-math.pi, math.pi, 720, dtype=np.float32)
    lumps = noise_line(rng, np.cos(circle) * 2 + 3, waves=1.2, octaves=4) + noise_line(
        rng, np.sin(circle) * 2 + 7, waves=1.2, octaves=4
    )
    return np.asarray(np.interp(angle, circle, lumps), dtype=np.float32)


def _teeth(rng: np.random.Generator, stage: Stage, opening: float) -> tuple[np.ndarray, np.ndarray]:
    """Stalactites and stalagmites: how far the rock reaches in from above and from below, per column."""
    xs = stage.xs()
    reach = []
    for amount in (0.3, 0.16):
        total = np.zeros_like(xs)
        for _ in range(9):
            at, wide = float(rng.uniform(-0.3, stage.wide + 0.3)), float(rng.uniform(0.025, 0.07))
            long = amount * float(rng.uniform(0.35, 1.1)) * (0.6 + 0.7 * abs(at / stage.wide - 0.5))
            total = np.maximum(total, long * np.clip(1 - np.abs(xs - at) / wide, 0, 1) ** 1.4)
        reach.append((total + stage.margin_y + max(0.0, 0.36 - opening * 0.5) * 0.2)[None, :])
    return reach[0], reach[1]


def _crystals(
    stage: Stage, rng: np.random.Generator, *, centre: tuple[float, float], opening: float, depth: float
) -> list[Element]:
    hue = (rgb("#6fe3ff"), rgb("#c08bff"), rgb("#7dffb8"))[int(rng.integers(3))]
    foot = centre[1] + opening * 0.95
    picture = picture_of(stage, foot - 0.3, min(stage.bottom, foot + 0.2))
    for side in (-1, 1):
        x = centre[0] + side * opening * float(rng.uniform(0.7, 1.1))
        for _ in range(6):
            lean, tall = float(rng.normal(0, 0.35)), float(rng.uniform(0.08, 0.2)) * 2.4 / depth
            at = x + float(rng.normal(0, 0.05))
            tip, wide = (at + lean * tall, foot - tall), tall * 0.15
            picture.shape(
                [
                    (at - wide, foot + 0.03),
                    (tip[0] - wide * 0.7, tip[1] + tall * 0.2),
                    tip,
                    (at, foot + 0.03),
                ],
                mix(hue, (1, 1, 1), 0.35),
            )
            picture.shape(
                [
                    (at + wide, foot + 0.03),
                    (tip[0] + wide * 0.7, tip[1] + tall * 0.2),
                    tip,
                    (at, foot + 0.03),
                ],
                mix(hue, (0.1, 0.1, 0.3), 0.35),
            )
    colours, mask = picture.colours_and_mask(around=0.08)
    left, top = stage.pixel(picture)
    glow = np.clip(soften(mask, 0.03 * stage.density) * 0.8, 0, 0.55)
    return [
        paint(stage, hue, glow, depth=depth, left=left, top=top),
        paint(stage, colours, mask, depth=depth - 0.02, left=left, top=top),
    ]
