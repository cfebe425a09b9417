"""What flies: birds near and far, butterflies, dragons. 1 is the length or the span, as said."""

from __future__ import annotations

import math

from localvid.pipelines.animatic.brush import Point, Rgb, mix
from localvid.pipelines.animatic.figures.sketch import Look, Sketch


def draw_flying_bird(
    sketch: Sketch,
    look: Look,
    phase: float,
    *,
    coat: str,
    pale: str,
    beak: str = "#d9962f",
    long_neck: bool = False,
) -> None:
    """A bird on the wing in a side view, its wings at `phase` of a beat; 1 is beak to tail."""
    body, dark, light = look.tone(coat, 0.6), look.tone(coat, 0.1), look.tone(pale, 0.8)
    beat = math.sin(2 * math.pi * phase)
    _wing(sketch, (0.06, -0.04), beat * 0.9 - 0.1, 0.62, dark)
    sketch.shape([(-0.3, -0.03), (-0.56, -0.07), (-0.52, 0.0), (-0.57, 0.07), (-0.3, 0.05)], dark)
    neck: Point = (0.52, -0.12) if long_neck else (0.36, -0.05)
    if long_neck:
        sketch.curve([(0.2, -0.02), (0.38, -0.07), neck], 0.12, body, 0.06)
    sketch.blob([(-0.36, 0.0), (-0.12, -0.1), (0.2, -0.11), (0.34, -0.04), (0.24, 0.08), (-0.06, 0.1)], body)
    sketch.blob([(-0.1, 0.06), (0.2, 0.05), (0.26, 0.06), (0.04, 0.105)], light)
    sketch.oval(neck, 0.085, 0.075, body)
    sketch.shape(
        [
            (neck[0] + 0.06, neck[1] - 0.035),
            (neck[0] + 0.19, neck[1] + 0.015),
            (neck[0] + 0.06, neck[1] + 0.04),
        ],
        look.tone(beak, 0.7),
    )
    sketch.oval((neck[0] + 0.03, neck[1] - 0.02), 0.013, 0.013, look.tone("#101010", 0.2))
    _wing(sketch, (0.02, -0.05), beat, 0.7, body)


def _wing(sketch: Sketch, root: Point, beat: float, length: float, colour: Rgb) -> None:
    """Two joints that follow one another, and five spread feathers; `beat` 1 is up."""
    x, y = root
    elbow = (x - 0.02, y - length * 0.42 * beat)
    tip = (x - length * 0.42, elbow[1] - length * (0.62 * beat + 0.08))
    trail: list[Point] = []
    for i in range(6):
        share = i / 5
        base = (tip[0] + (x - 0.26 - tip[0]) * share, tip[1] + (y + 0.02 - tip[1]) * share)
        trail += [base, (base[0] - 0.045 * (1 - share * 0.4), base[1] + 0.05 * abs(beat) + 0.015)]
    sketch.shape([(x + 0.16, y), (elbow[0] + 0.14, elbow[1]), tip, *trail, (x - 0.24, y + 0.03)], colour)


def draw_far_bird(sketch: Sketch, look: Look, phase: float) -> None:
    """A bird far away, seen from the front: two bent strokes; 1 is the span."""
    beat = 0.22 * math.sin(2 * math.pi * phase) + 0.08
    colour = look.light.silhouette(look.depth)
    for side in (-1, 1):
        sketch.curve(
            [(0.0, 0.0), (side * 0.2, -0.12 - beat * 0.35), (side * 0.5, -0.02 - beat)], 0.07, colour, 0.015
        )
    sketch.oval((0, 0), 0.05, 0.04, colour)


def draw_perched_bird(sketch: Sketch, look: Look, phase: float, *, coat: str, pale: str, beak: str) -> None:
    """A bird that stands, 1 high, and nods now and then."""
    body, dark = look.tone(coat, 0.6), look.tone(coat, 0.1)
    nod = 0.02 * math.sin(2 * math.pi * phase)
    for x in (-0.02, 0.06):
        sketch.line([(x, -0.2), (x + 0.02, 0.0)], 0.03, look.tone(beak, 0.3))
        sketch.line([(x - 0.04, 0.0), (x + 0.08, 0.0)], 0.025, look.tone(beak, 0.3))
    sketch.shape([(-0.26, -0.34), (-0.62, -0.06), (-0.5, -0.03), (-0.16, -0.22)], dark)
    sketch.blob(
        [
            (-0.34, -0.36),
            (-0.16, -0.62),
            (0.1, -0.8),
            (0.26, -0.66),
            (0.26, -0.42),
            (0.1, -0.22),
            (-0.14, -0.19),
        ],
        body,
    )
    sketch.blob(
        [(0.12, -0.62), (0.26, -0.6), (0.25, -0.42), (0.1, -0.24), (0.02, -0.26)], look.tone(pale, 0.7)
    )
    sketch.blob([(-0.38, -0.28), (-0.18, -0.56), (0.06, -0.64), (0.06, -0.42), (-0.1, -0.28)], dark)
    sketch.oval((0.2, -0.83 + nod), 0.16, 0.145, body)
    sketch.shape([(0.31, -0.88 + nod), (0.56, -0.8 + nod), (0.31, -0.76 + nod)], look.tone(beak, 0.6))
    sketch.oval((0.25, -0.86 + nod), 0.026, 0.026, look.tone("#f4f0e6", 0.9))
    sketch.oval((0.256, -0.86 + nod), 0.015, 0.015, look.tone("#0c0c0c", 0.2))


def draw_owl(sketch: Sketch, look: Look, phase: float) -> None:
    """An owl, 1 high, that blinks."""
    body, dark, pale = look.tone("#8a6a4a", 0.65), look.tone("#5a432e", 0.3), look.tone("#d8c2a0", 0.8)
    sketch.blob(
        [
            (-0.3, -0.1),
            (-0.36, -0.5),
            (-0.3, -0.9),
            (0.0, -0.98),
            (0.3, -0.9),
            (0.36, -0.5),
            (0.3, -0.1),
            (0.0, -0.02),
        ],
        body,
    )
    sketch.shape([(-0.3, -0.85), (-0.32, -1.08), (-0.1, -0.95)], body)
    sketch.shape([(0.3, -0.85), (0.32, -1.08), (0.1, -0.95)], body)
    sketch.blob([(-0.16, -0.1), (-0.2, -0.45), (0.0, -0.58), (0.2, -0.45), (0.16, -0.1)], pale)
    for side in (-1, 1):
        sketch.blob(
            [(side * 0.22, -0.2), (side * 0.38, -0.45), (side * 0.34, -0.66), (side * 0.2, -0.5)], dark
        )
        sketch.oval((side * 0.13, -0.76), 0.13, 0.13, pale)
        open_ = 0.09 if phase < 0.9 else 0.02
        sketch.oval((side * 0.12, -0.76), 0.09, open_, look.glow("#ffc83d"))
        sketch.oval((side * 0.12, -0.76), 0.045, min(0.045, open_), look.tone("#101010", 0.1))
    sketch.shape([(-0.04, -0.72), (0.04, -0.72), (0.0, -0.61)], look.tone("#d99a3a", 0.8))


def draw_penguin(sketch: Sketch, look: Look, phase: float, *, walking: bool) -> None:
    """A penguin, 1 high, that waddles."""
    coat, white = look.tone("#262c38", 0.5), look.tone("#f6f4ee", 0.95)
    tip = 0.05 * math.sin(2 * math.pi * phase) if walking else 0.0
    for x, lift in ((-0.09, max(0.0, tip)), (0.1, max(0.0, -tip))):
        sketch.blob(
            [
                (x - 0.08, 0.0 - lift),
                (x - 0.05, -0.07 - lift),
                (x + 0.07, -0.06 - lift),
                (x + 0.14, 0.0 - lift),
            ],
            look.tone("#e0902f", 0.8),
        )
    sketch.blob(
        [
            (-0.22, -0.08),
            (-0.27 + tip, -0.45),
            (-0.18 + tip, -0.8),
            (0.0 + tip, -1.0),
            (0.2 + tip, -0.84),
            (0.27 + tip, -0.45),
            (0.22, -0.08),
            (0.0, -0.02),
        ],
        coat,
    )
    sketch.blob(
        [
            (-0.06, -0.08),
            (-0.06 + tip, -0.5),
            (0.06 + tip, -0.72),
            (0.22 + tip, -0.62),
            (0.25 + tip, -0.4),
            (0.2, -0.1),
        ],
        white,
    )
    sketch.oval((0.16 + tip, -0.84), 0.07, 0.06, white)
    sketch.oval((0.13 + tip, -0.86), 0.024, 0.026, coat)
    sketch.shape([(0.2 + tip, -0.88), (0.38 + tip, -0.82), (0.2 + tip, -0.79)], look.tone("#e0902f", 0.8))
    sketch.blob(
        [(-0.2 + tip, -0.68), (-0.3 + tip, -0.45 - 2 * tip), (-0.26 + tip, -0.24), (-0.12 + tip, -0.45)],
        look.tone("#141820", 0.3),
    )


def draw_dragon(sketch: Sketch, look: Look, phase: float, *, coat: str = "#8f2f35") -> None:
    """A dragon in flight; 1 is nose to tail."""
    body, dark, skin = look.tone(coat, 0.7), look.tone(coat, 0.12), look.tone("#c9764a", 0.7)
    beat = math.sin(2 * math.pi * phase)
    _bat_wing(sketch, (0.1, -0.08), beat * 0.85 - 0.1, dark, mix(skin, dark, 0.6))
    tail = [(-0.12, 0.02), (-0.28, 0.06 - 0.02 * beat), (-0.42, 0.02), (-0.55, -0.06 + 0.03 * beat)]
    sketch.curve(tail, 0.1, body, 0.018)
    end = tail[-1]
    sketch.shape(
        [
            (end[0] + 0.02, end[1] + 0.01),
            (end[0] - 0.04, end[1] - 0.06),
            (end[0] - 0.1, end[1] - 0.02),
            (end[0] - 0.03, end[1] + 0.05),
        ],
        dark,
    )
    for x in (0.12, -0.08):
        sketch.curve([(x, 0.04), (x - 0.03, 0.11), (x + 0.02, 0.16)], 0.05, dark, 0.02)
    sketch.blob(
        [(-0.2, 0.02), (-0.05, -0.08), (0.14, -0.1), (0.24, -0.04), (0.16, 0.06), (-0.05, 0.08)], body
    )
    sketch.curve([(0.16, -0.04), (0.28, -0.1), (0.34, -0.2), (0.4, -0.24)], 0.11, body, 0.06)
    sketch.blob(
        [
            (0.35, -0.26),
            (0.41, -0.31),
            (0.47, -0.27),
            (0.56, -0.23),
            (0.55, -0.19),
            (0.44, -0.19),
            (0.38, -0.2),
        ],
        body,
    )
    sketch.shape([(0.47, -0.195), (0.55, -0.17), (0.42, -0.165)], dark)
    for x in (0.37, 0.41):
        sketch.shape([(x, -0.29), (x - 0.09, -0.38), (x + 0.03, -0.3)], dark)
    sketch.oval((0.45, -0.25), 0.012, 0.01, look.glow("#ffd23d"))
    for i in range(7):
        x = 0.28 - 0.09 * i
        y = -0.15 if i == 0 else -0.09 + 0.02 * i
        sketch.shape([(x, y + 0.02), (x - 0.04, y - 0.04), (x - 0.05, y + 0.02)], dark)
    _bat_wing(sketch, (0.06, -0.08), beat, body, skin)


def _bat_wing(sketch: Sketch, root: Point, beat: float, arm: Rgb, skin: Rgb) -> None:
    x, y = root
    wrist = (x - 0.02, y - 0.34 * beat - 0.06)
    tips = [(x - 0.34 + 0.16 * i, y - (0.56 - 0.13 * i) * beat - 0.02 + 0.05 * i) for i in range(3)]
    tips = [(x - 0.36, y - 0.52 * beat - 0.05), (x - 0.4, y - 0.22 * beat), (x - 0.3, y + 0.04)]
    edge: list[Point] = [wrist]
    for i, tip in enumerate(tips):
        edge.append(tip)
        after = tips[i + 1] if i + 1 < len(tips) else (x - 0.1, y + 0.05)
        edge.append(((tip[0] + after[0]) / 2 + 0.06, (tip[1] + after[1]) / 2))
    sketch.shape([(x + 0.08, y + 0.02), *edge, (x - 0.1, y + 0.05)], skin)
    sketch.line([(x + 0.06, y), wrist], 0.04, arm, 0.025)
    for tip in tips:
        sketch.line([wrist, tip], 0.018, arm, 0.006)


def draw_butterfly(sketch: Sketch, look: Look, phase: float) -> None:
    """A butterfly; 1 is its span with open wings."""
    open_ = 0.25 + 0.75 * abs(math.sin(math.pi * phase))
    hue, pale = look.tone("#f0863a", 0.95), look.tone("#ffd27a", 1.0)
    for side in (-1, 1):
        s = side * open_
        sketch.blob([(0.0, -0.08), (s * 0.22, -0.42), (s * 0.5, -0.36), (s * 0.4, -0.06), (0.0, 0.02)], hue)
        sketch.blob([(0.0, 0.0), (s * 0.36, 0.02), (s * 0.34, 0.3), (s * 0.12, 0.26)], hue)
        sketch.oval((s * 0.3, -0.24), 0.06 * open_, 0.07, pale)
        sketch.oval((s * 0.22, 0.13), 0.05 * open_, 0.05, pale)
    sketch.line([(0.0, -0.18), (0.0, 0.22)], 0.045, look.tone("#2a211c", 0.3), 0.02)


def draw_swan(sketch: Sketch, look: Look, phase: float) -> None:
    """A swan on the water, 1 long; its waterline is at 0."""
    white, shade = look.tone("#fbfaf6", 1.0), look.tone("#c3cbd6", 0.6)
    nod = 0.02 * math.sin(2 * math.pi * phase)
    sketch.blob(
        [
            (-0.5, -0.22),
            (-0.36, -0.1),
            (-0.2, 0.03),
            (0.22, 0.03),
            (0.36, -0.1),
            (0.24, -0.24),
            (-0.1, -0.24),
            (-0.36, -0.2),
        ],
        white,
    )
    sketch.blob(
        [(-0.52, -0.3), (-0.3, -0.32), (0.04, -0.33), (0.16, -0.2), (-0.06, -0.07), (-0.3, -0.1)], shade
    )
    sketch.blob(
        [(-0.46, -0.34), (-0.2, -0.38), (0.08, -0.32), (0.12, -0.2), (-0.1, -0.13), (-0.28, -0.2)], white
    )
    sketch.curve(
        [(0.26, -0.12), (0.38, -0.3), (0.3, -0.5), (0.3, -0.66 + nod), (0.4, -0.72 + nod)], 0.12, white, 0.075
    )
    sketch.oval((0.42, -0.71 + nod), 0.07, 0.055, white)
    sketch.shape([(0.46, -0.74 + nod), (0.6, -0.68 + nod), (0.46, -0.66 + nod)], look.tone("#e0802f", 0.9))
    sketch.shape([(0.45, -0.76 + nod), (0.5, -0.73 + nod), (0.45, -0.7 + nod)], look.tone("#1a1a1e", 0.2))
