"""Water: the still mirror of a lake, the waves of a sea, surf on a beach, sparkle."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from PIL import Image

from localvid.pipelines.animatic.brush import Floats, Rgb, mix, noise_field, noise_line, rgb, smoothstep
from localvid.pipelines.animatic.camera import Pose
from localvid.pipelines.animatic.painting import paint
from localvid.pipelines.animatic.plate import Element, Plate
from localvid.pipelines.animatic.scenery.light import WHITE, Hour, Light, Weather
from localvid.pipelines.animatic.scenery.sky import Glints, sky_colours, sun_place
from localvid.pipelines.animatic.stage import Stage, View

SEA = rgb("#1f6f8c")
LAKE = rgb("#2d6a78")


class Mirror:
    """The reflection of what stands above a waterline, broken by ripples that run towards the viewer.

    Ripples shift whole rows up and down, more the nearer they are, as waves seen at a low angle do.
    """

    def __init__(
        self, stage: Stage, picture: Floats, *, waterline: float, depth: float, rough: float, pace: float
    ) -> None:
        """`picture` (rows, columns, 3): the canvas above the waterline upside down, as the water shows it."""
        rows = np.clip(picture * 255.0 + 0.5, 0, 255).astype(np.uint8)
        self._rows = np.concatenate([rows, np.full((*rows.shape[:2], 1), 255, dtype=np.uint8)], axis=-1)
        self._waterline, self._depth, self._rough, self._pace = waterline, depth, rough, pace
        self._unit = stage.density

    def draw(self, canvas: Image.Image, view: View, below: int) -> None:
        scale, x, _ = view.placed(self._depth)
        first = self._first_row(view)
        last = min(below, canvas.height)
        if first >= last:
            return
        under = (np.arange(first, last) + 0.5 - first) / view.density
        # The crests stand closer together the further away they are: their phase is the logarithm of
        # the distance below the waterline.
        distance = np.log(under + 0.015)
        time = view.seconds * self._pace
        wave = np.sin(distance * 31 + time * 2.6) + 0.6 * np.sin(distance * 53 + 1.3 + time * 3.9)
        reach = under + self._rough * (0.004 + 0.06 * under) * wave
        index = np.clip(reach / scale * view.density, 0, len(self._rows) - 1).astype(np.int64)
        left, width = -x / scale, canvas.width / scale
        west, east = max(0, math.floor(left) - 1), min(self._rows.shape[1], math.ceil(left + width) + 2)
        strip = np.ascontiguousarray(self._rows[index, west:east])
        image = Image.frombuffer(
            "RGBa", (strip.shape[1], strip.shape[0]), strip.tobytes(), "raw", "RGBa", 0, 1
        )
        start = left - west
        if abs(scale - 1) > 1e-6 or abs(start - round(start)) > 0.1:
            image = image.resize(
                (canvas.width, image.height),
                Image.Resampling.BILINEAR,
                box=(max(0.0, start), 0, min(image.width, start + width), image.height),
            )
            start = 0
        canvas.paste(image, (-round(start), first))

    def covers_from(self, view: View) -> int:
        return self._first_row(view)

    def _first_row(self, view: View) -> int:
        scale, _, y = view.placed(self._depth)
        return max(0, round(y + scale * (self._waterline - view.stage.top) * view.stage.density))


def mirror_of(
    stage: Stage,
    light: Light,
    elements: Sequence[Element],
    *,
    waterline: float,
    rough: float,
    pace: float,
    water: Rgb = LAKE,
    depth: float = 12.0,
) -> Mirror:
    """The mirror of elements that were painted so far."""
    # One look at the whole canvas, with the camera where the scene was painted from.
    whole = Stage(stage.columns, stage.rows, 0.0, 0.0, 1.0)
    canvas = Image.new("RGBa", (stage.columns, stage.rows), (0, 0, 0, 255))
    view = _CanvasView(stage, Pose(), 0.0, stage.density, (stage.wide / 2, waterline))
    for element in elements:
        element.draw(canvas, view, whole.height)
    above = np.frombuffer(canvas.tobytes(), dtype=np.uint8).reshape(stage.rows, stage.columns, 4)
    line = max(2, stage.row(waterline))
    flipped = above[:line][::-1, :, :3].astype(np.float32) / 255.0
    missing = max(0, stage.rows - 2 * line + 8)
    flipped = np.concatenate([flipped, np.repeat(flipped[-1:], missing, axis=0)]) if missing else flipped
    under = (np.arange(len(flipped), dtype=np.float32) / stage.density)[:, None, None]
    deep = np.asarray(
        stage.grade(np.asarray(light.shade(water, 1.5, lit=0.4), dtype=np.float32)), dtype=np.float32
    )
    share = 0.14 + 0.5 * smoothstep(0.0, 0.55, under)
    return Mirror(
        stage,
        flipped * 0.94 * (1 - share) + deep * share,
        waterline=waterline,
        depth=depth,
        rough=rough,
        pace=pace,
    )


class _CanvasView(View):
    """The whole canvas, overscan included, from where it was painted."""

    @property
    def size(self) -> tuple[int, int]:
        return (self.stage.columns, self.stage.rows)

    def placed(self, depth: float) -> tuple[float, float, float]:  # noqa: ARG002 - every plane alike
        return (1.0, 0.0, 0.0)


def sparkle(
    stage: Stage,
    light: Light,
    rng: np.random.Generator,
    *,
    waterline: float,
    height: float,
    pace: float,
    count: int = 70,
) -> Element:
    """Glints in the path of the sun or moon over the water, wider and larger towards the viewer."""
    sun_x, _ = sun_place(stage, light, waterline)
    down = rng.random(count) ** 1.2 * (stage.tall - waterline)
    xs = sun_x + rng.normal(0, 1, count) * (0.05 + 0.3 * down)
    points = np.stack([xs, waterline + 0.004 + down], axis=-1).astype(np.float32)
    depth = max(1.6, height / 0.2)
    return Glints(
        stage,
        points,
        colour=light.glow,
        radius=0.0022,
        depth=depth,
        rng=rng,
        pace=0.25 + pace if pace else 0.0,
        least=0.0,
    )


@dataclass(frozen=True)
class Band:
    """One of the bands of waves that a sea is made of."""

    y: float
    """Height of its crests."""
    depth: float
    nearness: float
    """0 at the horizon, 1 at the viewer."""
    until: float
    """How far down it is painted: what lies lower is behind the next band."""


def sea_bands(stage: Stage, *, horizon: float, height: float, end: float | None = None) -> list[Band]:
    """The bands of a sea from the horizon to `end`, or the frame's foot; the camera is `height` above it."""
    last = stage.tall + 0.02 if end is None else end
    shares = [(number + 0.35) / _BANDS for number in range(_BANDS)]
    rows = [horizon + (last - horizon) * share**1.55 for share in shares]
    below = [*(2 * after - row + 0.16 for row, after in pairwise(rows)), stage.bottom]
    return [
        Band(row, min(16.0, max(1.0, height / max(0.02, row - horizon))), share, until)
        for row, share, until in zip(rows, shares, below, strict=True)
    ]


_BANDS = 9


def _water_colours(light: Light, share: float) -> tuple[Rgb, Rgb]:
    """(body, crest) of waves at `share` 0 (horizon) .. 1 (near)."""
    sky_low, sky_high = light.sky[3], light.sky[1]
    deep = light.shade(SEA, 1.0, lit=0.55)
    low_sun = light.hour in (Hour.DAWN, Hour.SUNSET, Hour.DUSK)
    weight = 0.2 + 0.34 * share if low_sun else 0.38 + 0.42 * share
    body = mix(mix(sky_low, sky_high, 0.3 + 0.6 * share), deep, weight)
    crest = mix(body, mix(sky_low, light.glow, 0.4), 0.42 - 0.1 * share)
    return body, crest


def paint_sea_plain(stage: Stage, light: Light, rng: np.random.Generator, *, horizon: float) -> Plate:
    first = stage.row(horizon)
    ys, xs = stage.ys(first), stage.xs()
    under = ys - horizon
    mirrored = sky_colours(light, np.clip(horizon - under * 1.6, 0, horizon).astype(np.float32), horizon)
    body = np.stack(
        [np.asarray(_water_colours(light, min(1.0, float(u) * 2.2))[0], dtype=np.float32) for u in under]
    )
    colours = np.repeat((mirrored * 0.42 + body * 0.58)[:, None], len(xs), axis=1)
    sun_x, _ = sun_place(stage, light, horizon)
    streaks = noise_field(
        rng, (len(ys), len(xs)), cells=(len(ys) / stage.density * 70, stage.wide * 9), octaves=2
    )
    width = 0.05 + 0.5 * under[:, None]
    path = np.exp(-(((xs[None, :] - sun_x) / width) ** 2)) * smoothstep(0.35, 0.7, streaks)
    strength = 0.85 if light.sun_size else 0.2
    colours = colours * (1 + 0.12 * (streaks - 0.5)[..., None])
    colours = colours + (np.asarray(light.glow) - colours) * (path * strength)[..., None]
    reach, most = (0.08, 0.95) if light.weather is Weather.FOG else (0.012, 0.5)
    haze = np.exp(-under / reach)[:, None, None] * most
    colours = colours + (np.asarray(light.sky[3]) - colours) * haze
    return paint(stage, colours.astype(np.float32), None, depth=math.inf, top=first)


def paint_wave(
    stage: Stage,
    light: Light,
    rng: np.random.Generator,
    *,
    band: Band,
    horizon: float,
    swell: float,
    pace: float,
) -> Plate:
    """A band of waves: `swell` 0..1 is how high they are, `pace` 0..1 how fast they run."""
    y, nearness = band.y, band.nearness
    spare = 0.12 + 0.25 * nearness
    tall = (0.004 + 0.034 * nearness**1.3) * (0.35 + 1.9 * swell)
    length = 0.1 + 0.62 * nearness
    columns = stage.columns + 2 * math.ceil(spare * stage.density)
    left = -math.ceil(spare * stage.density)
    xs = (stage.left + (np.arange(columns, dtype=np.float32) + left + 0.5) / stage.density).astype(np.float32)
    bent = xs / length + 0.5 * noise_line(rng, xs, waves=1.1 / length * 0.5, octaves=2) + float(rng.random())
    turn = bent - np.floor(bent)
    crest_shape = (
        1.0 - np.abs(2 * turn - 1) ** 0.8 if swell > 0.55 else 0.5 + 0.5 * np.cos(2 * math.pi * turn)
    )
    lift = 0.45 + 0.55 * noise_line(rng, xs, waves=0.9 / length, octaves=2)
    crest = (y - tall * crest_shape * np.clip(lift, 0.1, 1.0)).astype(np.float32)
    first = stage.row(float(crest.min()) - 3 / stage.density)
    spare_rows = math.ceil(tall * stage.density) + 2  # what bobbing upwards would uncover below
    ys = stage.ys(first, max(first + 2, min(stage.rows, stage.row(band.until)) + spare_rows))
    under = ys[:, None] - crest[None, :]
    mask = np.clip(under * stage.density + 0.5, 0, 1)
    body, top = _water_colours(light, nearness)
    share = np.exp(-np.maximum(under, 0) / (0.01 + 0.035 * nearness))[..., None]
    base = np.asarray(body, dtype=np.float32)
    colours = base * (1 - 0.1 * smoothstep(0.0, 0.2, under)[..., None])
    colours = colours + (np.asarray(top, dtype=np.float32) - colours) * share * 0.85
    streaks = noise_field(
        rng,
        mask.shape,
        cells=(
            max(2, len(ys) / stage.density * (80 - 52 * nearness)),
            len(xs) / stage.density * (22 - 15 * nearness),
        ),
        octaves=3,
    )
    sun_x, _ = sun_place(stage, light, horizon)
    near_sun = np.exp(-(((xs - sun_x) / (0.12 + 0.42 * nearness)) ** 2))[None, :] * (
        1.0 if light.sun_size else 0.2
    )
    shine = smoothstep(0.6, 0.7, streaks) * (0.1 + 0.65 * near_sun) * smoothstep(0.0, 0.012, under)
    colours = colours + (np.asarray(mix(light.sky[3], light.glow, 0.7)) - colours) * shine[..., None]
    if swell > 0.3:
        foam = smoothstep(0.45, 0.8, crest_shape * np.clip(lift, 0, 1))[None, :] * np.exp(
            -np.maximum(under, 0) / (0.003 + 0.012 * nearness * swell)
        )
        foam = foam * smoothstep(0.25, 0.6, streaks + 0.3) * min(1.0, (swell - 0.25) * 1.7)
        colours = colours + (np.asarray(light.shade(WHITE, band.depth * 0.4)) - colours) * foam[..., None]
    speed = (0.3 + 0.9 * pace) * (1.2 - 0.5 * nearness)
    phase = float(rng.uniform(0, 2 * math.pi))
    bob = tall * 0.45

    def motion(seconds: float) -> tuple[float, float]:
        angle = speed * seconds * 1.4 + phase
        # Up and down by whole pixels: with the way to the side no step is seen, and copies can be kept.
        rows = round(bob * math.sin(angle * 1.6) * stage.density)
        return (spare * 0.7 * math.sin(angle * 0.8), rows / stage.density)

    return paint(
        stage,
        colours.astype(np.float32),
        mask,
        depth=band.depth,
        top=first,
        left=left,
        motion=motion if pace > 0.02 else None,
    )


def paint_surf(
    stage: Stage,
    light: Light,
    rng: np.random.Generator,
    *,
    shore: float,
    sand: Rgb,
    pace: float,
) -> list[Element]:
    """A beach below `shore`: wet sand, a sheet of foam that comes and goes, dry sand."""
    xs = stage.xs()
    slope = 0.05 * noise_line(rng, xs, waves=0.8, octaves=2) + float(rng.uniform(-0.05, 0.05)) * (
        xs - stage.wide / 2
    )
    edge = (shore + slope).astype(np.float32)
    elements: list[Element] = []
    foam_colour, wet = (
        light.shade((0.97, 0.98, 1.0), 1.6),
        mix(light.shade(sand, 1.4, lit=0.4), light.sky[3], 0.3),
    )
    dry = light.shade(sand, 1.2)
    for depth, offset, kind in ((2.3, -0.012, "wet"), (2.2, 0.0, "foam"), (1.8, 0.085, "dry")):
        line = edge + offset + 0.012 * noise_line(rng, xs, waves=5, octaves=3)
        first = stage.row(float(line.min()) - 0.06)
        ys = stage.ys(first)
        under = ys[:, None] - line[None, :]
        if kind == "foam":
            lace = noise_field(
                rng, under.shape, cells=(len(ys) / stage.density * 26, stage.wide * 26), octaves=3
            )
            rim = (
                np.exp(-(((under - 0.045) / 0.006) ** 2))
                + smoothstep(0.5, 0.62, lace)
                * smoothstep(0.046, 0.0, under)
                * smoothstep(-0.05, 0.02, under)
                * 0.8
            )
            mask = np.clip(rim, 0, 1) * smoothstep(-0.06, 0.0, under) * 0.9

            def wash(seconds: float) -> tuple[float, float]:
                return (0.0, 0.022 * math.sin(seconds * (0.35 + 0.9 * pace)) - 0.01)

            elements.append(
                paint(
                    stage,
                    foam_colour,
                    mask.astype(np.float32),
                    depth=depth,
                    top=first,
                    motion=wash if pace > 0.02 else None,
                )
            )
            continue
        mask = smoothstep(-0.006, 0.03 if kind == "dry" else 0.006, under)
        grain = (
            noise_field(rng, under.shape, cells=(len(ys) / stage.density * 40, stage.wide * 30), octaves=3)
            - 0.5
        )
        tone = np.asarray(dry if kind == "dry" else wet, dtype=np.float32)
        colours = tone * (1 + 0.09 * grain[..., None]) * (1 - 0.12 * smoothstep(0.1, 0.4, under)[..., None])
        elements.append(paint(stage, colours.astype(np.float32), mask, depth=depth, top=first))
    return elements


def swell_of(weather: Weather, energy: float) -> float:
    """The height of waves in 0..1."""
    base = {Weather.STORM: 0.75, Weather.WIND: 0.5, Weather.RAIN: 0.35}.get(weather, 0.16)
    return min(1.0, base + 0.3 * energy)
