"""What falls, flashes and veils: rain, snow, lightning, fog."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from PIL import Image

from localvid.pipelines.animatic.brush import (
    Floats,
    Ink,
    Rgb,
    mix,
    rgb,
    soften,
)
from localvid.pipelines.animatic.painting import paint
from localvid.pipelines.animatic.plate import NEVER, Element, Plate
from localvid.pipelines.animatic.scenery.groves import picture_of
from localvid.pipelines.animatic.scenery.light import Light, Weather
from localvid.pipelines.animatic.scenery.terrain import paint_mist
from localvid.pipelines.animatic.stage import Stage, View


class Curtain:
    """A sheet of drops or flakes that falls past the camera without end: a tile that repeats both ways."""

    def __init__(
        self, tile: Image.Image, *, depth: float, fall: float, slant: float, flutter: float, pace: float
    ) -> None:
        """`fall` and `slant` in units a second, `flutter` in units to and fro, `pace` of that."""
        self._double = Image.new("RGBa", (tile.width * 2, tile.height * 2))
        for x in (0, tile.width):
            for y in (0, tile.height):
                self._double.paste(tile, (x, y))
        self._tile = tile.size
        self._depth, self._fall, self._slant, self._flutter, self._pace = depth, fall, slant, flutter, pace

    def draw(self, canvas: Image.Image, view: View, below: int) -> None:
        _, x, y = view.placed(self._depth)
        seconds, density = view.seconds, view.density
        x += density * (self._slant * seconds + self._flutter * math.sin(seconds * self._pace * 2))
        y += density * self._fall * seconds
        width, height = self._tile
        left, top = (-round(x)) % width, (-round(y)) % height
        for row in range(0, min(below, canvas.height), height):
            part = self._double.crop(
                (left, top, left + min(width, canvas.width), top + min(height, canvas.height - row))
            )
            for column in range(0, canvas.width, width):
                canvas.paste(part, (column, row), part)

    def covers_from(self, view: View) -> int:  # noqa: ARG002 - the interface's
        return NEVER


def paint_rain(
    stage: Stage, light: Light, rng: np.random.Generator, *, energy: float, heavy: bool
) -> list[Element]:
    """Streaks at two depths. Rain goes on falling at energy 0, gently."""
    slant = (0.35 if heavy else 0.12) * float(rng.choice((-1.0, 1.0))) * (0.4 + energy)
    fall = 1.5 + 1.1 * energy
    sheets: list[Element] = []
    for depth, count, length, width, alpha in ((4.0, 190, 0.05, 0.0016, 0.3), (1.8, 70, 0.11, 0.0026, 0.34)):
        ink, side = _tile(stage)
        for _ in range(round(count * (1.5 if heavy else 1.0))):
            x, y = float(rng.uniform(0, side)), float(rng.uniform(0, side))
            long = length * float(rng.uniform(0.6, 1.2))
            drop = [(x, y), (x + slant / fall * long, y + long)]
            for dx in (-side, 0.0, side):
                for dy in (-side, 0.0):
                    ink.stroke(
                        [(px + dx, py + dy) for px, py in drop], max(width, 0.8 / stage.unit), width * 0.4
                    )
        tile = _tinted(stage, ink.mask() * alpha, mix(light.sky[3], (1.0, 1.0, 1.0), 0.45))
        speed = fall * 2.4 / depth**0.5
        sheets.append(
            Curtain(tile, depth=depth, fall=speed, slant=speed * slant / fall, flutter=0.0, pace=0.0)
        )
    return sheets


def paint_snowfall(
    stage: Stage, light: Light, rng: np.random.Generator, *, energy: float, windy: bool
) -> list[Element]:
    """Flakes at three depths. Snow goes on falling at energy 0, gently."""
    sheets: list[Element] = []
    side_wind = (0.2 if windy else 0.03) * float(rng.choice((-1.0, 1.0))) * (0.3 + energy)
    for depth, count, radius, alpha in (
        (6.0, 170, 0.0022, 0.7),
        (3.0, 80, 0.004, 0.8),
        (1.5, 26, 0.0075, 0.75),
    ):
        ink, side = _tile(stage)
        for _ in range(count):
            x, y, r = (
                float(rng.uniform(0, side)),
                float(rng.uniform(0, side)),
                radius * float(rng.uniform(0.6, 1.3)),
            )
            for dx in (-side, 0.0, side):
                for dy in (-side, 0.0, side):
                    ink.oval((x + dx, y + dy), r, r)
        mask = soften(ink.mask(), (0.0006 + radius * 0.25) * stage.unit) * alpha
        tile = _tinted(stage, mask, mix(light.ambient, (1.0, 1.0, 1.0), 0.7))
        speed = (0.1 + 0.14 * energy) * 2.2 / depth**0.7
        sheets.append(
            Curtain(
                tile,
                depth=depth,
                fall=speed,
                slant=side_wind * 2 / depth**0.5,
                flutter=0.02 * energy,
                pace=0.4,
            )
        )
    return sheets


def _tile(stage: Stage) -> tuple[Ink, float]:
    """(an ink over a square tile as wide as the frame's shorter side, that side in units)."""
    pixels = stage.unit
    return Ink(0.0, 0.0, 1.0 - 1e-9, 1.0 - 1e-9, density=pixels, sharpness=2), 1.0


def _tinted(stage: Stage, mask: Floats, colour: Rgb) -> Image.Image:
    """A mask in one colour, its empty borders kept."""
    graded = stage.grade(np.asarray(colour, dtype=np.float32)[None, None])[0, 0]
    alpha = np.rint(np.clip(mask, 0, 1) * 255)
    pixels = np.concatenate(
        [np.rint(alpha[..., None] * np.clip(graded, 0, 1)), alpha[..., None]], axis=-1
    ).astype(np.uint8)
    return Image.frombytes("RGBa", (mask.shape[1], mask.shape[0]), pixels.tobytes())


class Lightning:
    """Bolts that strike now and then, and the light that each throws over the frame."""

    def __init__(self, stage: Stage, rng: np.random.Generator, *, horizon: float, energy: float) -> None:
        self._strikes: list[tuple[float, Plate]] = []
        at = 0.5 + float(rng.uniform(0.0, 0.5))
        for _ in range(40):  # more than a minute of them
            if len(self._strikes) < 4:
                bolt = _bolt(stage, rng, horizon=horizon)
            else:
                bolt = self._strikes[len(self._strikes) % 4][1]
            self._strikes.append((at, bolt))
            at += float(rng.uniform(1.2, 3.0)) * (1.6 - 0.8 * energy)

    def draw(self, canvas: Image.Image, view: View, below: int) -> None:
        for start, bolt in self._strikes:
            if 0.0 <= view.seconds - start < 0.2 and not 0.07 < view.seconds - start < 0.11:
                bolt.draw(canvas, view, below)

    def covers_from(self, view: View) -> int:  # noqa: ARG002 - the interface's
        return NEVER

    def flash(self, seconds: float) -> float:
        """The share of white at a moment: a strike, a flicker, a fading."""
        share = 0.0
        for start, _ in self._strikes:
            since = seconds - start
            if since >= 0.0:
                share = max(share, 0.34 * math.exp(-since / 0.12) * (0.6 + 0.4 * math.cos(since * 60)))
        return share


def _bolt(stage: Stage, rng: np.random.Generator, *, horizon: float) -> Plate:
    picture = picture_of(stage, stage.top, horizon + 0.02)
    x, y = stage.wide * float(rng.uniform(0.12, 0.88)), stage.top
    glow = rgb("#dfe6ff")

    def strike(x: float, y: float, end: float, width: float, order: int) -> None:
        lean = float(rng.normal(0, 0.12))
        while y < end:
            step = float(rng.uniform(0.02, 0.055))
            nx, ny = x + float(rng.normal(lean * step, 0.018)), y + step
            picture.stroke([(x, y), (nx, ny)], width, glow)
            if order and rng.random() < 0.22:
                strike(nx, ny, min(end, ny + float(rng.uniform(0.08, 0.22))), width * 0.5, order - 1)
            x, y = nx, ny

    strike(x, y, horizon, 0.0065, 2)
    colours, mask = picture.colours_and_mask(around=0.06)
    halo = soften(mask, 0.02 * stage.density) * 0.9
    core = np.clip(mask + halo, 0, 1)
    colours = np.where(mask[..., None] > 0.3, 1.0, np.asarray(rgb("#aebcff"))).astype(np.float32)
    left, top = stage.pixel(picture)
    return paint(stage, colours, core, depth=30.0, left=left, top=top)


def weather_of(
    stage: Stage, light: Light, rng: np.random.Generator, *, horizon: float, energy: float
) -> tuple[list[Element], list[Element], Callable[[float], float] | None]:
    """(behind the land, in front of all, flashes) that the weather adds."""
    match light.weather:
        case Weather.STORM:
            lightning = Lightning(stage, rng, horizon=horizon, energy=energy)
            return [lightning], paint_rain(stage, light, rng, energy=energy, heavy=True), lightning.flash
        case Weather.RAIN:
            return [], paint_rain(stage, light, rng, energy=energy, heavy=False), None
        case Weather.SNOW:
            return [], paint_snowfall(stage, light, rng, energy=energy, windy=False), None
        case Weather.FOG:
            banks = ((horizon + 0.02, 0.3, 1.7, 0.5), (horizon + 0.24, 0.34, 1.2, 0.34))
            drift = 0.006 + 0.03 * energy if energy > 0.02 else 0.0
            veils: list[Element] = [
                paint_mist(stage, light, rng, y=y, thick=thick, depth=depth, drift=drift, strength=strength)
                for y, thick, depth, strength in banks
            ]
            return [], veils, None
        case _:
            return [], [], None
