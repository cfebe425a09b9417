"""What falls, flashes and glows in the air: rain, snow, lightning, fireflies, aurora, cloud banks, waterfalls."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from PIL import Image

from localvid.pipelines.animatic.brush import Floats, Ink, Rgb, mix, noise_field, noise_line, rgb, smoothstep, soften
from localvid.pipelines.animatic.groves import picture_of, plate_of
from localvid.pipelines.animatic.light import Light, Weather
from localvid.pipelines.animatic.plate import NEVER, Element, Plate, paint, whole_plate
from localvid.pipelines.animatic.sky import Glints, cloud_colours
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
            part = self._double.crop((left, top, left + min(width, canvas.width), top + min(height, canvas.height - row)))
            for column in range(0, canvas.width, width):
                canvas.paste(part, (column, row), part)

    def covers_from(self, view: View) -> int:  # noqa: ARG002 - the interface's
        return NEVER


def paint_rain(stage: Stage, light: Light, rng: np.random.Generator, *, energy: float, heavy: bool) -> list[Element]:
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
                    ink.stroke([(px + dx, py + dy) for px, py in drop], max(width, 0.8 / stage.unit), width * 0.4)
        tile = _tinted(stage, ink.mask() * alpha, mix(light.sky[3], (1.0, 1.0, 1.0), 0.45))
        speed = fall * 2.4 / depth**0.5
        sheets.append(Curtain(tile, depth=depth, fall=speed, slant=speed * slant / fall, flutter=0.0, pace=0.0))
    return sheets


def paint_snowfall(stage: Stage, light: Light, rng: np.random.Generator, *, energy: float, windy: bool) -> list[Element]:
    """Flakes at three depths. Snow goes on falling at energy 0, gently."""
    sheets: list[Element] = []
    side_wind = (0.2 if windy else 0.03) * float(rng.choice((-1.0, 1.0))) * (0.3 + energy)
    for depth, count, radius, alpha in ((6.0, 170, 0.0022, 0.7), (3.0, 80, 0.004, 0.8), (1.5, 26, 0.0075, 0.75)):
        ink, side = _tile(stage)
        for _ in range(count):
            x, y, r = float(rng.uniform(0, side)), float(rng.uniform(0, side)), radius * float(rng.uniform(0.6, 1.3))
            for dx in (-side, 0.0, side):
                for dy in (-side, 0.0, side):
                    ink.oval((x + dx, y + dy), r, r)
        mask = soften(ink.mask(), (0.0006 + radius * 0.25) * stage.unit) * alpha
        tile = _tinted(stage, mask, mix(light.ambient, (1.0, 1.0, 1.0), 0.7))
        speed = (0.1 + 0.14 * energy) * 2.2 / depth**0.7
        sheets.append(Curtain(tile, depth=depth, fall=speed, slant=side_wind * 2 / depth**0.5, flutter=0.02 * energy, pace=0.4))
    return sheets


def _tile(stage: Stage) -> tuple[Ink, float]:
    """(an ink over a square tile as wide as the frame's shorter side, that side in units)."""
    pixels = stage.unit
    return Ink(0.0, 0.0, 1.0 - 1e-9, 1.0 - 1e-9, density=pixels, sharpness=2), 1.0


def _tinted(stage: Stage, mask: Floats, colour: Rgb) -> Image.Image:
    """A mask in one colour, its empty borders kept."""
    graded = stage.grade(np.asarray(colour, dtype=np.float32)[None, None])[0, 0]
    alpha = np.rint(np.clip(mask, 0, 1) * 255)
    pixels = np.concatenate([np.rint(alpha[..., None] * np.clip(graded, 0, 1)), alpha[..., None]], axis=-1).astype(np.uint8)
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
    colours, mask = picture.colours_and_mask()
    halo = soften(mask, 0.02 * stage.density) * 0.9
    core = np.clip(mask + halo, 0, 1)
    colours = np.where(mask[..., None] > 0.3, 1.0, np.asarray(rgb("#aebcff"))).astype(np.float32)
    return paint(stage, colours, core, depth=30.0)


def paint_fireflies(stage: Stage, rng: np.random.Generator, *, horizon: float, energy: float) -> Element:
    """Points of warm light that wander between the plants."""
    count = 46
    points = np.stack([rng.uniform(-0.2, stage.wide + 0.2, count), rng.uniform(horizon - 0.12, stage.tall - 0.03, count)], axis=-1)
    return Glints(stage, points.astype(np.float32), colour=rgb("#fff08a"), radius=0.0042, depth=2.0, rng=rng,
                  pace=0.12 + 0.3 * energy, least=0.0, wander=0.05 * energy)


def paint_embers(stage: Stage, rng: np.random.Generator, *, energy: float) -> Element:
    """Sparks that rise."""
    count = 60
    points = np.stack([rng.uniform(-0.1, stage.wide + 0.1, count), rng.uniform(0, stage.tall, count)], axis=-1)
    return Glints(stage, points.astype(np.float32), colour=rgb("#ff9a3d"), radius=0.003, depth=1.9, rng=rng,
                  pace=0.4 + 0.6 * energy, least=0.1, wander=0.025, rise=0.05 + 0.16 * energy)


def paint_aurora(stage: Stage, rng: np.random.Generator, *, horizon: float, energy: float) -> list[Element]:
    """Curtains of green and violet light."""
    elements: list[Element] = []
    for hue, high, depth in ((rgb("#3dffb0"), 0.5, 90.0), (rgb("#6fd0ff"), 0.36, 70.0), (rgb("#b06bff"), 0.26, 60.0)):
        xs, ys = stage.xs(), stage.ys(0, max(2, stage.row(horizon)))
        foot = horizon * (high + 0.16 * noise_line(rng, xs, waves=0.9, octaves=3)) + 0.12
        over = foot[None, :] - ys[:, None]
        rays = 0.55 + 0.45 * noise_line(rng, xs, waves=14, octaves=2)[None, :]
        mask = np.exp(-np.maximum(over, 0) / (0.1 + 0.16 * rays)) * smoothstep(-0.015, 0.02, over) * np.clip(rays, 0.1, 1) * 0.75
        shimmer, phase = 0.02 * energy, float(rng.uniform(0, 6.28))

        def drift(seconds: float, shimmer: float = shimmer, phase: float = phase) -> tuple[float, float]:
            return (shimmer * math.sin(seconds * 0.5 + phase), 0.0)

        elements.append(paint(stage, hue, soften(mask.astype(np.float32), 0.004 * stage.density), depth=depth, motion=drift if energy > 0.02 else None))
    return elements


def paint_rainbow(stage: Stage, light: Light, *, horizon: float) -> Element:
    """A bow opposite the sun."""
    xs, ys = stage.xs(), stage.ys(0, max(2, stage.row(horizon + 0.02)))
    centre = (stage.wide * (0.25 if light.sun[0] > 0.5 else 0.75), horizon + 0.12)
    away = np.hypot(xs[None, :] - centre[0], ys[:, None] - centre[1])
    share = (away - 0.5) / 0.06
    hues = [rgb(code) for code in ("#8a5bd6", "#4f7de8", "#4fc3e8", "#6fd66f", "#f2e35a", "#f29a3d", "#e84f4f")]
    colours = np.stack([np.interp(share, np.linspace(0, 1, 7), [hue[i] for hue in hues]) for i in range(3)], axis=-1)
    mask = smoothstep(-0.15, 0.2, share.astype(np.float32)) * smoothstep(1.15, 0.8, share.astype(np.float32)) * 0.42
    mask = mask * smoothstep(horizon + 0.02, horizon * 0.6, ys)[:, None]
    return paint(stage, colours.astype(np.float32), mask, depth=40.0)


def cloud_bank(stage: Stage, light: Light, rng: np.random.Generator, *, y: float, size: float, depth: float, drift: float) -> Plate:
    """A sea of cloud from `y` down."""
    spare = 0.3
    left = -math.ceil(spare * stage.density)
    columns = stage.columns - 2 * left
    xs = (stage.left + (np.arange(columns, dtype=np.float32) + left + 0.5) / stage.density).astype(np.float32)
    crest = np.full(columns, 9.0, dtype=np.float32)
    count = round((stage.wide + 2 * spare + 1.0) / (size * 0.085))
    shade = np.zeros(columns, dtype=np.float32)
    swell = noise_line(rng, np.linspace(-0.8, stage.wide + 0.8, count, dtype=np.float32), waves=1.6 / size, octaves=2)
    for x, lift in zip(np.linspace(-0.8, stage.wide + 0.8, count), swell, strict=True):
        radius = size * float(rng.uniform(0.05, 0.12)) * (1 + 0.7 * float(lift))
        centre = y - size * 0.11 * float(lift) + float(rng.normal(0, 0.012)) * size
        inside = np.abs(xs - x) < radius
        height = centre - np.sqrt(np.clip(radius**2 - (xs - x) ** 2, 0, None))
        better = inside & (height < crest)
        crest[better] = height[better]
        shade[better] = ((xs - x) / radius)[better]
    crest = np.minimum(crest, y + 0.05)
    first = stage.row(float(crest.min()) - 0.01)
    ys = stage.ys(first)
    under = ys[:, None] - crest[None, :]
    soft = 0.5 + 2.5 / max(1.0, depth**0.3)
    mask = np.clip(under * stage.density / soft + 0.5, 0, 1)
    base, top = cloud_colours(light)
    side = 1.0 if light.sun[0] > 0.5 else -1.0
    billow = noise_field(rng, mask.shape, cells=(max(2, len(ys) / stage.density * 5), columns / stage.density * 4), octaves=5)
    lit = np.exp(-np.maximum(under, 0) / (0.09 * size)) * (0.75 + 0.25 * side * shade[None, :]) + (billow - 0.5) * 0.7
    colours = np.asarray(base, dtype=np.float32) + (np.asarray(top, dtype=np.float32) - np.asarray(base, dtype=np.float32)) * np.clip(lit, 0, 1)[..., None]
    far = light.fade(depth) * 0.6
    colours = colours + (np.asarray(light.haze, dtype=np.float32) - colours) * np.float32(far)

    def motion(seconds: float) -> tuple[float, float]:
        return (spare * 0.8 * math.sin(drift * seconds / spare), 0.0)

    return paint(stage, colours.astype(np.float32), mask, depth=depth, top=first, left=left, motion=motion if drift else None)


class Falling:
    """A tile that runs down inside a mask: falling water."""

    def __init__(self, stage: Stage, rng: np.random.Generator, mask: Floats, *, left: int, top: int, depth: float, light: Light, speed: float) -> None:
        rows, columns = mask.shape
        streaks = noise_field(rng, (rows, columns), cells=(3, columns / stage.density * 60), octaves=3)
        blend = 0.5 + 0.5 * np.cos(np.linspace(0, 2 * math.pi, rows, dtype=np.float32))[:, None]
        streaks = streaks * (1 - blend) + np.roll(streaks, rows // 2, axis=0) * blend  # without a seam
        white = np.asarray(light.shade((0.97, 0.99, 1.0), depth), dtype=np.float32)
        blue = np.asarray(light.shade((0.62, 0.76, 0.86), depth), dtype=np.float32)
        colours = stage.grade(blue + (white - blue) * smoothstep(0.3, 0.65, streaks)[..., None])
        self._water = np.clip(np.concatenate([colours, colours]), 0, 1)
        self._mask, self._left, self._top, self._depth, self._speed = mask, left, top, depth, speed

    def draw(self, canvas: Image.Image, view: View, below: int) -> None:
        rows = self._mask.shape[0]
        shift = round(self._speed * view.seconds * view.stage.density) % rows
        part = self._water[rows - shift : 2 * rows - shift]
        pixels = np.concatenate([part * self._mask[..., None], self._mask[..., None]], axis=-1)
        image = Image.frombytes("RGBa", (self._mask.shape[1], rows), (pixels * 255 + 0.5).astype(np.uint8).tobytes())
        whole_plate(image, left=self._left, top=self._top, depth=self._depth).draw(canvas, view, below)

    def covers_from(self, view: View) -> int:  # noqa: ARG002 - the interface's
        return NEVER


def paint_waterfall(stage: Stage, light: Light, rng: np.random.Generator, *, foot: float, energy: float) -> list[Element]:
    """A cliff with water falling over it into what lies below `foot`."""
    centre, wide, tall = stage.wide * float(rng.uniform(0.35, 0.65)), float(rng.uniform(0.1, 0.16)), 0.42
    depth = 4.6
    picture = picture_of(stage, foot - tall * 1.2, foot + 0.02)
    rock, dark = light.shade(rgb("#6f6a66"), depth), light.shade(rgb("#6f6a66"), depth, lit=0.1)
    for side in (-1, 1):
        edge = [(centre + side * (wide * 0.5 + 0.02), foot + 0.02), (centre + side * wide * 0.46, foot - tall)]
        out = [(centre + side * (wide + 0.1 + 0.24 * i), foot - tall * (1.05 - 0.17 * i) + float(rng.normal(0, 0.012))) for i in range(4)]
        picture.shape([*edge, *out, (centre + side * 1.3, foot + 0.02)], dark if side > 0 else rock)
    picture.shape([(centre - wide, foot + 0.02), (centre - wide * 0.7, foot - tall), (centre + wide * 0.7, foot - tall), (centre + wide, foot + 0.02)], dark)
    west = math.floor((centre - wide * 0.5 - stage.left) * stage.density)
    columns, first = math.ceil(wide * stage.density), stage.row(foot - tall)
    rows = max(4, stage.row(foot) - first)
    edge_mask = smoothstep(0.0, 0.12, np.linspace(0, 1, columns, dtype=np.float32))
    mask = np.repeat((edge_mask * edge_mask[::-1])[None], rows, axis=0) * 0.95
    spray = Ink(centre - wide * 1.4, foot - 0.09, centre + wide * 1.4, foot + 0.05, density=stage.density, sharpness=1)
    for _ in range(30):
        spray.oval((centre + float(rng.normal(0, wide * 0.45)), foot - abs(float(rng.normal(0, 0.018)))), 0.03, 0.018)
    cloud = soften(spray.mask(), 0.016 * stage.density) * 0.7
    return [
        plate_of(stage, picture, depth=depth, light=light, rim=0.3),
        Falling(stage, rng, mask, left=west, top=first, depth=depth, light=light, speed=0.25 + 0.4 * energy if energy > 0.02 else 0.0),
        paint(stage, (0.95, 0.97, 1.0), cloud, depth=depth, left=math.floor((centre - wide * 1.4 - stage.left) * stage.density),
              top=math.floor((foot - 0.09 - stage.top) * stage.density)),
    ]


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
        case _:
            return [], [], None
