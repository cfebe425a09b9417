"""Animals on four legs, all from one body plan, 1 high at the shoulder unless said otherwise."""

from __future__ import annotations

import math

from localvid.pipelines.animatic.brush import Point, Rgb
from localvid.pipelines.animatic.figures.builds import BUILDS, Build
from localvid.pipelines.animatic.figures.sketch import Look, Sketch, stride


def draw_quadruped(sketch: Sketch, look: Look, phase: float, build: Build, *, walking: bool) -> None:
    """An animal standing or walking: the legs step in the order of a walk, a quarter of a round apart."""
    coat, dark, pale = look.tone(build.coat, 0.7), look.tone(build.coat, 0.15), look.tone(build.pale, 0.8)
    bob = 0.012 * math.cos(4 * math.pi * phase) if walking else 0.0
    back, half = -1.0 + bob, build.length / 2
    chest, rump = (half * 0.82, back + build.deep * 0.5), (-half * 0.82, back + build.deep * 0.48)
    far, near = ((0.75, 0.25), (0.0, 0.5))  # phases of (front, hind)
    _legs(sketch, build, phase, far, chest, rump, dark, look, walking)
    _tail(sketch, look, build, (-half * 0.97, back + build.deep * 0.22), phase, coat, pale, walking)
    root = (half * 0.72, back + build.deep * 0.3)
    angle = build.neck_angle + (0.04 * math.sin(4 * math.pi * phase) if walking else 0.0)
    crown = (root[0] + math.cos(angle) * build.neck, root[1] - math.sin(angle) * build.neck)
    if build.antlers:
        _antlers(sketch, look, build, crown, shift=-0.05)
    _body(sketch, look, build, back, coat, dark)
    sketch.line([root, crown], build.neck_thick * 1.35, coat, build.neck_thick * 0.85)
    _legs(sketch, build, phase, near, chest, rump, coat, look, walking)
    if build.mane and build.neck < 0.4:  # a lion's ruff
        ruff = look.tone(build.mane, 0.5)
        for i in range(12):
            turn = i * math.pi / 6
            sketch.oval(
                (crown[0] - 0.02 + 0.17 * math.cos(turn), crown[1] + 0.06 + 0.19 * math.sin(turn)),
                0.12,
                0.12,
                ruff,
            )
    elif build.mane:
        _crest(sketch, look, build, root, crown, angle)
    if build.wool:  # a dark face under the fleece
        coat, dark = look.tone(build.pale, 0.7), look.tone(build.pale, 0.3)
    _head(sketch, look, build, crown, coat, dark, pale)
    if build.wool:
        sketch.oval((crown[0] + 0.02, crown[1] - 0.06), 0.12, 0.09, look.tone(build.coat, 0.8))
    if build.antlers:
        _antlers(sketch, look, build, crown, shift=0.0)


def _body(sketch: Sketch, look: Look, build: Build, back: float, coat: Rgb, dark: Rgb) -> None:
    half, deep = build.length / 2, build.deep
    hind = deep * build.waist
    outline: list[Point] = [
        (half, back + deep * 0.45),
        (half * 0.9, back + deep * 0.12),
        (half * 0.55, back),
        (0.0, back + 0.035 - build.hump),
        (-half * 0.6, back + 0.01),
        (-half * 0.96, back + deep * 0.2),
        (-half, back + hind * 0.55),
        (-half * 0.72, back + hind * 0.92),
        (-half * 0.15, back + hind * 0.92),
        (half * 0.5, back + deep * 1.02),
        (half * 0.88, back + deep * 0.82),
    ]
    if build.wool:
        for i in range(26):
            turn = 2 * math.pi * i / 26
            sketch.oval(
                (half * 0.9 * math.cos(turn), back + deep * 0.5 + deep * 0.42 * math.sin(turn)),
                0.13,
                0.12,
                coat,
            )
    sketch.blob(outline, coat)
    shade = [(x * 0.96, y) for x, y in outline[6:10]]
    sketch.blob([*shade, (half * 0.4, back + deep * 0.78), (-half * 0.5, back + hind * 0.72)], dark)
    if build.coat == BUILDS["cow"].coat:
        for x, y, w, h in ((0.2, 0.14, 0.16, 0.1), (-0.3, 0.2, 0.14, 0.13), (-0.02, 0.34, 0.1, 0.08)):
            sketch.oval((x, back + y), w, h, look.tone("#3a302c", 0.4))
    if build.coat == BUILDS["tiger"].coat:
        for i in range(8):
            x = -half * 0.8 + i * half * 0.22
            sketch.curve(
                [(x, back + 0.03), (x + 0.03, back + deep * 0.3), (x - 0.01, back + deep * 0.55)],
                0.035,
                look.tone("#2a2320", 0.3),
                0.008,
            )
    if build.coat == BUILDS["giraffe"].coat:
        for i in range(9):
            sketch.oval(
                (-half * 0.75 + (i % 5) * 0.14, back + 0.07 + (i // 5) * 0.13),
                0.05,
                0.042,
                look.tone("#8c5a2a", 0.5),
            )


def _legs(
    sketch: Sketch,
    build: Build,
    phase: float,
    offsets: tuple[float, float],
    chest: Point,
    rump: Point,
    colour: Rgb,
    look: Look,
    walking: bool,
) -> None:
    thick, reach = build.leg, 0.2
    spread = 0.05 if colour != look.tone(build.coat, 0.7) else -0.03
    for root, offset, bend in ((chest, offsets[0], 0.03), (rump, offsets[1], -0.12)):
        foot = stride(phase + offset, reach, 0.1) if walking else (spread, 0.0)
        end = (root[0] * 0.93 + foot[0], foot[1] - 0.02)
        lifted = max(0.0, -foot[1]) * 2.4
        sketch.limb(
            (root[0] * 0.93, root[1] + 0.02),
            end,
            bend=bend + lifted * (1 if bend > 0 else -0.4),
            widths=(thick * 2.1, thick, thick * 0.72),
            colour=colour,
        )
        if build.hoof:
            sketch.shape(
                [
                    (end[0] - thick * 0.5, 0.02 + end[1]),
                    (end[0] - thick * 0.36, end[1] - 0.05),
                    (end[0] + thick * 0.45, end[1] - 0.05),
                    (end[0] + thick * 0.62, 0.02 + end[1]),
                ],
                look.tone("#2b221e", 0.3),
            )
        else:
            sketch.blob(
                [
                    (end[0] - thick * 0.5, end[1] + 0.02),
                    (end[0] - thick * 0.4, end[1] - 0.04),
                    (end[0] + thick * 0.5, end[1] - 0.04),
                    (end[0] + thick * 1.0, end[1] + 0.005),
                    (end[0] + thick * 0.9, end[1] + 0.02),
                ],
                colour,
            )


def _head(sketch: Sketch, look: Look, build: Build, crown: Point, coat: Rgb, dark: Rgb, pale: Rgb) -> None:
    size, nod = build.head, build.nod
    cos, sin = math.cos(nod), math.sin(nod)

    def at(u: float, v: float) -> Point:
        """`u` along the head from the crown to the nose, `v` down from its middle line, in head lengths."""
        return (crown[0] + size * (u * cos - v * sin), crown[1] + size * (u * sin + v * cos))

    if build.trunk:
        sketch.curve(
            [at(0.5, 0.0), at(0.85, 0.4), at(0.85, 1.0), at(0.75, 1.5), at(1.0, 1.7)],
            size * 0.32,
            coat,
            size * 0.1,
        )
        sketch.curve(
            [at(0.5, 0.35), at(0.85, 0.62), at(1.15, 0.5)],
            size * 0.09,
            look.tone("#f3ead8", 0.9),
            size * 0.03,
        )
    if build.ears in ("pricked", "long"):
        tall = 0.85 if build.ears == "long" else 0.36
        for shift, colour in ((0.14, dark), (0.0, coat)):
            sketch.shape(
                [
                    at(-0.16 + shift, -0.1),
                    at(-0.2 + shift - tall * 0.12, -0.28 - tall),
                    at(0.1 + shift, -0.24),
                ],
                colour,
            )
    skull, snout = 0.3, 1.0 - build.muzzle
    front = [at(snout, -0.14), at(0.82, -0.1), at(0.97, 0.0), at(0.95, 0.14), at(0.7, 0.22)]
    sketch.blob(
        [
            at(-0.25, 0.08),
            at(-0.16, -0.2),
            at(0.12, -skull),
            at(snout * 0.75, -0.24),
            *front,
            at(snout * 0.6, 0.28),
            at(-0.05, 0.34),
        ],
        coat,
    )
    sketch.blob([at(0.62, 0.04), at(0.9, 0.02), at(0.95, 0.12), at(0.7, 0.21), at(0.42, 0.24)], pale)
    if not build.trunk:
        sketch.oval(at(0.95, 0.0), size * 0.055, size * 0.045, look.tone("#1c1715", 0.3))
    sketch.oval(at(snout * 0.78, -0.09), size * 0.042, size * 0.045, look.tone("#15110f", 0.3))
    match build.ears:
        case "flopped":
            sketch.blob([at(-0.1, -0.26), at(0.1, -0.2), at(0.06, 0.2), at(-0.08, 0.34), at(-0.2, 0.1)], dark)
        case "round":
            sketch.oval(at(-0.03, -0.27), size * 0.13, size * 0.13, dark)
        case "wide":
            sketch.blob([at(-0.02, -0.18), at(-0.2, -0.36), at(-0.46, -0.36), at(-0.26, -0.12)], coat)
        case "fan":
            sketch.blob(
                [
                    at(0.1, -0.3),
                    at(-0.3, -0.5),
                    at(-0.72, -0.25),
                    at(-0.66, 0.45),
                    at(-0.25, 0.72),
                    at(0.05, 0.3),
                ],
                dark,
            )


def _tail(
    sketch: Sketch, look: Look, build: Build, root: Point, phase: float, coat: Rgb, pale: Rgb, walking: bool
) -> None:
    wag = 0.06 * math.sin(2 * math.pi * phase) if walking else 0.0
    x, y = root
    match build.tail:
        case "curved":
            sketch.curve(
                [root, (x - 0.16, y - 0.06 + wag), (x - 0.26, y - 0.26), (x - 0.2, y - 0.42 + wag)],
                0.09,
                coat,
                0.03,
            )
        case "brush":
            sketch.blob(
                [
                    (x + 0.03, y - 0.04),
                    (x - 0.2, y + 0.06 + wag),
                    (x - 0.42, y + 0.28),
                    (x - 0.62, y + 0.4 + wag),
                    (x - 0.4, y + 0.44),
                    (x - 0.15, y + 0.28),
                    (x + 0.02, y + 0.1),
                ],
                coat,
            )
            sketch.blob([(x - 0.44, y + 0.3), (x - 0.64, y + 0.4 + wag), (x - 0.44, y + 0.44)], pale)
        case "long":
            sketch.curve(
                [
                    root,
                    (x - 0.22, y + 0.12),
                    (x - 0.48, y + 0.02),
                    (x - 0.6, y - 0.28 + wag),
                    (x - 0.5, y - 0.5 + wag),
                ],
                0.085,
                coat,
                0.05,
            )
        case "short":
            sketch.oval((x - 0.03, y), 0.07, 0.06, pale if build.antlers or build.ears == "long" else coat)
        case "tuft":
            sketch.curve([root, (x - 0.09, y + 0.2), (x - 0.07 + wag, y + 0.5)], 0.04, coat, 0.022)
            sketch.oval((x - 0.07 + wag, y + 0.54), 0.04, 0.08, look.tone(build.mane or "#3a2a22", 0.4))
        case "hair":
            hair = look.tone(build.mane or build.coat, 0.45)
            sketch.blob(
                [
                    (x + 0.04, y - 0.05),
                    (x - 0.12, y - 0.02),
                    (x - 0.22 + wag, y + 0.3),
                    (x - 0.18 + wag, y + 0.62),
                    (x - 0.06, y + 0.42),
                    (x + 0.01, y + 0.12),
                ],
                hair,
            )


def _crest(sketch: Sketch, look: Look, build: Build, root: Point, crown: Point, angle: float) -> None:
    hair = look.tone(build.mane, 0.45)
    nx, ny = -math.sin(angle), -math.cos(angle)
    points: list[Point] = []
    for i in range(7):
        share = i / 6
        x, y = root[0] + (crown[0] - root[0]) * share, root[1] + (crown[1] - root[1]) * share
        points.append(
            (
                x + nx * build.neck_thick * (0.62 - 0.1 * share),
                y + ny * build.neck_thick * (0.5 - 0.05 * share),
            )
        )
    points += [
        (crown[0] + 0.12, crown[1] - 0.1),
        (crown[0] - 0.02, crown[1] + 0.02),
        (root[0] - 0.02, root[1] + 0.02),
    ]
    sketch.blob(points, hair)


def _antlers(sketch: Sketch, look: Look, build: Build, crown: Point, *, shift: float) -> None:
    horn = look.tone("#d8c3a0" if build.antlers == "horns" else "#8a6a4a", 0.7 if shift == 0 else 0.3)
    x, y = crown[0] + shift + 0.02, crown[1] - build.head * 0.24
    match build.antlers:
        case "antlers":
            beam = [(x, y), (x - 0.1, y - 0.2), (x - 0.08, y - 0.42), (x + 0.06, y - 0.58)]
            sketch.curve(beam, 0.04, horn, 0.016)
            for (px, py), (dx, dy) in zip(
                beam[1:], ((0.16, -0.08), (0.16, -0.1), (-0.08, -0.1)), strict=True
            ):
                sketch.curve([(px, py), (px + dx * 0.7, py + dy * 0.3), (px + dx, py + dy)], 0.03, horn, 0.01)
        case "horns":
            sketch.curve([(x, y), (x + 0.04, y - 0.12), (x + 0.13, y - 0.17)], 0.05, horn, 0.012)
        case "horn":
            if shift == 0.0:
                tip = (x + 0.26, y - 0.32)
                sketch.shape([(x + 0.02, y + 0.02), tip, (x + 0.09, y + 0.05)], look.glow("#ffe9a8"))
        case "stubs":
            sketch.line([(x, y), (x - 0.02, y - 0.1)], 0.025, horn)
            sketch.oval((x - 0.02, y - 0.11), 0.022, 0.02, look.tone("#3a2a22", 0.3))
