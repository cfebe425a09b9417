"""From a shot's words to its scene and its camera's path."""

from __future__ import annotations

import os
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from localvid.pipelines.animatic.camera import ZOOM, CameraPath
from localvid.pipelines.animatic.captions import draw_caption
from localvid.pipelines.animatic.finish import OUTLINED, grade_of, paint_lens
from localvid.pipelines.animatic.places import paint_place
from localvid.pipelines.animatic.plate import Element, merged, whole_plate
from localvid.pipelines.animatic.scene import Flash, Scene
from localvid.pipelines.animatic.scenery.air import paint_embers, paint_fireflies
from localvid.pipelines.animatic.scenery.light import Hour, Light, Weather, light_of
from localvid.pipelines.animatic.scenery.weather import weather_of
from localvid.pipelines.animatic.script import Place, Script, read_script
from localvid.pipelines.animatic.stage import Stage
from localvid.pipelines.animatic.staging import STANDARD_DEPTH, Setting, put_subjects
from localvid.schemas import Camera, CameraSpeed, Caption

NEAREST = 1.0
"""No plate stands nearer than this; the overscan is made for it."""

_INDOORS = frozenset(
    {
        Place.ROOM,
        Place.BEDROOM,
        Place.KITCHEN,
        Place.LIBRARY,
        Place.OFFICE,
        Place.CAVE,
        Place.UNDERWATER,
        Place.SPACE,
        Place.MOON,
        Place.MARS,
        Place.PLANET,
        Place.SKY,
    }
)


@dataclass(frozen=True)
class Shoot:
    """All that decides what is seen; the same values give the same frames."""

    description: str
    style: str
    camera: Camera
    energy: float
    width: int
    height: int
    seconds: float
    seed: int
    setting: str = ""
    speed: CameraSpeed = CameraSpeed.NORMAL
    caption: Caption | None = None


def direct(shoot: Shoot) -> tuple[Scene, CameraPath]:
    """Paint the scene that the words tell and lay the camera's path through it.

    Hour and weather that the words leave open, and the palette of an hour, are the same for every shot of a
    setting, and so is the place where it and the subjects tell none: a film must not leap.
    """
    script = read_script(shoot.description, shoot.style, shoot.setting)
    rng = np.random.default_rng([shoot.seed, zlib.crc32(f"{shoot.description}\n{shoot.style}".encode())])
    stage = _stage(shoot, script)
    place = script.place or Place.FIELDS
    light = _light(shoot, script, rng)
    threads = min(4, os.cpu_count() or 1)
    with ThreadPoolExecutor(max_workers=threads, thread_name_prefix="animatic-paint") as pool:
        overlay = pool.submit(_overlay, shoot, script.styles)
        horizon = stage.tall * float(rng.uniform(0.5, 0.6))
        setting = Setting(stage, light, script, shoot.energy, rng, horizon, pool)
        paint_place(setting, place)
        behind, before, flash = _weather(setting, place)
        elements = put_subjects(setting)
    elements[1:1] = behind  # after the sky itself
    elements += before
    focus = (stage.wide / 2, setting.horizon)
    scene = Scene(stage, tuple(merged(elements)), focus, overlay.result(), flash)
    return scene, _path(shoot, setting.subject_depth)


def _weather(setting: Setting, place: Place) -> tuple[list[Element], list[Element], Flash | None]:
    """(behind the land, in front of all, flashes) that the weather and the words add to a place."""
    stage, rng, energy = setting.stage, setting.rng, setting.energy
    behind: list[Element] = []
    before: list[Element] = []
    flash = None
    if place not in _INDOORS:
        behind, before, flash = weather_of(stage, setting.light, rng, horizon=setting.horizon, energy=energy)
        if "fireflies" in setting.script.extras:
            before.append(paint_fireflies(stage, rng, horizon=setting.horizon, energy=energy))
    if "embers" in setting.script.extras:
        before.append(paint_embers(stage, rng, energy=energy))
    return behind, before, flash


def direct_image(shoot: Shoot, image: Path, *, camera_held: bool = False) -> tuple[Scene, CameraPath]:
    """Move the camera over a picture of the frame's size: it stands as one plane where a subject would.

    The picture is enlarged evenly by as much as the move needs beyond the frame, and not at all when the
    camera stands still, or is `camera_held` for a move that is made by a crop.
    """
    path = _path(replace(shoot, camera=Camera.STATIC) if camera_held else shoot, 2 * STANDARD_DEPTH)
    over_x, over_y = path.overscan(STANDARD_DEPTH)
    flat = Stage(shoot.width, shoot.height)
    grow = max((flat.wide + 2 * over_x) / flat.wide, (flat.tall + 2 * over_y) / flat.tall)
    stage = Stage(shoot.width, shoot.height, flat.wide * (grow - 1) / 2, flat.tall * (grow - 1) / 2)
    with Image.open(image) as opened:
        picture = opened.convert("RGB")
    if grow > 1.0:
        picture = picture.resize((stage.columns, stage.rows), Image.Resampling.BICUBIC)
        plate = whole_plate(_opaque(picture), left=0, top=0, depth=STANDARD_DEPTH, solid_from=0)
    else:
        plate = whole_plate(_opaque(picture), left=1, top=1, depth=STANDARD_DEPTH, solid_from=1)
    focus = (stage.wide / 2, stage.tall / 2)
    return Scene(stage, (plate,), focus, _overlay(shoot, None)), path


def without_caption(scene: Scene, shoot: Shoot, *, painted: bool) -> Scene:
    """The scene as its camera sees it; `painted` if it was painted from the words and not from an image."""
    if shoot.caption is None:
        return scene
    styles = read_script(shoot.description, shoot.style, shoot.setting).styles if painted else None
    return replace(scene, overlay=_overlay(replace(shoot, caption=None), styles))


def _path(shoot: Shoot, subject_depth: float) -> CameraPath:
    return CameraPath(shoot.camera, seconds=shoot.seconds, subject_depth=subject_depth, speed=shoot.speed)


def _opaque(picture: Image.Image) -> Image.Image:
    return Image.frombytes("RGBa", picture.size, picture.convert("RGBA").tobytes())


def _stage(shoot: Shoot, script: Script) -> Stage:
    path = _path(shoot, STANDARD_DEPTH)
    margin_x, margin_y = path.overscan(NEAREST)
    if shoot.camera in (Camera.ORBIT_LEFT, Camera.ORBIT_RIGHT):
        margin_x += path.overscan(NEAREST)[0] * 0.6  # the subject may stand nearer or farther than usual
    closer = {Camera.ZOOM_IN, Camera.ZOOM_OUT, Camera.DOLLY_IN, Camera.DOLLY_OUT}
    detail = 1 + (ZOOM - 1) * 0.5 if shoot.camera in closer else 1.0
    return Stage(
        shoot.width,
        shoot.height,
        margin_x,
        margin_y,
        detail,
        grade_of(script.styles),
        bool(OUTLINED & script.styles),
    )


def _light(shoot: Shoot, script: Script, rng: np.random.Generator) -> Light:
    weather = script.weather or Weather.CLEAR
    if "aurora" in script.extras:
        weather = Weather.CLEAR
    hour = script.hour or (Hour.DUSK if weather is Weather.STORM else Hour.DAY)
    return light_of(hour, weather, rng, palette=zlib.crc32(shoot.setting.encode()))


def _overlay(shoot: Shoot, styles: frozenset[str] | None) -> Image.Image | None:
    """Lens and caption; `styles` None (the user's own image) leaves the picture as it is."""
    if styles is None and shoot.caption is None:
        return None
    overlay = (
        Image.new("RGBa", (shoot.width, shoot.height))
        if styles is None
        else paint_lens(shoot.width, shoot.height, styles)
    )
    if shoot.caption is not None:
        overlay = draw_caption(overlay, shoot.caption, shoot.description, shoot.camera)
    return overlay
