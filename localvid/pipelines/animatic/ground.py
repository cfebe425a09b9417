"""The level ground: one plane seen from above, which every move of the camera bends as perspective has it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from PIL import Image

from localvid.pipelines.animatic.camera import ground_coefficients
from localvid.pipelines.animatic.stage import View


@dataclass
class Ground:
    """An opaque picture of the level plane at `height` below the camera, from the horizon or a wall on."""

    image: Image.Image
    top: int
    """Canvas row of the picture's first row."""
    height: float
    horizon: float
    start: float
    """Where it begins, in units: the horizon, or the foot of a wall."""

    def draw(self, canvas: Image.Image, view: View, below: int) -> None:
        first = self._first_row(view)
        last = min(below, canvas.height)
        if first >= last:
            return
        stage, d, p = view.stage, view.density, view.stage.density
        a, b, c, _, e, f, _, h = ground_coefficients(
            view.pose, height=self.height, horizon=self.horizon, middle=view.focus[0]
        )
        # From units of the frame to pixels of the band drawn, and to pixels of the picture.
        y0, left = first / d, stage.left
        top = stage.top + self.top / p
        base = 1 + h * y0
        h2 = h / d / base
        data = (
            p * a / d / base,
            p * (b - left * h) / d / base,
            p * ((b - left * h) * y0 + c - left) / base,
            0.0,
            p * (e - top * h) / d / base,
            p * ((e - top * h) * y0 + f - top) / base,
            0.0,
            h2,
        )
        size = (canvas.width, last - first)
        if h == 0.0:
            part = self.image.transform(size, Image.Transform.AFFINE, data[:6], Image.Resampling.BILINEAR)
        else:
            part = self.image.transform(size, Image.Transform.PERSPECTIVE, data, Image.Resampling.BILINEAR)
        canvas.paste(part, (0, first))

    def covers_from(self, view: View) -> int:
        return self._first_row(view) + 1

    def _first_row(self, view: View) -> int:
        under = self.start - self.horizon
        if under > 0:  # where the ground at depth H / u is seen now
            depth = self.height / under
            under = (self.height + view.pose.up) / (depth - view.pose.forward)
        return max(0, math.ceil((self.horizon + view.pose.tilt + under) * view.density))
