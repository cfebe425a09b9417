"""People and what walks like them, 1 high, in a side view."""

from __future__ import annotations

import math
from dataclasses import dataclass

from localvid.pipelines.animatic.brush import Rgb
from localvid.pipelines.animatic.figures.sketch import Look, Sketch, stride


@dataclass(frozen=True)
class Dress:
    """What a person wears."""

    coat: str = "#b5533c"
    legs: str = "#38465c"
    hair: str = "#4a3226"
    skin: str = "#d9a07c"
    long_coat: bool = False
    skirt: bool = False
    long_hair: bool = False
    hat: str = ""
    """"", "brim", "pointed", "helmet" or "crown"."""
    pack: bool = False
    staff: bool = False
    cape: str = ""


def draw_person(
    sketch: Sketch, look: Look, phase: float, dress: Dress, *, walking: bool, head: float = 1.0
) -> None:
    """A person standing or in mid-step; `head` above 1 makes a child."""
    coat, coat_dark = look.tone(dress.coat, 0.7), look.tone(dress.coat, 0.2)
    legs, legs_dark = look.tone(dress.legs, 0.6), look.tone(dress.legs, 0.15)
    skin, shoe = look.tone(dress.skin, 0.75), look.tone("#2e2522", 0.4)
    bob = 0.012 * math.cos(4 * math.pi * phase) if walking else 0.0
    hip, neck = (0.0, -0.5 + bob), (0.015, -0.82 + bob)
    swing = 0.13 * math.sin(2 * math.pi * phase) if walking else 0.02
    _arm(sketch, neck, -swing, coat_dark, skin, walking)
    if dress.cape:
        cape = look.tone(dress.cape, 0.4)
        sketch.blob(
            [(0.0, -0.83), (-0.1, -0.72), (-0.2 - swing * 0.5, -0.25), (-0.1, -0.16), (0.02, -0.4)], cape
        )
    for offset, colour in ((0.5, legs_dark), (0.0, legs)):
        foot = stride(phase + offset, 0.15, 0.07) if walking else ((0.035 if offset else -0.03), 0.0)
        ankle = (foot[0] - 0.005, foot[1] - 0.035)
        sketch.limb(
            hip, ankle, bend=-0.05 - 1.1 * max(0.0, -foot[1]), widths=(0.1, 0.075, 0.055), colour=colour
        )
        sketch.blob(
            [
                (foot[0] - 0.04, foot[1]),
                (foot[0] - 0.04, foot[1] - 0.045),
                (foot[0] + 0.03, foot[1] - 0.04),
                (foot[0] + 0.075, foot[1] - 0.008),
                (foot[0] + 0.07, foot[1]),
            ],
            shoe,
        )
    if dress.skirt or dress.long_coat:
        low = -0.2 if dress.skirt else -0.27
        sketch.blob(
            [
                (-0.06, -0.56 + bob),
                (-0.14 - swing * 0.3, low),
                (0.0, low + 0.015),
                (0.13 + abs(swing) * 0.4, low),
                (0.07, -0.56 + bob),
            ],
            coat_dark if dress.skirt else coat,
        )
    if dress.pack:
        pack = look.tone("#6f7d4a", 0.4)
        sketch.blob([(-0.06, -0.82), (-0.17, -0.8), (-0.19, -0.6), (-0.08, -0.52), (-0.03, -0.56)], pack)
    sketch.blob(
        [
            (-0.075, -0.78 + bob),
            (-0.03, -0.835 + bob),
            (0.05, -0.83 + bob),
            (0.085, -0.72 + bob),
            (0.07, -0.56 + bob),
            (0.075, -0.46 + bob),
            (-0.075, -0.46 + bob),
            (-0.07, -0.6 + bob),
        ],
        coat,
    )
    sketch.line([(0.012, -0.8 + bob), (0.018, -0.88 + bob)], 0.05, skin)
    _head(sketch, look, dress, skin, bob=bob, size=head, swing=swing)
    _arm(sketch, neck, swing, coat, skin, walking)
    if dress.staff:
        hand = (0.09 + swing, -0.5)
        sketch.line([(hand[0] + 0.03, 0.0), (hand[0] + 0.01, -0.98)], 0.022, look.tone("#5b4330", 0.6))


def _arm(
    sketch: Sketch, neck: tuple[float, float], swing: float, sleeve: Rgb, skin: Rgb, walking: bool
) -> None:
    shoulder = (neck[0] - 0.01, neck[1] + 0.035)
    hand = (shoulder[0] + 0.03 + swing * 1.05, shoulder[1] + 0.31 - abs(swing) * 0.2)
    sketch.limb(shoulder, hand, bend=0.12 if walking else 0.06, widths=(0.07, 0.055, 0.045), colour=sleeve)
    sketch.oval((hand[0] + 0.004, hand[1] + 0.012), 0.026, 0.03, skin)


def _head(
    sketch: Sketch, look: Look, dress: Dress, skin: Rgb, *, bob: float, size: float, swing: float
) -> None:
    r = 0.072 * size
    x, y = 0.03, -0.93 + bob - (size - 1) * 0.05
    hair = look.tone(dress.hair, 0.45)
    if dress.long_hair:
        sketch.blob(
            [
                (x + r * 0.2, y - r * 1.15),
                (x - r * 1.1, y - r * 0.7),
                (x - r * 1.3 - swing * 0.2, y + r * 1.0),
                (x - r * 1.25 - swing * 0.4, y + r * 2.4),
                (x - r * 0.3, y + r * 1.6),
            ],
            hair,
        )
    sketch.blob(
        [
            (x - r * 0.75, y - r * 0.75),
            (x + r * 0.2, y - r),
            (x + r * 0.9, y - r * 0.5),
            (x + r * 0.92, y),
            (x + r * 1.12, y + r * 0.2),
            (x + r * 0.88, y + r * 0.4),
            (x + r * 0.7, y + r * 0.95),
            (x, y + r * 1.05),
            (x - r * 0.7, y + r * 0.6),
        ],
        skin,
    )
    sketch.blob(
        [
            (x + r * 0.75, y - r * 0.75),
            (x, y - r * 1.2),
            (x - r * 0.95, y - r * 0.7),
            (x - r * 0.95, y + r * 0.55),
            (x - r * 0.5, y + r * 0.5),
            (x - r * 0.25, y - r * 0.3),
        ],
        hair,
    )
    match dress.hat:
        case "brim":
            hat = look.tone("#5a4a3a", 0.5)
            sketch.oval((x, y - r * 0.62), r * 1.75, r * 0.24, hat)
            sketch.blob(
                [
                    (x - r * 0.85, y - r * 0.6),
                    (x - r * 0.7, y - r * 1.6),
                    (x + r * 0.6, y - r * 1.6),
                    (x + r * 0.85, y - r * 0.6),
                ],
                hat,
            )
        case "pointed":
            hat = look.tone(dress.coat, 0.35)
            sketch.oval((x, y - r * 0.55), r * 1.8, r * 0.26, hat)
            sketch.blob(
                [
                    (x - r * 0.95, y - r * 0.55),
                    (x - r * 0.5, y - r * 2.2),
                    (x - r * 1.1, y - r * 3.4),
                    (x + r * 0.3, y - r * 2.2),
                    (x + r * 0.95, y - r * 0.55),
                ],
                hat,
            )
            sketch.blob(
                [
                    (x + r * 0.1, y + r * 0.6),
                    (x + r * 0.95, y + r * 0.6),
                    (x + r * 0.85, y + r * 2.4),
                    (x + r * 0.4, y + r * 3.2),
                ],
                look.tone("#d8d8d8", 0.6),
            )
        case "helmet":
            steel = look.tone("#aeb7c2", 0.8)
            sketch.blob(
                [
                    (x - r * 1.05, y + r),
                    (x - r * 1.1, y - r * 0.6),
                    (x, y - r * 1.35),
                    (x + r * 1.1, y - r * 0.5),
                    (x + r * 1.05, y + r),
                ],
                steel,
            )
            sketch.line(
                [(x + r * 0.25, y - r * 0.05), (x + r * 1.05, y - r * 0.05)],
                r * 0.22,
                look.tone("#20242c", 0.2),
            )
            sketch.blob(
                [
                    (x, y - r * 1.2),
                    (x - r * 0.4, y - r * 2.2),
                    (x - r * 1.8, y - r * 1.6),
                    (x - r * 0.9, y - r * 1.2),
                ],
                look.tone("#b5342c", 0.6),
            )
        case "crown":
            gold = look.tone("#e9b949", 0.95)
            sketch.shape(
                [
                    (x - r * 0.8, y - r * 0.7),
                    (x - r * 0.9, y - r * 1.6),
                    (x - r * 0.4, y - r * 1.15),
                    (x, y - r * 1.75),
                    (x + r * 0.4, y - r * 1.15),
                    (x + r * 0.9, y - r * 1.6),
                    (x + r * 0.8, y - r * 0.7),
                ],
                gold,
            )


def draw_sitting(sketch: Sketch, look: Look, dress: Dress) -> None:
    """A person sitting on the ground, looking ahead; about 0.6 high."""
    coat, legs = look.tone(dress.coat, 0.7), look.tone(dress.legs, 0.5)
    skin = look.tone(dress.skin, 0.75)
    sketch.limb(
        (-0.02, -0.09),
        (0.34, -0.03),
        bend=-0.42,
        widths=(0.11, 0.08, 0.055),
        colour=look.tone(dress.legs, 0.15),
    )
    sketch.blob(
        [
            (-0.11, -0.02),
            (-0.13, -0.2),
            (-0.09, -0.38),
            (0.0, -0.42),
            (0.08, -0.33),
            (0.08, -0.14),
            (0.06, 0.0),
        ],
        coat,
    )
    sketch.limb((-0.01, -0.08), (0.38, -0.035), bend=-0.4, widths=(0.11, 0.08, 0.055), colour=legs)
    sketch.blob(
        [(0.34, 0.0), (0.35, -0.07), (0.4, -0.06), (0.45, -0.015), (0.45, 0.0)], look.tone("#2e2522", 0.4)
    )
    sketch.limb(
        (0.0, -0.35), (0.2, -0.2), bend=0.25, widths=(0.07, 0.055, 0.045), colour=look.tone(dress.coat, 0.35)
    )
    low = Shifted(sketch, 0.0, 0.42)
    _head(low, look, dress, skin, bob=0.0, size=1.0, swing=0.0)


class Shifted(Sketch):
    """The same pen, moved by (x, y) in the figure's space."""

    def __init__(self, sketch: Sketch, x: float, y: float) -> None:
        self.__dict__.update(sketch.__dict__)
        (self._at,) = sketch._placed([(x, y)])


def draw_astronaut(sketch: Sketch, look: Look, phase: float, *, walking: bool) -> None:
    """A space suit with a gold visor; floats with bent limbs when not walking."""
    suit, shade, dark = look.tone("#f2f2f0", 0.95), look.tone("#c2c7cf", 0.6), look.tone("#5a6270", 0.4)
    float_ = 0.0 if walking else 1.0
    wave = math.sin(2 * math.pi * phase)
    sketch.blob([(-0.2, -0.84), (-0.22, -0.5), (-0.06, -0.46), (-0.05, -0.86)], dark)
    for offset, colour in ((0.5, shade), (0.0, suit)):
        if walking:
            foot = stride(phase + offset, 0.13, 0.07)
        else:
            foot = (-0.06 + 0.16 * offset * 2 + 0.02 * wave, -0.05 - 0.07 * offset)
        sketch.limb(
            (0.0, -0.46),
            (foot[0], foot[1] - 0.06),
            bend=-0.12 - 0.25 * float_,
            widths=(0.16, 0.135, 0.12),
            colour=colour,
        )
        sketch.blob(
            [
                (foot[0] - 0.07, foot[1]),
                (foot[0] - 0.07, foot[1] - 0.1),
                (foot[0] + 0.05, foot[1] - 0.1),
                (foot[0] + 0.1, foot[1] - 0.03),
                (foot[0] + 0.09, foot[1]),
            ],
            dark,
        )
    sketch.limb(
        (0.03, -0.76),
        (0.24, -0.6 - 0.18 * float_ - 0.03 * wave),
        bend=0.3,
        widths=(0.12, 0.1, 0.09),
        colour=shade,
    )
    sketch.blob(
        [
            (-0.12, -0.8),
            (0.0, -0.86),
            (0.12, -0.8),
            (0.14, -0.6),
            (0.11, -0.42),
            (-0.11, -0.42),
            (-0.13, -0.6),
        ],
        suit,
    )
    sketch.shape([(0.03, -0.7), (0.13, -0.7), (0.125, -0.6), (0.03, -0.6)], shade)
    sketch.oval((0.055, -0.65), 0.014, 0.014, look.glow("#ff5a4a"))
    sketch.oval((0.1, -0.65), 0.014, 0.014, look.glow("#5ad0ff"))
    arm = (-0.14 - 0.06 * wave, -0.55 - 0.28 * float_) if not walking else (0.12 * wave, -0.5)
    sketch.limb((-0.03, -0.76), arm, bend=0.28, widths=(0.13, 0.11, 0.095), colour=suit)
    sketch.oval(arm, 0.05, 0.05, dark)
    sketch.oval((0.02, -0.93), 0.135, 0.13, suit)
    sketch.blob(
        [(0.0, -0.98), (0.09, -1.01), (0.148, -0.94), (0.13, -0.86), (0.02, -0.86), (-0.03, -0.92)],
        look.tone("#c98a2b", 0.8),
    )
    sketch.blob([(0.04, -0.975), (0.09, -0.985), (0.12, -0.945), (0.06, -0.95)], look.tone("#ffe2a0", 1.0))


def draw_robot(sketch: Sketch, look: Look, phase: float, *, walking: bool) -> None:
    """A boxy machine with lit eyes."""
    steel, dark, pale = look.tone("#8fa3b3", 0.7), look.tone("#4c5966", 0.3), look.tone("#c9d6df", 0.9)
    for offset, colour in ((0.5, dark), (0.0, steel)):
        foot = stride(phase + offset, 0.12, 0.06) if walking else (0.07 - 0.14 * (offset * 2), 0.0)
        sketch.limb(
            (0.0, -0.42), (foot[0], foot[1] - 0.06), bend=-0.1, widths=(0.09, 0.08, 0.075), colour=colour
        )
        sketch.shape(
            [
                (foot[0] - 0.08, foot[1]),
                (foot[0] - 0.06, foot[1] - 0.08),
                (foot[0] + 0.07, foot[1] - 0.08),
                (foot[0] + 0.11, foot[1]),
            ],
            dark,
        )
    swing = 0.12 * math.sin(2 * math.pi * phase) if walking else 0.03
    sketch.limb((0.0, -0.72), (0.02 - swing, -0.42), bend=0.1, widths=(0.08, 0.075, 0.07), colour=dark)
    sketch.shape([(-0.15, -0.76), (0.15, -0.76), (0.13, -0.4), (-0.13, -0.4)], steel)
    sketch.shape([(-0.02, -0.7), (0.11, -0.7), (0.1, -0.56), (-0.02, -0.56)], dark)
    for i, code in enumerate(("#ff6a5a", "#ffd25a", "#5affb0")):
        sketch.oval((0.01 + 0.035 * i, -0.66), 0.012, 0.012, look.glow(code))
    sketch.line([(0.0, -0.61), (0.09, -0.61)], 0.012, look.glow("#5ad8ff"))
    sketch.line([(0.0, -0.76), (0.0, -0.82)], 0.07, dark)
    sketch.shape(
        [(-0.13, -0.82), (-0.13, -0.98), (-0.1, -1.0), (0.11, -1.0), (0.14, -0.98), (0.14, -0.82)], pale
    )
    sketch.shape([(-0.02, -0.86), (-0.02, -0.95), (0.13, -0.95), (0.13, -0.86)], dark)
    sketch.oval((0.035, -0.905), 0.022, 0.026, look.glow("#5affe8"))
    sketch.oval((0.1, -0.905), 0.018, 0.026, look.glow("#5affe8"))
    sketch.line([(-0.05, -1.0), (-0.06, -1.08)], 0.014, dark)
    sketch.oval((-0.06, -1.09), 0.022, 0.022, look.glow("#ff6a5a"))
    sketch.limb((0.0, -0.71), (0.03 + swing, -0.4), bend=0.1, widths=(0.085, 0.08, 0.075), colour=pale)
    sketch.shape(
        [
            (0.0 + swing, -0.41),
            (0.08 + swing, -0.41),
            (0.07 + swing, -0.34),
            (0.045 + swing, -0.38),
            (0.02 + swing, -0.34),
        ],
        dark,
    )
