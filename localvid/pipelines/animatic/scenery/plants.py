"""Trees, bushes, grass and flowers, grown anew from every random generator.

Each `draw_*` puts one plant on a picture, its foot at `at`; `Foliage` holds its colours.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from localvid.pipelines.animatic.brush import Picture, Point, Rgb, mix, rgb
from localvid.pipelines.animatic.scenery.light import Light, Weather


class Season(StrEnum):
    SPRING = "spring"
    SUMMER = "summer"
    AUTUMN = "autumn"
    WINTER = "winter"


class Species(StrEnum):
    PINE = "pine"
    BROADLEAF = "broadleaf"
    BIRCH = "birch"
    CYPRESS = "cypress"
    PALM = "palm"
    BARE = "bare"
    CACTUS = "cactus"


@dataclass(frozen=True)
class Foliage:
    """A plant's colours at its depth: in shadow, plain, lit; its wood; snow on it or None."""

    dark: Rgb
    body: Rgb
    lit: Rgb
    wood: Rgb
    bark: Rgb
    """Of trees with a pale stem."""
    snow: Rgb | None
    sun_side: float
    """-1: the light comes from the left, 1: from the right."""


_LEAVES = {
    Season.SPRING: ("#7fae4e", "#93b85a", "#e8a9bd", "#8bb35c"),
    Season.SUMMER: ("#4f8a48", "#5d9450", "#44804a", "#6a994c"),
    Season.AUTUMN: ("#d9822b", "#c4542c", "#e0a93a", "#a9422f"),
    Season.WINTER: ("#8c8f92", "#7e8488", "#999da0", "#858a90"),
}
_NEEDLES = ("#2f6b52", "#35705a", "#2a6048", "#3d7554")


def foliage(
    light: Light, season: Season, depth: float, rng: np.random.Generator, *, needles: bool = False
) -> Foliage:
    """Colours of one plant in the light, at a depth, with a little variation of its own."""
    names = _NEEDLES if needles else _LEAVES[season]
    leaf = rgb(names[int(rng.integers(len(names)))])
    leaf = mix(leaf, (0.5, 0.5, 0.4), float(rng.uniform(0.0, 0.18)))
    snowy = season is Season.WINTER or light.weather is Weather.SNOW
    return Foliage(
        dark=light.shade(leaf, depth, lit=0.05),
        body=light.shade(leaf, depth, lit=0.55),
        lit=mix(
            light.shade(leaf, depth, lit=0.7 if light.dark else 1.0), light.glow, 0.06 if light.dark else 0.2
        ),
        wood=light.shade(rgb("#5a4638"), depth, lit=0.35),
        bark=light.shade(rgb("#e8e4da"), depth, lit=0.8),
        snow=mix(light.shade(rgb("#f1f6ff"), depth), light.glow, 0.1) if snowy else None,
        sun_side=1.0 if light.sun[0] > 0.5 else -1.0,
    )


def draw_tree(
    picture: Picture, species: Species, at: Point, height: float, colours: Foliage, rng: np.random.Generator
) -> None:
    """One tree of `height` with its foot at `at`."""
    match species:
        case Species.PINE:
            draw_pine(picture, at, height, colours, rng)
        case Species.BROADLEAF:
            draw_broadleaf(picture, at, height, colours, rng)
        case Species.BIRCH:
            draw_broadleaf(picture, at, height, colours, rng, slender=True)
        case Species.CYPRESS:
            draw_cypress(picture, at, height, colours, rng)
        case Species.PALM:
            draw_palm(picture, at, height, colours, rng)
        case Species.BARE:
            draw_bare(picture, at, height, colours, rng)
        case Species.CACTUS:
            draw_cactus(picture, at, height, colours, rng)


def draw_pine(picture: Picture, at: Point, height: float, colours: Foliage, rng: np.random.Generator) -> None:
    """A conifer: tiers of drooping boughs, each half lit, snow on them in winter."""
    x, foot = at
    slim = float(rng.uniform(0.15, 0.22))
    picture.stroke(
        [(x, foot), (x, foot - height * 0.9)], height * 0.035, colours.wood, end_width=height * 0.008
    )
    tiers = int(rng.integers(8, 12)) if height > 0.12 else 6
    for i in range(tiers):
        share = i / tiers  # 0 at the lowest tier
        low = foot - height * (0.1 + 0.86 * share)
        high = low - height * (0.21 - 0.1 * share)
        reach = height * slim * (1.0 - share) ** 0.85 + height * 0.012
        ragged = [float(rng.uniform(0.82, 1.12)) for _ in range(2)]
        left = _bough(x, high, low, -reach * ragged[0], rng)
        right = _bough(x, high, low, reach * ragged[1], rng)
        sunny, shady = (right, left) if colours.sun_side > 0 else (left, right)
        picture.shape(shady, mix(colours.dark, colours.body, 0.25 + 0.3 * share))
        picture.shape(sunny, mix(colours.body, colours.lit, 0.15 + 0.35 * share))
        if colours.snow is not None:
            for bough in (left, right):
                picture.shape(
                    _snowed(bough, x, high, low),
                    mix(colours.snow, colours.body, 0.0 if bough is sunny else 0.3),
                )
    picture.shape(
        [
            (x - height * 0.012, foot - height * 0.9),
            (x, foot - height * 1.01),
            (x + height * 0.012, foot - height * 0.9),
        ],
        colours.snow or colours.body,
    )


def _bough(x: float, high: float, low: float, reach: float, rng: np.random.Generator) -> list[Point]:
    """Half a tier: from the stem out to the tip and back along a fringe of needles."""
    points: list[Point] = [(x, high), (x + reach * 0.45, high + (low - high) * 0.55), (x + reach, low)]
    teeth = 3
    for i in range(teeth):
        inner = 1.0 - (i + 1) / (teeth + 0.4)
        points.append((x + reach * (inner + 0.14), low - (low - high) * float(rng.uniform(0.16, 0.24))))
        points.append((x + reach * inner, low + (low - high) * float(rng.uniform(-0.02, 0.08))))
    points.append((x, low - (low - high) * 0.1))
    return points


def _snowed(bough: list[Point], x: float, high: float, low: float) -> list[Point]:
    """The upper rim of a bough."""
    tip = bough[2]
    return [
        (x, high),
        bough[1],
        (tip[0], tip[1] - (low - high) * 0.04),
        (x + (tip[0] - x) * 0.62, high + (low - high) * 0.78),
        (x + (tip[0] - x) * 0.34, high + (low - high) * 0.58),
        (x, high + (low - high) * 0.5),
    ]


def draw_broadleaf(
    picture: Picture,
    at: Point,
    height: float,
    colours: Foliage,
    rng: np.random.Generator,
    *,
    slender: bool = False,
) -> None:
    """A leafy tree: forked limbs, then leaves in shadow, in half light and in the sun."""
    x, foot = at
    stem = colours.bark if slender else colours.wood
    if colours.snow is not None:
        draw_bare(picture, at, height, colours, rng, stem=stem)
        return
    crown_low = float(rng.uniform(0.3, 0.4))
    across = height * (0.2 if slender else float(rng.uniform(0.3, 0.4)))
    middle = (x + float(rng.uniform(-0.03, 0.03)) * height, foot - height * (0.5 + crown_low / 2 + 0.02))
    down = height * (1 - crown_low) / 2
    thick = height * (0.03 if slender else 0.055)
    picture.stroke(
        [(x, foot), (x + 0.01 * height, foot - height * 0.3), middle], thick, stem, end_width=thick * 0.4
    )
    for side in (-1, 1):
        fork = foot - height * float(rng.uniform(0.26, 0.4))
        tip = (
            x + side * across * float(rng.uniform(0.45, 0.7)),
            fork - height * float(rng.uniform(0.15, 0.28)),
        )
        picture.stroke([(x, fork), tip], thick * 0.6, stem, end_width=thick * 0.2)
    if slender:
        for _ in range(7):
            y = foot - height * float(rng.uniform(0.03, 0.42))
            picture.stroke(
                [(x - thick * 0.4, y), (x + thick * float(rng.uniform(-0.1, 0.3)), y)],
                thick * 0.14,
                colours.wood,
            )
    _draw_crown(picture, middle, across, down, colours, rng, fine=height > 0.16)


def _draw_crown(
    picture: Picture,
    middle: Point,
    across: float,
    down: float,
    colours: Foliage,
    rng: np.random.Generator,
    *,
    fine: bool,
) -> None:
    """Clumps of leaves within an ellipse, from those in shadow to those that face the light."""
    short = min(across, down)
    clumps: list[Clump] = []
    boughs = 9 if fine else 5
    for i in range(boughs):  # the dark mass behind, which also decides the tree's outline
        angle = 2 * math.pi * i / boughs + float(rng.uniform(-0.3, 0.3))
        centre = (middle[0] + across * 0.5 * math.cos(angle), middle[1] + down * 0.5 * math.sin(angle))
        clumps.append((centre, short * float(rng.uniform(0.42, 0.52)), colours.dark))
    clumps.append((middle, short * 0.6, colours.dark))
    for angle in rng.uniform(0, 2 * math.pi, 22 if fine else 8).tolist():
        centre = (middle[0] + across * 0.86 * math.cos(angle), middle[1] + down * 0.86 * math.sin(angle))
        clumps.append((centre, short * float(rng.uniform(0.14, 0.24)), colours.dark))
    count = 64 if fine else 16
    angles, aways = rng.uniform(0, 2 * math.pi, count), np.sqrt(rng.random(count)) * 0.86
    us, vs = aways * np.cos(angles), aways * np.sin(angles)
    lights = 0.5 + 0.42 * (us * 0.55 * colours.sun_side - vs * 0.85) + rng.normal(0, 0.13, count)
    for index in np.argsort(lights).tolist():
        share = min(1.0, max(0.0, float(lights[index])))
        tone = (
            mix(colours.dark, colours.body, share * 2)
            if share < 0.5
            else mix(colours.body, colours.lit, share * 2 - 1)
        )
        centre = (middle[0] + across * float(us[index]), middle[1] + down * float(vs[index]))
        clumps.append((centre, short * float(rng.uniform(0.13, 0.24)) * (1.0 if fine else 1.7), tone))
    _draw_leaves(picture, clumps, rng)


Clump = tuple[Point, float, Rgb]
"""A round of leaves: its centre, radius and colour."""


def _draw_leaves(picture: Picture, clumps: Sequence[Clump], rng: np.random.Generator) -> None:
    """Ragged rounds of leaves, the later over the earlier."""
    spokes = _RAGGED[rng.integers(len(_RAGGED), size=len(clumps))]
    turns = rng.uniform(0, 2 * math.pi, (len(clumps), 1))
    angles = turns + np.arange(spokes.shape[1]) * (2 * math.pi / spokes.shape[1])
    reach = spokes * np.array([radius for _, radius, _ in clumps])[:, None]
    leaves = np.stack([1.1 * reach * np.cos(angles), reach * np.sin(angles)], axis=-1)
    centres = np.array([centre for centre, _, _ in clumps])
    picture.shapes(leaves + centres[:, None], [tone for _, _, tone in clumps])


_RAGGED = np.random.default_rng(3).uniform(0.82, 1.18, (32, 22)) * np.tile((1.06, 0.8), 11)
"""Outlines of clumps of leaves: tips and gaps in turn."""


def draw_cypress(
    picture: Picture, at: Point, height: float, colours: Foliage, rng: np.random.Generator
) -> None:
    """A tall flame of a tree."""
    x, foot = at
    across = height * float(rng.uniform(0.09, 0.12))
    picture.stroke([(x, foot), (x, foot - height * 0.2)], height * 0.03, colours.wood)
    for tone, width, shift in (
        (colours.dark, 1.0, 0.0),
        (colours.body, 0.62, 0.25),
        (colours.lit, 0.25, 0.42),
    ):
        centre = x + across * shift * colours.sun_side
        outline = [(centre, foot - height)]
        for side in (1, -1):
            shares = np.linspace(0.08, 1.0, 9)
            for share in shares if side > 0 else shares[::-1]:
                bulge = math.sin(math.pi * min(1.0, share * 0.92 + 0.04)) ** 0.7
                jag = float(rng.uniform(0.9, 1.1))
                outline.append(
                    (centre + side * across * width * bulge * jag, foot - height * (1 - share * 0.92))
                )
        picture.shape(outline, tone)


def draw_palm(picture: Picture, at: Point, height: float, colours: Foliage, rng: np.random.Generator) -> None:
    """A leaning stem and a head of feathered fronds."""
    x, foot = at
    lean = float(rng.choice((-1.0, 1.0)) * rng.uniform(0.1, 0.28)) * height
    head = (x + lean, foot - height * 0.82)
    stem = [(x, foot), (x + lean * 0.25, foot - height * 0.35), (x + lean * 0.65, foot - height * 0.65), head]
    picture.curve(stem, height * 0.045, colours.wood, end_width=height * 0.024)
    count = 11
    for i in range(count):
        angle = math.pi * (-0.12 + 1.24 * i / (count - 1)) + float(rng.uniform(-0.1, 0.1))
        length = height * float(rng.uniform(0.32, 0.42))
        droop = length * (0.42 + 0.2 * abs(math.cos(angle)))
        tone = colours.lit if math.cos(angle) * colours.sun_side > 0.2 else colours.body
        _frond(picture, head, angle, length, droop, tone if i % 3 else colours.dark)
    for i in range(3):
        picture.oval(
            (head[0] + (i - 1) * height * 0.022, head[1] + height * 0.012),
            height * 0.014,
            height * 0.016,
            colours.wood,
        )


def _frond(picture: Picture, head: Point, angle: float, length: float, droop: float, tone: Rgb) -> None:
    spine = []
    for i in range(9):
        t = i / 8
        spine.append(
            (
                head[0] + math.cos(angle) * length * t,
                head[1] - math.sin(angle) * length * t * (1 - 0.35 * t) + droop * t * t,
            )
        )
    for i, (x, y) in enumerate(spine[1:], start=1):
        leaf = length * 0.24 * math.sin(math.pi * min(0.97, i / 8.6 + 0.06))
        for side in (-1, 1):
            picture.shape(
                [
                    spine[i - 1],
                    (x, y),
                    (x + math.cos(angle) * leaf * 0.5, y + side * leaf * 0.35 + leaf * 0.55),
                ],
                tone,
            )
    picture.stroke(spine, length * 0.03, tone, end_width=length * 0.008)


def draw_bare(
    picture: Picture,
    at: Point,
    height: float,
    colours: Foliage,
    rng: np.random.Generator,
    *,
    stem: Rgb | None = None,
) -> None:
    """A leafless tree: limbs that fork four times."""
    wood = stem or colours.wood

    def grow(start: Point, angle: float, length: float, width: float, order: int) -> None:
        end = (start[0] + math.cos(angle) * length, start[1] - math.sin(angle) * length)
        picture.stroke([start, end], width, wood, end_width=width * 0.66)
        if colours.snow is not None and order < 4 and abs(math.cos(angle)) > 0.35:
            lift = width * 0.4
            picture.stroke(
                [(start[0], start[1] - lift), (end[0], end[1] - lift * 0.8)], width * 0.45, colours.snow
            )
        if order == 0:
            return
        for side in (-1, 1) if order > 1 or rng.random() < 0.8 else (1,):
            turn = side * float(rng.uniform(0.25, 0.62))
            grow(
                end,
                angle + turn + 0.06 * math.cos(angle),
                length * float(rng.uniform(0.66, 0.84)),
                width * 0.62,
                order - 1,
            )

    grow(
        at,
        math.pi / 2 + float(rng.uniform(-0.08, 0.08)),
        height * 0.3,
        height * 0.05,
        5 if height > 0.2 else 4,
    )


def draw_cactus(
    picture: Picture, at: Point, height: float, colours: Foliage, rng: np.random.Generator
) -> None:
    """A saguaro with one to three arms."""
    x, foot = at
    thick = height * 0.13
    body, lit = mix(colours.dark, colours.body, 0.5), mix(colours.body, colours.lit, 0.35)
    limbs = [[(x, foot), (x, foot - height)]]
    for side in (-1, 1)[: int(rng.integers(1, 3))] if rng.random() < 0.5 else (1, -1):
        y, out = (
            foot - height * float(rng.uniform(0.35, 0.58)),
            side * height * float(rng.uniform(0.17, 0.22)),
        )
        top = y - height * float(rng.uniform(0.18, 0.34))
        limbs.append([(x, y), (x + out * 0.8, y), (x + out, y - height * 0.07), (x + out, top)])
    for i, limb in enumerate(limbs):
        width = thick if i == 0 else thick * 0.66
        picture.stroke(limb, width, body)
        shifted = [(px + width * 0.2 * colours.sun_side, py) for px, py in limb]
        picture.stroke(shifted, width * 0.3, lit)


def draw_bush(picture: Picture, at: Point, size: float, colours: Foliage, rng: np.random.Generator) -> None:
    """A low round shrub."""
    clumps: list[Clump] = []
    for tone, count, radius, lift in (
        (colours.dark, 9, 0.42, 0.3),
        (colours.body, 8, 0.3, 0.42),
        (colours.lit, 5, 0.18, 0.6),
    ):
        for _ in range(count):
            centre = (
                at[0] + size * float(rng.uniform(-0.6, 0.6)),
                at[1] - size * lift * float(rng.uniform(0.5, 1.1)),
            )
            clumps.append((centre, size * radius, tone))
    _draw_leaves(picture, clumps, rng)


def draw_grass(picture: Picture, at: Point, height: float, tone: Rgb, rng: np.random.Generator) -> None:
    """A tuft of curved blades."""
    for _ in range(int(rng.integers(4, 8))):
        x = at[0] + height * float(rng.uniform(-0.3, 0.3))
        lean, tall = float(rng.normal(0, 0.35)) * height, height * float(rng.uniform(0.6, 1.0))
        half = height * 0.03
        picture.shape(
            [
                (x - half, at[1]),
                (x + lean * 0.3 - half * 0.6, at[1] - tall * 0.6),
                (x + lean, at[1] - tall),
                (x + lean * 0.3 + half * 0.6, at[1] - tall * 0.55),
                (x + half, at[1]),
            ],
            tone,
        )


def draw_fern(picture: Picture, at: Point, size: float, colours: Foliage, rng: np.random.Generator) -> None:
    """Arching fronds from one root."""
    for i in range(7):
        angle = math.pi * (0.1 + 0.8 * i / 6) + float(rng.uniform(-0.12, 0.12))
        tone = (colours.dark, colours.body, colours.lit)[int(rng.integers(3))]
        _frond(picture, at, angle, size * float(rng.uniform(0.75, 1.1)), size * 0.35, tone)


def draw_flower(
    picture: Picture, at: Point, height: float, petal: Rgb, stem: Rgb, heart: Rgb, rng: np.random.Generator
) -> None:
    """A stem with two leaves and a round of petals."""
    lean = float(rng.uniform(-0.15, 0.15)) * height
    head = (at[0] + lean, at[1] - height)
    picture.curve([at, (at[0] + lean * 0.2, at[1] - height * 0.5), head], height * 0.035, stem)
    for side in (-1, 1):
        y = at[1] - height * float(rng.uniform(0.2, 0.45))
        picture.blob(
            [
                (at[0] + lean * 0.2, y),
                (at[0] + side * height * 0.14, y - height * 0.12),
                (at[0] + side * height * 0.24, y - height * 0.1),
                (at[0] + side * height * 0.12, y),
            ],
            stem,
        )
    radius = height * 0.17
    count = int(rng.integers(5, 9))
    for i in range(count):
        angle = 2 * math.pi * i / count
        picture.oval(
            (head[0] + math.cos(angle) * radius * 0.62, head[1] + math.sin(angle) * radius * 0.5),
            radius * 0.44,
            radius * 0.4,
            petal,
        )
    picture.oval(head, radius * 0.36, radius * 0.32, heart)
