"""Plants by the many: tree lines, groves, undergrowth, meadows, the trunks and light of a forest's inside."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from localvid.pipelines.animatic.brush import Floats, Picture, Rgb, mix, noise_line, rgb, smoothstep, soften
from localvid.pipelines.animatic.painting import paint
from localvid.pipelines.animatic.plate import Plate
from localvid.pipelines.animatic.scenery.light import Light
from localvid.pipelines.animatic.scenery.plants import (
    Foliage,
    Season,
    Species,
    draw_bush,
    draw_fern,
    draw_flower,
    draw_grass,
    draw_tree,
    foliage,
)
from localvid.pipelines.animatic.scenery.terrain import Outline
from localvid.pipelines.animatic.stage import Stage

Sway = Callable[[float], float]


def sway(strength: float, rng: np.random.Generator, *, reach: float) -> Sway | None:
    """A to-and-fro of tops by up to `reach` units at strength 1; None when nothing stirs."""
    if strength <= 0.02:
        return None
    phase, pace = float(rng.uniform(0, 2 * math.pi)), float(rng.uniform(0.8, 1.2)) * (0.9 + 1.3 * strength)

    def lean(seconds: float) -> float:
        return (
            reach * strength * (0.7 * math.sin(pace * seconds + phase) + 0.3 * math.sin(2.3 * pace * seconds))
        )

    return lean


def picture_of(
    stage: Stage, top: float, bottom: float, *, left: float | None = None, right: float | None = None
) -> Picture:
    """A picture over the canvas or a part of its width, on the canvas's own pixels."""
    first = stage.row(top)
    last = max(first + 1, min(stage.rows, stage.row(bottom) + 1))
    west = 0 if left is None else math.floor((left - stage.left) * stage.density)
    east = stage.columns if right is None else math.ceil((right - stage.left) * stage.density)
    return Picture(
        stage.left + west / stage.density,
        stage.top + first / stage.density,
        stage.left + max(west + 1, east) / stage.density - 1e-7,
        stage.top + last / stage.density - 1e-7,
        density=stage.density,
        sharpness=3 if stage.density <= 800 else 2,
    )


def plate_of(
    stage: Stage,
    picture: Picture,
    *,
    depth: float,
    lean: Sway | None = None,
    light: Light | None = None,
    mist: tuple[float, float] | None = None,
    rim: float = 0.0,
    motion: Callable[[float], tuple[float, float]] | None = None,
) -> Plate:
    """The picture as a plate. `mist` (from, to) fades it into the haze between two heights; `rim` draws
    the edges that face the sun in its light."""
    colours, mask = picture.colours_and_mask()
    if rim and light is not None:
        colours = rim_lit(colours, mask, light, strength=rim, reach=max(1, round(0.0035 * stage.density)))
    if mist is not None and light is not None:
        ys = picture.top + (np.arange(picture.rows, dtype=np.float32) + 0.5) / picture.density
        share = smoothstep(mist[0], mist[1], ys)[:, None, None]
        colours = colours + (np.asarray(light.haze, dtype=np.float32) - colours) * share
    left, top = stage.pixel(picture)
    return paint(stage, colours, mask, depth=depth, sway=lean, motion=motion, left=left, top=top)


def rim_lit(colours: Floats, mask: Floats, light: Light, *, strength: float, reach: int) -> Floats:
    """The edge towards the sun, `reach` pixels wide, in the colour of its glow."""
    side = 1 if light.sun[0] > 0.5 else -1
    rows, columns = mask.shape
    padded = np.pad(mask, reach, mode="edge")  # no rim where the canvas cuts a shape off
    away = padded[:rows, reach + side * reach : reach + side * reach + columns]
    edge = np.clip(mask - away, 0.0, 1.0)
    share = (soften(edge.astype(np.float32), reach * 0.4) * strength)[..., None]
    return np.asarray(
        colours + (np.asarray(light.glow, dtype=np.float32) - colours) * share, dtype=np.float32
    )


def tree_line(
    stage: Stage,
    light: Light,
    rng: np.random.Generator,
    *,
    ground: Outline,
    depth: float,
    height: float,
    spacing: float,
    species: Sequence[Species],
    season: Season,
    lean: Sway | None = None,
    gap: tuple[float, float] | None = None,
    rim: float = 0.0,
    mist: float = 0.0,
    vary: float = 0.35,
    open_: float = 0.0,
) -> Plate:
    """A row of trees that stand on an outline; `gap` (from, to) is left open to look through.

    `open_` is the share of clearings between groups of trees."""
    left, right = -0.7, stage.wide + 0.7  # not the canvas's edges: the camera must not change the trees
    places = (
        np.arange(left, right, spacing)
        + rng.uniform(-0.4, 0.4, len(np.arange(left, right, spacing))) * spacing
    )
    if open_:
        groups = noise_line(rng, places.astype(np.float32), waves=1.6, octaves=2)
        places = places[groups > np.quantile(groups, open_)]
    feet = ground(places.astype(np.float32))
    picture = picture_of(stage, float(feet.min()) - height * (1.1 + vary), float(feet.max()) + 0.03)
    for x, foot in sorted(zip(places.tolist(), feet.tolist(), strict=True), key=lambda place: place[1]):
        kind = species[int(rng.integers(len(species)))]
        colours = foliage(
            light, season, depth, rng, needles=kind in (Species.PINE, Species.CYPRESS, Species.CACTUS)
        )
        tall = height * float(rng.uniform(1 - vary, 1 + vary))
        own = np.random.default_rng(int(rng.integers(2**32)))
        clear = gap is not None and gap[0] < x < gap[1]
        if not clear and stage.left - height < x < stage.right + height:
            draw_tree(picture, kind, (x, foot + 0.008), tall, colours, own)
    bottom = float(feet.max())
    fade = (bottom - height * 0.55, bottom + height * 0.25) if mist else None
    return plate_of(stage, picture, depth=depth, lean=lean, light=light, rim=rim, mist=fade)


def undergrowth(
    stage: Stage,
    light: Light,
    rng: np.random.Generator,
    *,
    y: float,
    depth: float,
    size: float,
    season: Season,
    soil: Rgb,
    lean: Sway | None = None,
    ferns: float = 0.5,
    thick: float = 1.0,
    dim: float = 0.5,
) -> Plate:
    """Bushes, ferns and grass on a strip of `soil` from `y` down; `dim` 0..1 draws them into its shade."""
    picture = picture_of(stage, y - size * 2.8, stage.bottom)
    ground = soil
    count = 90
    xs = np.linspace(-0.7, stage.wide + 0.7, count, dtype=np.float32)
    crest = y + noise_line(rng, xs, waves=1.6, octaves=3) * size * 0.5
    # Plants stand thick in some places and leave others open.
    clumps = noise_line(rng, xs, waves=1.1, octaves=2)
    edge = list(zip(xs.tolist(), crest.tolist(), strict=True))
    snowy = season is Season.WINTER
    for (x, foot), clump in zip(edge, clumps.tolist(), strict=True):
        own = np.random.default_rng(int(rng.integers(2**32)))
        if own.random() > (0.7 + 0.6 * clump) * thick:
            continue
        colours = _dimmed(foliage(light, season, depth, own), ground, dim)
        tall = size * (0.75 + 0.7 * max(0.0, clump)) * float(own.uniform(0.7, 1.5))
        kind = float(own.random())
        if kind < ferns * 0.55 and not snowy:
            draw_fern(picture, (x, foot + size * 0.1), tall * 1.25, colours, own)
        elif kind < ferns * 0.55 + 0.16:
            draw_bush(picture, (x, foot + size * 0.25), tall * 0.85, colours, own)
        else:
            draw_grass(picture, (x, foot + size * 0.1), tall * 1.5, mix(colours.body, colours.lit, 0.35), own)
    picture.shape([*edge, (stage.right + 1, stage.bottom + 1), (stage.left - 1, stage.bottom + 1)], ground)
    return plate_of(stage, picture, depth=depth, lean=lean, light=light, rim=0.4)


def _dimmed(colours: Foliage, shade: Rgb, share: float) -> Foliage:
    return replace(
        colours,
        dark=mix(colours.dark, shade, share),
        body=mix(colours.body, shade, share),
        lit=mix(colours.lit, shade, share * 0.75),
    )


def meadow(
    stage: Stage,
    light: Light,
    rng: np.random.Generator,
    *,
    ground: Outline,
    depth: float,
    size: float,
    season: Season,
    flowers: float = 0.4,
    lean: Sway | None = None,
    petals: Sequence[Rgb] = (),
) -> Plate:
    """Grass with flowers on an outline."""
    count = round((stage.wide + 1.4) / (size * 0.3))
    xs = np.linspace(-0.7, stage.wide + 0.7, count, dtype=np.float32)
    feet = ground(xs)
    picture = picture_of(stage, float(feet.min()) - size * 1.6, float(feet.max()) + size * 0.6)
    hues = list(petals) or [rgb(code) for code in ("#f4d35e", "#ee6c5a", "#f2f0ea", "#b58ad6", "#f2a5c0")]
    for x, foot in zip(xs.tolist(), feet.tolist(), strict=True):
        own = np.random.default_rng(int(rng.integers(2**32)))
        colours = foliage(light, season, depth, own)
        tone = mix(colours.dark, colours.lit, float(own.uniform(0.15, 0.8)))
        draw_grass(picture, (x, foot + size * 0.25), size * float(own.uniform(0.5, 1.1)), tone, own)
        if own.random() < flowers * 0.3 and season is not Season.WINTER:
            petal = light.shade(hues[int(own.integers(len(hues)))], depth)
            draw_flower(
                picture,
                (x, foot + size * 0.2),
                size * float(own.uniform(0.8, 1.5)),
                petal,
                tone,
                light.shade(rgb("#f0b43c"), depth),
                own,
            )
    return plate_of(stage, picture, depth=depth, lean=lean, light=light)


def trunks(
    stage: Stage,
    light: Light,
    rng: np.random.Generator,
    *,
    depth: float,
    count: int,
    width: float,
    foot: float,
    gap: tuple[float, float] | None = None,
    rim: float = 0.3,
) -> Plate:
    """Stems that rise out of the frame, with roots and broken branches."""
    picture = picture_of(stage, stage.top, foot + 0.08)
    bark = light.shade(rgb("#54453c"), depth, lit=0.3)
    dark, pale = mix(bark, light.shadow, 0.35), mix(bark, light.glow, 0.2)
    side = 1.0 if light.sun[0] > 0.5 else -1.0
    slots = (np.arange(count) + rng.uniform(0.15, 0.85, count)) / count * (stage.wide + 1.2) - 0.6
    for x in slots.tolist():
        own = np.random.default_rng(int(rng.integers(2**32)))
        thick = width * float(own.uniform(0.55, 1.25))
        low = foot + float(own.uniform(-0.03, 0.05))
        lean = float(own.uniform(-0.05, 0.05))
        if gap is not None and gap[0] - thick < x < gap[1] + thick:
            continue
        _trunk(
            picture,
            own,
            x=x,
            foot=low,
            top=stage.top - 0.1,
            width=thick,
            lean=lean,
            tones=(dark, bark, pale),
            side=side,
        )
    return plate_of(
        stage,
        picture,
        depth=depth,
        light=light,
        rim=rim,
        mist=(foot - 0.2, foot + 0.25) if depth > 2.2 else None,
    )


def _trunk(
    picture: Picture,
    rng: np.random.Generator,
    *,
    x: float,
    foot: float,
    top: float,
    width: float,
    lean: float,
    tones: tuple[Rgb, Rgb, Rgb],
    side: float,
) -> None:
    dark, bark, pale = tones
    heights = np.linspace(0, 1, 14)
    bend = noise_line(rng, heights.astype(np.float32), waves=2, octaves=2) * width * 0.3

    def edge(offset: float) -> list[tuple[float, float]]:
        points = []
        for share, curve in zip(heights.tolist(), bend.tolist(), strict=True):
            flare = 1.0 + 0.9 * math.exp(-share * 16)
            middle = x + lean * share + curve
            points.append((middle + offset * width * (1 - 0.4 * share) * flare, foot + (top - foot) * share))
        return points

    for low, high, tone in (
        (-0.5, 0.5, bark),
        (-0.5 * side, -0.12 * side, dark),
        (0.32 * side, 0.5 * side, pale),
    ):
        picture.shape(edge(low) + edge(high)[::-1], tone)
    for _ in range(int(rng.integers(5, 9))):  # furrows
        at, share = float(rng.uniform(-0.38, 0.38)), float(rng.uniform(0.02, 0.7))
        line = edge(at)
        start = int(share * 13)
        picture.stroke(line[start : start + 3], width * 0.035, dark)
    for _ in range(int(rng.integers(1, 4))):  # branches
        share, out = float(rng.uniform(0.35, 0.85)), float(rng.choice((-1.0, 1.0)))
        knot = edge(0.2 * out)[int(share * 13)]
        length = width * float(rng.uniform(1.2, 3.0))
        middle = (knot[0] + out * length * 0.5, knot[1] - length * 0.12)
        tip = (knot[0] + out * length, knot[1] - length * float(rng.uniform(0.1, 0.6)))
        picture.stroke([knot, middle, tip], width * 0.2, bark, end_width=width * 0.04)


def canopy(
    stage: Stage,
    light: Light,
    rng: np.random.Generator,
    *,
    depth: float,
    reach: float,
    season: Season,
    lean: Sway | None = None,
) -> Plate:
    """Leaves that hang into the frame from above, thick at the sides."""
    picture = picture_of(stage, stage.top, reach * 2.2)
    side_weight = stage.wide / 2
    for x in np.arange(-0.6, stage.wide + 0.6, 0.035).tolist():
        own = np.random.default_rng(int(rng.integers(2**32)))
        colours = foliage(light, season, depth, own)
        far = abs(x - side_weight) / side_weight
        low = reach * (0.25 + 0.95 * min(1.3, far) ** 2) * float(own.uniform(0.5, 1.2))
        for share in np.arange(0.0, 1.0, 0.28).tolist():
            tone = mix(
                mix(colours.dark, light.shadow, 0.4), colours.body, share * float(own.uniform(0.3, 0.9))
            )
            _clump(
                picture,
                (x + float(own.normal(0, 0.03)), low * share),
                0.055 * float(own.uniform(0.6, 1.2)),
                tone,
                own,
            )
    return plate_of(stage, picture, depth=depth, lean=lean, light=light, rim=0.25)


def _clump(
    picture: Picture, centre: tuple[float, float], radius: float, tone: Rgb, rng: np.random.Generator
) -> None:
    for _ in range(7):
        angle, away = float(rng.uniform(0, 2 * math.pi)), radius * float(rng.uniform(0.2, 1.0))
        x, y = centre[0] + math.cos(angle) * away, centre[1] + math.sin(angle) * away
        turn = float(rng.uniform(0, math.pi))
        along, across = radius * 0.55, radius * 0.22
        dx, dy = math.cos(turn), math.sin(turn)
        picture.shape(
            [
                (x - dx * along, y - dy * along),
                (x - dy * across, y + dx * across),
                (x + dx * along, y + dy * along),
                (x + dy * across, y - dx * across),
            ],
            tone,
        )


def light_shafts(
    stage: Stage, light: Light, rng: np.random.Generator, *, foot: float, strength: float
) -> Plate:
    """Slanting beams from the sun's side, fading towards the ground; they move as the sun does."""
    xs, ys = stage.xs(), stage.ys(0, max(2, stage.row(foot)))
    source = (light.sun[0] * stage.wide, -0.55)
    angle = (xs[None, :] - source[0]) / (ys[:, None] - source[1])
    beams = noise_line(rng, angle.ravel(), waves=5.0, octaves=2).reshape(angle.shape)
    mask = smoothstep(0.05, 0.8, beams) * smoothstep(foot, foot * 0.2, ys)[:, None] * strength
    mask = mask * np.exp(-np.abs(angle) * 1.2)
    return paint(
        stage, light.glow, soften(mask.astype(np.float32), 0.004 * stage.density), depth=math.inf, soft=True
    )
