"""A waterfall."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from localvid.pipelines.animatic.brush import (
    Ink,
    noise_field,
    noise_line,
    rgb,
    smoothstep,
    soften,
)
from localvid.pipelines.animatic.painting import paint
from localvid.pipelines.animatic.plate import NEVER, Element, Plate, whole_plate
from localvid.pipelines.animatic.scenery.light import Light
from localvid.pipelines.animatic.stage import Stage, View


class Falling:
    """A tile that runs down inside a mask: falling water."""

    def __init__(
        self,
        stage: Stage,
        rng: np.random.Generator,
        mask: NDArray[np.floating],
        *,
        left: int,
        top: int,
        depth: float,
        light: Light,
        speed: float,
    ) -> None:
        rows, columns = mask.shape
        streaks = noise_field(rng, (rows, columns), cells=(3, columns / stage.density * 60), octaves=3)
        blend = 0.5 + 0.5 * np.cos(np.linspace(0, 2 * math.pi, rows, dtype=np.float32))[:, None]
        seamless = streaks * (1 - blend) + np.roll(streaks, rows // 2, axis=0) * blend
        white = np.asarray(light.shade((0.97, 0.99, 1.0), depth), dtype=np.float32)
        blue = np.asarray(light.shade((0.62, 0.76, 0.86), depth), dtype=np.float32)
        colours = stage.grade(blue + (white - blue) * smoothstep(0.3, 0.65, seamless)[..., None])
        self._water = np.clip(np.concatenate([colours, colours]), 0, 1)
        self._mask, self._left, self._top, self._depth, self._speed = mask, left, top, depth, speed

    def draw(self, canvas: Image.Image, view: View, below: int) -> None:
        rows = self._mask.shape[0]
        shift = round(self._speed * view.seconds * view.stage.density) % rows
        part = self._water[rows - shift : 2 * rows - shift]
        pixels = np.concatenate([part * self._mask[..., None], self._mask[..., None]], axis=-1)
        image = Image.frombytes(
            "RGBa", (self._mask.shape[1], rows), (pixels * 255 + 0.5).astype(np.uint8).tobytes()
        )
        whole_plate(image, left=self._left, top=self._top, depth=self._depth).draw(canvas, view, below)

    def covers_from(self, view: View) -> int:  # noqa: ARG002 - the interface's
        return NEVER


def paint_waterfall(
    stage: Stage, light: Light, rng: np.random.Generator, *, foot: float, energy: float
) -> list[Element]:
    """A cliff with water falling over it into what lies below `foot`."""
    centre, wide, tall = stage.wide * float(rng.uniform(0.35, 0.65)), float(rng.uniform(0.1, 0.16)), 0.42
    depth = 4.6
    cliff = _cliff(stage, light, rng, centre=centre, wide=wide, foot=foot, tall=tall, depth=depth)
    west = math.floor((centre - wide * 0.5 - stage.left) * stage.density)
    columns, first = math.ceil(wide * stage.density), stage.row(foot - tall)
    rows = max(4, stage.row(foot) - first)
    edge_mask = smoothstep(0.0, 0.12, np.linspace(0, 1, columns, dtype=np.float32))
    mask = np.repeat((edge_mask * edge_mask[::-1])[None], rows, axis=0) * 0.95
    spray = Ink(
        centre - wide * 2, foot - 0.16, centre + wide * 2, foot + 0.09, density=stage.density, sharpness=1
    )
    for _ in range(30):
        spray.oval(
            (centre + float(rng.normal(0, wide * 0.45)), foot - abs(float(rng.normal(0, 0.018)))), 0.03, 0.018
        )
    cloud = soften(spray.mask(), 0.016 * stage.density) * 0.7
    return [
        cliff,
        Falling(
            stage,
            rng,
            mask,
            left=west,
            top=first,
            depth=depth,
            light=light,
            speed=0.25 + 0.4 * energy if energy > 0.02 else 0.0,
        ),
        paint(
            stage,
            (0.95, 0.97, 1.0),
            cloud,
            depth=depth,
            left=math.floor((centre - wide * 2 - stage.left) * stage.density),
            top=math.floor((foot - 0.16 - stage.top) * stage.density),
            soft=True,
        ),
    ]


def _cliff(
    stage: Stage,
    light: Light,
    rng: np.random.Generator,
    *,
    centre: float,
    wide: float,
    foot: float,
    tall: float,
    depth: float,
) -> Plate:
    """Rock that falls off to both sides of the water, in ledges and clefts, green on top."""
    xs, first = stage.xs(), stage.row(foot - tall * 1.35)
    ys = stage.ys(first, max(first + 2, stage.row(foot + 0.01)))
    away = np.abs(xs - centre)
    rough = noise_line(rng, xs, waves=6, octaves=4)
    crest = foot - tall * (1.12 - 0.62 * smoothstep(wide, 1.1, away) + 0.07 * rough)
    crest = crest + 0.12 * tall * smoothstep(wide * 0.75, wide * 0.45, away)
    under = ys[:, None] - crest[None, :]
    mask = np.clip(under * stage.density + 0.5, 0, 1) * smoothstep(foot + 0.01, foot - 0.004, ys)[:, None]
    ledges = noise_field(rng, mask.shape, cells=(len(ys) / stage.density * 26, stage.wide * 5), octaves=3)
    clefts = noise_field(rng, mask.shape, cells=(2, stage.wide * 16), octaves=3)
    lit = np.clip(0.5 + (clefts - 0.5) * 1.5 + (ledges - 0.5) * 0.9, 0, 1)[..., None]
    dark = np.asarray(light.shade(rgb("#4a4744"), depth, lit=0.2), dtype=np.float32)
    pale = np.asarray(light.shade(rgb("#938a80"), depth), dtype=np.float32)
    moss = np.asarray(light.shade(rgb("#5f8a48"), depth), dtype=np.float32)
    colours = dark + (pale - dark) * lit
    green = smoothstep(0.05, 0.0, under - 0.03 * ledges) + 0.4 * smoothstep(0.62, 0.8, ledges)
    colours = colours + (moss - colours) * np.clip(green, 0, 1)[..., None]
    return paint(stage, colours.astype(np.float32), mask, depth=depth, top=first)
