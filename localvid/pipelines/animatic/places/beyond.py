"""Above the clouds, among the stars, under water, under ground."""

from __future__ import annotations

from localvid.pipelines.animatic.brush import mix, rgb
from localvid.pipelines.animatic.figures.cast import Realm
from localvid.pipelines.animatic.places.landscape import add_ridge, pace_of, paint_heavens, twinkle_of
from localvid.pipelines.animatic.scenery import deep, space
from localvid.pipelines.animatic.scenery.air import cloud_bank
from localvid.pipelines.animatic.scenery.sky import paint_sky
from localvid.pipelines.animatic.scenery.terrain import (
    WOODS,
)
from localvid.pipelines.animatic.script import Framing
from localvid.pipelines.animatic.staging import Setting


def paint_above_clouds(setting: Setting) -> None:
    """Above the clouds: banks of them, near and far, instead of land."""
    stage, rng = setting.stage, setting.rng
    setting.horizon = horizon = stage.tall * float(rng.uniform(0.7, 0.82))
    paint_heavens(setting, clouds=4)
    pace = pace_of(setting)
    for depth, down, size in ((40.0, -0.02, 0.5), (16.0, 0.05, 0.7), (8.0, 0.12, 0.95)):
        setting.later(cloud_bank, y=horizon + down, size=size, depth=depth, drift=0.1 * pace / depth)
    setting.slot(Realm.AIR, depth=2.6, foot=lambda _x: stage.tall * 0.42)
    setting.slot(Realm.GROUND, depth=2.6, foot=lambda _x: stage.tall * 0.7)
    for depth, down, size in ((3.6, 0.24, 1.1), (1.7, 0.36, 1.3)):
        setting.later(cloud_bank, y=horizon + down, size=size, depth=depth, drift=0.02 * pace)


def paint_outer_space(setting: Setting) -> None:
    setting.light = space.space_light(setting.rng)
    setting.horizon = setting.stage.tall * 0.5
    extras = setting.script.extras
    galaxy = "galaxy" in extras and "planet" not in extras
    setting.later(
        space.paint_space,
        planet=not galaxy,
        galaxy=galaxy,
        twinkle=twinkle_of(setting),
    )
    tall = setting.stage.tall
    setting.slot(Realm.SPACE, depth=2.4, foot=lambda _x: tall * 0.64)


def paint_world(setting: Setting, kind: str) -> None:
    stage = setting.stage
    setting.light = space.space_light(setting.rng)
    setting.horizon = stage.tall * 0.6
    elements = space.paint_other_world(
        stage, setting.light, setting.rng, kind=kind, twinkle=twinkle_of(setting)
    )
    setting.add(*elements[:-1])
    setting.slot(Realm.GROUND, depth=2.4, foot=lambda _x: stage.tall * 0.87)
    setting.slot(Realm.AIR, depth=3.0, foot=lambda _x: stage.tall * 0.35)
    setting.add(elements[-1])


def paint_sea_floor(setting: Setting) -> None:
    stage = setting.stage
    setting.light = deep.under_water_light(setting.light)
    setting.horizon = stage.tall * 0.5
    energy = setting.energy
    setting.later(deep.paint_depths)
    for depth in (9.0, 4.0):
        setting.later(deep.paint_rays, depth=depth, energy=energy)
    for depth, base, height in ((7.0, 0.8, 0.16), (4.2, 0.87, 0.11), (2.6, 0.93, 0.07)):
        foot = base * stage.tall
        setting.later(deep.paint_reef, base=foot, height=height, depth=depth)
        if depth < 3:
            setting.slot(Realm.DEEP, depth=2.4, foot=lambda _x: stage.tall * 0.46)
            setting.slot(Realm.WATER, depth=2.4, foot=lambda _x: stage.tall * 0.3)
        setting.later(deep.paint_weeds, base=foot, depth=depth, energy=energy)
    setting.slot(Realm.GROUND, depth=2.2, foot=lambda _x: stage.tall * 0.93)
    setting.later(deep.paint_coral, foot=stage.tall * 0.995, depth=1.7)
    setting.later(deep.paint_weeds, base=stage.tall * 1.03, depth=1.25, energy=energy)
    setting.later(deep.paint_bubbles, energy=energy)


def paint_cave_mouth(setting: Setting) -> None:
    stage, rng = setting.stage, setting.rng
    setting.horizon = stage.tall * 0.56
    setting.later(paint_sky, horizon=setting.horizon)
    add_ridge(setting, base=setting.horizon + 0.03, height=0.04, waves=1.5, depth=16.0, material=WOODS)
    crystals = "crystals" in setting.script.extras or rng.random() < 0.4
    centre = (stage.wide * float(rng.uniform(0.42, 0.58)), stage.tall * 0.5)
    rock = mix(rgb("#6b5a52"), rgb("#4f5a68"), float(rng.random()))
    # The ring that is nearest frames who stands in the distance, and would hide who is seen from near.
    behind = deep.RINGS[-1] if setting.script.framing is Framing.WIDE else None
    for ring in (*deep.RINGS, None):
        if ring is behind:
            setting.slot(Realm.GROUND, depth=1.9, foot=lambda _x: stage.tall * 0.86, shade=0.9)
            setting.slot(Realm.AIR, depth=2.4, foot=lambda _x: stage.tall * 0.45)
        if ring is not None:
            setting.later(deep.paint_ring, ring=ring, centre=centre, rock=rock, crystals=crystals)
