"""A room: wall, floor in perspective, a window with the world outside, furniture, lamplight."""

from __future__ import annotations

import math

import numpy as np

from localvid.pipelines.animatic.brush import mix, noise_field, smoothstep
from localvid.pipelines.animatic.painting import paint, paint_ground
from localvid.pipelines.animatic.plate import Element, Plate
from localvid.pipelines.animatic.scenery.furniture import (
    LAMP,
    Room,
    draw_bed,
    draw_desk,
    draw_kitchen,
    draw_lamp,
    draw_picture_frame,
    draw_plant,
    draw_pot,
    draw_shelves,
    draw_sofa,
)
from localvid.pipelines.animatic.scenery.groves import picture_of, plate_of
from localvid.pipelines.animatic.scenery.light import Light
from localvid.pipelines.animatic.scenery.town import glow_plate
from localvid.pipelines.animatic.stage import Stage


def paint_room(stage: Stage, light: Light, rng: np.random.Generator, *, kind: str) -> list[Element]:
    """The inside of a living room, bedroom, kitchen, library or office, in front of what is outside.

    Elements painted before these (sky, hills) are seen through the window's panes.
    """
    room = Room(light, rng)
    flip = bool(rng.random() < 0.5)
    floor_line = stage.tall * 0.5 + 0.26
    eye = stage.tall * 0.5 + 0.04
    # The floor at the frame's lower edge is at depth 1, however tall the frame is.
    wall_depth = max(3.0, (stage.tall - eye) / (floor_line - eye))
    window_x = stage.wide * (float(rng.uniform(0.6, 0.68)) if flip else float(rng.uniform(0.32, 0.4)))
    window = (window_x - 0.24, floor_line - 0.6, window_x + 0.24, floor_line - 0.17)
    lamp_x = stage.wide - window_x + (0.12 if flip else -0.12)
    elements: list[Element] = [
        *_wall(
            stage,
            light,
            room,
            rng,
            window=window,
            floor_line=floor_line,
            lamp=(lamp_x, floor_line - 0.3),
            wall_depth=wall_depth,
        ),
        _floor(
            stage,
            light,
            room,
            rng,
            line=floor_line,
            eye=eye,
            window_x=window_x,
            lamp_x=lamp_x,
            wall_depth=wall_depth,
        ),
        _curtains(stage, room, window, floor_line, depth=wall_depth - 0.08),
    ]
    picture = picture_of(stage, floor_line - 0.75, floor_line + 0.1)
    side = stage.wide - window_x
    if kind == "library":
        draw_shelves(picture, room, rng, left=side - 0.36, foot=floor_line + 0.03, wide=0.72, tall=0.66)
    elif kind == "kitchen":
        draw_kitchen(picture, room, rng, left=side - 0.4, foot=floor_line + 0.04, wide=0.8)
    else:
        draw_picture_frame(picture, room, rng, centre=(side, floor_line - 0.42), size=0.09)
        draw_shelves(
            picture,
            room,
            rng,
            left=(0.0 if side < stage.wide / 2 else stage.wide - 0.24),
            foot=floor_line + 0.02,
            wide=0.24,
            tall=0.46,
        )
    elements.append(plate_of(stage, picture, depth=wall_depth - 0.1))
    elements += _furniture(
        stage,
        room,
        rng,
        kind=kind,
        side=side,
        window_x=window_x,
        floor_line=floor_line,
        lamp_x=lamp_x,
        depth=wall_depth * 0.78,
    )
    return elements


def _wall(
    stage: Stage,
    light: Light,
    room: Room,
    rng: np.random.Generator,
    *,
    window: tuple[float, float, float, float],
    floor_line: float,
    lamp: tuple[float, float],
    wall_depth: float,
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
    for a, b in (
        ((left, top), (right, top)),
        ((left, bottom), (right, bottom)),
        ((left, top), (left, bottom)),
        ((right, top), (right, bottom)),
    ):
        frame.stroke([a, b], 0.024, white)
    middle = (left + right) / 2
    frame.stroke([(middle, top), (middle, bottom)], 0.012, white)
    frame.stroke([(left, top + (bottom - top) * 0.4), (right, top + (bottom - top) * 0.4)], 0.01, white)
    frame.shape(
        [
            (left - 0.035, bottom + 0.008),
            (right + 0.035, bottom + 0.008),
            (right + 0.03, bottom + 0.035),
            (left - 0.03, bottom + 0.035),
        ],
        shade,
    )
    draw_pot(frame, room, rng, at=(left + 0.07, bottom + 0.008), size=0.075)
    return [
        paint(stage, np.clip(colours, 0, 1).astype(np.float32), mask, depth=wall_depth),
        plate_of(stage, frame, depth=wall_depth - 0.02),
    ]


def _floor(
    stage: Stage,
    light: Light,
    room: Room,
    rng: np.random.Generator,
    *,
    line: float,
    eye: float,
    window_x: float,
    lamp_x: float,
    wall_depth: float,
) -> Element:
    """Boards towards the vanishing point, a rug, and the window's light across them."""
    height = (line - eye) * wall_depth
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
    for edge, colour in (
        (1.0, room.accent),
        (0.86, room.cloth),
        (0.5, mix(room.cloth, room.accent, 0.45)),
        (0.42, room.cloth),
    ):
        share = smoothstep(edge + 0.02, edge - 0.02, rug)[..., None]
        colours = colours + (np.asarray(room.tone(colour, 0.9), dtype=np.float32) - colours) * share
    if room.lamplit:
        spot = np.exp(
            -(((across - (lamp_x - stage.wide / 2) * wall_depth) / 1.3) ** 2) - ((ahead - 2.6) / 0.9) ** 2
        )
        glow, strength = LAMP, 0.32
    else:
        lean = (
            across
            - (window_x - stage.wide / 2) * wall_depth
            - (wall_depth - ahead) * (0.35 if light.sun[0] < 0.5 else -0.35)
        )
        bars = np.clip(np.abs(np.abs(lean) - 0.0) / 0.03, 0, 1)
        spot = (
            smoothstep(0.62, 0.56, np.abs(lean))
            * smoothstep(1.35, 1.45, ahead)
            * smoothstep(2.75, 2.65, ahead)
            * bars
        )
        glow, strength = light.glow, 0.42 if light.sun_size else 0.12
    colours = (
        colours
        + (np.asarray(glow, dtype=np.float32) - colours)
        * (np.asarray(spot, dtype=np.float32) * strength)[..., None]
    )
    colours = (
        colours
        * (1 - 0.35 * smoothstep(0.3, 1.0, np.abs(xs - stage.wide / 2) / stage.wide * 1.6))[None, :, None]
    )
    return paint_ground(
        stage, np.clip(colours, 0, 1).astype(np.float32), horizon=eye, height=height, start=line
    )


def _curtains(
    stage: Stage, room: Room, window: tuple[float, float, float, float], floor_line: float, *, depth: float
) -> Plate:
    left, top, right, _ = window
    picture = picture_of(stage, top - 0.1, floor_line + 0.02)
    light_tone, dark_tone = room.tone(room.cloth, 1.25), room.tone(room.cloth, 0.8)
    picture.stroke([(left - 0.13, top - 0.05), (right + 0.13, top - 0.05)], 0.012, room.tone(room.wood, 1.2))
    for side, edge in ((-1, left), (1, right)):
        for fold in range(5):
            a, b = edge + side * (-0.035 + fold * 0.026), edge + side * (-0.035 + (fold + 1) * 0.026)
            picture.shape(
                [
                    (a, top - 0.045),
                    (b, top - 0.045),
                    (b + side * 0.008, floor_line - 0.01),
                    (a + side * 0.012, floor_line - 0.01),
                ],
                light_tone if fold % 2 else dark_tone,
            )
    return plate_of(stage, picture, depth=depth)


def _furniture(
    stage: Stage,
    room: Room,
    rng: np.random.Generator,
    *,
    kind: str,
    side: float,
    window_x: float,
    floor_line: float,
    lamp_x: float,
    depth: float,
) -> list[Element]:
    elements: list[Element] = []
    foot = floor_line + 0.075
    picture = picture_of(stage, floor_line - 0.62, foot + 0.2)
    match kind:
        case "bedroom":
            draw_bed(picture, room, left=side - 0.34, foot=foot + 0.05, wide=0.72)
        case "kitchen" | "office" | "library":
            draw_desk(
                picture, room, rng, left=side - 0.3, foot=foot + 0.06, wide=0.62, books=kind != "kitchen"
            )
        case _:
            draw_sofa(picture, room, left=side - 0.32, foot=foot + 0.02, wide=0.64)
    elements.append(plate_of(stage, picture, depth=depth))
    stand = picture_of(stage, floor_line - 0.5, foot + 0.05)
    away = lamp_x + (0.3 if lamp_x > stage.wide / 2 else -0.3)
    bulb = draw_lamp(stand, room, at=(away, foot + 0.02), tall=0.48)
    elements.append(plate_of(stage, stand, depth=depth - 0.15))
    if room.lamplit:
        elements.append(glow_plate(stage, bulb, radius=0.55, colour=LAMP, depth=depth - 0.16, strength=0.75))
    near = picture_of(stage, floor_line - 0.2, stage.bottom)
    plant_x = window_x + (0.42 if window_x > stage.wide / 2 else -0.42)
    draw_plant(near, room, rng, at=(plant_x, foot + 0.16), tall=0.44)
    elements.append(plate_of(stage, near, depth=depth * 0.74))
    return elements
