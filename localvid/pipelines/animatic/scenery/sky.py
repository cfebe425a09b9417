"""Sky: the gradient with the glow of sun or moon, stars, clouds."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image

from localvid.pipelines.animatic.brush import (
    Floats,
    Ink,
    Rgb,
    mix,
    noise_field,
    ramp,
    rgb,
    smoothstep,
    soften,
)
from localvid.pipelines.animatic.painting import paint
from localvid.pipelines.animatic.plate import NEVER, Element
from localvid.pipelines.animatic.scenery.light import WHITE, Hour, Light
from localvid.pipelines.animatic.stage import Stage, View


def paint_sky(
    stage: Stage, light: Light, rng: np.random.Generator, *, horizon: float, twinkle: float = 0.25
) -> list[Element]:
    """The gradient down to `horizon` with the sun or moon in it, and the stars that are seen.

    The brightest stars flicker `twinkle` times a second."""
    xs, ys = stage.xs(), stage.ys()
    colours = np.repeat(sky_colours(light, ys, horizon)[:, None], stage.columns, axis=1)
    sun_x, sun_y = sun_place(stage, light, horizon)
    distance = np.hypot(xs[None, :] - sun_x, ys[:, None] - sun_y).astype(np.float32)
    night = light.hour is Hour.NIGHT
    strength = (0.34 if night else 0.72) * (1.0 if light.sun_size else 0.35)
    wide = np.exp(-distance / (0.22 if night else 0.42)) * strength
    # Low suns light the whole horizon, more across than up.
    low = np.exp(-np.abs(ys[:, None] - horizon) / 0.16) * np.exp(-np.abs(xs[None, :] - sun_x) / 0.9) * 0.35
    share = np.clip(wide + (0.0 if night else low), 0.0, 1.0)[..., None]
    colours += (np.asarray(light.glow, dtype=np.float32) - colours) * share
    if light.sun_size:
        colours = _with_disc(colours, light, distance, stage, rng)
    elements: list[Element] = [paint(stage, colours, None, depth=math.inf)]
    if light.stars > 0.05:
        elements += _stars(stage, light, rng, horizon=horizon, twinkle=twinkle)
    return elements


def sky_colours(light: Light, ys: Floats, horizon: float) -> Floats:
    """The sky's colour at each height, shape (len(ys), 3)."""
    stops = list(zip((0.0, 0.45, 0.8, 1.0), light.sky, strict=True))
    return ramp(np.asarray(ys / horizon, dtype=np.float32), stops)


def sun_place(stage: Stage, light: Light, horizon: float) -> tuple[float, float]:
    """Where the sun or moon stands, in units."""
    return light.sun[0] * stage.wide, light.sun[1] * horizon


def _with_disc(
    colours: Floats, light: Light, distance: Floats, stage: Stage, rng: np.random.Generator
) -> Floats:
    radius, pixel = light.sun_size, 1.0 / stage.density
    disc = smoothstep(radius + pixel, radius - pixel, distance)
    halo = np.exp(-np.maximum(0.0, distance - radius) / (radius * 0.9)) * 0.42
    face = np.asarray(mix(light.glow, WHITE, 0.55), dtype=np.float32)
    colours = colours + (face - colours) * np.clip(halo, 0.0, 1.0)[..., None]
    if light.hour is Hour.NIGHT:
        seas = noise_field(rng, distance.shape, cells=(stage.tall * 48, stage.wide * 48), octaves=3)
        face = face * (1.0 - 0.16 * smoothstep(0.5, 0.72, seas)[..., None])
    return np.asarray(colours + (face - colours) * disc[..., None], dtype=np.float32)


# --- stars ---------------------------------------------------------------------------------------


class Glints:
    """Points of light that brighten and dim, each at its own pace: stars, fireflies, sparks on water."""

    def __init__(
        self,
        stage: Stage,
        points: Floats,
        *,
        colour: Rgb,
        radius: float,
        depth: float,
        rng: np.random.Generator,
        pace: float,
        least: float = 0.15,
        wander: float = 0.0,
        rise: float = 0.0,
    ) -> None:
        """`points` (n, 2) in units; `pace` in beats a second; `least` 0..1 is the dimmest; `wander` units."""
        self._points, self._depth, self._pace, self._least = points, depth, pace, least
        self._wander, self._rise = wander, rise
        self._phases = rng.random((len(points), 3)) * 2 * math.pi
        self._paces = rng.uniform(0.6, 1.5, len(points))
        self._levels = [_glint(stage, colour, radius, level / 7) for level in range(8)]
        self._floor = stage.bottom

    def draw(self, canvas: Image.Image, view: View, below: int) -> None:
        scale, x, y = view.placed(self._depth)
        density = view.stage.density
        half = self._levels[0].width / 2
        beat = self._paces * self._pace * view.seconds * 2 * math.pi + self._phases[:, 0]
        bright = self._least + (1 - self._least) * (0.5 + 0.5 * np.sin(beat))
        turn = self._paces * self._pace * view.seconds * 1.7
        xs = self._points[:, 0] + self._wander * np.sin(turn + self._phases[:, 1])
        ys = self._points[:, 1] + self._wander * 0.6 * np.sin(turn * 0.8 + self._phases[:, 2])
        if self._rise:
            ys = (ys - self._rise * self._paces * view.seconds) % self._floor
        columns = scale * (xs - view.stage.left) * density + x - half
        rows = scale * (ys - view.stage.top) * density + y - half
        for column, row, level in zip(columns, rows, np.rint(bright * 7).astype(int), strict=True):
            if row + 2 * half < below:
                glint = self._levels[level]
                canvas.paste(glint, (round(column), round(row)), glint)

    def covers_from(self, view: View) -> int:  # noqa: ARG002 - the interface's
        return NEVER


def _glint(stage: Stage, colour: Rgb, radius: float, level: float) -> Image.Image:
    """A point with a soft halo; alpha is left low, so that it adds light rather than covers."""
    reach = max(1, round(radius * 3.2 * stage.unit))
    away = np.hypot(*np.meshgrid(np.arange(-reach, reach + 1), np.arange(-reach, reach + 1))) / max(
        0.6, radius * stage.unit
    )
    light = np.clip(1.25 - away, 0.0, 1.0) + 0.35 * np.exp(-away * 1.1)
    light = (np.clip(light, 0.0, 1.0) * np.clip(1.6 - away / 2.2, 0.0, 1.0) * level).astype(np.float32)
    core = mix(colour, WHITE, 0.5)
    tint = np.asarray(colour) + (np.asarray(core) - np.asarray(colour)) * np.clip(1.4 - away, 0, 1)[..., None]
    tint = stage.grade(tint.astype(np.float32))
    pixels = np.concatenate([tint * light[..., None], light[..., None]], axis=-1)
    side = 2 * reach + 1
    return Image.frombytes(
        "RGBa", (side, side), (np.clip(pixels, 0, 1) * 255 + 0.5).astype(np.uint8).tobytes()
    )


def _stars(
    stage: Stage, light: Light, rng: np.random.Generator, *, horizon: float, twinkle: float
) -> list[Element]:
    ys, xs = stage.ys(0, stage.row(horizon)), stage.xs()
    if len(ys) < 8:
        return []
    mask = star_field(rng, (len(ys), len(xs)), per_pixel=0.0016 * light.stars, density=stage.density)
    mask *= smoothstep(horizon, horizon * 0.45, ys)[:, None]
    sun_x, sun_y = sun_place(stage, light, horizon)
    away = np.hypot(xs[None, :] - sun_x, ys[:, None] - sun_y).astype(np.float32)
    if light.sun_size:
        mask *= smoothstep(light.sun_size * 1.3, light.sun_size * 3.5, away)
    count = int(46 * light.stars)
    points = np.stack(
        [rng.uniform(stage.left, stage.right, count), horizon * 0.8 * rng.random(count) ** 1.4 + stage.top],
        axis=-1,
    )
    if light.sun_size:
        points = points[np.hypot(points[:, 0] - sun_x, points[:, 1] - sun_y) > light.sun_size * 2.2]
    return [
        paint(stage, rgb("#eef3ff"), mask, depth=math.inf),
        Glints(
            stage,
            points.astype(np.float32),
            colour=rgb("#dfe8ff"),
            radius=0.0024,
            depth=math.inf,
            rng=rng,
            pace=twinkle,
        ),
    ]


def star_field(
    rng: np.random.Generator, shape: tuple[int, int], *, per_pixel: float, density: float
) -> Floats:
    """A mask of stars, most of them faint, a few bright ones larger than a pixel."""
    rows, columns = shape
    mask = np.zeros(shape, dtype=np.float32)
    count = int(rows * columns * per_pixel * min(1.0, (576 / density) ** 1.2))
    at = rng.integers(0, rows, count), rng.integers(0, columns, count)
    mask[at] = 0.25 + 0.75 * rng.random(count, dtype=np.float32) ** 4
    return np.clip(mask + soften(mask, 0.0009 * density + 0.25) * 1.2, 0.0, 1.0)


# --- clouds --------------------------------------------------------------------------------------


def paint_clouds(
    stage: Stage,
    light: Light,
    rng: np.random.Generator,
    *,
    horizon: float,
    count: int,
    drift: float,
    size: float = 0.3,
    low: float = 0.75,
) -> list[Element]:
    """`count` clouds between the zenith and `low` of the way to the horizon, drifting at `drift` units/s."""
    elements: list[Element] = []
    wind = float(rng.choice((-1.0, 1.0)))
    slots = rng.permutation(count)
    for index in range(count):
        # Far clouds stand low, small and flat; near ones high and large.
        nearness = (index + 0.6) / count
        length = size * (0.5 + 1.1 * nearness) * float(rng.uniform(0.75, 1.3))
        y = horizon * (low - (low - 0.1) * nearness * float(rng.uniform(0.8, 1.05)))
        x = stage.wide * (slots[index] + float(rng.uniform(0.1, 0.9))) / count
        elements.append(
            _cloud(
                stage,
                light,
                rng,
                centre=(x, y),
                length=length,
                depth=70 - 45 * nearness,
                speed=wind * drift * (0.4 + nearness),
                horizon=horizon,
            )
        )
    return elements


def _cloud(
    stage: Stage,
    light: Light,
    rng: np.random.Generator,
    *,
    centre: tuple[float, float],
    length: float,
    depth: float,
    speed: float,
    horizon: float,
) -> Element:
    height = length * float(rng.uniform(0.22, 0.34))
    ink = Ink(-length * 0.6, -height * 1.5, length * 0.6, height * 0.35, density=stage.density, sharpness=2)
    lumps = [
        (float(rng.uniform(-0.3, 0.3)), float(rng.uniform(0.5, 1.0)), float(rng.uniform(0.14, 0.3)))
        for _ in range(int(rng.integers(2, 5)))
    ]
    for along in np.linspace(-0.5, 0.5, 34):
        body = max(tall * math.exp(-(((along - place) / width) ** 2)) for place, tall, width in lumps)
        body = max(body, 0.22) * min(1.0, (0.52 - abs(along)) * 6)
        for share in np.arange(0.0, 1.0, 0.24):
            radius = height * float(rng.uniform(0.12, 0.26)) * (0.55 + 0.45 * body)
            x = along * length + float(rng.normal(0, 0.012)) * length
            ink.oval((x, -height * body * (share + 0.1) * float(rng.uniform(0.8, 1.1))), radius * 1.3, radius)
    mask = ink.mask()
    rows, columns = mask.shape
    ys = np.linspace(-height * 1.5, height * 0.35, rows, dtype=np.float32)[:, None]
    mask = soften(mask, 0.003 * stage.density)
    frayed = noise_field(rng, mask.shape, cells=(5, 16), octaves=3)
    mask = smoothstep(0.12, 0.85, mask * (0.72 + 0.5 * frayed))
    mask = mask * smoothstep(
        height * 0.26, -height * 0.22, ys + (frayed - 0.5) * height * 0.5
    )  # a torn, soft foot
    upper = smoothstep(height * 0.05, -height * 0.95, ys) * np.ones((1, columns), dtype=np.float32)
    upper = np.clip(upper + (soften(mask, 0.012 * stage.density) - mask) * -0.5 + (frayed - 0.5) * 0.35, 0, 1)
    back = np.asarray(light.sky[1], dtype=np.float32)
    base, top = cloud_colours(light)
    colours = np.asarray(base) + (np.asarray(top) - np.asarray(base)) * upper[..., None]
    colours = (colours + (back - colours) * 0.12).astype(np.float32)
    west, east = stage.left - length, stage.right + length
    at = centre[0] - length * 0.6

    def drift(seconds: float) -> tuple[float, float]:
        return ((at - west + speed * seconds) % (east - west) + west - at, 0.0)

    return paint(
        stage,
        colours,
        mask * (0.9 if centre[1] < horizon * 0.5 else 0.75),
        depth=depth,
        left=round((at - stage.left) * stage.density),
        top=round((centre[1] - height * 1.5 - stage.top) * stage.density),
        motion=drift,
    )


def cloud_colours(light: Light) -> tuple[Rgb, Rgb]:
    """(underside, sunlit top)."""
    if light.hour is Hour.NIGHT:
        return mix(light.sky[1], light.sky[2], 0.4), mix(light.sky[2], light.glow, 0.22)
    if light.hour in (Hour.SUNSET, Hour.DUSK, Hour.DAWN):
        # Lit from below the clouds' height: the foot glows, the top keeps the sky's violet.
        return mix(light.sky[2], light.glow, 0.45), mix(light.sky[1], light.sky[2], 0.55)
    return mix(light.sky[1], light.ambient, 0.42), mix(light.ambient, light.glow, 0.5)


def paint_overcast(
    stage: Stage, light: Light, rng: np.random.Generator, *, horizon: float, drift: float, heavy: float
) -> list[Element]:
    """Two sheets of cloud over the whole sky, moving at different speeds; `heavy` 0..1 darkens them."""
    elements: list[Element] = []
    spare = 0.35
    for sheet in range(2):
        reach = horizon * (0.9 - 0.25 * sheet)
        rows = stage.row(reach)
        if rows < 4:
            continue
        columns = stage.columns + round(2 * spare * stage.density)
        field = noise_field(
            rng,
            (rows, columns),
            cells=(3 + sheet, (stage.wide + 2 * spare) * (1.5 + 0.6 * sheet)),
            octaves=5,
            fall=0.5,
        )
        ys = stage.ys(0, rows)[:, None]
        mask = smoothstep(0.3, 0.62, field) * smoothstep(reach, reach * 0.5, ys) * (0.6 + 0.35 * heavy)
        billow = 1.0 - np.abs(2 * field - 1)  # rounded undersides with dark creases between
        step = max(2, round(0.012 * stage.density))
        relief = np.clip((np.roll(field, step, axis=0) - field) * 2.6 + 0.35 + 0.35 * (billow - 0.5), 0, 1)[
            ..., None
        ]
        dark = mix(light.sky[0], light.shadow, 0.3 + 0.4 * heavy)
        pale = mix(light.sky[3], light.ambient, 0.45)
        colours = (np.asarray(dark) + (np.asarray(pale) - np.asarray(dark)) * relief).astype(np.float32)
        sign = 1.0 if sheet else -1.0

        def motion(seconds: float, sign: float = sign) -> tuple[float, float]:
            # To and fro within the spare width: a sheet has no end that could come into sight.
            return (sign * spare * 0.9 * math.sin(drift * seconds / spare), 0.0)

        elements.append(
            paint(
                stage, colours, mask, depth=50 - 15 * sheet, left=-round(spare * stage.density), motion=motion
            )
        )
    return elements
