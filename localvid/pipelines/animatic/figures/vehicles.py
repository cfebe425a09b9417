"""What carries: cars, trains, boats, planes, rockets. 1 is the length, or the height where said."""

from __future__ import annotations

import math

from localvid.pipelines.animatic.brush import Point, mix
from localvid.pipelines.animatic.figures.sketch import Look, Sketch


def _wheel(sketch: Sketch, look: Look, at: Point, radius: float, phase: float, *, spokes: int = 5) -> None:
    sketch.oval(at, radius, radius, look.tone("#1d1e22", 0.35))
    sketch.oval(at, radius * 0.62, radius * 0.62, look.tone("#b4b9c0", 0.7))
    for i in range(spokes):
        turn = 2 * math.pi * (i / spokes + phase)
        end = (at[0] + radius * 0.58 * math.cos(turn), at[1] + radius * 0.58 * math.sin(turn))
        sketch.line([at, end], radius * 0.14, look.tone("#4a4e55", 0.3))


def draw_car(sketch: Sketch, look: Look, phase: float, *, coat: str) -> None:
    """A saloon."""
    body, dark, trim = look.tone(coat, 0.8), look.tone(coat, 0.2), look.tone("#202228", 0.3)
    pane = mix(look.tone("#6f8ea3", 0.5), look.light.sky[2], 0.4)
    sketch.blob([(-0.3, -0.2), (-0.2, -0.33), (-0.06, -0.37), (0.1, -0.36), (0.2, -0.3), (0.28, -0.2)], dark)
    sketch.shape([(-0.24, -0.21), (-0.165, -0.31), (-0.03, -0.335), (-0.02, -0.21)], pane)
    sketch.shape([(0.01, -0.21), (0.005, -0.335), (0.1, -0.33), (0.22, -0.21)], pane)
    sketch.blob(
        [
            (-0.49, -0.1),
            (-0.48, -0.2),
            (-0.3, -0.235),
            (0.22, -0.235),
            (0.42, -0.195),
            (0.5, -0.14),
            (0.49, -0.07),
            (-0.48, -0.065),
        ],
        body,
    )
    sketch.shape([(-0.48, -0.105), (0.49, -0.105), (0.49, -0.065), (-0.48, -0.065)], dark)
    sketch.line([(-0.01, -0.21), (-0.01, -0.09)], 0.006, dark)
    sketch.line([(-0.09, -0.18), (-0.04, -0.18)], 0.012, trim)
    for x in (-0.29, 0.3):
        sketch.oval((x, -0.085), 0.1, 0.1, trim)
        _wheel(sketch, look, (x, -0.078), 0.078, phase)
    sketch.oval((0.475, -0.15), 0.022, 0.022, look.glow("#fff2c0"))
    sketch.oval((-0.475, -0.165), 0.014, 0.022, look.glow("#ff5a4a"))


def draw_bus(sketch: Sketch, look: Look, phase: float, *, coat: str) -> None:
    """A coach or a van."""
    body, dark = look.tone(coat, 0.85), look.tone(coat, 0.2)
    sketch.blob(
        [
            (-0.5, -0.08),
            (-0.5, -0.38),
            (-0.44, -0.42),
            (0.42, -0.42),
            (0.48, -0.36),
            (0.5, -0.2),
            (0.5, -0.08),
        ],
        body,
    )
    sketch.shape([(-0.5, -0.12), (0.5, -0.12), (0.5, -0.065), (-0.5, -0.065)], dark)
    for i in range(5):
        x = -0.44 + 0.165 * i
        sketch.shape([(x, -0.24), (x, -0.365), (x + 0.14, -0.365), (x + 0.14, -0.24)], look.pane())
    sketch.shape([(0.4, -0.22), (0.39, -0.365), (0.465, -0.345), (0.485, -0.22)], look.pane())
    for x in (-0.3, 0.3):
        _wheel(sketch, look, (x, -0.07), 0.07, phase)
    sketch.oval((0.49, -0.15), 0.016, 0.02, look.glow("#fff2c0"))


def draw_truck(sketch: Sketch, look: Look, phase: float) -> None:
    """A lorry with its load."""
    sketch.shape([(-0.5, -0.1), (-0.5, -0.42), (0.2, -0.42), (0.2, -0.1)], look.tone("#c9c2b4", 0.75))
    sketch.blob(
        [(0.22, -0.1), (0.22, -0.34), (0.38, -0.34), (0.44, -0.22), (0.5, -0.19), (0.5, -0.09)],
        look.tone("#b5483a", 0.8),
    )
    sketch.shape([(0.3, -0.21), (0.3, -0.31), (0.37, -0.31), (0.42, -0.21)], look.pane())
    sketch.shape([(-0.5, -0.11), (0.5, -0.11), (0.5, -0.075), (-0.5, -0.075)], look.tone("#2a2c30", 0.3))
    for x in (-0.36, -0.22, 0.36):
        _wheel(sketch, look, (x, -0.068), 0.068, phase)
    sketch.oval((0.49, -0.14), 0.014, 0.018, look.glow("#fff2c0"))


def draw_bicycle(sketch: Sketch, look: Look, phase: float) -> None:
    """A bicycle without a rider."""
    frame, tyre = look.tone("#3f7a86", 0.8), look.tone("#22242a", 0.3)
    for x in (-0.28, 0.3):
        sketch.oval((x, -0.22), 0.22, 0.22, tyre)
        sketch.oval((x, -0.22), 0.195, 0.195, None)
        for i in range(8):
            turn = math.pi * (i / 4 + 2 * phase)
            sketch.line([(x, -0.22), (x + 0.2 * math.cos(turn), -0.22 + 0.2 * math.sin(turn))], 0.006, tyre)
    for a, b in (
        ((-0.28, -0.22), (0.0, -0.22)),
        ((0.0, -0.22), (-0.1, -0.5)),
        ((-0.1, -0.5), (0.22, -0.52)),
        ((0.22, -0.52), (0.0, -0.22)),
        ((-0.28, -0.22), (-0.1, -0.5)),
        ((0.2, -0.6), (0.3, -0.22)),
    ):
        sketch.line([a, b], 0.028, frame)
    sketch.line([(-0.17, -0.54), (-0.03, -0.54)], 0.04, tyre)
    sketch.curve([(0.14, -0.64), (0.22, -0.62), (0.28, -0.58)], 0.03, tyre)


def draw_train(sketch: Sketch, look: Look, phase: float) -> None:
    """A steam engine with three coaches; 1 is the whole length."""
    black, dark, red = look.tone("#2b2f36", 0.5), look.tone("#1a1c20", 0.2), look.tone("#8f3b32", 0.75)
    for i in range(3):
        x = -0.5 + i * 0.205
        sketch.shape([(x, -0.025), (x, -0.12), (x + 0.195, -0.12), (x + 0.195, -0.025)], red)
        sketch.blob([(x - 0.004, -0.115), (x + 0.01, -0.132), (x + 0.185, -0.132), (x + 0.199, -0.115)], dark)
        for number in range(5):
            px = x + 0.014 + 0.036 * number
            sketch.shape(
                [(px, -0.07), (px, -0.105), (px + 0.026, -0.105), (px + 0.026, -0.07)], look.pane("#e8d9b0")
            )
        for k in (0.03, 0.07, 0.125, 0.165):
            sketch.oval((x + k, -0.015), 0.015, 0.015, dark)
        sketch.line([(x + 0.19, -0.03), (x + 0.21, -0.03)], 0.008, dark)
    sketch.shape([(0.125, -0.03), (0.125, -0.15), (0.205, -0.15), (0.205, -0.03)], black)
    sketch.shape([(0.115, -0.148), (0.115, -0.162), (0.215, -0.162), (0.215, -0.148)], dark)
    sketch.shape([(0.145, -0.095), (0.145, -0.135), (0.188, -0.135), (0.188, -0.095)], look.pane("#e8d9b0"))
    sketch.shape([(0.2, -0.045), (0.2, -0.115), (0.43, -0.115), (0.43, -0.045)], black)
    sketch.oval((0.43, -0.08), 0.018, 0.035, dark)
    for x in (0.245, 0.295, 0.345):
        sketch.line([(x, -0.114), (x, -0.046)], 0.006, look.tone("#c9a24a", 0.8))
    sketch.shape([(0.385, -0.11), (0.378, -0.175), (0.422, -0.175), (0.415, -0.11)], dark)
    sketch.blob([(0.275, -0.112), (0.28, -0.14), (0.31, -0.14), (0.315, -0.112)], look.tone("#c9a24a", 0.7))
    sketch.shape([(0.43, -0.05), (0.5, -0.005), (0.43, -0.005)], red)
    sketch.shape([(0.13, -0.048), (0.44, -0.048), (0.44, -0.03), (0.13, -0.03)], red)
    for x, r in ((0.16, 0.033), (0.235, 0.033), (0.31, 0.033), (0.385, 0.02), (0.425, 0.02)):
        _wheel(sketch, look, (x, -r), r, phase, spokes=6)
    rod = (0.01 * math.cos(2 * math.pi * phase), 0.01 * math.sin(2 * math.pi * phase))
    sketch.line(
        [(0.155 + rod[0], -0.033 + rod[1]), (0.315 + rod[0], -0.033 + rod[1])],
        0.009,
        look.tone("#b9bfc6", 0.8),
    )
    sketch.oval((0.448, -0.1), 0.012, 0.012, look.glow("#fff2c0"))
    for i in range(7):
        puff = (phase + i) / 7
        sketch.oval(
            (0.4 - puff * 0.5, -0.19 - 0.1 * math.sqrt(puff)),
            0.018 + 0.05 * puff,
            0.015 + 0.036 * puff,
            mix(look.tone("#f0ece6", 0.8), look.light.haze, 0.25 + 0.4 * puff),
        )
