"""Furniture, and the colours of the room that it stands in."""

from __future__ import annotations

import math

import numpy as np

from localvid.pipelines.animatic.brush import Picture, Rgb, mix, rgb
from localvid.pipelines.animatic.scenery.light import Light

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
        self.ambient: Rgb = (
            mix(light.ambient, (0.92, 0.66, 0.46), 0.75)
            if self.lamplit
            else mix(light.ambient, (1, 0.96, 0.9), 0.5)
        )
        self.dim = 0.5 if self.lamplit else 0.8

    def tone(self, material: Rgb, level: float = 1.0) -> Rgb:
        share = self.dim * level
        return (
            min(1.0, material[0] * self.ambient[0] * share * 1.15),
            min(1.0, material[1] * self.ambient[1] * share * 1.15),
            min(1.0, material[2] * self.ambient[2] * share * 1.15),
        )


def draw_sofa(picture: Picture, room: Room, *, left: float, foot: float, wide: float) -> None:
    body, dark, pale = room.tone(room.cloth), room.tone(room.cloth, 0.72), room.tone(room.cloth, 1.2)
    right, tall = left + wide, wide * 0.42
    for x in (left + 0.05, right - 0.05):
        picture.stroke([(x, foot), (x, foot - 0.04)], 0.016, room.tone(room.wood))
    picture.blob(
        [
            (left + 0.03, foot - 0.05),
            (left + 0.03, foot - tall),
            (left + wide / 2, foot - tall * 1.04),
            (right - 0.03, foot - tall),
            (right - 0.03, foot - 0.05),
        ],
        dark,
    )
    for i in range(2):
        a = left + 0.07 + i * (wide - 0.14) / 2
        b = a + (wide - 0.14) / 2
        picture.blob(
            [
                (a, foot - tall * 0.42),
                (a + 0.01, foot - tall * 0.93),
                (b - 0.01, foot - tall * 0.93),
                (b, foot - tall * 0.42),
            ],
            body,
        )
        picture.blob(
            [
                (a, foot - tall * 0.24),
                (a, foot - tall * 0.46),
                (b, foot - tall * 0.46),
                (b, foot - tall * 0.24),
            ],
            pale,
        )
    picture.shape(
        [
            (left + 0.05, foot - 0.03),
            (left + 0.05, foot - tall * 0.28),
            (right - 0.05, foot - tall * 0.28),
            (right - 0.05, foot - 0.03),
        ],
        body,
    )
    for a, b in ((left, left + 0.075), (right - 0.075, right)):
        picture.blob(
            [
                (a, foot - 0.02),
                (a, foot - tall * 0.62),
                ((a + b) / 2, foot - tall * 0.7),
                (b, foot - tall * 0.62),
                (b, foot - 0.02),
            ],
            mix(body, pale, 0.4),
        )
    picture.blob(
        [
            (left + 0.1, foot - tall * 0.45),
            (left + 0.09, foot - tall * 0.78),
            (left + 0.2, foot - tall * 0.82),
            (left + 0.21, foot - tall * 0.47),
        ],
        room.tone(room.accent),
    )


def draw_bed(picture: Picture, room: Room, *, left: float, foot: float, wide: float) -> None:
    right, wood = left + wide, room.tone(room.wood, 1.1)
    picture.shape(
        [(left, foot), (left, foot - 0.34), (left + 0.035, foot - 0.36), (left + 0.035, foot)], wood
    )
    picture.shape(
        [(right - 0.03, foot), (right - 0.03, foot - 0.2), (right, foot - 0.2), (right, foot)], wood
    )
    picture.shape(
        [
            (left + 0.03, foot - 0.04),
            (left + 0.03, foot - 0.15),
            (right - 0.02, foot - 0.15),
            (right - 0.02, foot - 0.04),
        ],
        room.tone(room.wood, 0.8),
    )
    picture.blob(
        [
            (left + 0.04, foot - 0.1),
            (left + 0.05, foot - 0.21),
            (right - 0.05, foot - 0.2),
            (right - 0.03, foot - 0.1),
        ],
        room.tone((0.95, 0.93, 0.9)),
    )
    picture.blob(
        [
            (left + 0.24, foot - 0.06),
            (left + 0.25, foot - 0.22),
            (left + 0.45, foot - 0.25),
            (right - 0.05, foot - 0.215),
            (right - 0.02, foot - 0.06),
        ],
        room.tone(room.cloth),
    )
    picture.blob(
        [
            (left + 0.24, foot - 0.15),
            (left + 0.25, foot - 0.225),
            (left + 0.31, foot - 0.24),
            (left + 0.32, foot - 0.16),
        ],
        room.tone(room.accent),
    )
    picture.blob(
        [
            (left + 0.05, foot - 0.19),
            (left + 0.07, foot - 0.28),
            (left + 0.19, foot - 0.27),
            (left + 0.2, foot - 0.2),
        ],
        room.tone((1, 0.98, 0.94), 1.1),
    )


def draw_desk(
    picture: Picture,
    room: Room,
    rng: np.random.Generator,
    *,
    left: float,
    foot: float,
    wide: float,
    books: bool,
) -> None:
    right, top = left + wide, foot - 0.235
    wood, dark = room.tone(room.wood, 1.25), room.tone(room.wood, 0.8)
    for x in (left + 0.03, right - 0.03):
        picture.stroke([(x, foot), (x, top)], 0.022, dark)
    picture.shape(
        [(left - 0.015, top), (right + 0.015, top), (right, top + 0.028), (left, top + 0.028)], wood
    )
    chair = (left + right) / 2
    picture.stroke([(chair - 0.07, foot + 0.02), (chair - 0.06, top - 0.13)], 0.014, dark)
    picture.stroke([(chair + 0.07, foot + 0.02), (chair + 0.06, top - 0.13)], 0.014, dark)
    picture.blob(
        [
            (chair - 0.075, top - 0.02),
            (chair - 0.07, top - 0.16),
            (chair + 0.07, top - 0.16),
            (chair + 0.075, top - 0.02),
        ],
        room.tone(room.cloth),
    )
    x = left + 0.06
    for _ in range(4 if books else 0):
        thick, tall = float(rng.uniform(0.014, 0.028)), float(rng.uniform(0.07, 0.11))
        hue = (room.accent, room.cloth, room.wall, (0.85, 0.8, 0.7))[int(rng.integers(4))]
        picture.shape([(x, top), (x, top - tall), (x + thick, top - tall), (x + thick, top)], room.tone(hue))
        x += thick + 0.003
    mug = right - 0.1
    picture.shape(
        [(mug - 0.018, top), (mug - 0.02, top - 0.042), (mug + 0.02, top - 0.042), (mug + 0.018, top)],
        room.tone((0.95, 0.92, 0.88)),
    )
    picture.stroke(
        [(mug + 0.018, top - 0.035), (mug + 0.034, top - 0.024), (mug + 0.017, top - 0.01)],
        0.006,
        room.tone((0.95, 0.92, 0.88)),
    )


def draw_kitchen(
    picture: Picture, room: Room, rng: np.random.Generator, *, left: float, foot: float, wide: float
) -> None:
    right, top = left + wide, foot - 0.26
    front, line = room.tone(mix(room.wall, (0.95, 0.93, 0.9), 0.55)), room.tone(room.wood, 0.9)
    picture.shape([(left, foot), (left, top), (right, top), (right, foot)], front)
    picture.shape(
        [(left - 0.01, top), (right + 0.01, top), (right + 0.01, top - 0.022), (left - 0.01, top - 0.022)],
        room.tone(room.wood, 1.3),
    )
    for i in range(4):
        x = left + wide * i / 4
        picture.stroke([(x, foot), (x, top)], 0.004, line)
        picture.stroke([(x + wide / 8 - 0.02, top + 0.04), (x + wide / 8 + 0.02, top + 0.04)], 0.006, line)
    picture.shape(
        [
            (left + 0.05, top - 0.26),
            (left + 0.05, top - 0.42),
            (right - 0.3, top - 0.42),
            (right - 0.3, top - 0.26),
        ],
        front,
    )
    picture.stroke([(right - 0.26, top - 0.28), (right - 0.02, top - 0.28)], 0.008, line)
    for i in range(4):
        x = right - 0.24 + i * 0.06
        hue = (room.accent, room.cloth, (0.9, 0.88, 0.84))[int(rng.integers(3))]
        picture.blob(
            [
                (x - 0.018, top - 0.285),
                (x - 0.02, top - 0.33),
                (x + 0.02, top - 0.33),
                (x + 0.018, top - 0.285),
            ],
            room.tone(hue),
        )
    pan = left + 0.22
    picture.blob(
        [
            (pan - 0.06, top - 0.025),
            (pan - 0.06, top - 0.08),
            (pan + 0.06, top - 0.08),
            (pan + 0.06, top - 0.025),
        ],
        room.tone((0.5, 0.52, 0.56)),
    )
    picture.oval((pan, top - 0.085), 0.06, 0.009, room.tone((0.7, 0.72, 0.75)))


def draw_shelves(
    picture: Picture,
    room: Room,
    rng: np.random.Generator,
    *,
    left: float,
    foot: float,
    wide: float,
    tall: float,
) -> None:
    right = left + wide
    back, wood = room.tone(room.wood, 0.6), room.tone(room.wood, 1.2)
    picture.shape([(left, foot), (left, foot - tall), (right, foot - tall), (right, foot)], back)
    rows = max(3, round(tall / 0.125))
    hues = (
        room.cloth,
        room.accent,
        room.wall,
        rgb("#d8cdb6"),
        rgb("#7a3f3a"),
        rgb("#3f5a6b"),
        rgb("#8d8a4f"),
    )
    for row in range(rows):
        y, x = foot - tall * row / rows, left + 0.015
        picture.stroke([(left, y), (right, y)], 0.012, wood)
        while x < right - 0.03:
            thick, high = float(rng.uniform(0.012, 0.028)), tall / rows * float(rng.uniform(0.55, 0.82))
            if rng.random() < 0.86:
                lean = float(rng.choice((0.0, 0.0, 0.0, 0.012)))
                picture.shape(
                    [
                        (x, y - 0.006),
                        (x + lean, y - high),
                        (x + lean + thick, y - high),
                        (x + thick, y - 0.006),
                    ],
                    room.tone(hues[int(rng.integers(7))], float(rng.uniform(0.75, 1.05))),
                )
            x += thick + 0.002
    for a, b in (
        ((left, foot), (left, foot - tall)),
        ((right, foot), (right, foot - tall)),
        ((left, foot - tall), (right, foot - tall)),
    ):
        picture.stroke([a, b], 0.016, wood)


def draw_picture_frame(
    picture: Picture, room: Room, rng: np.random.Generator, *, centre: tuple[float, float], size: float
) -> None:
    x, y = centre
    for grow, colour in (
        (1.0, room.tone(room.wood, 1.1)),
        (0.86, room.tone((0.95, 0.93, 0.88), 1.1)),
        (0.66, room.tone(mix(room.accent, room.wall, 0.3))),
    ):
        w, h = size * 1.25 * grow, size * grow
        picture.shape([(x - w, y - h), (x + w, y - h), (x + w, y + h), (x - w, y + h)], colour)
    w, h = size * 0.82, size * 0.66
    picture.shape(
        [
            (x - w, y + h),
            (x - w, y + h * 0.3),
            (x - w * 0.3, y - h * 0.3),
            (x + w * 0.2, y + h * 0.2),
            (x + w * 0.6, y - h * 0.05),
            (x + w, y + h * 0.4),
            (x + w, y + h),
        ],
        room.tone(mix(room.wall, room.wood, 0.5)),
    )
    picture.oval(
        (x + w * float(rng.uniform(0.2, 0.55)), y - h * 0.5),
        size * 0.12,
        size * 0.12,
        room.tone((1, 0.95, 0.8), 1.1),
    )


def draw_lamp(picture: Picture, room: Room, *, at: tuple[float, float], tall: float) -> tuple[float, float]:
    x, foot = at
    metal = room.tone(room.wood, 0.8)
    picture.oval((x, foot), 0.055, 0.012, metal)
    picture.stroke([(x, foot), (x, foot - tall * 0.8)], 0.011, metal)
    shade = mix(room.accent, LAMP, 0.6) if room.lamplit else room.tone(room.accent, 1.1)
    top, low = foot - tall, foot - tall * 0.72
    picture.shape([(x - 0.05, top), (x + 0.05, top), (x + 0.085, low), (x - 0.085, low)], shade)
    if room.lamplit:
        picture.shape(
            [
                (x - 0.03, top + 0.01),
                (x + 0.03, top + 0.01),
                (x + 0.06, low - 0.006),
                (x - 0.06, low - 0.006),
            ],
            mix(shade, (1, 0.95, 0.8), 0.7),
        )
    return (x, (top + low) / 2)


def draw_pot(
    picture: Picture, room: Room, rng: np.random.Generator, *, at: tuple[float, float], size: float
) -> None:
    x, foot = at
    for _ in range(9):
        tip = (x + size * float(rng.uniform(-0.6, 0.6)), foot - size * float(rng.uniform(0.8, 1.5)))
        picture.stroke(
            [(x, foot - size * 0.4), tip],
            size * 0.1,
            room.tone(rgb("#5f8a52"), float(rng.uniform(0.8, 1.2))),
            end_width=size * 0.03,
        )
    picture.shape(
        [
            (x - size * 0.22, foot),
            (x - size * 0.3, foot - size * 0.5),
            (x + size * 0.3, foot - size * 0.5),
            (x + size * 0.22, foot),
        ],
        room.tone(rgb("#b8694a")),
    )


def draw_plant(
    picture: Picture, room: Room, rng: np.random.Generator, *, at: tuple[float, float], tall: float
) -> None:
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
        picture.blob(
            [
                bend,
                ((bend[0] + tip[0]) / 2 + nx, (bend[1] + tip[1]) / 2 + ny),
                tip,
                ((bend[0] + tip[0]) / 2 - nx, (bend[1] + tip[1]) / 2 - ny),
            ],
            green,
        )
    picture.shape(
        [
            (x - tall * 0.1, foot),
            (x - tall * 0.14, foot - tall * 0.27),
            (x + tall * 0.14, foot - tall * 0.27),
            (x + tall * 0.1, foot),
        ],
        room.tone(room.accent, 0.9),
    )
