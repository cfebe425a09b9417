"""What stands: castles, lighthouses, windmills, tents, fires. 1 high, feet at (0, 0), or as said."""

from __future__ import annotations

import math

from localvid.pipelines.animatic.brush import Point, mix
from localvid.pipelines.animatic.figures.sketch import Look, Sketch


def draw_castle(sketch: Sketch, look: Look, phase: float) -> None:
    """Towers, walls and flags on a rock."""
    stone, dark, roof = look.tone("#b3a898", 0.8), look.tone("#7d7468", 0.3), look.tone("#5a4f78", 0.6)
    rock = look.tone("#5e5a55", 0.25)

    def tower(x: float, wide: float, tall: float, *, spire: float) -> None:
        half = wide / 2
        sketch.shape([(x - half, 0.0), (x - half, -tall), (x + half, -tall), (x + half, 0.0)], stone)
        sketch.shape(
            [(x + half * 0.25, 0.0), (x + half * 0.25, -tall), (x + half, -tall), (x + half, 0.0)], dark
        )
        sketch.shape(
            [
                (x - half * 1.25, -tall + 0.005),
                (x - half * 1.25, -tall - 0.03),
                (x + half * 1.25, -tall - 0.03),
                (x + half * 1.25, -tall + 0.005),
            ],
            stone,
        )
        if spire:
            sketch.shape(
                [(x - half * 1.35, -tall - 0.028), (x, -tall - spire), (x + half * 1.35, -tall - 0.028)], roof
            )
            sketch.line([(x, -tall - spire), (x, -tall - spire - 0.07)], 0.007, dark)
            wave = 0.012 * math.sin(2 * math.pi * phase + x * 9)
            sketch.shape(
                [
                    (x, -tall - spire - 0.07),
                    (x + 0.07, -tall - spire - 0.05 + wave),
                    (x, -tall - spire - 0.035),
                ],
                look.tone("#c9463c", 0.9),
            )
        else:
            for i in range(4):
                a = x - half * 1.25 + i * wide * 0.36
                sketch.shape(
                    [
                        (a, -tall - 0.025),
                        (a, -tall - 0.055),
                        (a + wide * 0.18, -tall - 0.055),
                        (a + wide * 0.18, -tall - 0.025),
                    ],
                    stone,
                )
        for share in (0.45, 0.75):
            sketch.blob(
                [
                    (x - half * 0.22, -tall * share),
                    (x - half * 0.22, -tall * share - 0.035),
                    (x, -tall * share - 0.05),
                    (x + half * 0.22, -tall * share - 0.035),
                    (x + half * 0.22, -tall * share),
                ],
                look.pane("#3a3430"),
            )

    sketch.blob(
        [(-0.62, 0.06), (-0.5, -0.06), (-0.2, -0.12), (0.2, -0.12), (0.48, -0.07), (0.62, 0.06)], rock
    )
    tower(0.02, 0.2, 0.66, spire=0.27)
    tower(-0.16, 0.13, 0.5, spire=0.2)
    tower(0.24, 0.14, 0.54, spire=0.21)
    sketch.shape([(-0.42, 0.0), (-0.42, -0.26), (0.44, -0.26), (0.44, 0.0)], stone)
    for i in range(14):
        x = -0.42 + 0.062 * i
        sketch.shape([(x, -0.25), (x, -0.285), (x + 0.034, -0.285), (x + 0.034, -0.25)], stone)
    sketch.shape([(-0.42, 0.0), (-0.42, -0.07), (0.44, -0.07), (0.44, 0.0)], dark)
    tower(-0.42, 0.12, 0.36, spire=0.16)
    tower(0.44, 0.12, 0.38, spire=0.16)
    tower(-0.1, 0.1, 0.33, spire=0.0)
    tower(0.14, 0.1, 0.33, spire=0.0)
    sketch.blob(
        [(-0.04, 0.0), (-0.04, -0.11), (0.02, -0.16), (0.08, -0.11), (0.08, 0.0)], look.tone("#2e2420", 0.2)
    )
    sketch.blob([(-0.66, 0.08), (-0.5, -0.02), (-0.2, 0.0), (0.3, -0.01), (0.5, -0.02), (0.66, 0.08)], rock)


def draw_lighthouse(sketch: Sketch, look: Look, phase: float) -> None:  # noqa: ARG001 - every figure takes a phase
    """A banded tower with a lantern on a rock."""
    white, red, dark = look.tone("#f2eee4", 0.95), look.tone("#c2453a", 0.8), look.tone("#2e3138", 0.3)
    sketch.blob(
        [(-0.34, 0.04), (-0.24, -0.1), (-0.05, -0.14), (0.18, -0.11), (0.34, 0.04)], look.tone("#5c5a58", 0.3)
    )
    for i in range(5):
        low, high = i / 5, (i + 1) / 5
        a, b = 0.1 - 0.035 * low, 0.1 - 0.035 * high
        y0, y1 = -0.1 - 0.64 * low, -0.1 - 0.64 * high
        hue = red if i % 2 else white
        sketch.shape([(-a, y0), (-b, y1), (b, y1), (a, y0)], hue)
        sketch.shape([(a * 0.35, y0), (b * 0.35, y1), (b, y1), (a, y0)], mix(hue, dark, 0.25))
    sketch.shape([(-0.1, -0.74), (0.1, -0.74), (0.1, -0.765), (-0.1, -0.765)], dark)
    sketch.shape([(-0.055, -0.765), (0.055, -0.765), (0.055, -0.86), (-0.055, -0.86)], look.glow("#fff0b8"))
    for x in (-0.055, 0.0, 0.055):
        sketch.line([(x, -0.76), (x, -0.865)], 0.008, dark)
    sketch.blob([(-0.075, -0.86), (-0.05, -0.92), (0.0, -0.95), (0.05, -0.92), (0.075, -0.86)], red)
    sketch.line([(0.0, -0.94), (0.0, -1.0)], 0.01, dark)
    sketch.shape([(-0.03, -0.1), (-0.03, -0.19), (0.02, -0.19), (0.02, -0.1)], dark)
    for y in (-0.36, -0.55):
        sketch.oval((-0.012, y), 0.015, 0.02, look.pane("#3a4a5a"))


def draw_windmill(sketch: Sketch, look: Look, phase: float) -> None:
    """A mill whose sails turn."""
    wall, dark = look.tone("#d8cab2", 0.8), look.tone("#7d6a58", 0.3)
    sketch.shape([(-0.16, 0.0), (-0.1, -0.58), (0.1, -0.58), (0.16, 0.0)], wall)
    sketch.shape([(0.04, 0.0), (0.03, -0.58), (0.1, -0.58), (0.16, 0.0)], mix(wall, dark, 0.4))
    sketch.blob(
        [(-0.12, -0.57), (-0.08, -0.68), (0.02, -0.71), (0.1, -0.66), (0.12, -0.57)],
        look.tone("#7a4238", 0.5),
    )
    sketch.shape([(-0.04, 0.0), (-0.04, -0.13), (0.04, -0.13), (0.04, 0.0)], look.tone("#5a3d2c", 0.4))
    sketch.oval((0.0, -0.32), 0.028, 0.035, look.pane("#3a4a5a"))
    hub: Point = (0.0, -0.6)
    for i in range(4):
        turn = math.pi * (i / 2 + phase / 2) + 0.4
        cos, sin = math.cos(turn), math.sin(turn)

        def at(u: float, v: float, cos: float = cos, sin: float = sin) -> Point:
            return (hub[0] + u * cos - v * sin, hub[1] + u * sin + v * cos)

        sketch.shape(
            [at(0.08, 0.0), at(0.42, 0.0), at(0.42, 0.09), at(0.08, 0.09)], look.tone("#f0e8d8", 0.9)
        )
        for k in range(1, 6):
            u = 0.08 + 0.068 * k
            sketch.line([at(u, 0.0), at(u, 0.09)], 0.006, dark)
        sketch.line([hub, at(0.43, 0.0)], 0.018, dark)
    sketch.oval(hub, 0.025, 0.025, dark)


def draw_tent(sketch: Sketch, look: Look, phase: float) -> None:  # noqa: ARG001 - every figure takes a phase
    """A ridge tent with a light inside, as wide as high."""
    sketch.shape([(-0.65, 0.0), (-0.08, -0.92), (0.16, -1.0), (0.72, 0.0)], look.tone("#4f7a6a", 0.6))
    sketch.shape([(-0.65, 0.0), (-0.08, -0.92), (0.22, 0.0)], look.tone("#d98a3f", 0.85))
    sketch.shape(
        [(-0.32, 0.0), (-0.08, -0.72), (0.04, 0.0)],
        look.glow("#ffd98a") if look.lamps else look.tone("#5a3d24", 0.2),
    )
    sketch.line([(-0.08, -0.92), (-0.08, -1.0)], 0.03, look.tone("#3a2a22", 0.4))


def draw_campfire(sketch: Sketch, look: Look, phase: float) -> None:
    """Logs and flames."""
    for side in (-1, 1):
        sketch.line([(side * 0.45, -0.02), (-side * 0.3, -0.14)], 0.11, look.tone("#4a3424", 0.35))
    for i, (wide, tall, code) in enumerate(
        ((0.3, 0.95, "#ff6a1f"), (0.22, 0.7, "#ffae2e"), (0.12, 0.44, "#fff0b0"))
    ):
        lean = 0.09 * math.sin(2 * math.pi * (phase + i * 0.3))
        high = tall * (0.9 + 0.1 * math.sin(4 * math.pi * phase + i))
        sketch.blob(
            [
                (-wide, -0.1),
                (-wide * 0.8, -high * 0.42),
                (lean - wide * 0.15, -high * 0.66),
                (lean * 1.4, -high),
                (lean + wide * 0.35, -high * 0.6),
                (wide * 0.85, -high * 0.36),
                (wide, -0.1),
                (0.0, -0.04),
            ],
            look.glow(code),
        )


def draw_pyramid(sketch: Sketch, look: Look, phase: float) -> None:  # noqa: ARG001 - every figure takes a phase
    """A pyramid, 1.6 wide, with a lit and a shaded face and its courses of stone."""
    side = 1.0 if look.light.sun[0] > 0.5 else -1.0
    lit, dark = look.tone("#e0b878", 0.95), look.tone("#9a7248", 0.2)
    sketch.shape([(-0.8, 0.0), (0.0, -1.0), (0.8, 0.0)], lit)
    sketch.shape([(-side * 0.8, 0.0), (0.0, -1.0), (-side * 0.12, 0.0)], dark)
    for i in range(1, 14):
        y = -i / 14
        sketch.line([(-0.8 * (1 + y), y), (0.8 * (1 + y), y)], 0.004, mix(lit, dark, 0.4))


def draw_temple(sketch: Sketch, look: Look, phase: float) -> None:  # noqa: ARG001 - every figure takes a phase
    """Columns under a pediment, 1.5 wide."""
    stone, dark = look.tone("#e2d8c4", 0.9), look.tone("#9a8f7c", 0.3)
    for i in range(3):
        sketch.shape(
            [
                (-0.8 + 0.05 * i, -0.05 * i),
                (-0.8 + 0.05 * i, -0.05 * (i + 1)),
                (0.8 - 0.05 * i, -0.05 * (i + 1)),
                (0.8 - 0.05 * i, -0.05 * i),
            ],
            mix(stone, dark, 0.2 * i),
        )
    sketch.shape([(-0.62, -0.15), (-0.62, -0.66), (0.62, -0.66), (0.62, -0.15)], look.tone("#4a443c", 0.1))
    for i in range(6):
        x = -0.6 + 0.24 * i
        sketch.shape([(x - 0.045, -0.15), (x - 0.038, -0.64), (x + 0.038, -0.64), (x + 0.045, -0.15)], stone)
        sketch.shape([(x + 0.012, -0.15), (x + 0.01, -0.64), (x + 0.038, -0.64), (x + 0.045, -0.15)], dark)
        sketch.shape([(x - 0.06, -0.63), (x - 0.06, -0.67), (x + 0.06, -0.67), (x + 0.06, -0.63)], stone)
    sketch.shape([(-0.72, -0.66), (-0.72, -0.74), (0.72, -0.74), (0.72, -0.66)], stone)
    sketch.shape([(-0.74, -0.74), (0.0, -1.0), (0.74, -0.74)], stone)
    sketch.shape([(-0.52, -0.765), (0.0, -0.94), (0.52, -0.765)], dark)


def draw_bridge(sketch: Sketch, look: Look, phase: float) -> None:  # noqa: ARG001 - every figure takes a phase
    """A stone bridge of three arches, 3 wide, its water at 0."""
    stone, dark = look.tone("#a89c8c", 0.7), look.tone("#6a6056", 0.2)
    sketch.blob(
        [(-1.6, 0.0), (-1.6, -0.42), (-0.8, -0.7), (0.0, -0.8), (0.8, -0.7), (1.6, -0.42), (1.6, 0.0)], stone
    )
    for x, wide, tall in ((-0.95, 0.32, 0.42), (0.0, 0.4, 0.56), (0.95, 0.32, 0.42)):
        points = [
            (x + wide * math.cos(math.pi * i / 12), -tall * math.sin(math.pi * i / 12) - 0.02)
            for i in range(13)
        ]
        sketch.shape([(x + wide, 0.03), *points, (x - wide, 0.03)], None)
        for i in range(12):
            sketch.line([points[i], points[i + 1]], 0.035, dark)
    sketch.curve([(-1.6, -0.46), (-0.8, -0.74), (0.0, -0.84), (0.8, -0.74), (1.6, -0.46)], 0.06, dark)


def draw_snowman(sketch: Sketch, look: Look, phase: float) -> None:  # noqa: ARG001 - every figure takes a phase
    """Three balls, a hat, a scarf."""
    snow, shade, coal = look.tone("#fbfdff", 1.0), look.tone("#c3d2e8", 0.6), look.tone("#22252b", 0.3)
    for y, r in ((-0.24, 0.26), (-0.57, 0.19), (-0.82, 0.14)):
        sketch.oval((0.0, y), r, r, shade)
        sketch.oval((r * 0.08, y - r * 0.08), r * 0.88, r * 0.88, snow)
    sketch.line([(-0.14, -0.68), (0.14, -0.7)], 0.06, look.tone("#c2453a", 0.8))
    sketch.line([(0.08, -0.69), (0.14, -0.5)], 0.055, look.tone("#c2453a", 0.6))
    sketch.shape([(-0.19, -0.9), (0.19, -0.9), (0.19, -0.925), (-0.19, -0.925)], coal)
    sketch.shape([(-0.11, -0.92), (-0.1, -1.08), (0.1, -1.08), (0.11, -0.92)], coal)
    sketch.shape([(0.02, -0.83), (0.2, -0.79), (0.02, -0.785)], look.tone("#e8823a", 0.9))
    for x in (-0.02, 0.08):
        sketch.oval((x, -0.86), 0.018, 0.018, coal)
    for y in (-0.62, -0.54, -0.46):
        sketch.oval((0.06, y), 0.018, 0.018, coal)
    for side in (-1, 1):
        sketch.line([(side * 0.16, -0.6), (side * 0.42, -0.72)], 0.022, look.tone("#5a4030", 0.4), 0.012)


def draw_mushroom(sketch: Sketch, look: Look, phase: float) -> None:  # noqa: ARG001 - every figure takes a phase
    """A red cap with white spots."""
    stem, cap, spot = look.tone("#f0e6d4", 0.85), look.tone("#c9382f", 0.85), look.tone("#fff6ea", 1.0)
    sketch.blob([(-0.13, 0.0), (-0.1, -0.5), (0.1, -0.5), (0.14, 0.0)], stem)
    sketch.blob([(-0.48, -0.48), (-0.38, -0.8), (0.0, -1.0), (0.38, -0.8), (0.48, -0.48), (0.0, -0.42)], cap)
    for x, y, r in ((-0.2, -0.7, 0.08), (0.06, -0.84, 0.07), (0.24, -0.62, 0.075), (0.0, -0.58, 0.05)):
        sketch.oval((x, y), r, r * 0.75, spot)
