"""Land as ridges behind ridges: mountains, hills, dunes, snow."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from localvid.pipelines.animatic.brush import (
    Floats,
    Rgb,
    mix,
    noise_field,
    noise_line,
    rgb,
    smoothstep,
    times,
)
from localvid.pipelines.animatic.painting import paint
from localvid.pipelines.animatic.plate import Element, Plate
from localvid.pipelines.animatic.scenery.light import Light
from localvid.pipelines.animatic.stage import Stage

Outline = Callable[[Floats], Floats]
"""The height of the land's edge (units, downwards) at each x."""


GRASS = rgb("#6f9a4a")
WOODS = rgb("#3f6b4a")
SAND = rgb("#e2b377")
SNOW = rgb("#eef3fa")


def hill_outline(rng: np.random.Generator, *, base: float, height: float, waves: float) -> Outline:
    """Soft rolling land around `base`."""
    seed = int(rng.integers(2**32))
    return lambda xs: (
        base - height * noise_line(np.random.default_rng(seed), xs, waves=waves, octaves=3, fall=0.3)
    )


def peak_outline(
    rng: np.random.Generator, *, base: float, height: float, waves: float, sharp: float = 1.0
) -> Outline:
    """Mountains that rise up to about `height` above `base`: overlapping peaks with broken edges."""
    count = max(5, round(waves * 3.2))
    spread = np.linspace(-0.6, 2.4, count) + rng.uniform(-0.35, 0.35, count) * 3.0 / count
    tops = height * rng.uniform(0.35, 0.9, count)
    tops[int(rng.integers(count // 4, max(count // 4 + 1, 3 * count // 4)))] = height  # one leads
    left, right = (height / rng.uniform(0.24, 0.5, count) * (0.5 + 0.5 * waves / 2.2) for _ in range(2))
    seed = int(rng.integers(2**32))

    def outline(xs: Floats) -> Floats:
        own = np.random.default_rng(seed)
        bent = xs + 0.03 * noise_line(own, xs, waves=5, octaves=3)
        away = bent[None, :] - spread[:, None]
        slopes = np.where(away < 0, -left[:, None] * away, right[:, None] * away)
        profile = (tops[:, None] - slopes * (1.0 - 0.25 * np.tanh(np.abs(away) * 4))).max(axis=0)
        floor = height * (0.16 + 0.08 * noise_line(own, xs, waves=3, octaves=3))
        profile = np.maximum(profile, floor)
        rough = noise_line(own, xs, waves=9, octaves=5, fall=0.55)
        return np.asarray(base - profile - 0.07 * sharp * height * rough, dtype=np.float32)

    return outline


def paint_ridge(
    stage: Stage,
    light: Light,
    outline: Outline,
    *,
    depth: float,
    material: Rgb,
    mist: float = 0.35,
    texture: float = 0.0,
    rng: np.random.Generator | None = None,
    lit_edge: float = 0.25,
) -> Plate:
    """Land from its outline down to the bottom of the canvas.

    `mist` fades its foot into the haze, `texture` mottles it, `lit_edge` lightens the crest's first rows.
    """
    xs = stage.xs()
    crest = outline(xs)
    first = stage.row(float(crest.min()) - 2 / stage.density)
    ys = stage.ys(first)
    if len(ys) == 0:
        first = stage.rows - 1
        ys = stage.ys(first)
    under = ys[:, None] - crest[None, :]
    mask = np.clip(under * stage.density + 0.5, 0.0, 1.0)
    top, foot = light.shade(material, depth), light.shade(material, depth, lit=0.35)
    shade = smoothstep(0.0, 0.4, under)
    colours = _between(top, foot, shade)
    if lit_edge:
        colours = _blend(colours, mix(top, light.glow, 0.5), np.exp(-np.maximum(under, 0) / 0.018) * lit_edge)
    if texture and rng is not None:
        mottle = (
            noise_field(rng, mask.shape, cells=(len(ys) / stage.density * 30, stage.wide * 9), octaves=3)
            - 0.5
        )
        colours = colours * (1.0 + texture * mottle[..., None])
    if mist:
        colours = _blend(colours, light.haze, smoothstep(0.05, 0.5, under) * mist)
    return paint(stage, colours, mask, depth=depth, top=first)


def paint_mountains(
    stage: Stage,
    light: Light,
    rng: np.random.Generator,
    *,
    base: float,
    height: float,
    depth: float,
    waves: float = 2.2,
    snow: float = 0.5,
    rock: Rgb = (0.42, 0.44, 0.52),
) -> Plate:
    """A range with a lit and a shaded side to every peak and snow above `snow` of its height.

    The facets come from height lines: each point looks up the slope that the outline has where a line
    falling from the crest, wandering a little, would have started.
    """
    outline = peak_outline(rng, base=base, height=height, waves=waves)
    xs = stage.xs()
    crest = outline(xs)
    first = stage.row(float(crest.min()) - 2 / stage.density)
    ys = stage.ys(first)
    under = ys[:, None] - crest[None, :]
    mask = np.clip(under * stage.density + 0.5, 0.0, 1.0)
    sun_side = 1.0 if light.sun[0] > 0.5 else -1.0
    wander = (
        noise_field(rng, mask.shape, cells=(len(ys) / stage.density * 7, stage.wide * 5), octaves=4, fall=0.6)
        - 0.5
    )
    from_x = xs[None, :] + wander * (0.05 + 0.32 * np.maximum(under, 0)) * 1.1
    step = 0.012
    slope = (np.interp(from_x + step, xs, crest) - np.interp(from_x - step, xs, crest)) / (2 * step)
    facing = np.asarray(slope * sun_side, dtype=np.float32)  # a slope that falls towards the sun is lit
    lit = smoothstep(-0.25, 0.45, facing + wander * 1.2)
    stone_lit = light.shade(mix(rock, (0.62, 0.56, 0.5), 0.3), depth)
    stone_dark = light.shade(rock, depth, lit=0.1)
    colours = _between(mix(stone_dark, light.haze, 0.1), mix(stone_lit, light.glow, 0.18), lit)
    if snow < 1.0:
        line = base - height * (snow + 0.22 * (noise_line(rng, xs, waves=9, octaves=3)))[None, :]
        edge = line + wander * 0.22 + (0.5 - lit) * 0.05
        white = smoothstep(0.012, -0.02, ys[:, None] - edge)
        cold = light.shade((0.66, 0.75, 0.92), depth, lit=0.45)
        bright = mix(light.shade((1.0, 1.0, 1.0), depth * 0.5), light.glow, 0.25)
        colours = colours + (_between(cold, bright, lit) - colours) * white[..., None]
    colours = _blend(colours, light.haze, smoothstep(height * 0.25, height * 1.05, under) * 0.8)
    return paint(stage, colours, mask, depth=depth, top=first)


DUNES = ((9.0, -0.02, 0.07), (5.0, 0.1, 0.12), (3.0, 0.28, 0.17), (1.9, 0.52, 0.2), (1.2, 0.84, 0.09))
"""(depth, share of the way from the horizon to the frame's foot, height) of dunes behind dunes."""


def paint_dune(
    stage: Stage,
    light: Light,
    rng: np.random.Generator,
    *,
    base: float,
    height: float,
    depth: float,
    sand: Rgb,
) -> Plate:
    """A row of dunes, each with a lit face, a shaded face behind a sharp winding crest, and ripples."""
    side = 1.0 if light.sun[0] > 0.5 else -1.0
    xs = stage.xs()
    shift = float(rng.uniform(0, 10))
    length = float(rng.uniform(0.9, 1.4)) * (0.55 + 1.1 / depth)
    # A dune is a long rise and a short fall: a sawtooth with a rounded top, bent by slow noise.
    place = (xs + shift) / length * side + 0.12 * noise_line(rng, xs, waves=1.2, octaves=2)
    share = place - np.floor(place)
    heights = 0.55 + 0.45 * noise_line(rng, np.floor(place).astype(np.float32) * 7.3, waves=1.0, octaves=1)
    rise = np.where(share < 0.68, smoothstep(0.0, 0.68, share) ** 1.1, smoothstep(1.0, 0.68, share))
    crest = (base - height * rise * np.clip(heights, 0.3, 1.0)).astype(np.float32)
    first = stage.row(float(crest.min()) - 2 / stage.density)
    ys = stage.ys(first)
    under = ys[:, None] - crest[None, :]
    mask = np.clip(under * stage.density + 0.5, 0.0, 1.0)
    # The crest line runs on down the body, winding: on one side of it lies sun, on the other shadow,
    # which the long rise of the next dune ends softly.
    winding = 0.16 * noise_line(rng, ys, waves=5, octaves=2)[:, None] * np.maximum(under, 0) * 3
    reach = share[None, :] + winding + np.maximum(under, 0) * (0.85 / length)
    dark = np.zeros_like(under)
    for behind in (reach - 0.67, reach + 0.33):
        dark = np.maximum(dark, smoothstep(-0.012, 0.018, behind) * smoothstep(0.5, 0.3, behind))
    dark = dark * smoothstep(height * 1.9, height * 0.2, under)
    bright = mix(light.shade(sand, depth), light.glow, 0.12)
    body = light.shade(sand, depth, lit=0.62)
    shadow = light.shade(times(sand, (0.72, 0.6, 0.66)), depth, lit=0.12)
    colours = _between(bright, body, smoothstep(0.0, 0.42, under))
    if depth < 6:
        warp = noise_field(rng, mask.shape, cells=(6, stage.wide * 3), octaves=2) * 9
        ripple = np.sin((under * (150 / depth + 55)) + warp + xs[None, :] * 14) * smoothstep(0.0, 0.05, under)
        colours = colours * (1.0 + (0.028 * ripple * (1 - dark))[..., None])
    colours = _blend(colours, shadow, dark * 0.92)
    colours = _blend(colours, light.haze, smoothstep(0.1, 0.5, under) * 0.22)
    colours = _blend(colours, light.glow, np.exp(-np.maximum(under, 0) / 0.006) * 0.45 * (1 - dark))
    return paint(stage, colours, mask, depth=depth, top=first)


def _between(first: Rgb, second: Rgb, share: Floats) -> Floats:
    low, high = np.asarray(first, dtype=np.float32), np.asarray(second, dtype=np.float32)
    return np.asarray(low + (high - low) * share[..., None], dtype=np.float32)


def _blend(colours: Floats, colour: Rgb, share: Floats) -> Floats:
    return np.asarray(
        colours + (np.asarray(colour, dtype=np.float32) - colours) * share[..., None], dtype=np.float32
    )


def paint_mist(
    stage: Stage,
    light: Light,
    rng: np.random.Generator,
    *,
    y: float,
    thick: float,
    depth: float,
    drift: float,
    strength: float = 0.5,
) -> Element:
    """A bank of mist around height `y`, drifting to and fro."""
    first, last = stage.row(y - thick * 1.3), stage.row(y + thick * 1.3)
    first = min(first, stage.rows - 2)
    last = max(last, first + 2)
    spare = 0.25
    columns = stage.columns + round(2 * spare * stage.density)
    field = noise_field(rng, (last - first, columns), cells=(3, stage.wide * 2.2), octaves=3)
    ys = stage.ys(first, last)[:, None]
    body = np.exp(-(((ys - y) / (thick * 0.55)) ** 2))
    edge = smoothstep(0.0, 0.15, np.linspace(0, 1, last - first, dtype=np.float32))[:, None]
    mask = body * smoothstep(0.15, 0.9, field) * strength * edge * edge[::-1]
    phase = float(rng.uniform(0, 2 * math.pi))

    def motion(seconds: float) -> tuple[float, float]:
        return (spare * 0.8 * math.sin(drift * seconds / spare + phase), 0.0)

    return paint(
        stage,
        mix(light.haze, light.sky[3], 0.35),
        mask.astype(np.float32),
        depth=depth,
        top=first,
        left=-round(spare * stage.density),
        motion=motion,
        soft=True,
    )
