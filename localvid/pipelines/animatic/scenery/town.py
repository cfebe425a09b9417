"""Built places: skylines with lit windows, a street with lamps, houses of a village, a road."""

from __future__ import annotations

import math

import numpy as np

from localvid.pipelines.animatic.brush import Floats, Picture, Rgb, mix, noise_field, rgb, smoothstep, soften
from localvid.pipelines.animatic.ground import Ground
from localvid.pipelines.animatic.painting import paint, paint_ground
from localvid.pipelines.animatic.plate import Element, Plate
from localvid.pipelines.animatic.scenery.groves import picture_of, plate_of
from localvid.pipelines.animatic.scenery.light import Light
from localvid.pipelines.animatic.stage import Stage

_WINDOW = (rgb("#ffd98a"), rgb("#ffe9b8"), rgb("#ffc46b"), rgb("#cfe4ff"))
_NEON = (rgb("#ff3ea5"), rgb("#27e0ff"), rgb("#9d5cff"), rgb("#35ffb0"), rgb("#ffb02e"))
_WALLS = (rgb("#7d8591"), rgb("#8a7f7a"), rgb("#6e7a88"), rgb("#97897c"), rgb("#7c7487"))


def paint_skyline(
    stage: Stage,
    light: Light,
    rng: np.random.Generator,
    *,
    base: float,
    depth: float,
    height: float,
    width: float,
    lit: float,
    neon: bool = False,
    gap: tuple[float, float] | None = None,
) -> list[Element]:
    """A row of towers from `base` up, the tallest near the middle; `lit` is the share of lit windows.

    With a `gap` (from, to) the row is the two sides of a street: open between, and of even height."""
    picture = picture_of(stage, base - height * 1.5, base + (0.004 if gap else 0.25))
    lights = picture_of(stage, base - height * 1.5, base + 0.05)
    x = -0.8
    centre = stage.wide * float(rng.uniform(0.3, 0.7))
    while x < stage.wide + 0.8:
        own = np.random.default_rng(int(rng.integers(2**32)))
        wide = width * float(own.uniform(0.55, 1.3))
        rise = 0.35 + 0.75 * math.exp(-(((x - centre) / (stage.wide * 0.3)) ** 2))
        tall = height * rise * float(own.uniform(0.5, 1.15))
        if gap is not None:
            tall = height * float(own.uniform(0.75, 1.2))
            if gap[0] < x + wide and x < gap[1]:  # move on to the far side of the street
                x = gap[1] if x > gap[0] - wide * 0.2 else x
                wide = min(wide, gap[0] - x) if x < gap[0] else wide
        if wide > width * 0.2 and (own.random() < 0.85 or depth > 5 or gap):
            _tower(
                picture,
                lights,
                own,
                light,
                left=x,
                base=base,
                wide=wide,
                tall=tall,
                depth=depth,
                lit=lit,
                neon=neon,
            )
        x += wide * float(own.uniform(0.85, 1.15))
    fade = (base - height * 0.9, base + height * 0.35) if depth > 4 and gap is None else None
    elements: list[Element] = [plate_of(stage, picture, depth=depth, light=light, mist=fade, rim=0.25)]
    colours, mask = lights.colours_and_mask(around=0.03)
    if lit > 0.02:
        left, top = stage.pixel(lights)
        if depth < 9:
            glow = soften(mask, 0.011 * stage.density)
            warm = _NEON[int(rng.integers(5))] if neon else light.glow if light.dark else _WINDOW[0]
            elements.append(
                paint(
                    stage,
                    mix(_WINDOW[0], warm, 0.3),
                    np.clip(glow * 0.55, 0, 0.6),
                    depth=depth,
                    left=left,
                    top=top,
                )
            )
        share = light.fade(depth) * 0.55
        colours = colours + (np.asarray(light.haze, dtype=np.float32) - colours) * np.float32(share)
        elements.append(
            paint(stage, colours, mask * (0.95 if light.dark else 0.55), depth=depth, left=left, top=top)
        )
    return elements


def _tower(
    picture: Picture,
    lights: Picture,
    rng: np.random.Generator,
    light: Light,
    *,
    left: float,
    base: float,
    wide: float,
    tall: float,
    depth: float,
    lit: float,
    neon: bool,
) -> None:
    wall = light.shade(_WALLS[int(rng.integers(len(_WALLS)))], depth, lit=0.25 if light.dark else 0.75)
    side_wall = mix(wall, light.shadow, 0.22)
    right, top = left + wide, base - tall
    sun_right = light.sun[0] > 0.5
    crown = float(rng.random())
    steps = [(left, right, top)]
    if crown < 0.3:
        inset = wide * float(rng.uniform(0.15, 0.28))
        steps.append((left + inset, right - inset, top - tall * float(rng.uniform(0.06, 0.16))))
    for low, high, roof in steps:
        picture.shape([(low, base + 1), (low, roof), (high, roof), (high, base + 1)], wall)
        split = low + (high - low) * (0.3 if sun_right else 0.7)
        near, far = (low, split) if sun_right else (split, high)
        picture.shape([(near, base + 1), (near, roof), (far, roof), (far, base + 1)], side_wall)
    middle, roof = (left + right) / 2, steps[-1][2]
    if 0.3 <= crown < 0.42:
        picture.shape([(left, top), (middle, top - wide * 0.7), (right, top)], wall)
    elif crown > 0.72:
        picture.stroke(
            [(middle, roof), (middle, roof - tall * 0.22)], wide * 0.05, side_wall, end_width=wide * 0.015
        )
        if light.dark:
            lights.oval((middle, roof - tall * 0.22), wide * 0.03, wide * 0.03, rgb("#ff5040"))
    elif crown > 0.55:
        picture.shape(
            [
                (left + wide * 0.2, top),
                (left + wide * 0.2, top - wide * 0.18),
                (left + wide * 0.55, top - wide * 0.18),
                (left + wide * 0.55, top),
            ],
            side_wall,
        )
    cell = max(0.011, 0.05 / depth) * float(rng.uniform(0.9, 1.25))
    columns, rows = max(1, int(wide * 0.84 / cell)), max(1, int(tall * 0.94 / (cell * 1.35)))
    pane = mix(wall, light.sky[2], 0.3) if not light.dark else mix(wall, light.shadow, 0.35)
    hue = _WINDOW[int(rng.integers(4))]
    for row in range(rows):
        y = top + tall * 0.03 + row * cell * 1.35
        whole_floor = rng.random() < lit * 0.12
        for column in range(columns):
            px = left + wide * 0.08 + column * (wide * 0.84 / columns)
            corners = [(px, y), (px + cell * 0.6, y), (px + cell * 0.6, y + cell * 0.8), (px, y + cell * 0.8)]
            if whole_floor or rng.random() < lit:
                lights.shape(corners, mix(hue, wall, float(rng.uniform(0.0, 0.45))))
            elif depth < 7:
                picture.shape(corners, pane)
    if neon and depth < 7 and rng.random() < 0.75:
        colour = _NEON[int(rng.integers(len(_NEON)))]
        if rng.random() < 0.5:
            x = left + wide * float(rng.uniform(0.1, 0.8))
            y = top + tall * float(rng.uniform(0.05, 0.4))
            lights.shape(
                [(x, y), (x + wide * 0.13, y), (x + wide * 0.13, y + tall * 0.3), (x, y + tall * 0.3)], colour
            )
        else:
            lights.stroke([(left, base), (left, top), (right, top), (right, base)], wide * 0.03, colour)


def paint_street(
    stage: Stage, light: Light, rng: np.random.Generator, *, horizon: float, height: float, wet: bool
) -> Ground:
    """A road with pavements towards the vanishing point."""
    return _road(
        stage,
        light,
        rng,
        horizon=horizon,
        height=height,
        half=0.42,
        asphalt=rgb("#4b4d55"),
        verge=rgb("#77757a"),
        wet=wet,
    )


def street_lamps(stage: Stage, light: Light, *, horizon: float, height: float, depth: float) -> list[Element]:
    """A pair of lamps, one on each side of the street."""
    middle, foot = stage.wide / 2, horizon + height / depth
    pair: list[Element] = []
    for side in (-1, 1):
        x = middle + side * 0.62 / depth
        pair += _lamp(stage, light, x=x, foot=foot, tall=0.62 / depth, depth=depth, side=side)
    return pair


def paint_road(
    stage: Stage, light: Light, rng: np.random.Generator, *, horizon: float, height: float, verge: Rgb
) -> Ground:
    """A country road through open land."""
    return _road(
        stage,
        light,
        rng,
        horizon=horizon,
        height=height,
        half=0.24,
        asphalt=rgb("#5a5a60"),
        verge=verge,
        wet=False,
    )


def _road(
    stage: Stage,
    light: Light,
    rng: np.random.Generator,
    *,
    horizon: float,
    height: float,
    half: float,
    asphalt: Rgb,
    verge: Rgb,
    wet: bool,
) -> Ground:
    """Everything is laid out by the true position on the ground: X = x·H/u across, Z = H/u ahead."""
    first = stage.row(horizon)
    ys, xs = stage.ys(first), stage.xs()
    under = np.maximum(ys - horizon, 0.5 / stage.density)[:, None]
    ahead = height / under
    across = (xs[None, :] - stage.wide / 2) * ahead
    blur = ahead / stage.density * 1.2  # a pixel's width on the ground

    def band(low: float, high: float) -> Floats:
        inside = np.clip((across - low) / blur + 0.5, 0, 1) * np.clip((high - across) / blur + 0.5, 0, 1)
        return np.asarray(inside, dtype=np.float32)

    # What lies ahead fades as its depth says.
    fade = (1 - np.exp(-np.maximum(0, ahead - 1) / light.haze_depth))[..., None]
    grain = (
        noise_field(rng, across.shape, cells=(len(ys) / stage.density * 34, stage.wide * 12), octaves=3)[
            ..., None
        ]
        - 0.5
    )
    verge_tone = np.asarray(light.shade(verge, 1.0), dtype=np.float32)
    road_tone = np.asarray(light.shade(asphalt, 1.0, lit=0.7), dtype=np.float32)
    paint_tone = np.asarray(light.shade((0.93, 0.9, 0.8), 1.0, lit=0.9), dtype=np.float32)
    colours = verge_tone * (1 + 0.22 * grain) * np.ones((1, len(xs), 1), dtype=np.float32)
    colours = colours + (road_tone * (1 + 0.1 * grain) - colours) * band(-half, half)[..., None]
    dashes = smoothstep(0.48, 0.52, np.abs(np.modf(ahead * 0.9)[0] - 0.5) * 2)
    centre = band(-half * 0.022, half * 0.022) * np.clip(dashes, 0, 1)
    edges = band(-half * 0.93, -half * 0.89) + band(half * 0.89, half * 0.93)
    colours = colours + (paint_tone - colours) * (np.clip(centre + edges, 0, 1) * 0.85)[..., None]
    if wet:
        shine = np.asarray(mix(light.sky[3], light.glow, 0.4), dtype=np.float32)
        mask = band(-half * 2, half * 2) * smoothstep(0.1, -0.2, grain[..., 0]) * (0.4 if light.dark else 0.3)
        colours = colours + (shine - colours) * mask[..., None]
    colours = colours + (np.asarray(light.haze, dtype=np.float32) - colours) * fade
    return paint_ground(stage, np.asarray(colours, dtype=np.float32), horizon=horizon, height=height)


def _lamp(
    stage: Stage, light: Light, *, x: float, foot: float, tall: float, depth: float, side: int
) -> list[Element]:
    iron = light.silhouette(depth, (0.2, 0.2, 0.23))
    picture = picture_of(stage, foot - tall * 1.05, foot + 0.01, left=x - tall * 0.4, right=x + tall * 0.4)
    arm = (x - side * tall * 0.2, foot - tall * 0.97)
    picture.stroke([(x, foot), (x, foot - tall * 0.1)], tall * 0.035, iron)
    picture.curve(
        [(x, foot), (x, foot - tall * 0.8), (x - side * tall * 0.06, foot - tall * 0.96), arm],
        tall * 0.02,
        iron,
    )
    picture.shape(
        [
            (arm[0] - tall * 0.06, arm[1] + tall * 0.025),
            (arm[0], arm[1] - tall * 0.025),
            (arm[0] + tall * 0.06, arm[1] + tall * 0.025),
        ],
        iron,
    )
    bulb = mix(light.glow, rgb("#ffdf9a"), 0.7) if light.dark else light.shade((0.9, 0.9, 0.85), depth)
    picture.oval((arm[0], arm[1] + tall * 0.03), tall * 0.035, tall * 0.018, bulb)
    elements: list[Element] = [plate_of(stage, picture, depth=depth)]
    if light.dark:
        elements.append(
            glow_plate(
                stage,
                (arm[0], arm[1] + tall * 0.03),
                radius=tall * 0.4,
                colour=rgb("#ffcf7a"),
                depth=depth,
                strength=0.6,
            )
        )
    return elements


def glow_plate(
    stage: Stage, at: tuple[float, float], *, radius: float, colour: Rgb, depth: float, strength: float
) -> Plate:
    """A round of light in the air around a lamp."""
    pixels = max(2, round(radius * stage.density))
    reach = np.arange(-pixels, pixels + 1, dtype=np.float32) / pixels
    away = np.hypot(reach[None, :], reach[:, None])
    mask = np.clip(np.exp(-away * 4.2) - np.exp(-4.2), 0, 1) * strength
    return paint(
        stage,
        colour,
        mask.astype(np.float32),
        depth=depth,
        left=round((at[0] - stage.left) * stage.density) - pixels,
        top=round((at[1] - stage.top) * stage.density) - pixels,
    )
