"""Beyond the air: stars, nebulae, a galaxy, planets with rings, the surface of another world."""

from __future__ import annotations

import math

import numpy as np

from localvid.pipelines.animatic.brush import (
    Floats,
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
from localvid.pipelines.animatic.scenery.light import Hour, Light, Weather
from localvid.pipelines.animatic.scenery.sky import Glints, star_field
from localvid.pipelines.animatic.stage import Stage

_NEBULAE = (
    ("#0b0a24", "#3b1c6b", "#b03a8c", "#ff9a6b"),
    ("#050d20", "#0f3b66", "#1f8fa3", "#9af0d0"),
    ("#0d0818", "#43204f", "#a33a4f", "#ffb27a"),
    ("#060a1e", "#20317a", "#6b5bd2", "#f2b6e8"),
)
_WORLDS = (
    ("#1d4e89", "#3f8fb5", "#e9f1ea", "#5f9d6b"),
    ("#8a4a34", "#c9784f", "#e8b58a", "#6b3428"),
    ("#7a6a9c", "#b79ccf", "#e6d8ea", "#54467a"),
    ("#b08a5a", "#dcc08e", "#f3e5c4", "#8c6440"),
    ("#2f6d72", "#63a9a0", "#c8e6d2", "#1f4a55"),
)


def space_light(rng: np.random.Generator) -> Light:
    """The light of open space: a hard sun from one side, black shadows."""
    side = float(rng.choice((0.08, 0.92)))
    black = rgb("#060714")
    return Light(
        hour=Hour.NIGHT,
        weather=Weather.CLEAR,
        sky=(black, black, rgb("#0a0d24"), rgb("#10163a")),
        glow=rgb("#fff3dc"),
        haze=rgb("#141a3c"),
        ambient=rgb("#d8dcec"),
        shadow=rgb("#0a0c1e"),
        sun=(side, 0.25),
        sun_size=0.0,
        stars=1.0,
        haze_depth=60.0,
    )


def paint_space(
    stage: Stage, light: Light, rng: np.random.Generator, *, planet: bool, galaxy: bool, twinkle: float
) -> list[Element]:
    """A sky of stars and glowing gas, with a galaxy or planets."""
    elements: list[Element] = _deep_sky(
        stage, rng, galaxy=galaxy, share=0.35 if galaxy else 1.0, twinkle=twinkle
    )
    side = 1.0 if light.sun[0] > 0.5 else -1.0
    if planet:
        radius = float(rng.uniform(0.24, 0.36))
        centre = (
            stage.wide * 0.5 - side * stage.wide * float(rng.uniform(0.12, 0.24)),
            stage.tall * float(rng.uniform(0.36, 0.58)),
        )
        elements += _planet(
            stage, light, rng, centre=centre, radius=radius, depth=14.0, rings=rng.random() < 0.5
        )
        moon = (
            centre[0] + side * stage.wide * float(rng.uniform(0.24, 0.34)),
            stage.tall * float(rng.uniform(0.2, 0.42)),
        )
        elements += _planet(
            stage,
            light,
            rng,
            centre=moon,
            radius=radius * float(rng.uniform(0.16, 0.28)),
            depth=7.0,
            rings=False,
        )
    return elements


def paint_other_world(
    stage: Stage, light: Light, rng: np.random.Generator, *, kind: str, twinkle: float
) -> list[Element]:
    """The ground of the moon, of Mars or of a strange planet under a sky of stars."""
    rock = {"moon": rgb("#a9abb3"), "mars": rgb("#b5623c")}.get(kind, rgb("#7d6aa8"))
    elements: list[Element] = _deep_sky(stage, rng, galaxy=False, share=0.3, twinkle=twinkle)
    if kind == "mars":
        xs, ys = stage.xs(), stage.ys()
        dust = smoothstep(0.0, 0.75, ys)[:, None] * np.ones((1, len(xs)), dtype=np.float32)
        elements.append(paint(stage, rgb("#d99a6c"), dust * 0.9, depth=60.0))
    radius = float(rng.uniform(0.1, 0.17))
    place = (stage.wide * (0.3 if light.sun[0] > 0.5 else 0.7), stage.tall * 0.26)
    elements += _planet(
        stage,
        light,
        rng,
        centre=place,
        radius=radius,
        depth=30.0,
        rings=kind == "strange",
        first=kind == "moon",
    )
    haze = {"mars": rgb("#c98a60"), "moon": rgb("#2a2c3a")}.get(kind, rgb("#4a3f7a"))
    for depth, base, height in ((12.0, 0.68, 0.1), (6.0, 0.74, 0.06), (3.2, 0.82, 0.035), (1.7, 0.92, 0.03)):
        elements.append(
            _regolith(
                stage, light, rng, base=base * stage.tall, height=height, depth=depth, rock=rock, haze=haze
            )
        )
    return elements


def _deep_sky(
    stage: Stage, rng: np.random.Generator, *, galaxy: bool, share: float, twinkle: float
) -> list[Element]:
    shape = (stage.rows, stage.columns)
    names = _NEBULAE[int(rng.integers(len(_NEBULAE)))]
    dark, low, mid, high = (rgb(name) for name in names)
    gas = noise_field(rng, shape, cells=(2.2 * stage.tall, 2.2 * stage.wide), octaves=6, fall=0.55)
    wisps = noise_field(rng, shape, cells=(4 * stage.tall, 4 * stage.wide), octaves=5, fall=0.6)
    xs, ys = stage.xs()[None, :], stage.ys()[:, None]
    tilt = float(rng.uniform(-0.6, 0.6))
    band = (ys - stage.tall / 2) - tilt * (xs - stage.wide / 2) + (gas - 0.5) * 0.5
    density = np.exp(-((band / 0.3) ** 2)) * smoothstep(0.25, 0.9, gas + 0.35 * (wisps - 0.5))
    veins = smoothstep(0.16, 0.0, np.abs(wisps - 0.47)) * 0.35
    density = np.clip(density * (1 - veins) * share, 0, 1)
    colours = ramp(density.astype(np.float32), [(0.0, dark), (0.35, low), (0.72, mid), (1.0, high)])
    if galaxy:
        colours = np.clip(colours + _spiral(rng, xs, ys, stage), 0, 1)
    stars = star_field(rng, shape, per_pixel=0.0028, density=stage.density)
    dust = star_field(rng, shape, per_pixel=0.006, density=stage.density) * density
    colours = colours + (1.0 - colours) * np.clip(stars + dust * 0.7, 0, 1)[..., None]
    count = 60
    points = np.stack(
        [rng.uniform(stage.left, stage.right, count), rng.uniform(stage.top, stage.bottom, count)], axis=-1
    )
    return [
        paint(stage, colours.astype(np.float32), None, depth=math.inf),
        Glints(
            stage,
            points.astype(np.float32),
            colour=mix(high, (1, 1, 1), 0.6),
            radius=0.003,
            depth=200.0,
            rng=rng,
            pace=twinkle,
        ),
    ]


def _spiral(rng: np.random.Generator, xs: Floats, ys: Floats, stage: Stage) -> Floats:
    """Light of a galaxy seen at an angle: a bright core and two arms wound logarithmically."""
    turn, squash = float(rng.uniform(-0.6, 0.6)), float(rng.uniform(0.42, 0.62))
    dx, dy = xs - stage.wide * 0.5, ys - stage.tall * 0.48
    u = dx * math.cos(turn) + dy * math.sin(turn)
    v = (-dx * math.sin(turn) + dy * math.cos(turn)) / squash
    radius = np.hypot(u, v) + 1e-4
    angle = np.arctan2(v, u)
    rough = noise_field(rng, radius.shape, cells=(9 * stage.tall, 9 * stage.wide), octaves=5, fall=0.6) - 0.5
    arms = 0.5 + 0.5 * np.cos(2 * (angle - 2.6 * np.log(radius * 6)) + rough * 2.4)
    disc = np.exp(-radius / 0.2) * smoothstep(0.75, 0.3, radius.astype(np.float32))
    glow = disc * (0.25 + 1.5 * arms**1.8) * (0.75 + 0.9 * rough)
    core = np.exp(-((radius / 0.055) ** 1.3))
    blue, warm = np.asarray((0.55, 0.7, 1.0)), np.asarray((1.0, 0.86, 0.66))
    pink = (
        np.asarray((1.0, 0.45, 0.65))
        * (disc * smoothstep(0.2, 0.4, rough.astype(np.float32)) * arms)[..., None]
        * 0.8
    )
    near = np.exp(-radius / 0.12)[..., None]
    return np.asarray(
        glow[..., None] * (blue * (1 - near) + warm * near) * 1.5 + core[..., None] * warm * 1.1 + pink,
        dtype=np.float32,
    )


def _planet(
    stage: Stage,
    light: Light,
    rng: np.random.Generator,
    *,
    centre: tuple[float, float],
    radius: float,
    depth: float,
    rings: bool,
    first: bool = False,
) -> list[Element]:
    """A lit sphere: bands or lands, a soft terminator, air at the rim; rings pass behind and before it."""
    names = _WORLDS[0] if first else _WORLDS[int(rng.integers(len(_WORLDS)))]
    sea, land, cloud, dark = (rgb(name) for name in names)
    reach = radius * 1.25
    pixels = max(4, round(reach * stage.density))
    line = np.arange(-pixels, pixels + 1, dtype=np.float32) / pixels * reach
    u, v = line[None, :] / radius, line[:, None] / radius
    away = np.hypot(u, v)
    height = np.sqrt(np.clip(1 - away**2, 0, 1))
    tilt = float(rng.uniform(-0.4, 0.4))
    latitude = v * math.cos(tilt) + u * math.sin(tilt)
    shape = (len(line), len(line))
    terrain = noise_field(rng, shape, cells=(7, 7), octaves=5, fall=0.55)
    if rng.random() < 0.5 and not first:
        stripes = noise_line(
            rng, (latitude + (terrain - 0.5) * 0.12).ravel().astype(np.float32), waves=3.2, octaves=3
        ).reshape(shape)
        colours = ramp(
            (0.5 + 0.5 * stripes).astype(np.float32), [(0.1, dark), (0.4, sea), (0.65, land), (0.95, cloud)]
        )
    else:
        colours = ramp(terrain, [(0.46, sea), (0.5, land), (0.62, dark), (0.8, land)])
        veil = noise_field(rng, shape, cells=(5, 9), octaves=5, fall=0.6)
        colours = colours + (np.asarray(cloud) - colours) * (smoothstep(0.52, 0.75, veil) * 0.85)[..., None]
    side = 1.0 if light.sun[0] > 0.5 else -1.0
    facing = u * side * 0.78 - v * 0.36 + height * 0.5
    lit = smoothstep(-0.12, 0.75, facing.astype(np.float32))
    colours = colours * (0.03 + 1.08 * lit)[..., None]
    pixel = 1 / (radius * stage.density)
    disc = smoothstep(1 + pixel, 1 - pixel, away)
    air = mix(sea, (0.7, 0.85, 1.0), 0.6)
    rim = smoothstep(0.86, 1.0, away) * lit * 0.55
    colours = colours + (np.asarray(air) - colours) * rim[..., None]
    halo = np.exp(-np.maximum(0.0, away - 1) / 0.05) * (1 - disc) * lit * 0.5
    halo = halo * smoothstep(1.24, 1.1, away)
    mask = np.clip(disc + halo, 0, 1)
    colours = np.where(disc[..., None] > 0.5, colours, np.asarray(air, dtype=np.float32))
    left = round((centre[0] - stage.left) * stage.density) - pixels
    top = round((centre[1] - stage.top) * stage.density) - pixels
    body = paint(
        stage,
        np.clip(colours, 0, 1).astype(np.float32),
        mask.astype(np.float32),
        depth=depth,
        left=left,
        top=top,
    )
    if not rings:
        return [body]
    return _with_rings(stage, light, rng, body, centre=centre, radius=radius, depth=depth, tone=cloud)


def _with_rings(
    stage: Stage,
    light: Light,
    rng: np.random.Generator,
    body: Plate,
    *,
    centre: tuple[float, float],
    radius: float,
    depth: float,
    tone: Rgb,
) -> list[Element]:
    reach = radius * 2.25
    pixels = round(reach * stage.density)
    line = np.arange(-pixels, pixels + 1, dtype=np.float32) / stage.density
    turn, squash = float(rng.uniform(-0.35, 0.35)), 0.26
    u = line[None, :] * math.cos(turn) + line[:, None] * math.sin(turn)
    v = -line[None, :] * math.sin(turn) + line[:, None] * math.cos(turn)
    away = np.hypot(u, v / squash) / radius
    grooves = 0.6 + 0.4 * noise_line(rng, away.ravel().astype(np.float32), waves=22, octaves=2).reshape(
        away.shape
    )
    mask = smoothstep(1.35, 1.4, away) * smoothstep(2.15, 2.08, away) * np.clip(grooves, 0.1, 1) * 0.9
    mask = mask * (1 - 0.85 * np.exp(-(((away - 1.78) / 0.03) ** 2)))
    side = 1.0 if light.sun[0] > 0.5 else -1.0
    shaded = smoothstep(0.0, -0.25, (u * side + 0.1 * radius) / radius) * (np.abs(v) < radius) * (v < 0)
    mask = mask * (1 - 0.8 * shaded)
    left = round((centre[0] - stage.left) * stage.density) - pixels
    top = round((centre[1] - stage.top) * stage.density) - pixels
    colour = mix(tone, light.glow, 0.3)
    behind, before = (
        paint(stage, colour, (mask * half).astype(np.float32), depth=depth, left=left, top=top)
        for half in (v < 0, v >= 0)
    )
    return [behind, body, before]


def _regolith(
    stage: Stage,
    light: Light,
    rng: np.random.Generator,
    *,
    base: float,
    height: float,
    depth: float,
    rock: Rgb,
    haze: Rgb,
) -> Plate:
    """Dusty ground with craters, lit from the side."""
    xs = stage.xs()
    crest = base - height * (noise_line(rng, xs, waves=2.2, octaves=5, fall=0.45))
    first = stage.row(float(crest.min()) - 2 / stage.density)
    ys = stage.ys(first)
    under = ys[:, None] - crest[None, :]
    mask = np.clip(under * stage.density + 0.5, 0, 1)
    side = 1.0 if light.sun[0] > 0.5 else -1.0
    relief = noise_field(
        rng, mask.shape, cells=(max(2, len(ys) / stage.density * 22), stage.wide * 9), octaves=4
    )
    step = max(1, round(0.004 * stage.density))
    slope = (np.roll(relief, int(side) * step, axis=1) - relief) * 5
    for _ in range(round(26 / depth) + 3):
        x, y = float(rng.uniform(-0.3, stage.wide + 0.3)), base + float(rng.uniform(0.02, 0.3)) / depth
        across = float(rng.uniform(0.05, 0.16)) * 2.2 / depth**0.8
        u, v = (xs[None, :] - x) / across, (ys[:, None] - y) / (across * 0.3)
        away = np.hypot(u, v)
        slope = slope + np.exp(-(((away - 0.85) / 0.22) ** 2)) * np.clip(u, -1, 1) * side * -1.0 * np.where(
            away < 0.9, 1, -0.6
        )
    lit = np.clip(0.62 + 0.5 * slope, 0.05, 1.2)[..., None]
    far = 1 - math.exp(-(depth - 1) / 11)
    colours = np.asarray(rock, dtype=np.float32) * lit * 0.95
    colours = colours + (np.asarray(haze, dtype=np.float32) - colours) * far
    colours = (
        colours
        + (np.asarray(light.glow, dtype=np.float32) - colours)
        * (np.exp(-np.maximum(under, 0) / 0.005) * 0.3)[..., None]
    )
    return paint(stage, np.clip(colours, 0, 1).astype(np.float32), soften(mask, 0.0), depth=depth, top=first)
