"""A room: wall, floor in perspective, a window with the world outside, furniture, lamplight."""

from __future__ import annotations

import math
import numpy as np

from localvid.pipelines.animatic.brush import Picture, Rgb, mix, noise_field, rgb, smoothstep
from localvid.pipelines.animatic.groves import picture_of, plate_of
from localvid.pipelines.animatic.light import Light
from localvid.pipelines.animatic.plate import Element, Plate, paint, paint_ground
from localvid.pipelines.animatic.stage import Stage
from localvid.pipelines.animatic.town import glow_plate

WALL_DEPTH = 3.0
LAMP = rgb("#ffc979")
_SCHEMES = (
    # wall, floor, wood, cloth, accent
    ("#5f7f86", "#9a6a46", "#6d4630", "#c8674a", "#e3b34e"),
    ("#b98a6a", "#7d5238", "#5b3a2a", "#4f6f78", "#d9a441"),
    ("#7d8f6f", "#8f6544", "#5e4030", "#d08c60", "#efd9a7"),
    ("#8a6f8d", "#86583f", "#5d3d33", "#c95d63", "#f0c27b"),
    ("#c9b79c", "#96704f", "#6f4c36", "#476a6f", "#c7583e"),
)


class Room:
    """Colours and light of one room: by day from the window, in the dark from lamps."""

    def __init__(self, light: Light, rng: np.random.Generator) -> None:
        names = _SCHEMES[int(rng.integers(len(_SCHEMES)))]
        self.wall, self.floor, self.wood, self.cloth, self.accent = (rgb(name) for name in names)
        self.lamplit = light.dark
        self.ambient: Rgb = mix(light.ambient, (0.92, 0.66, 0.46), 0.75) if self.lamplit else mix(light.ambient, (1, 0.96, 0.9), 0.5)
        self.dim = 0.5 if self.lamplit else 0.8

    def tone(self, material: Rgb, level: float = 1.0) -> Rgb:
        share = self.dim * level
        return (
            min(1.0, material[0] * self.ambient[0] * share * 1.15),
            min(1.0, material[1] * self.ambient[1] * share * 1.15),
            min(1.0, material[2] * self.ambient[2] * share * 1.15),
        )


def paint_room(stage: Stage, light: Light, rng: np.random.Generator, *, kind: str) -> list[Element]:
    """The inside of a living room, bedroom, kitchen, library or office, in front of what is outside.

    Elements painted before these (sky, hills) are seen through the window's panes.
    """
    room = Room(light, rng)
    flip = bool(rng.random() < 0.5)
    floor_line = stage.tall * 0.5 + 0.26
    eye = stage.tall * 0.5 + 0.04
    window_x = stage.wide * (float(rng.uniform(0.6, 0.68)) if flip else float(rng.uniform(0.32, 0.4)))
    window = (window_x - 0.24, floor_line - 0.6, window_x + 0.24, floor_line - 0.17)
    lamp_x = stage.wide - window_x + (0.12 if flip else -0.12)
    elements: list[Element] = [
        *_wall(stage, light, room, rng, window=window, floor_line=floor_line, lamp=(lamp_x, floor_line - 0.3)),
        _floor(stage, light, room, rng, line=floor_line, eye=eye, window_x=window_x, lamp_x=lamp_x),
        _curtains(stage, room, window, floor_line),
    ]
    picture = picture_of(stage, floor_line - 0.75, floor_line + 0.1)
    side = stage.wide - window_x
    if kind == "library":
        _shelves(picture, room, rng, left=side - 0.36, foot=floor_line + 0.03, wide=0.72, tall=0.66)
    elif kind == "kitchen":
        _kitchen(picture, room, rng, left=side - 0.4, foot=floor_line + 0.04, wide=0.8)
    else:
        _picture_frame(picture, room, rng, centre=(side, floor_line - 0.42), size=0.09)
        _shelves(picture, room, rng, left=(0.0 if side < stage.wide / 2 else stage.wide - 0.24) , foot=floor_line + 0.02, wide=0.24, tall=0.46)
    elements.append(plate_of(stage, picture, depth=WALL_DEPTH - 0.1))
    elements += _furniture(stage, room, rng, kind=kind, side=side, window_x=window_x, floor_line=floor_line, lamp_x=lamp_x)
    return elements


def _wall(
    stage: Stage, light: Light, room: Room, rng: np.random.Generator, *, window: tuple[float, float, float, float],
    floor_line: float, lamp: tuple[float, float],
) -> list[Element]:
    xs, ys = stage.xs(), stage.ys()
    base = np.asarray(room.tone(room.wall), dtype=np.float32)
    colours = np.broadcast_to(base, (len(ys), len(xs), 3)).copy()
    stripes = 0.5 + 0.5 * np.sign(np.sin(xs * 2 * math.pi / 0.075))
    colours *= (1 + 0.025 * stripes)[None, :, None]
    grain = noise_field(rng, (len(ys), len(xs)), cells=(14, 24), octaves=3)[..., None] - 0.5
    colours *= 1 + 0.06 * grain
    source = lamp if room.lamplit else ((window[0] + window[2]) / 2, (window[1] + window[3]) / 2)
    away = np.hypot(xs[None, :] - source[0], (ys[:, None] - source[1]) * 1.1)
    pool = np.exp(-away / (0.3 if room.lamplit else 0.5))[..., None]
    warm = np.asarray(mix(room.wall, LAMP if room.lamplit else light.glow, 0.5), dtype=np.float32)
    colours = colours * (0.72 + 0.2 * pool) + warm * pool * (0.75 if room.lamplit else 0.35)
    panel = smoothstep(floor_line - 0.165, floor_line - 0.16, ys)[:, None, None]
    wood = np.asarray(room.tone(mix(room.wall, (0.95, 0.92, 0.86), 0.45)), dtype=np.float32)
    boards = (1 - 0.08 * (np.abs(np.sin(xs * math.pi / 0.09)) < 0.06))[None, :, None]
    colours = colours + (wood * boards * (0.8 + 0.35 * pool) - colours) * panel
    for y, thick in ((floor_line - 0.166, 0.007), (floor_line - 0.018, 0.03)):
        rail = (np.abs(ys - y) < thick / 2)[:, None, None]
        colours = np.where(rail, colours * 1.12, colours)
    corner = smoothstep(0.25, 0.95, np.abs(xs - stage.wide / 2) / stage.wide * 1.7)[None, :, None]
    colours = colours * (1 - 0.3 * corner) * (1 - 0.25 * smoothstep(0.28, 0.0, ys))[:, None, None]
    left, top, right, bottom = window
    hole = stage.ink(stage.top, stage.bottom)
    hole.shape([(left, bottom), (left, top), (right, top), (right, bottom)])
    mask = 1 - hole.mask()[: len(ys), : len(xs)]
    frame = picture_of(stage, top - 0.04, bottom + 0.06)
    white, shade = room.tone((0.96, 0.94, 0.9), 1.15), room.tone((0.8, 0.77, 0.72))
    for a, b in (((left, top), (right, top)), ((left, bottom), (right, bottom)), ((left, top), (left, bottom)), ((right, top), (right, bottom))):
        frame.stroke([a, b], 0.024, white)
    middle = (left + right) / 2
    frame.stroke([(middle, top), (middle, bottom)], 0.012, white)
    frame.stroke([(left, top + (bottom - top) * 0.4), (right, top + (bottom - top) * 0.4)], 0.01, white)
    frame.shape([(left - 0.035, bottom + 0.008), (right + 0.035, bottom + 0.008), (right + 0.03, bottom + 0.035), (left - 0.03, bottom + 0.035)], shade)
    _pot(frame, room, rng, at=(left + 0.07, bottom + 0.008), size=0.075)
    return [
        paint(stage, np.clip(colours, 0, 1).astype(np.float32), mask, depth=WALL_DEPTH),
        plate_of(stage, frame, depth=WALL_DEPTH - 0.02),
    ]


def _floor(
    stage: Stage, light: Light, room: Room, rng: np.random.Generator, *, line: float, eye: float, window_x: float, lamp_x: float,
) -> Element:
    """Boards towards the vanishing point, a rug, and the window's light across them."""
    height = (line - eye) * WALL_DEPTH
    first = stage.row(line)
    ys, xs = stage.ys(first), stage.xs()
    ahead = (height / (ys - eye))[:, None]
    across = (xs[None, :] - stage.wide / 2) * ahead
    board = across / 0.16
    shade = np.asarray(rng.uniform(0.88, 1.08, 64))[np.floor(board).astype(int) % 64]
    seam = np.clip(np.abs(board - np.round(board)) * 0.16 / (ahead / stage.density) / 1.2, 0.35, 1)
    grain = noise_field(rng, across.shape, cells=(3, 60), octaves=2) - 0.5
    tone = np.asarray(room.tone(room.floor), dtype=np.float32)
    colours = tone * (shade * (0.75 + 0.25 * seam) * (1 + 0.16 * grain))[..., None]
    rug_z, rug_w, rug_d = 1.9, 0.8, 0.55
    rug = ((across / rug_w) ** 2 + ((ahead - rug_z) / rug_d) ** 2).astype(np.float32)
    for edge, colour in ((1.0, room.accent), (0.86, room.cloth), (0.5, mix(room.cloth, room.accent, 0.45)), (0.42, room.cloth)):
        share = smoothstep(edge + 0.02, edge - 0.02, rug)[..., None]
        colours = colours + (np.asarray(room.tone(colour, 0.9), dtype=np.float32) - colours) * share
    if room.lamplit:
        spot = np.exp(-(((across - (lamp_x - stage.wide / 2) * WALL_DEPTH) / 1.3) ** 2) - ((ahead - 2.6) / 0.9) ** 2)
        glow, strength = LAMP, 0.32
    else:
        lean = across - (window_x - stage.wide / 2) * WALL_DEPTH - (WALL_DEPTH - ahead) * (0.35 if light.sun[0] < 0.5 else -0.35)
        bars = np.clip(np.abs(np.abs(lean) - 0.0) / 0.03, 0, 1)
        spot = smoothstep(0.62, 0.56, np.abs(lean)) * smoothstep(1.35, 1.45, ahead) * smoothstep(2.75, 2.65, ahead) * bars
        glow, strength = light.glow, 0.42 if light.sun_size else 0.12
    colours = colours + (np.asarray(glow, dtype=np.float32) - colours) * (np.asarray(spot, dtype=np.float32) * strength)[..., None]
    colours = colours * (1 - 0.35 * smoothstep(0.3, 1.0, np.abs(xs - stage.wide / 2) / stage.wide * 1.6))[None, :, None]
    return paint_ground(stage, np.clip(colours, 0, 1).astype(np.float32), horizon=eye, height=height, start=line)


def _curtains(stage: Stage, room: Room, window: tuple[float, float, float, float], floor_line: float) -> Plate:
    left, top, right, bottom = window
    picture = picture_of(stage, top - 0.1, floor_line + 0.02)
    light_tone, dark_tone = room.tone(room.cloth, 1.25), room.tone(room.cloth, 0.8)
    picture.stroke([(left - 0.13, top - 0.05), (right + 0.13, top - 0.05)], 0.012, room.tone(room.wood, 1.2))
    for side, edge in ((-1, left), (1, right)):
        for fold in range(5):
            a, b = edge + side * (-0.035 + fold * 0.026), edge + side * (-0.035 + (fold + 1) * 0.026)
            picture.shape([(a, top - 0.045), (b, top - 0.045), (b + side * 0.008, floor_line - 0.01), (a + side * 0.012, floor_line - 0.01)], light_tone if fold % 2 else dark_tone)
    return plate_of(stage, picture, depth=WALL_DEPTH - 0.08)


def _furniture(
    stage: Stage, room: Room, rng: np.random.Generator, *, kind: str, side: float, window_x: float, floor_line: float, lamp_x: float
) -> list[Element]:
    elements: list[Element] = []
    depth = 2.35
    foot = floor_line + 0.075
    picture = picture_of(stage, floor_line - 0.62, foot + 0.2)
    match kind:
        case "bedroom":
            _bed(picture, room, left=side - 0.34, foot=foot + 0.05, wide=0.72)
        case "kitchen" | "office" | "library":
            _desk(picture, room, rng, left=side - 0.3, foot=foot + 0.06, wide=0.62, books=kind != "kitchen")
        case _:
            _sofa(picture, room, left=side - 0.32, foot=foot + 0.02, wide=0.64)
    elements.append(plate_of(stage, picture, depth=depth))
    stand = picture_of(stage, floor_line - 0.5, foot + 0.05)
    away = lamp_x + (0.3 if lamp_x > stage.wide / 2 else -0.3)
    bulb = _lamp(stand, room, at=(away, foot + 0.02), tall=0.48)
    elements.append(plate_of(stage, stand, depth=depth - 0.15))
    if room.lamplit:
        elements.append(glow_plate(stage, bulb, radius=0.55, colour=LAMP, depth=depth - 0.16, strength=0.75))
    near = picture_of(stage, floor_line - 0.2, stage.bottom)
    plant_x = window_x + (0.42 if window_x > stage.wide / 2 else -0.42)
    _plant(near, room, rng, at=(plant_x, foot + 0.16), tall=0.44)
    elements.append(plate_of(stage, near, depth=1.7))
    return elements


def _sofa(picture: Picture, room: Room, *, left: float, foot: float, wide: float) -> None:
    body, dark, pale = room.tone(room.cloth), room.tone(room.cloth, 0.72), room.tone(room.cloth, 1.2)
    right, tall = left + wide, wide * 0.42
    for x in (left + 0.05, right - 0.05):
        picture.stroke([(x, foot), (x, foot - 0.04)], 0.016, room.tone(room.wood))
    picture.blob([(left + 0.03, foot - 0.05), (left + 0.03, foot - tall), (left + wide / 2, foot - tall * 1.04), (right - 0.03, foot - tall), (right - 0.03, foot - 0.05)], dark)
    for i in range(2):
        a = left + 0.07 + i * (wide - 0.14) / 2
        b = a + (wide - 0.14) / 2
        picture.blob([(a, foot - tall * 0.42), (a + 0.01, foot - tall * 0.93), (b - 0.01, foot - tall * 0.93), (b, foot - tall * 0.42)], body)
        picture.blob([(a, foot - tall * 0.24), (a, foot - tall * 0.46), (b, foot - tall * 0.46), (b, foot - tall * 0.24)], pale)
    picture.shape([(left + 0.05, foot - 0.03), (left + 0.05, foot - tall * 0.28), (right - 0.05, foot - tall * 0.28), (right - 0.05, foot - 0.03)], body)
    for a, b in ((left, left + 0.075), (right - 0.075, right)):
        picture.blob([(a, foot - 0.02), (a, foot - tall * 0.62), ((a + b) / 2, foot - tall * 0.7), (b, foot - tall * 0.62), (b, foot - 0.02)], mix(body, pale, 0.4))
    picture.blob([(left + 0.1, foot - tall * 0.45), (left + 0.09, foot - tall * 0.78), (left + 0.2, foot - tall * 0.82), (left + 0.21, foot - tall * 0.47)], room.tone(room.accent))


def _bed(picture: Picture, room: Room, *, left: float, foot: float, wide: float) -> None:
    right, wood = left + wide, room.tone(room.wood, 1.1)
    picture.shape([(left, foot), (left, foot - 0.34), (left + 0.035, foot - 0.36), (left + 0.035, foot)], wood)
    picture.shape([(right - 0.03, foot), (right - 0.03, foot - 0.2), (right, foot - 0.2), (right, foot)], wood)
    picture.shape([(left + 0.03, foot - 0.04), (left + 0.03, foot - 0.15), (right - 0.02, foot - 0.15), (right - 0.02, foot - 0.04)], room.tone(room.wood, 0.8))
    picture.blob([(left + 0.04, foot - 0.1), (left + 0.05, foot - 0.21), (right - 0.05, foot - 0.2), (right - 0.03, foot - 0.1)], room.tone((0.95, 0.93, 0.9)))
    picture.blob([(left + 0.24, foot - 0.06), (left + 0.25, foot - 0.22), (left + 0.45, foot - 0.25), (right - 0.05, foot - 0.215), (right - 0.02, foot - 0.06)], room.tone(room.cloth))
    picture.blob([(left + 0.24, foot - 0.15), (left + 0.25, foot - 0.225), (left + 0.31, foot - 0.24), (left + 0.32, foot - 0.16)], room.tone(room.accent))
    picture.blob([(left + 0.05, foot - 0.19), (left + 0.07, foot - 0.28), (left + 0.19, foot - 0.27), (left + 0.2, foot - 0.2)], room.tone((1, 0.98, 0.94), 1.1))


def _desk(picture: Picture, room: Room, rng: np.random.Generator, *, left: float, foot: float, wide: float, books: bool) -> None:
    right, top = left + wide, foot - 0.235
    wood, dark = room.tone(room.wood, 1.25), room.tone(room.wood, 0.8)
    for x in (left + 0.03, right - 0.03):
        picture.stroke([(x, foot), (x, top)], 0.022, dark)
    picture.shape([(left - 0.015, top), (right + 0.015, top), (right, top + 0.028), (left, top + 0.028)], wood)
    chair = (left + right) / 2
    picture.stroke([(chair - 0.07, foot + 0.02), (chair - 0.06, top - 0.13)], 0.014, dark)
    picture.stroke([(chair + 0.07, foot + 0.02), (chair + 0.06, top - 0.13)], 0.014, dark)
    picture.blob([(chair - 0.075, top - 0.02), (chair - 0.07, top - 0.16), (chair + 0.07, top - 0.16), (chair + 0.075, top - 0.02)], room.tone(room.cloth))
    x = left + 0.06
    for _ in range(4 if books else 0):
        thick, tall = float(rng.uniform(0.014, 0.028)), float(rng.uniform(0.07, 0.11))
        hue = (room.accent, room.cloth, room.wall, (0.85, 0.8, 0.7))[int(rng.integers(4))]
        picture.shape([(x, top), (x, top - tall), (x + thick, top - tall), (x + thick, top)], room.tone(hue))
        x += thick + 0.003
    mug = right - 0.1
    picture.shape([(mug - 0.018, top), (mug - 0.02, top - 0.042), (mug + 0.02, top - 0.042), (mug + 0.018, top)], room.tone((0.95, 0.92, 0.88)))
    picture.stroke([(mug + 0.018, top - 0.035), (mug + 0.034, top - 0.024), (mug + 0.017, top - 0.01)], 0.006, room.tone((0.95, 0.92, 0.88)))


def _kitchen(picture: Picture, room: Room, rng: np.random.Generator, *, left: float, foot: float, wide: float) -> None:
    right, top = left + wide, foot - 0.26
    front, line = room.tone(mix(room.wall, (0.95, 0.93, 0.9), 0.55)), room.tone(room.wood, 0.9)
    picture.shape([(left, foot), (left, top), (right, top), (right, foot)], front)
    picture.shape([(left - 0.01, top), (right + 0.01, top), (right + 0.01, top - 0.022), (left - 0.01, top - 0.022)], room.tone(room.wood, 1.3))
    for i in range(4):
        x = left + wide * i / 4
        picture.stroke([(x, foot), (x, top)], 0.004, line)
        picture.stroke([(x + wide / 8 - 0.02, top + 0.04), (x + wide / 8 + 0.02, top + 0.04)], 0.006, line)
    picture.shape([(left + 0.05, top - 0.26), (left + 0.05, top - 0.42), (right - 0.3, top - 0.42), (right - 0.3, top - 0.26)], front)
    picture.stroke([(right - 0.26, top - 0.28), (right - 0.02, top - 0.28)], 0.008, line)
    for i in range(4):
        x = right - 0.24 + i * 0.06
        hue = (room.accent, room.cloth, (0.9, 0.88, 0.84))[int(rng.integers(3))]
        picture.blob([(x - 0.018, top - 0.285), (x - 0.02, top - 0.33), (x + 0.02, top - 0.33), (x + 0.018, top - 0.285)], room.tone(hue))
    pan = left + 0.22
    picture.blob([(pan - 0.06, top - 0.025), (pan - 0.06, top - 0.08), (pan + 0.06, top - 0.08), (pan + 0.06, top - 0.025)], room.tone((0.5, 0.52, 0.56)))
    picture.oval((pan, top - 0.085), 0.06, 0.009, room.tone((0.7, 0.72, 0.75)))


def _shelves(picture: Picture, room: Room, rng: np.random.Generator, *, left: float, foot: float, wide: float, tall: float) -> None:
    right = left + wide
    back, wood = room.tone(room.wood, 0.6), room.tone(room.wood, 1.2)
    picture.shape([(left, foot), (left, foot - tall), (right, foot - tall), (right, foot)], back)
    rows = max(3, round(tall / 0.125))
    hues = (room.cloth, room.accent, room.wall, rgb("#d8cdb6"), rgb("#7a3f3a"), rgb("#3f5a6b"), rgb("#8d8a4f"))
    for row in range(rows):
        y, x = foot - tall * row / rows, left + 0.015
        picture.stroke([(left, y), (right, y)], 0.012, wood)
        while x < right - 0.03:
            thick, high = float(rng.uniform(0.012, 0.028)), tall / rows * float(rng.uniform(0.55, 0.82))
            if rng.random() < 0.86:
                lean = float(rng.choice((0.0, 0.0, 0.0, 0.012)))
                picture.shape([(x, y - 0.006), (x + lean, y - high), (x + lean + thick, y - high), (x + thick, y - 0.006)], room.tone(hues[int(rng.integers(7))], float(rng.uniform(0.75, 1.05))))
            x += thick + 0.002
    for a, b in (((left, foot), (left, foot - tall)), ((right, foot), (right, foot - tall)), ((left, foot - tall), (right, foot - tall))):
        picture.stroke([a, b], 0.016, wood)


def _picture_frame(picture: Picture, room: Room, rng: np.random.Generator, *, centre: tuple[float, float], size: float) -> None:
    x, y = centre
    for grow, colour in ((1.0, room.tone(room.wood, 1.1)), (0.86, room.tone((0.95, 0.93, 0.88), 1.1)), (0.66, room.tone(mix(room.accent, room.wall, 0.3)))):
        w, h = size * 1.25 * grow, size * grow
        picture.shape([(x - w, y - h), (x + w, y - h), (x + w, y + h), (x - w, y + h)], colour)
    w, h = size * 0.82, size * 0.66
    picture.shape([(x - w, y + h), (x - w, y + h * 0.3), (x - w * 0.3, y - h * 0.3), (x + w * 0.2, y + h * 0.2), (x + w * 0.6, y - h * 0.05), (x + w, y + h * 0.4), (x + w, y + h)], room.tone(mix(room.wall, room.wood, 0.5)))
    picture.oval((x + w * float(rng.uniform(0.2, 0.55)), y - h * 0.5), size * 0.12, size * 0.12, room.tone((1, 0.95, 0.8), 1.1))


def _lamp(picture: Picture, room: Room, *, at: tuple[float, float], tall: float) -> tuple[float, float]:
    x, foot = at
    metal = room.tone(room.wood, 0.8)
    picture.oval((x, foot), 0.055, 0.012, metal)
    picture.stroke([(x, foot), (x, foot - tall * 0.8)], 0.011, metal)
    shade = mix(room.accent, LAMP, 0.6) if room.lamplit else room.tone(room.accent, 1.1)
    top, low = foot - tall, foot - tall * 0.72
    picture.shape([(x - 0.05, top), (x + 0.05, top), (x + 0.085, low), (x - 0.085, low)], shade)
    if room.lamplit:
        picture.shape([(x - 0.03, top + 0.01), (x + 0.03, top + 0.01), (x + 0.06, low - 0.006), (x - 0.06, low - 0.006)], mix(shade, (1, 0.95, 0.8), 0.7))
    return (x, (top + low) / 2)


def _pot(picture: Picture, room: Room, rng: np.random.Generator, *, at: tuple[float, float], size: float) -> None:
    x, foot = at
    for _ in range(9):
        tip = (x + size * float(rng.uniform(-0.6, 0.6)), foot - size * float(rng.uniform(0.8, 1.5)))
        picture.stroke([(x, foot - size * 0.4), tip], size * 0.1, room.tone(rgb("#5f8a52"), float(rng.uniform(0.8, 1.2))), end_width=size * 0.03)
    picture.shape([(x - size * 0.22, foot), (x - size * 0.3, foot - size * 0.5), (x + size * 0.3, foot - size * 0.5), (x + size * 0.22, foot)], room.tone(rgb("#b8694a")))


def _plant(picture: Picture, room: Room, rng: np.random.Generator, *, at: tuple[float, float], tall: float) -> None:
    x, foot = at
    root = (x, foot - tall * 0.25)
    for i in range(13):
        angle = math.pi * (0.12 + 0.76 * i / 12) + float(rng.uniform(-0.08, 0.08))
        length = tall * float(rng.uniform(0.5, 0.78))
        tip = (root[0] + math.cos(angle) * length * 0.8, root[1] - math.sin(angle) * length)
        bend = (root[0] + math.cos(angle) * length * 0.3, root[1] - math.sin(angle) * length * 0.62)
        green = room.tone(rgb(("#4f7d4a", "#3f6b44", "#689358")[i % 3]), float(rng.uniform(0.75, 1.1)))
        picture.stroke([root, bend], tall * 0.014, green)
        nx, ny = -math.sin(angle) * tall * 0.05, -math.cos(angle) * tall * 0.05
        picture.blob([bend, ((bend[0] + tip[0]) / 2 + nx, (bend[1] + tip[1]) / 2 + ny), tip, ((bend[0] + tip[0]) / 2 - nx, (bend[1] + tip[1]) / 2 - ny)], green)
    picture.shape([(x - tall * 0.1, foot), (x - tall * 0.14, foot - tall * 0.27), (x + tall * 0.14, foot - tall * 0.27), (x + tall * 0.1, foot)], room.tone(room.accent, 0.9))
