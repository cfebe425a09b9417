"""City, village, road, rooms."""

from __future__ import annotations

import numpy as np

from localvid.pipelines.animatic.brush import noise_field, rgb, smoothstep
from localvid.pipelines.animatic.figures.cast import Realm
from localvid.pipelines.animatic.painting import paint
from localvid.pipelines.animatic.places.landscape import (
    add_foreground,
    add_mist,
    add_ridge,
    add_trees,
    grass_of,
    height_at,
    pace_of,
    paint_heavens,
    season_of,
)
from localvid.pipelines.animatic.scenery import indoors, town, water
from localvid.pipelines.animatic.scenery.groves import (
    picture_of,
    tree_line,
)
from localvid.pipelines.animatic.scenery.houses import draw_church, draw_house
from localvid.pipelines.animatic.scenery.light import Hour, Weather
from localvid.pipelines.animatic.scenery.plants import Season, Species
from localvid.pipelines.animatic.scenery.sky import paint_clouds, paint_sky
from localvid.pipelines.animatic.scenery.terrain import (
    SAND,
    hill_outline,
    paint_mountains,
    paint_ridge,
)
from localvid.pipelines.animatic.script import Place
from localvid.pipelines.animatic.staging import Setting


def paint_village(setting: Setting) -> None:
    stage, light, rng, horizon = setting.stage, setting.light, setting.rng, setting.horizon
    paint_heavens(setting)
    season = season_of(setting)
    green, snowy = grass_of(season), season is Season.WINTER
    span = stage.tall - horizon
    if rng.random() < 0.65:
        setting.later(
            paint_mountains,
            base=horizon + 0.01,
            height=float(rng.uniform(0.2, 0.32)),
            depth=26.0,
            snow=0.3 if snowy else 0.6,
        )
    church = float(rng.uniform(0.25, 0.7)) * stage.wide
    for depth, down, size in ((9.0, 0.02, 0.11), (5.2, 0.22, 0.17), (3.1, 0.46, 0.27)):
        outline = hill_outline(rng, base=horizon + down * span, height=0.03, waves=1.1)
        add_trees(
            setting,
            outline,
            depth=depth + 0.05,
            height=size * 0.9,
            spacing=size * 1.1,
            species=(Species.BROADLEAF, Species.CYPRESS, Species.PINE),
        )
        picture = picture_of(stage, horizon + down * span - size * 2.4, horizon + down * span + 0.1)
        if depth == 5.2:
            draw_church(picture, (church, height_at(outline, church) + 0.01), size * 1.05, light, depth)
        x = -0.6 + float(rng.uniform(0, size))
        while x < stage.wide + 0.6:
            own = np.random.default_rng(int(rng.integers(2**32)))
            if own.random() < 0.72 and not (depth == 5.2 and abs(x - church) < size * 1.3):
                draw_house(
                    picture,
                    (x, height_at(outline, x) + 0.012),
                    size * float(own.uniform(0.8, 1.15)),
                    light,
                    depth,
                    own,
                    snow=snowy,
                )
            x += size * float(own.uniform(1.1, 1.7))
        setting.develop(picture, depth=depth, rim=0.35)
        setting.later(paint_ridge, outline, depth=depth, material=green, mist=0.3, texture=0.12)
    outline = add_ridge(
        setting, base=horizon + span * 0.7, height=0.02, waves=1.0, depth=2.2, material=green, texture=0.2
    )
    setting.slot(Realm.GROUND, depth=2.2, foot=lambda x: height_at(outline, x) + 0.03)
    add_foreground(setting)


WHEELED = frozenset({"car", "taxi", "bus", "truck", "bicycle"})


def add_lane(setting: Setting, *, far: float, near: float, depth: float) -> None:
    """A road across the frame between two heights, for what drives past."""
    stage, light, rng = setting.stage, setting.light, setting.rng
    first, last = stage.row(far - 0.012), stage.row(near + 0.012)
    ys, xs = stage.ys(first, max(first + 2, last)), stage.xs()
    share = ((ys - far) / (near - far))[:, None] * np.ones((1, len(xs)), dtype=np.float32)
    mask = smoothstep(-0.03, 0.0, share) * smoothstep(1.03, 1.0, share)
    grain = noise_field(rng, share.shape, cells=(8, stage.wide * 60), octaves=2)[..., None] - 0.5
    asphalt = np.asarray(light.shade(rgb("#55575f"), depth, lit=0.7), dtype=np.float32)
    colours = asphalt * (1 + 0.12 * grain)
    dashes = (np.abs(share - 0.5) < 0.028) & (np.modf((xs[None, :] + 9) / 0.16)[0] < 0.55)
    edges = (np.abs(share - 0.07) < 0.016) | (np.abs(share - 0.93) < 0.022)
    line = np.asarray(light.shade((0.93, 0.9, 0.8), depth, lit=0.85), dtype=np.float32)
    colours = colours + (line - colours) * (0.8 * (dashes | edges))[..., None]
    setting.add(paint(stage, colours.astype(np.float32), mask, depth=depth, top=first))


def _drives(setting: Setting) -> bool:
    return any(subject.name in WHEELED for subject in setting.script.subjects)


def paint_road_land(setting: Setting) -> None:
    stage, rng = setting.stage, setting.rng
    setting.horizon = horizon = stage.tall * 0.5 + 0.03
    paint_heavens(setting)
    desert = setting.script.place is Place.DESERT
    green = SAND if desert else grass_of(season_of(setting))
    setting.later(
        paint_mountains,
        base=horizon + 0.02,
        height=float(rng.uniform(0.16, 0.3)),
        depth=24.0,
        snow=0.6,
    )
    for depth in (15.0, 10.0):
        outline = hill_outline(rng, base=horizon + 0.012, height=0.035, waves=1.4)
        if not desert:
            add_trees(
                setting,
                outline,
                depth=depth,
                height=0.05,
                spacing=0.045,
                species=(Species.BROADLEAF, Species.PINE),
            )
        setting.later(paint_ridge, outline, depth=depth, material=green, mist=0.3)
    height = (stage.tall - horizon) * 1.0
    setting.later(town.paint_road, horizon=horizon, height=height, verge=green)
    for depth in (7.0, 4.6, 3.1, 2.3):
        _roadside(setting, horizon=horizon, height=height, depth=depth)
    middle = stage.wide / 2
    row = horizon + height / 2.2
    if _drives(setting):
        add_lane(setting, far=row - 0.05, near=row + 0.07, depth=2.2)
    setting.slot(Realm.GROUND, depth=2.2, foot=lambda _x: row + 0.03)
    for depth in (1.75, 1.3):
        _roadside(setting, horizon=horizon, height=height, depth=depth, middle=middle)


def _roadside(
    setting: Setting, *, horizon: float, height: float, depth: float, middle: float | None = None
) -> None:
    """Trees and poles beside the road, standing on the ground at their depth."""
    stage, light, rng = setting.stage, setting.light, setting.rng
    centre = stage.wide / 2 if middle is None else middle
    foot = horizon + height / depth
    line = hill_outline(rng, base=foot, height=0.0, waves=1.0)
    half = 0.75 / depth
    if setting.script.place is Place.DESERT:
        add_trees(
            setting,
            line,
            depth=depth,
            height=0.4 / depth,
            spacing=1.4 / depth,
            species=(Species.CACTUS,),
            gap=(centre - half, centre + half),
            rim=0.45,
        )
    else:
        dense = 0.6 if setting.script.place is Place.FOREST else 0.95
        species = (
            (Species.PINE, Species.BIRCH) if dense < 0.9 else (Species.BROADLEAF, Species.PINE, Species.BIRCH)
        )
        add_trees(
            setting,
            line,
            depth=depth,
            height=0.95 / depth,
            spacing=dense / depth,
            species=species,
            gap=(centre - half, centre + half),
            rim=0.45,
        )
    if depth < 2.2 and _drives(setting):
        return  # no pole before what drives past
    picture = picture_of(stage, foot - 0.8 / depth, foot + 0.01)
    wood = light.silhouette(depth, (0.3, 0.24, 0.2))
    x = centre + 0.4 / depth
    picture.stroke([(x, foot), (x, foot - 0.62 / depth)], 0.018 / depth, wood)
    picture.stroke(
        [(x - 0.07 / depth, foot - 0.56 / depth), (x + 0.07 / depth, foot - 0.56 / depth)],
        0.014 / depth,
        wood,
    )
    setting.develop(picture, depth=depth, rim=0.3)


def paint_city(setting: Setting) -> None:
    extras = setting.script.extras
    if "water" in extras or ("street" not in extras and setting.rng.random() < 0.3):
        _waterfront(setting)
    else:
        _street(setting)


def _lit(setting: Setting) -> float:
    return 0.42 if setting.light.dark else 0.1 if setting.light.hour in (Hour.DAWN, Hour.SUNSET) else 0.04


def _neon(setting: Setting) -> bool:
    return bool({"neon"} & (setting.script.extras | setting.script.styles))


def _street(setting: Setting) -> None:
    stage, light, rng = setting.stage, setting.light, setting.rng
    setting.horizon = horizon = stage.tall * 0.5 + float(rng.uniform(0.04, 0.1))
    paint_heavens(setting)
    lit, neon = _lit(setting), _neon(setting)
    far = float(rng.uniform(0.26, 0.4))
    setting.later(town.paint_skyline, base=horizon + 0.01, depth=16.0, height=far, width=0.05, lit=lit)
    setting.later(
        town.paint_skyline,
        base=horizon + 0.02,
        depth=9.0,
        height=far * 0.9,
        width=0.085,
        lit=lit,
        neon=neon,
    )
    add_mist(setting, y=horizon, thick=0.07, depth=8.0, strength=0.4)
    height = stage.tall - horizon
    wet = light.weather in (Weather.RAIN, Weather.STORM) or neon
    setting.later(town.paint_street, horizon=horizon, height=height, wet=wet)
    for depth, lamp in ((5.6, 5.2), (3.9, 3.0), (2.7, 1.9)):
        half = 0.95 / depth
        gap = (stage.wide / 2 - half, stage.wide / 2 + half)
        setting.later(
            town.paint_skyline,
            base=horizon + height / depth,
            depth=depth,
            height=1.7 / depth,
            width=0.62 / depth,
            lit=lit,
            neon=neon,
            gap=gap,
        )
        setting.add(*town.street_lamps(stage, light, horizon=horizon, height=height, depth=lamp))
    row = horizon + height / 2.2
    if _drives(setting):
        add_lane(setting, far=row - 0.05, near=row + 0.07, depth=2.2)
    setting.slot(Realm.GROUND, depth=2.2, foot=lambda _x: row + 0.03)
    setting.add(*town.street_lamps(stage, light, horizon=horizon, height=height, depth=1.25))


def _waterfront(setting: Setting) -> None:
    stage, light, rng = setting.stage, setting.light, setting.rng
    setting.horizon = horizon = stage.tall * float(rng.uniform(0.58, 0.66))
    paint_heavens(setting)
    lit, neon = _lit(setting), _neon(setting)
    tall = float(rng.uniform(0.3, 0.42))
    for depth, share, width in ((18.0, 0.8, 0.045), (11.0, 1.0, 0.075), (8.0, 0.6, 0.1)):
        setting.later(
            town.paint_skyline,
            base=horizon,
            depth=depth,
            height=tall * share,
            width=width,
            lit=lit,
            neon=neon and depth < 18,
        )
    setting.add(
        water.mirror_of(
            stage,
            light,
            [element for part in setting.painted() for element in part],
            waterline=horizon,
            rough=0.7 + setting.energy,
            pace=pace_of(setting),
        )
    )
    span = stage.tall - horizon
    setting.slot(Realm.WATER, depth=2.6, foot=lambda _x: horizon + span * 0.4)
    setting.later(water.sparkle, waterline=horizon, height=span, pace=pace_of(setting))
    quay = hill_outline(rng, base=stage.tall - 0.06, height=0.0, waves=1.0)
    setting.later(paint_ridge, quay, depth=1.6, material=rgb("#5d5f66"), mist=0.0, texture=0.15)
    setting.slot(Realm.GROUND, depth=1.6, foot=lambda _x: stage.tall - 0.035, shade=0.78)
    picture = picture_of(stage, stage.tall - 0.2, stage.bottom)
    iron = light.silhouette(1.5, (0.16, 0.17, 0.2))
    for y in (0.15, 0.095):
        picture.stroke([(-1.0, stage.tall - y), (stage.wide + 1.0, stage.tall - y)], 0.009, iron)
    for x in np.arange(-0.9, stage.wide + 0.9, 0.11).tolist():
        picture.stroke([(x, stage.tall - 0.04), (x, stage.tall - 0.155)], 0.008, iron)
    setting.develop(picture, depth=1.5, rim=0.5)


def paint_inside(setting: Setting, kind: str) -> None:
    stage, light, rng = setting.stage, setting.light, setting.rng
    setting.horizon = stage.tall * 0.5 + 0.04
    setting.later(paint_sky, horizon=stage.tall * 0.6)
    setting.later(paint_clouds, horizon=stage.tall * 0.6, count=4, drift=0.01 * pace_of(setting), size=0.2)
    outside = hill_outline(rng, base=stage.tall * 0.5 + 0.05, height=0.03, waves=2.0)
    setting.later(
        tree_line,
        ground=outside,
        depth=9.0,
        height=0.12,
        spacing=0.08,
        species=(Species.BROADLEAF, Species.PINE),
        season=season_of(setting),
    )
    setting.later(paint_ridge, outside, depth=9.0, material=grass_of(season_of(setting)))
    *room, plant = indoors.paint_room(stage, light, rng, kind=kind)
    setting.add(*room)
    foot = stage.tall * 0.5 + 0.26 + 0.12
    setting.slot(Realm.GROUND, depth=2.0, foot=lambda _x: foot)
    setting.slot(Realm.AIR, depth=2.2, foot=lambda _x: foot - 0.42)
    setting.add(plant)
