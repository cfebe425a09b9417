"""What floats and flies: boats, planes, balloons, rockets. 1 is the length, or the height where said."""

from __future__ import annotations

import math

from localvid.pipelines.animatic.brush import mix
from localvid.pipelines.animatic.figures.sketch import Look, Sketch


def draw_sailing_boat(sketch: Sketch, look: Look, phase: float) -> None:
    """A boat under two sails, 1 high; its waterline is at 0."""
    hull, dark, sail = look.tone("#7a3f2c", 0.7), look.tone("#4a2a20", 0.2), look.tone("#f6efe0", 0.95)
    billow = 0.015 * math.sin(2 * math.pi * phase)
    sketch.line([(0.02, -0.1), (0.02, -0.98)], 0.018, dark)
    sketch.blob([(0.045, -0.94), (0.13 + billow, -0.6), (0.3 + billow, -0.2), (0.045, -0.18)], sail)
    sketch.blob(
        [(-0.005, -0.92), (-0.17 - billow, -0.55), (-0.31 - billow, -0.19), (-0.005, -0.17)],
        mix(sail, dark, 0.16),
    )
    sketch.shape([(0.02, -0.98), (0.1, -0.955), (0.02, -0.93)], look.tone("#c9463c", 0.9))
    sketch.shape([(-0.36, -0.13), (0.42, -0.145), (0.3, 0.03), (-0.28, 0.03)], hull)
    sketch.shape([(-0.36, -0.13), (0.42, -0.145), (0.405, -0.115), (-0.35, -0.1)], look.tone("#e8dcc6", 0.85))
    sketch.shape([(-0.29, 0.0), (0.325, 0.0), (0.3, 0.03), (-0.28, 0.03)], dark)


def draw_rowing_boat(sketch: Sketch, look: Look, phase: float) -> None:
    """A small boat with a fisherman and his oar; 1 is its length."""
    hull, dark = look.tone("#7a5233", 0.7), look.tone("#4a3220", 0.2)
    row = 0.08 * math.sin(2 * math.pi * phase)
    sketch.blob(
        [(-0.1, -0.14), (-0.13, -0.36), (-0.03, -0.44), (0.05, -0.34), (0.07, -0.14)],
        look.tone("#4a6d7c", 0.6),
    )
    sketch.oval((0.0, -0.5), 0.062, 0.068, look.tone("#d9a07c", 0.75))
    sketch.oval((0.0, -0.545), 0.115, 0.02, look.tone("#c9a24a", 0.8))
    sketch.blob([(-0.06, -0.545), (-0.04, -0.6), (0.04, -0.6), (0.06, -0.545)], look.tone("#c9a24a", 0.8))
    sketch.line([(0.02, -0.36), (0.16 + row, -0.24)], 0.05, look.tone("#4a6d7c", 0.4))
    sketch.line([(0.1 + row, -0.32), (0.34 - row, 0.03)], 0.018, dark)
    sketch.blob(
        [
            (-0.5, -0.19),
            (-0.3, -0.145),
            (0.0, -0.13),
            (0.3, -0.145),
            (0.5, -0.2),
            (0.38, 0.0),
            (0.2, 0.04),
            (-0.22, 0.04),
            (-0.4, 0.0),
        ],
        hull,
    )
    sketch.curve(
        [(-0.49, -0.18), (-0.2, -0.125), (0.2, -0.125), (0.49, -0.19)], 0.022, look.tone("#a8784e", 0.8)
    )


def draw_ship(sketch: Sketch, look: Look, phase: float) -> None:
    """A three-masted ship under sail; 1 is its length."""
    hull, dark, sail = look.tone("#6a4630", 0.65), look.tone("#3a281e", 0.2), look.tone("#efe6d2", 0.9)
    billow = 0.01 * math.sin(2 * math.pi * phase)
    for x, tall, widths in (
        (-0.26, 0.62, (0.13, 0.1)),
        (0.0, 0.76, (0.16, 0.13, 0.09)),
        (0.24, 0.64, (0.14, 0.1)),
    ):
        sketch.line([(x, -0.1), (x, -tall)], 0.014, dark)
        y = -0.18
        high = (tall - 0.24) / len(widths)
        for wide in widths:
            sketch.blob(
                [
                    (x - wide * 0.86, y - high * 0.9),
                    (x + wide * 0.86, y - high * 0.9),
                    (x + wide + 0.03 + billow, y - high * 0.4),
                    (x + wide * 0.9, y),
                    (x - wide * 0.9, y),
                    (x - wide + 0.03 + billow, y - high * 0.4),
                ],
                sail,
            )
            sketch.line([(x - wide * 0.9, y - high * 0.93), (x + wide * 0.9, y - high * 0.93)], 0.009, dark)
            y -= high
        sketch.shape([(x, -tall - 0.03), (x - 0.07, -tall - 0.015), (x, -tall)], look.tone("#b5342c", 0.9))
    sketch.line([(0.42, -0.14), (0.6, -0.26)], 0.014, dark)
    sketch.shape([(0.57, -0.25), (0.27, -0.5), (0.33, -0.18)], mix(sail, dark, 0.12))
    sketch.blob(
        [
            (-0.48, -0.26),
            (-0.44, -0.14),
            (-0.2, -0.1),
            (0.3, -0.1),
            (0.5, -0.16),
            (0.42, 0.0),
            (0.32, 0.05),
            (-0.36, 0.05),
            (-0.44, -0.05),
        ],
        hull,
    )
    sketch.curve(
        [(-0.46, -0.13), (-0.2, -0.065), (0.3, -0.065), (0.46, -0.11)], 0.014, look.tone("#c9a24a", 0.8)
    )
    for i in range(7):
        sketch.oval((-0.3 + 0.1 * i, -0.03), 0.011, 0.011, look.pane("#2a2220"))


def draw_steamer(sketch: Sketch, look: Look, phase: float) -> None:
    """A liner or ferry; 1 is its length."""
    hull, white = look.tone("#2f3f55", 0.6), look.tone("#f2efe8", 0.9)
    sketch.shape([(-0.3, -0.09), (-0.3, -0.17), (0.28, -0.17), (0.33, -0.09)], white)
    sketch.shape([(-0.24, -0.17), (-0.24, -0.235), (0.18, -0.235), (0.22, -0.17)], white)
    for i in range(2):
        x = -0.12 + 0.16 * i
        sketch.shape(
            [(x, -0.23), (x - 0.012, -0.35), (x + 0.06, -0.35), (x + 0.06, -0.23)], look.tone("#c9463c", 0.8)
        )
        sketch.shape(
            [(x - 0.01, -0.32), (x - 0.013, -0.35), (x + 0.06, -0.35), (x + 0.06, -0.32)],
            look.tone("#1d1e22", 0.3),
        )
        for k in range(4):
            puff = (phase + k) / 4
            sketch.oval(
                (x + 0.02 - puff * 0.26, -0.37 - 0.05 * puff),
                0.02 + 0.04 * puff,
                0.016 + 0.025 * puff,
                mix(look.tone("#cfcac4", 0.6), look.light.haze, 0.3 + 0.5 * puff),
            )
    for row, count, y in ((0, 13, -0.13), (1, 9, -0.2)):
        for i in range(count):
            sketch.oval((-0.27 + 0.043 * i + 0.03 * row, y), 0.011, 0.011, look.pane("#3a4a5a"))
    sketch.shape([(-0.5, -0.1), (0.52, -0.115), (0.42, 0.04), (-0.45, 0.04)], hull)
    sketch.shape([(-0.465, 0.0), (0.445, 0.0), (0.42, 0.04), (-0.45, 0.04)], look.tone("#a8443a", 0.5))


def draw_plane(sketch: Sketch, look: Look, phase: float) -> None:  # noqa: ARG001 - every figure takes a phase
    """An airliner in a side view."""
    body, shade, trim = look.tone("#f1f3f5", 0.95), look.tone("#aeb8c2", 0.4), look.tone("#c9463c", 0.8)
    sketch.shape([(-0.02, -0.03), (-0.16, -0.14), (-0.1, -0.14), (0.12, -0.03)], shade)
    sketch.shape([(-0.4, -0.05), (-0.5, -0.23), (-0.42, -0.23), (-0.28, -0.06)], trim)
    sketch.blob(
        [
            (-0.5, -0.055),
            (-0.3, -0.068),
            (0.3, -0.068),
            (0.43, -0.05),
            (0.5, -0.005),
            (0.43, 0.03),
            (0.2, 0.045),
            (-0.25, 0.04),
        ],
        body,
    )
    sketch.blob([(-0.42, 0.0), (0.2, 0.012), (0.48, 0.005), (0.4, 0.035), (0.1, 0.046), (-0.25, 0.04)], shade)
    for i in range(15):
        sketch.oval((-0.3 + 0.042 * i, -0.028), 0.008, 0.01, look.pane("#3a4a5a"))
    sketch.shape([(0.4, -0.045), (0.45, -0.03), (0.41, -0.02)], look.pane("#3a4a5a"))
    sketch.shape([(-0.02, 0.02), (-0.3, 0.16), (-0.22, 0.16), (0.16, 0.03)], mix(body, shade, 0.5))
    sketch.blob(
        [(-0.06, 0.07), (-0.05, 0.045), (0.06, 0.048), (0.07, 0.07), (0.05, 0.09), (-0.05, 0.088)], shade
    )
    sketch.shape([(-0.42, -0.02), (-0.56, 0.03), (-0.5, 0.03), (-0.34, -0.015)], shade)


def draw_helicopter(sketch: Sketch, look: Look, phase: float) -> None:
    """A helicopter, its rotor at `phase` of a turn."""
    body, dark = look.tone("#3f6d86", 0.75), look.tone("#22303c", 0.3)
    span = 0.5 * abs(math.cos(math.pi * phase)) + 0.06
    sketch.line([(0.1 - span, -0.3), (0.1 + span, -0.3)], 0.014, dark)
    sketch.line([(0.1, -0.3), (0.1, -0.2)], 0.02, dark)
    sketch.shape([(-0.02, -0.14), (-0.5, -0.15), (-0.5, -0.115), (-0.02, -0.04)], body)
    sketch.shape([(-0.5, -0.11), (-0.54, -0.25), (-0.47, -0.25), (-0.42, -0.12)], body)
    sketch.blob(
        [
            (-0.08, -0.06),
            (-0.04, -0.19),
            (0.12, -0.22),
            (0.28, -0.17),
            (0.35, -0.08),
            (0.28, 0.0),
            (0.02, 0.01),
        ],
        body,
    )
    sketch.blob([(0.14, -0.18), (0.26, -0.15), (0.33, -0.08), (0.16, -0.08)], look.pane())
    sketch.line([(-0.02, 0.07), (0.34, 0.07)], 0.014, dark)
    for x in (0.06, 0.24):
        sketch.line([(x, 0.0), (x, 0.07)], 0.012, dark)


def draw_balloon(sketch: Sketch, look: Look, phase: float) -> None:
    """A hot-air balloon, 1 high, its burner flaring."""
    hues = [
        look.tone(code, lit)
        for code, lit in (
            ("#d9503f", 0.5),
            ("#f2c14e", 0.8),
            ("#e8e0cc", 0.95),
            ("#f2c14e", 0.9),
            ("#d9503f", 0.85),
        )
    ]
    for i, hue in enumerate(hues):
        low, high = -0.36 + 0.144 * i, -0.36 + 0.144 * (i + 1)
        points = []
        for edge in (low, high):
            column = [
                (edge * math.sin(math.pi * min(1.0, 0.08 + share * 0.8)) ** 0.75, -1.0 + 0.76 * share)
                for share in (0.0, 0.12, 0.3, 0.5, 0.7, 0.88, 1.0)
            ]
            column = [(x * (1.0 if share < 5 else 0.8), y) for share, (x, y) in enumerate(column)]
            points += column if edge == low else column[::-1]
        sketch.shape(points, hue)
    for x in (-0.07, 0.07):
        sketch.line([(x * 1.6, -0.25), (x, -0.1)], 0.006, look.tone("#3a2a22", 0.3))
    flare = 0.05 + 0.03 * math.sin(2 * math.pi * phase)
    sketch.blob([(-0.02, -0.13), (0.0, -0.14 - flare), (0.02, -0.13)], look.glow("#ffb23d"))
    sketch.shape([(-0.075, -0.1), (0.075, -0.1), (0.06, 0.0), (-0.06, 0.0)], look.tone("#8a5f38", 0.7))
    sketch.line([(-0.08, -0.1), (0.08, -0.1)], 0.018, look.tone("#5a3d24", 0.5))


def draw_rocket(sketch: Sketch, look: Look, phase: float) -> None:
    """A rocket upright, 1 high without its flame."""
    white, shade, red = look.tone("#f2f2f0", 0.98), look.tone("#9fa8b4", 0.45), look.tone("#d2453c", 0.85)
    flicker = 0.06 * math.sin(2 * math.pi * phase) + 0.03 * math.sin(6 * math.pi * phase)
    for wide, long, code in (
        (0.11, 0.5 + flicker, "#ff7a2b"),
        (0.075, 0.36 + flicker, "#ffc24a"),
        (0.04, 0.22 + flicker, "#fff4d0"),
    ):
        sketch.blob(
            [(-wide, -0.04), (-wide * 0.8, long * 0.4), (0.0, long), (wide * 0.8, long * 0.4), (wide, -0.04)],
            look.glow(code),
        )
    for side in (-1, 1):
        sketch.shape(
            [(side * 0.12, -0.36), (side * 0.27, -0.1), (side * 0.27, 0.05), (side * 0.1, -0.06)], red
        )
    sketch.blob(
        [
            (-0.11, -0.05),
            (-0.165, -0.38),
            (-0.14, -0.68),
            (0.0, -1.0),
            (0.14, -0.68),
            (0.165, -0.38),
            (0.11, -0.05),
        ],
        white,
    )
    sketch.blob(
        [
            (0.02, -0.05),
            (0.08, -0.4),
            (0.06, -0.7),
            (0.0, -0.98),
            (0.14, -0.68),
            (0.165, -0.38),
            (0.11, -0.05),
        ],
        shade,
    )
    sketch.blob([(-0.105, -0.78), (0.0, -1.02), (0.105, -0.78), (0.0, -0.75)], red)
    sketch.oval((0.0, -0.58), 0.072, 0.072, look.tone("#3a4450", 0.3))
    sketch.oval((0.0, -0.58), 0.05, 0.05, look.glow("#7fd8ff"))
    sketch.shape([(-0.09, -0.02), (-0.1, -0.07), (0.1, -0.07), (0.09, -0.02)], look.tone("#4a4f58", 0.4))
    sketch.shape([(-0.02, -0.32), (0.02, -0.32), (0.025, 0.05), (-0.025, 0.05)], red)


def draw_starship(sketch: Sketch, look: Look, phase: float) -> None:
    """A spaceship with lit ports and burning engines; 1 is its length."""
    hull, dark, pale = look.tone("#8b96a8", 0.7), look.tone("#3d4656", 0.2), look.tone("#cfd8e4", 0.95)
    flicker = 0.04 * math.sin(2 * math.pi * phase)
    for y in (-0.065, 0.055):
        for wide, long, code in ((0.032, 0.3 + flicker, "#3a8bff"), (0.018, 0.2 + flicker, "#bfe6ff")):
            sketch.blob(
                [
                    (-0.44, y - wide),
                    (-0.44 - long * 0.5, y - wide * 0.6),
                    (-0.44 - long, y),
                    (-0.44 - long * 0.5, y + wide * 0.6),
                    (-0.44, y + wide),
                ],
                look.glow(code),
            )
    sketch.shape([(0.02, -0.04), (-0.34, -0.26), (-0.46, -0.26), (-0.34, -0.04)], dark)
    sketch.blob(
        [
            (-0.46, -0.09),
            (-0.3, -0.11),
            (0.1, -0.1),
            (0.36, -0.05),
            (0.52, 0.01),
            (0.36, 0.05),
            (-0.1, 0.09),
            (-0.46, 0.08),
        ],
        hull,
    )
    sketch.blob(
        [(-0.44, -0.085), (-0.2, -0.1), (0.12, -0.092), (0.36, -0.045), (0.1, -0.04), (-0.3, -0.045)], pale
    )
    sketch.blob([(0.14, -0.085), (0.24, -0.12), (0.34, -0.06), (0.22, -0.045)], look.glow("#8fe4ff"))
    for i in range(9):
        sketch.oval((-0.3 + 0.055 * i, 0.005), 0.011, 0.008, look.glow("#ffe9a8"))
    sketch.shape([(0.05, 0.03), (-0.3, 0.2), (-0.5, 0.22), (-0.38, 0.04)], mix(hull, dark, 0.35))
    sketch.line([(-0.28, 0.17), (-0.08, 0.17)], 0.022, dark)
    for y in (-0.065, 0.055):
        sketch.shape([(-0.47, y - 0.045), (-0.4, y - 0.04), (-0.4, y + 0.04), (-0.47, y + 0.045)], dark)


def draw_saucer(sketch: Sketch, look: Look, phase: float) -> None:
    """A flying saucer; 1 is its width."""
    hull, dark = look.tone("#9aa6b4", 0.8), look.tone("#4a5464", 0.3)
    sketch.blob(
        [(-0.17, -0.06), (-0.13, -0.2), (0.0, -0.25), (0.13, -0.2), (0.17, -0.06)], look.glow("#9df0e0")
    )
    sketch.oval((0.0, 0.0), 0.5, 0.11, dark)
    sketch.oval((0.0, -0.025), 0.5, 0.1, hull)
    sketch.oval((0.0, -0.055), 0.22, 0.05, mix(hull, dark, 0.4))
    for i in range(7):
        on = (i + round(phase * 7)) % 7 < 3
        sketch.oval(
            (-0.39 + 0.13 * i, 0.02 + 0.03 * math.sin(math.pi * i / 6)),
            0.024,
            0.018,
            look.glow("#ffe26a" if on else "#ff7a5a"),
        )
