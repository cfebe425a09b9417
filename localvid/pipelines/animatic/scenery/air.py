"""What glows and drifts in the air: fireflies, embers, aurora, rainbow, banks of cloud."""

from __future__ import annotations

import math

import numpy as np

from localvid.pipelines.animatic.brush import (
    noise_field,
    noise_line,
    rgb,
    smoothstep,
    soften,
)
from localvid.pipelines.animatic.painting import paint
from localvid.pipelines.animatic.plate import Element, Plate
from localvid.pipelines.animatic.scenery.light import Light
from localvid.pipelines.animatic.scenery.sky import Glints, cloud_colours
from localvid.pipelines.animatic.stage import Stage


def paint_fireflies(stage: Stage, rng: np.random.Generator, *, horizon: float, energy: float) -> Element:
    """Points of warm light that wander between the plants."""
    count = 46
    points = np.stack(
        [rng.uniform(-0.2, stage.wide + 0.2, count), rng.uniform(horizon - 0.12, stage.tall - 0.03, count)],
        axis=-1,
    )
    return Glints(
        stage,
        points.astype(np.float32),
        colour=rgb("#fff08a"),
        radius=0.0042,
        depth=2.0,
        rng=rng,
        pace=0.12 + 0.3 * energy,
        least=0.0,
        wander=0.05 * energy,
    )


def paint_embers(stage: Stage, rng: np.random.Generator, *, energy: float) -> Element:
    """Sparks that rise."""
    count = 60
    points = np.stack(
        [rng.uniform(-0.1, stage.wide + 0.1, count), rng.uniform(0, stage.tall, count)], axis=-1
    )
    return Glints(
        stage,
        points.astype(np.float32),
        colour=rgb("#ff9a3d"),
        radius=0.003,
        depth=1.9,
        rng=rng,
        pace=0.4 + 0.6 * energy,
        least=0.1,
        wander=0.025,
        rise=0.05 + 0.16 * energy,
    )


def paint_aurora(
    stage: Stage, _light: Light, *, rng: np.random.Generator, horizon: float, energy: float
) -> list[Element]:
    """Curtains of green and violet light, which shine by themselves."""
    elements: list[Element] = []
    for hue, high, depth in (
        (rgb("#3dffb0"), 0.5, 90.0),
        (rgb("#6fd0ff"), 0.36, 70.0),
        (rgb("#b06bff"), 0.26, 60.0),
    ):
        xs, ys = stage.xs(), stage.ys(0, max(2, stage.row(horizon)))
        foot = horizon * (high + 0.16 * noise_line(rng, xs, waves=0.9, octaves=3)) + 0.12
        over = foot[None, :] - ys[:, None]
        rays = 0.55 + 0.45 * noise_line(rng, xs, waves=14, octaves=2)[None, :]
        mask = (
            np.exp(-np.maximum(over, 0) / (0.1 + 0.16 * rays))
            * smoothstep(-0.015, 0.02, over)
            * np.clip(rays, 0.1, 1)
            * 0.75
        )
        shimmer, phase = 0.02 * energy, float(rng.uniform(0, 6.28))

        def drift(seconds: float, shimmer: float = shimmer, phase: float = phase) -> tuple[float, float]:
            return (shimmer * math.sin(seconds * 0.5 + phase), 0.0)

        elements.append(
            paint(
                stage,
                hue,
                soften(mask.astype(np.float32), 0.004 * stage.density),
                depth=depth,
                motion=drift if energy > 0.02 else None,
            )
        )
    return elements


def paint_rainbow(stage: Stage, light: Light, *, horizon: float) -> Element:
    """A bow opposite the sun."""
    xs, ys = stage.xs(), stage.ys(0, max(2, stage.row(horizon + 0.02)))
    centre = (stage.wide * (0.25 if light.sun[0] > 0.5 else 0.75), horizon + 0.12)
    away = np.hypot(xs[None, :] - centre[0], ys[:, None] - centre[1])
    share = (away - 0.5) / 0.06
    hues = [
        rgb(code) for code in ("#8a5bd6", "#4f7de8", "#4fc3e8", "#6fd66f", "#f2e35a", "#f29a3d", "#e84f4f")
    ]
    colours = np.stack(
        [np.interp(share, np.linspace(0, 1, 7), [hue[i] for hue in hues]) for i in range(3)], axis=-1
    )
    mask = (
        smoothstep(-0.15, 0.2, share.astype(np.float32))
        * smoothstep(1.15, 0.8, share.astype(np.float32))
        * 0.42
    )
    mask = mask * smoothstep(horizon + 0.02, horizon * 0.6, ys)[:, None]
    return paint(stage, colours.astype(np.float32), mask, depth=40.0)


def cloud_bank(
    stage: Stage, light: Light, rng: np.random.Generator, *, y: float, size: float, depth: float, drift: float
) -> Plate:
    """A sea of cloud from `y` down."""
    spare = 0.3
    left = -math.ceil(spare * stage.density)
    columns = stage.columns - 2 * left
    xs = (stage.left + (np.arange(columns, dtype=np.float32) + left + 0.5) / stage.density).astype(np.float32)
    crest = np.full(columns, y, dtype=np.float32)
    count = round((stage.wide + 2 * spare + 1.0) / (size * 0.05))
    shade = np.zeros(columns, dtype=np.float32)
    swell = noise_line(
        rng, np.linspace(-0.8, stage.wide + 0.8, count, dtype=np.float32), waves=1.6 / size, octaves=2
    )
    for x, lift in zip(np.linspace(-0.8, stage.wide + 0.8, count), swell, strict=True):
        radius = size * float(rng.uniform(0.05, 0.12)) * (1 + 0.7 * float(lift))
        centre = y - size * 0.11 * float(lift) + float(rng.normal(0, 0.012)) * size
        inside = np.abs(xs - x) < radius
        height = centre - np.sqrt(np.clip(radius**2 - (xs - x) ** 2, 0, None))
        better = inside & (height < crest)
        crest[better] = height[better]
        shade[better] = ((xs - x) / radius)[better]
    first = min(stage.row(float(crest.min()) - 0.01), stage.rows - 2)  # it may lie below the canvas
    ys = stage.ys(first)
    under = ys[:, None] - crest[None, :]
    soft = 0.5 + 2.5 / max(1.0, depth**0.3)
    mask = np.clip(under * stage.density / soft + 0.5, 0, 1)
    base, top = cloud_colours(light)
    side = 1.0 if light.sun[0] > 0.5 else -1.0
    billow = noise_field(
        rng, mask.shape, cells=(max(2, len(ys) / stage.density * 5), columns / stage.density * 4), octaves=5
    )
    lit = (
        np.exp(-np.maximum(under, 0) / (0.09 * size)) * (0.75 + 0.25 * side * shade[None, :])
        + (billow - 0.5) * 0.7
    )
    colours = (
        np.asarray(base, dtype=np.float32)
        + (np.asarray(top, dtype=np.float32) - np.asarray(base, dtype=np.float32))
        * np.clip(lit, 0, 1)[..., None]
    )
    far = light.fade(depth) * 0.6
    colours = colours + (np.asarray(light.haze, dtype=np.float32) - colours) * np.float32(far)

    def motion(seconds: float) -> tuple[float, float]:
        return (spare * 0.8 * math.sin(drift * seconds / spare), 0.0)

    return paint(
        stage,
        colours.astype(np.float32),
        mask,
        depth=depth,
        top=first,
        left=left,
        motion=motion if drift else None,
    )
