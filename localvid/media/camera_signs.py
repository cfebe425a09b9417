"""Signs for camera moves: turning moves have a bent shaft, travelling ones a straight one."""

from __future__ import annotations

import math

from PIL import Image, ImageDraw

from localvid.schemas import Camera

Point = tuple[float, float]


def draw_sign(
    image: Image.Image, camera: Camera, *, centre: Point, radius: float, fill: tuple[int, ...]
) -> None:
    """Draw the sign for a move into a circle of the image."""
    scale = 4
    side = math.ceil(radius * 2) + 2
    mask = Image.new("L", (side * scale, side * scale))
    draw = ImageDraw.Draw(mask)
    middle, reach = side * scale / 2, radius * scale * 0.86
    wide = max(2.0, reach * 0.2)

    def placed(points: list[Point]) -> list[Point]:
        return [(middle + x * reach, middle + y * reach) for x, y in points]

    for points in _shafts(camera):
        pixels = placed(points)
        draw.line(pixels, fill=255, width=round(wide), joint="curve")
        for x, y in pixels:
            draw.ellipse((x - wide / 2, y - wide / 2, x + wide / 2, y + wide / 2), fill=255)
    for tip, turn in _heads(camera):
        draw.polygon(placed(_triangle(tip, turn)), fill=255)
    sign = mask.resize((side, side), Image.Resampling.LANCZOS)
    image.paste(fill, (round(centre[0] - side / 2), round(centre[1] - side / 2)), sign)


def svg_sign(camera: Camera) -> str:
    """The same sign as an SVG element in the colour of the text around it."""

    def listed(points: list[Point]) -> str:
        return " ".join(f"{x:.2f},{y:.2f}" for x, y in points)

    shafts = "".join(f'<polyline points="{listed(points)}"/>' for points in _shafts(camera))
    heads = "".join(
        f'<polygon points="{listed(_triangle(tip, turn))}" fill="currentColor" stroke="none"/>'
        for tip, turn in _heads(camera)
    )
    return (
        '<svg viewBox="-1.2 -1.2 2.4 2.4" aria-hidden="true" fill="none" stroke="currentColor" '
        f'stroke-width=".2" stroke-linecap="round" stroke-linejoin="round">{shafts}{heads}</svg>'
    )


def _triangle(tip: Point, turn: float) -> list[Point]:
    """The head of an arrow that points along `turn`."""
    size = 0.5
    sides = (turn - 0.6, turn + 0.6)
    return [tip, *((tip[0] - size * math.cos(side), tip[1] - size * math.sin(side)) for side in sides)]


_QUARTERS = {"right": 0.0, "down": math.pi / 2, "left": math.pi, "up": -math.pi / 2}


def _rotated(points: list[Point], turn: float) -> list[Point]:
    cos, sin = math.cos(turn), math.sin(turn)
    return [(x * cos - y * sin, x * sin + y * cos) for x, y in points]


def _mirrored(points: list[Point], mirrored: bool) -> list[Point]:
    return [(-x, y) for x, y in points] if mirrored else points


def _bow(flip: float) -> list[Point]:
    return [
        (math.sin(a) * 0.8, flip * (0.45 - 0.75 * math.cos(a))) for a in (-1.1 + 0.2 * i for i in range(11))
    ]


def _shafts(camera: Camera) -> list[list[Point]]:
    kind, _, way = camera.value.partition("_")
    turn = _QUARTERS.get(way, 0.0)
    match kind:
        case "static":
            return [[(-0.55, -0.4), (0.55, -0.4), (0.55, 0.4), (-0.55, 0.4), (-0.55, -0.4)]]
        case "pan" | "tilt":
            return [_mirrored(_rotated(_bow(1.0), 0.0 if way == "left" else turn), way == "left")]
        case "truck" | "pedestal":
            return [_rotated([(-0.8, 0.0), (0.5, 0.0)], turn)]
        case "orbit":
            flip = -1.0 if way == "left" else 1.0
            return [
                [
                    (flip * math.cos(a) * 0.75, math.sin(a) * 0.45)
                    for a in (-2.4 + 0.26 * i for i in range(16))
                ]
            ]
    arrows = [[(x * 0.45, y * 0.45), (x * 0.7, y * 0.7)] for x, y in _CORNERS]
    if kind == "zoom":
        return arrows
    small = [(x * 0.2, y * 0.14) for x, y in (*_CORNERS, _CORNERS[0])]  # what the camera travels to
    return [*arrows, small]


_CORNERS: tuple[Point, ...] = ((-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0))


def _heads(camera: Camera) -> list[tuple[Point, float]]:
    kind, _, way = camera.value.partition("_")
    turn = _QUARTERS.get(way, 0.0)
    match kind:
        case "static":
            return []
        case "pan" | "tilt":
            if way == "left":
                return [((-0.98, 0.4), math.pi - 0.95)]
            return [(_rotated([(0.98, 0.4)], turn)[0], turn + 0.95)]
        case "truck" | "pedestal":
            return [(_rotated([(1.0, 0.0)], turn)[0], turn)]
        case "orbit":
            flip = -1.0 if way == "left" else 1.0
            end = -2.4 + 0.26 * 15
            return [
                (
                    (flip * (math.cos(end) * 0.75 - 0.2), math.sin(end) * 0.45 + 0.12),
                    math.pi * 0.92 if flip > 0 else 0.25,
                )
            ]
    # Into the picture the heads point to its middle, out of it to its corners.
    if way == "in":
        return [((x * 0.36, y * 0.36), math.atan2(-y, -x)) for x, y in _CORNERS]
    return [((x * 0.86, y * 0.86), math.atan2(y, x)) for x, y in _CORNERS]
