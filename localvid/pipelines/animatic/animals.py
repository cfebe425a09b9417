"""Animals on four legs, all from one body plan, 1 high at the shoulder unless said otherwise."""

from __future__ import annotations

import math
from dataclasses import dataclass

from localvid.pipelines.animatic.brush import Point, Rgb
from localvid.pipelines.animatic.sketch import Look, Sketch, stride


@dataclass(frozen=True)
class Build:
    """The proportions of an animal, in heights of its shoulder."""

    coat: str
    pale: str
    """Belly, muzzle, tail tip."""
    length: float = 1.15
    """From chest to rump."""
    deep: float = 0.42
    """Of the chest."""
    waist: float = 0.8
    """Depth of the belly behind, over that of the chest."""
    leg: float = 0.12
    """Thickness of the thigh's lower end."""
    neck: float = 0.35
    neck_angle: float = 0.8
    """Radians above the horizontal."""
    neck_thick: float = 0.26
    head: float = 0.34
    muzzle: float = 0.5
    """The share of the head that is snout."""
    nod: float = 0.15
    """Radians by which the head points below the horizontal."""
    ears: str = "pricked"
    """"pricked", "flopped", "round", "long" or "wide"."""
    tail: str = "curved"
    """"curved", "brush", "long", "short", "tuft" or "hair"."""
    hoof: bool = False
    mane: str = ""
    antlers: str = ""
    """"", "antlers", "horns"."""
    hump: float = 0.0
    wool: bool = False
    trunk: bool = False


BUILDS: dict[str, Build] = {
    "dog": Build("#9c6b43", "#d9b58c", length=1.1, deep=0.4, neck=0.3, neck_angle=0.85, head=0.4, muzzle=0.52, ears="flopped", tail="curved"),
    "wolf": Build("#6f757d", "#b9bcc0", length=1.25, deep=0.44, neck=0.32, neck_angle=0.55, neck_thick=0.34, head=0.42, muzzle=0.56, tail="brush"),
    "fox": Build("#d2692c", "#f4e4d0", length=1.45, deep=0.44, leg=0.1, neck=0.3, neck_angle=0.6, neck_thick=0.28, head=0.46, muzzle=0.56, tail="brush"),
    "cat": Build("#3d3a40", "#76707a", length=1.45, deep=0.46, waist=0.95, leg=0.12, neck=0.24, neck_angle=0.75, neck_thick=0.3, head=0.4, muzzle=0.25, nod=0.1, tail="long"),
    "horse": Build("#6b4128", "#8a5a3c", length=1.08, deep=0.4, waist=0.92, leg=0.085, neck=0.56, neck_angle=0.95, neck_thick=0.27, head=0.42, muzzle=0.6, nod=0.75, hoof=True, mane="#2e1e18", tail="hair"),
    "unicorn": Build("#efeaf2", "#ffffff", length=1.08, deep=0.4, waist=0.92, leg=0.085, neck=0.56, neck_angle=0.95, neck_thick=0.27, head=0.42, muzzle=0.6, nod=0.7, hoof=True, mane="#d59ad8", tail="hair", antlers="horn"),
    "deer": Build("#9a6a42", "#d8bb95", length=0.98, deep=0.35, waist=0.9, leg=0.065, neck=0.5, neck_angle=1.05, neck_thick=0.2, head=0.32, muzzle=0.55, nod=0.3, ears="wide", hoof=True, tail="short", antlers="antlers"),
    "cow": Build("#e9e4dc", "#c7a892", length=1.25, deep=0.5, waist=1.05, leg=0.1, neck=0.28, neck_angle=0.35, neck_thick=0.34, head=0.4, muzzle=0.55, nod=0.55, ears="wide", hoof=True, tail="tuft", antlers="horns"),
    "sheep": Build("#efe9dc", "#4a403c", length=1.1, deep=0.55, waist=1.1, leg=0.08, neck=0.2, neck_angle=0.5, neck_thick=0.3, head=0.34, muzzle=0.5, nod=0.5, ears="wide", hoof=True, tail="short", wool=True),
    "bear": Build("#5b4030", "#7d5c46", length=1.35, deep=0.6, waist=1.05, leg=0.2, neck=0.26, neck_angle=0.3, neck_thick=0.46, head=0.46, muzzle=0.42, nod=0.2, ears="round", tail="short"),
    "lion": Build("#c99a55", "#e8cf9e", length=1.35, deep=0.46, waist=0.88, leg=0.14, neck=0.26, neck_angle=0.65, neck_thick=0.36, head=0.4, muzzle=0.4, ears="round", tail="tuft", mane="#7a4a26"),
    "tiger": Build("#d9812f", "#f3e3cc", length=1.45, deep=0.46, waist=0.9, leg=0.14, neck=0.24, neck_angle=0.45, neck_thick=0.36, head=0.42, muzzle=0.36, ears="round", tail="long"),
    "elephant": Build("#7c7f88", "#9a9ca4", length=1.18, deep=0.62, waist=1.0, leg=0.22, neck=0.2, neck_angle=0.35, neck_thick=0.5, head=0.5, muzzle=0.3, nod=0.3, ears="fan", tail="tuft", trunk=True),
    "camel": Build("#b98d58", "#d2ad7c", length=1.02, deep=0.36, waist=0.9, leg=0.085, neck=0.55, neck_angle=0.85, neck_thick=0.17, head=0.32, muzzle=0.6, nod=0.2, ears="round", tail="tuft", hump=0.26),
    "giraffe": Build("#d8a850", "#f0d9a0", length=0.8, deep=0.32, waist=0.85, leg=0.07, neck=1.05, neck_angle=1.2, neck_thick=0.2, head=0.28, muzzle=0.6, nod=0.45, ears="wide", hoof=True, tail="tuft", antlers="stubs"),
    "pig": Build("#e3a79c", "#f0c5bc", length=1.5, deep=0.66, waist=1.1, leg=0.15, neck=0.16, neck_angle=0.2, neck_thick=0.48, head=0.46, muzzle=0.45, ears="pricked", tail="curved", hoof=True),
}


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
            sketch.oval((crown[0] - 0.02 + 0.17 * math.cos(turn), crown[1] + 0.06 + 0.19 * math.sin(turn)), 0.12, 0.12, ruff)
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
        (half, back + deep * 0.45), (half * 0.9, back + deep * 0.12), (half * 0.55, back), (0.0, back + 0.035 - build.hump),
        (-half * 0.6, back + 0.01), (-half * 0.96, back + deep * 0.2), (-half, back + hind * 0.55),
        (-half * 0.72, back + hind * 0.92), (-half * 0.15, back + hind * 0.92), (half * 0.5, back + deep * 1.02), (half * 0.88, back + deep * 0.82),
    ]
    if build.wool:
        for i in range(26):
            turn = 2 * math.pi * i / 26
            sketch.oval((half * 0.9 * math.cos(turn), back + deep * 0.5 + deep * 0.42 * math.sin(turn)), 0.13, 0.12, coat)
    sketch.blob(outline, coat)
    shade = [(x * 0.96, y) for x, y in outline[6:10]]
    sketch.blob([*shade, (half * 0.4, back + deep * 0.78), (-half * 0.5, back + hind * 0.72)], dark)
    if build.coat == BUILDS["cow"].coat:
        for x, y, w, h in ((0.2, 0.14, 0.16, 0.1), (-0.3, 0.2, 0.14, 0.13), (-0.02, 0.34, 0.1, 0.08)):
            sketch.oval((x, back + y), w, h, look.tone("#3a302c", 0.4))
    if build.coat == BUILDS["tiger"].coat:
        for i in range(8):
            x = -half * 0.8 + i * half * 0.22
            sketch.curve([(x, back + 0.03), (x + 0.03, back + deep * 0.3), (x - 0.01, back + deep * 0.55)], 0.035, look.tone("#2a2320", 0.3), 0.008)
    if build.coat == BUILDS["giraffe"].coat:
        for i in range(9):
            sketch.oval((-half * 0.75 + (i % 5) * 0.14, back + 0.07 + (i // 5) * 0.13), 0.05, 0.042, look.tone("#8c5a2a", 0.5))


def _legs(
    sketch: Sketch, build: Build, phase: float, offsets: tuple[float, float], chest: Point, rump: Point, colour: Rgb, look: Look, walking: bool
) -> None:
    thick, reach = build.leg, 0.2
    spread = 0.05 if colour != look.tone(build.coat, 0.7) else -0.03
    for root, offset, bend in ((chest, offsets[0], 0.03), (rump, offsets[1], -0.12)):
        foot = stride(phase + offset, reach, 0.1) if walking else (spread, 0.0)
        end = (root[0] * 0.93 + foot[0], foot[1] - 0.02)
        lifted = max(0.0, -foot[1]) * 2.4
        sketch.limb((root[0] * 0.93, root[1] + 0.02), end, bend=bend + lifted * (1 if bend > 0 else -0.4), widths=(thick * 2.1, thick, thick * 0.72), colour=colour)
        if build.hoof:
            sketch.shape([(end[0] - thick * 0.5, 0.02 + end[1]), (end[0] - thick * 0.36, end[1] - 0.05), (end[0] + thick * 0.45, end[1] - 0.05), (end[0] + thick * 0.62, 0.02 + end[1])], look.tone("#2b221e", 0.3))
        else:
            sketch.blob([(end[0] - thick * 0.5, end[1] + 0.02), (end[0] - thick * 0.4, end[1] - 0.04), (end[0] + thick * 0.5, end[1] - 0.04), (end[0] + thick * 1.0, end[1] + 0.005), (end[0] + thick * 0.9, end[1] + 0.02)], colour)


def _head(sketch: Sketch, look: Look, build: Build, crown: Point, coat: Rgb, dark: Rgb, pale: Rgb) -> None:
    size, nod = build.head, build.nod
    cos, sin = math.cos(nod), math.sin(nod)

    def at(u: float, v: float) -> Point:
        """`u` along the head from the crown to the nose, `v` down from its middle line, in head lengths."""
        return (crown[0] + size * (u * cos - v * sin), crown[1] + size * (u * sin + v * cos))

    if build.trunk:
        sketch.curve([at(0.5, 0.0), at(0.85, 0.4), at(0.85, 1.0), at(0.75, 1.5), at(1.0, 1.7)], size * 0.32, coat, size * 0.1)
        sketch.curve([at(0.5, 0.35), at(0.85, 0.62), at(1.15, 0.5)], size * 0.09, look.tone("#f3ead8", 0.9), size * 0.03)
    if build.ears in ("pricked", "long"):
        tall = 0.85 if build.ears == "long" else 0.36
        for shift, colour in ((0.14, dark), (0.0, coat)):
            sketch.shape([at(-0.16 + shift, -0.1), at(-0.2 + shift - tall * 0.12, -0.28 - tall), at(0.1 + shift, -0.24)], colour)
    skull, snout = 0.3, 1.0 - build.muzzle
    front = [at(snout, -0.14), at(0.82, -0.1), at(0.97, 0.0), at(0.95, 0.14), at(0.7, 0.22)]
    sketch.blob([at(-0.25, 0.08), at(-0.16, -0.2), at(0.12, -skull), at(snout * 0.75, -0.24), *front, at(snout * 0.6, 0.28), at(-0.05, 0.34)], coat)
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
            sketch.blob([at(0.1, -0.3), at(-0.3, -0.5), at(-0.72, -0.25), at(-0.66, 0.45), at(-0.25, 0.72), at(0.05, 0.3)], dark)


def _tail(sketch: Sketch, look: Look, build: Build, root: Point, phase: float, coat: Rgb, pale: Rgb, walking: bool) -> None:
    wag = 0.06 * math.sin(2 * math.pi * phase) if walking else 0.0
    x, y = root
    match build.tail:
        case "curved":
            sketch.curve([root, (x - 0.16, y - 0.06 + wag), (x - 0.26, y - 0.26), (x - 0.2, y - 0.42 + wag)], 0.09, coat, 0.03)
        case "brush":
            sketch.blob([(x + 0.03, y - 0.04), (x - 0.2, y + 0.06 + wag), (x - 0.42, y + 0.28), (x - 0.62, y + 0.4 + wag), (x - 0.4, y + 0.44), (x - 0.15, y + 0.28), (x + 0.02, y + 0.1)], coat)
            sketch.blob([(x - 0.44, y + 0.3), (x - 0.64, y + 0.4 + wag), (x - 0.44, y + 0.44)], pale)
        case "long":
            sketch.curve([root, (x - 0.22, y + 0.12), (x - 0.48, y + 0.02), (x - 0.6, y - 0.28 + wag), (x - 0.5, y - 0.5 + wag)], 0.085, coat, 0.05)
        case "short":
            sketch.oval((x - 0.03, y), 0.07, 0.06, pale if build.antlers or build.ears == "long" else coat)
        case "tuft":
            sketch.curve([root, (x - 0.09, y + 0.2), (x - 0.07 + wag, y + 0.5)], 0.04, coat, 0.022)
            sketch.oval((x - 0.07 + wag, y + 0.54), 0.04, 0.08, look.tone(build.mane or "#3a2a22", 0.4))
        case "hair":
            hair = look.tone(build.mane or build.coat, 0.45)
            sketch.blob([(x + 0.04, y - 0.05), (x - 0.12, y - 0.02), (x - 0.22 + wag, y + 0.3), (x - 0.18 + wag, y + 0.62), (x - 0.06, y + 0.42), (x + 0.01, y + 0.12)], hair)


def _crest(sketch: Sketch, look: Look, build: Build, root: Point, crown: Point, angle: float) -> None:
    hair = look.tone(build.mane, 0.45)
    nx, ny = -math.sin(angle), -math.cos(angle)
    points: list[Point] = []
    for i in range(7):
        share = i / 6
        x, y = root[0] + (crown[0] - root[0]) * share, root[1] + (crown[1] - root[1]) * share
        points.append((x + nx * build.neck_thick * (0.62 - 0.1 * share), y + ny * build.neck_thick * (0.5 - 0.05 * share)))
    points += [(crown[0] + 0.12, crown[1] - 0.1), (crown[0] - 0.02, crown[1] + 0.02), (root[0] - 0.02, root[1] + 0.02)]
    sketch.blob(points, hair)


def _antlers(sketch: Sketch, look: Look, build: Build, crown: Point, *, shift: float) -> None:
    horn = look.tone("#d8c3a0" if build.antlers == "horns" else "#8a6a4a", 0.7 if shift == 0 else 0.3)
    x, y = crown[0] + shift + 0.02, crown[1] - build.head * 0.24
    match build.antlers:
        case "antlers":
            beam = [(x, y), (x - 0.1, y - 0.2), (x - 0.08, y - 0.42), (x + 0.06, y - 0.58)]
            sketch.curve(beam, 0.04, horn, 0.016)
            for (px, py), (dx, dy) in zip(beam[1:], ((0.16, -0.08), (0.16, -0.1), (-0.08, -0.1)), strict=True):
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
