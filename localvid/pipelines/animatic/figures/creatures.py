"""What flies, swims and creeps: birds, fish, whales, dragons. 1 is the length or the span, as said."""

from __future__ import annotations

import math

from localvid.pipelines.animatic.brush import mix
from localvid.pipelines.animatic.figures.sketch import Look, Sketch


def draw_fish(sketch: Sketch, look: Look, phase: float, *, coat: str, pale: str, long: bool = False) -> None:
    """A fish with a beating tail; 1 is its length."""
    body, dark, belly = look.tone(coat, 0.9), look.tone(coat, 0.3), look.tone(pale, 0.9)
    beat = 0.1 * math.sin(2 * math.pi * phase)
    tall = 0.17 if long else 0.26
    sketch.blob([(-0.26, 0.0), (-0.5, -0.24 + beat), (-0.44, beat), (-0.5, 0.22 + beat)], dark)
    sketch.blob([(-0.12, -tall * 0.8), (0.0, -tall * 1.6), (0.18, -tall * 1.1), (0.16, -tall * 0.6)], dark)
    sketch.blob(
        [
            (-0.3, beat * 0.5),
            (-0.05, -tall),
            (0.26, -tall * 0.85),
            (0.5, 0.0),
            (0.26, tall * 0.8),
            (-0.05, tall * 0.9),
        ],
        body,
    )
    sketch.blob([(-0.2, 0.04), (0.1, 0.08), (0.42, 0.05), (0.22, tall * 0.75), (-0.04, tall * 0.82)], belly)
    if not long:
        for x in (0.02, 0.2):
            sketch.curve(
                [(x, -tall * 0.86), (x + 0.03, 0.0), (x, tall * 0.8)], 0.05, look.tone("#fff4e6", 0.9)
            )
    sketch.blob([(0.12, 0.04), (-0.02, 0.12 + beat * 0.5), (0.06, 0.13)], dark)
    sketch.oval((0.36, -0.05), 0.03, 0.032, look.tone("#ffffff", 1.0))
    sketch.oval((0.366, -0.05), 0.017, 0.019, look.tone("#0e0e12", 0.2))


def draw_shark(sketch: Sketch, look: Look, phase: float) -> None:
    """A shark; 1 is its length."""
    body, dark, belly = look.tone("#6f8496", 0.7), look.tone("#4d6072", 0.3), look.tone("#d8e2e8", 0.9)
    beat = 0.05 * math.sin(2 * math.pi * phase)
    sketch.blob(
        [(-0.38, 0.0), (-0.56, -0.24 + beat), (-0.47, beat), (-0.53, 0.13 + beat), (-0.42, 0.03)], dark
    )
    sketch.shape([(-0.02, -0.1), (-0.08, -0.27), (0.14, -0.11)], dark)
    sketch.blob(
        [
            (-0.44, beat * 0.6),
            (-0.15, -0.09),
            (0.18, -0.13),
            (0.4, -0.09),
            (0.52, -0.02),
            (0.4, 0.06),
            (0.1, 0.11),
            (-0.2, 0.06),
        ],
        body,
    )
    sketch.blob(
        [(-0.25, 0.035), (0.1, 0.04), (0.4, 0.03), (0.36, 0.075), (0.1, 0.115), (-0.15, 0.075)], belly
    )
    sketch.shape([(0.16, 0.06), (0.0, 0.24), (0.02, 0.08)], dark)
    for i in range(3):
        sketch.line([(0.26 + 0.025 * i, -0.05), (0.25 + 0.025 * i, 0.02)], 0.008, dark)
    sketch.oval((0.41, -0.04), 0.013, 0.013, look.tone("#0c0c10", 0.2))


def draw_whale(sketch: Sketch, look: Look, phase: float, *, spout: bool) -> None:
    """A whale; 1 is its length; at the surface it blows."""
    body, dark, belly = look.tone("#3f5f7d", 0.75), look.tone("#2a4360", 0.3), look.tone("#c9d8e0", 0.85)
    beat = 0.06 * math.sin(2 * math.pi * phase)
    sketch.blob(
        [
            (-0.4, -0.03),
            (-0.54, -0.17 + beat),
            (-0.62, -0.2 + beat),
            (-0.55, -0.08 + beat),
            (-0.62, 0.02 + beat),
            (-0.5, 0.01 + beat),
        ],
        dark,
    )
    sketch.blob(
        [
            (-0.48, -0.04 + beat * 0.5),
            (-0.28, -0.1),
            (0.0, -0.2),
            (0.32, -0.2),
            (0.5, -0.07),
            (0.47, 0.05),
            (0.24, 0.13),
            (-0.12, 0.08),
        ],
        body,
    )
    sketch.blob([(0.48, 0.01), (0.2, 0.035), (-0.1, 0.05), (-0.05, 0.1), (0.24, 0.135), (0.46, 0.06)], belly)
    for i in range(5):
        sketch.curve(
            [(0.44 - 0.02 * i, 0.03 + 0.018 * i), (0.2, 0.05 + 0.017 * i), (0.02, 0.06 + 0.012 * i)],
            0.006,
            mix(belly, dark, 0.5),
        )
    sketch.blob([(0.16, 0.08), (0.02, 0.24 - beat), (-0.06, 0.25 - beat), (0.02, 0.1)], dark)
    sketch.oval((0.35, -0.01), 0.013, 0.013, look.tone("#0b0f16", 0.2))
    if spout:
        for side in (-1, 1):
            top = 0.3 + 0.05 * math.sin(2 * math.pi * phase)
            sketch.curve(
                [
                    (0.27, -0.2),
                    (0.27 + side * 0.03, -0.2 - top),
                    (0.27 + side * 0.14, -0.2 - top * 0.95),
                    (0.27 + side * 0.19, -0.2 - top * 0.6),
                ],
                0.02,
                look.tone("#e9f4fb", 1.0),
                0.012,
            )


def draw_dolphin(sketch: Sketch, look: Look, phase: float) -> None:
    """A dolphin, bent as in a leap; 1 is its length."""
    body, dark, belly = look.tone("#5f7f99", 0.8), look.tone("#40586e", 0.3), look.tone("#dbe6ec", 0.9)
    beat = 0.05 * math.sin(2 * math.pi * phase)
    sketch.blob([(-0.4, 0.08), (-0.56, 0.05 + beat), (-0.6, 0.2 + beat), (-0.46, 0.14)], dark)
    sketch.shape([(-0.02, -0.13), (-0.14, -0.28), (0.12, -0.14)], dark)
    sketch.blob(
        [
            (-0.46, 0.12),
            (-0.2, -0.06),
            (0.08, -0.16),
            (0.3, -0.12),
            (0.4, -0.03),
            (0.53, 0.03),
            (0.52, 0.06),
            (0.38, 0.06),
            (0.16, 0.06),
            (-0.14, 0.08),
        ],
        body,
    )
    sketch.blob([(0.48, 0.05), (0.3, 0.0), (0.0, 0.0), (-0.2, 0.05), (0.02, 0.075), (0.3, 0.07)], belly)
    sketch.shape([(0.2, 0.03), (0.06, 0.18), (0.08, 0.03)], dark)
    sketch.oval((0.35, -0.03), 0.012, 0.012, look.tone("#0b0f16", 0.2))


def draw_jellyfish(sketch: Sketch, look: Look, phase: float) -> None:
    """A jellyfish that pulses, 1 high."""
    puls = 1.0 + 0.1 * math.sin(2 * math.pi * phase)
    hue, pale = look.tone("#e58fd0", 0.95), look.tone("#ffd9f4", 1.0)
    for i in range(7):
        x = -0.22 + 0.073 * i
        sway = 0.05 * math.sin(2 * math.pi * phase + i)
        sketch.curve(
            [(x, -0.6), (x + sway, -0.4), (x - sway, -0.2), (x + sway, 0.0)],
            0.028,
            mix(hue, pale, 0.3 * (i % 2)),
            0.006,
        )
    sketch.blob(
        [
            (-0.3 * puls, -0.58),
            (-0.26 * puls, -0.86),
            (0.0, -1.0),
            (0.26 * puls, -0.86),
            (0.3 * puls, -0.58),
            (0.1, -0.62),
            (-0.1, -0.62),
        ],
        hue,
    )
    sketch.blob([(-0.18, -0.8), (0.0, -0.94), (0.12, -0.88), (-0.06, -0.82)], pale)


def draw_turtle(sketch: Sketch, look: Look, phase: float) -> None:
    """A sea turtle; 1 is its length."""
    shell, dark, skin = look.tone("#6b7a3c", 0.75), look.tone("#46522a", 0.3), look.tone("#8fa86a", 0.8)
    beat = 0.2 * math.sin(2 * math.pi * phase)
    sketch.blob([(0.2, 0.02), (0.1, 0.2 + beat), (-0.04, 0.36 + beat), (0.0, 0.14), (0.08, 0.02)], skin)
    sketch.blob([(-0.28, 0.04), (-0.42, 0.16 - beat * 0.4), (-0.5, 0.2), (-0.38, 0.0)], skin)
    sketch.blob([(0.26, -0.04), (0.38, -0.12), (0.5, -0.08), (0.48, 0.02), (0.3, 0.06)], skin)
    sketch.blob([(-0.4, 0.02), (-0.2, -0.18), (0.1, -0.22), (0.3, -0.06), (0.2, 0.06), (-0.2, 0.08)], shell)
    for x, y in ((-0.2, -0.06), (-0.02, -0.1), (0.14, -0.08)):
        sketch.oval((x, y), 0.07, 0.055, dark)
    sketch.oval((0.43, -0.05), 0.014, 0.014, look.tone("#0c0c0c", 0.2))


def draw_rabbit(sketch: Sketch, look: Look, phase: float, *, hopping: bool) -> None:
    """A rabbit, 1 high with its ears, that hops or twitches."""
    coat, dark, pale = look.tone("#a58a72", 0.7), look.tone("#7a6452", 0.25), look.tone("#ece2d6", 0.9)
    up = 0.16 * max(0.0, math.sin(2 * math.pi * phase)) if hopping else 0.0
    twitch = 0.02 * math.sin(2 * math.pi * phase)
    sketch.oval((-0.42, -0.22 - up), 0.09, 0.08, pale)
    sketch.blob(
        [
            (-0.42, -0.14 - up),
            (-0.4, -0.38 - up),
            (-0.18, -0.52 - up),
            (0.12, -0.46 - up),
            (0.26, -0.26 - up),
            (0.2, -0.08 - up),
            (-0.2, -0.04 - up),
        ],
        coat,
    )
    sketch.limb(
        (0.14, -0.14 - up), (0.24, -0.02 - up * 0.7), bend=0.1, widths=(0.09, 0.07, 0.06), colour=dark
    )
    sketch.blob(
        [
            (-0.4, -0.04 - up * 0.6),
            (-0.36, -0.26 - up),
            (-0.16, -0.28 - up),
            (-0.04, -0.12 - up),
            (0.06, -0.02 - up * 0.6),
            (-0.2, 0.0 - up * 0.6),
        ],
        dark,
    )
    for shift, colour in ((0.08, dark), (0.0, coat)):
        sketch.blob(
            [
                (0.2 + shift, -0.62 - up),
                (0.1 + shift + twitch, -0.86 - up),
                (0.14 + shift + twitch, -1.0 - up),
                (0.23 + shift, -0.9 - up),
                (0.27 + shift, -0.62 - up),
            ],
            colour,
        )
    sketch.blob(
        [
            (0.08, -0.5 - up),
            (0.16, -0.66 - up),
            (0.32, -0.66 - up),
            (0.45, -0.52 - up),
            (0.4, -0.42 - up),
            (0.2, -0.38 - up),
        ],
        coat,
    )
    sketch.blob([(0.4, -0.5 - up), (0.45, -0.5 - up), (0.4, -0.41 - up), (0.28, -0.4 - up)], pale)
    sketch.oval((0.3, -0.56 - up), 0.026, 0.028, look.tone("#15100e", 0.2))


def draw_mouse(sketch: Sketch, look: Look, phase: float) -> None:
    """A mouse, 1 high with its ears."""
    coat, dark, pink = look.tone("#948a86", 0.7), look.tone("#6a625f", 0.25), look.tone("#e0a79c", 0.8)
    wag = 0.05 * math.sin(2 * math.pi * phase)
    sketch.curve([(-0.5, -0.1), (-0.75, -0.08 + wag), (-0.95, -0.25), (-1.1, -0.2 + wag)], 0.05, pink, 0.02)
    sketch.blob(
        [
            (-0.55, -0.04),
            (-0.58, -0.3),
            (-0.3, -0.6),
            (0.1, -0.6),
            (0.4, -0.42),
            (0.66, -0.2),
            (0.6, -0.12),
            (0.3, -0.04),
        ],
        coat,
    )
    sketch.blob([(-0.4, 0.0), (-0.36, -0.18), (-0.16, -0.16), (-0.08, 0.0)], dark)
    sketch.blob([(0.2, 0.0), (0.22, -0.1), (0.34, -0.08), (0.38, 0.0)], dark)
    for x, r in ((0.24, 0.17), (0.1, 0.2)):
        sketch.oval((x, -0.66), r, r, dark if r < 0.2 else coat)
        sketch.oval((x, -0.66), r * 0.62, r * 0.62, pink)
    sketch.oval((0.66, -0.18), 0.04, 0.035, pink)
    sketch.oval((0.42, -0.34), 0.035, 0.04, look.tone("#15100e", 0.2))
