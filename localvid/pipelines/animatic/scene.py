"""A painted scene and the frames that a camera takes of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from localvid.pipelines.animatic.camera import CameraPath, Pose
from localvid.pipelines.animatic.plate import Element
from localvid.pipelines.animatic.stage import Stage, View
from localvid.schemas import Window

Pixels = NDArray[np.uint8]
Flash = Callable[[float], float]
"""Seconds → share of white over the whole frame (lightning)."""


@dataclass(frozen=True)
class Scene:
    """Elements from back to front, and what lies on the lens."""

    stage: Stage
    elements: Sequence[Element]
    focus: tuple[float, float]
    """The vanishing point in units: the middle of the horizon."""
    overlay: Image.Image | None = None
    """Vignette and caption, RGBa, of the frame's size: they do not move with the camera."""
    flash: Flash | None = None

    def frame(self, pose: Pose, seconds: float) -> Pixels:
        """The frame at one moment, uint8 of shape (height, width, 3); a pure function of its arguments."""
        return self.padded_frame(pose, seconds)[..., :3]

    def padded_frame(self, pose: Pose, seconds: float, window: Window | None = None) -> Pixels:
        """The same with a fourth channel that says nothing: leaving it out costs a copy.

        Of what the camera sees only the `window` is shown, at the frame's size.
        """
        picture = self._compose(pose, seconds)
        if window is not None:
            size = picture.size
            picture = picture.resize(size, Image.Resampling.BICUBIC, box=window.box(*size))
        if pose.zoom != 1.0 or picture.size != (self.stage.width, self.stage.height):
            picture = self._zoomed(picture, pose.zoom)
        if self.flash is not None and (share := self.flash(seconds)) > 0.004:
            picture = Image.blend(picture, Image.new("RGBa", picture.size, (235, 240, 255, 255)), share)
        if self.overlay is not None:
            picture.paste(self.overlay, (0, 0), self.overlay)
        return np.frombuffer(picture.tobytes(), dtype=np.uint8).reshape(picture.height, picture.width, 4)

    def _compose(self, pose: Pose, seconds: float) -> Image.Image:
        # A dolly resamples every plate by itself, so it draws at the frame's own size; everything else
        # draws the canvas pixel for pixel and, where it was painted larger for a zoom, shrinks it after.
        density = self.stage.unit if pose.forward else self.stage.density
        view = View(self.stage, pose, seconds, density, self.focus)
        canvas = Image.new("RGBa", view.size)
        for element, below in zip(self.elements, self._hidden(view, canvas.height), strict=True):
            element.draw(canvas, view, below)
        return canvas

    def _hidden(self, view: View, height: int) -> list[int]:
        """For each element the row from which on down nearer ones hide it."""
        rows, below = [], height
        for element in reversed(self.elements):
            rows.append(below)
            below = min(below, max(0, element.covers_from(view)))
        return rows[::-1]

    def _zoomed(self, picture: Image.Image, zoom: float) -> Image.Image:
        width, height = picture.size
        inset_x, inset_y = (width - width / zoom) / 2, (height - height / zoom) / 2
        return picture.resize(
            (self.stage.width, self.stage.height),
            Image.Resampling.BILINEAR,
            box=(inset_x, inset_y, width - inset_x, height - inset_y),
        )


def poses(path: CameraPath, num_frames: int) -> list[Pose]:
    """The pose of every frame."""
    return [path.pose(i / max(1, num_frames - 1)) for i in range(num_frames)]
