"""Sea, beach, lake, river."""

from __future__ import annotations

import numpy as np

from localvid.pipelines.animatic.brush import mix
from localvid.pipelines.animatic.figures.cast import Realm
from localvid.pipelines.animatic.places.forest import forest_species
from localvid.pipelines.animatic.places.landscape import (
    add_foreground,
    add_houses,
    add_mist,
    add_ridge,
    add_trees,
    grass_of,
    hazy,
    height_at,
    near_soil,
    pace_of,
    paint_heavens,
    season_of,
)
from localvid.pipelines.animatic.scenery import water
from localvid.pipelines.animatic.scenery.falls import paint_waterfall
from localvid.pipelines.animatic.scenery.groves import (
    undergrowth,
)
from localvid.pipelines.animatic.scenery.light import Weather
from localvid.pipelines.animatic.scenery.plants import Season, Species
from localvid.pipelines.animatic.scenery.terrain import (
    SAND,
    WOODS,
    hill_outline,
    paint_mountains,
    paint_ridge,
)
from localvid.pipelines.animatic.staging import Setting


def paint_open_sea(setting: Setting) -> None:
    stage, light, rng = setting.stage, setting.light, setting.rng
    setting.horizon = horizon = stage.tall * float(rng.uniform(0.42, 0.6))
    paint_heavens(setting)
    if rng.random() < 0.4:
        setting.later(
            paint_mountains,
            base=horizon + 0.005,
            height=float(rng.uniform(0.06, 0.14)),
            depth=26.0,
            waves=1.2,
            snow=1.0,
        )
    height = stage.tall - horizon
    row = horizon + height * 0.42
    swell = water.swell_of(light.weather, setting.energy)
    setting.later(water.paint_sea_plain, horizon=horizon)
    for number, band in enumerate(water.sea_bands(stage, horizon=horizon, height=height)):
        if number == 5:
            setting.slot(Realm.WATER, depth=2.35, foot=lambda _x: row)
            if any(subject.name == "lighthouse" for subject in setting.script.subjects):
                setting.slot(Realm.GROUND, depth=2.6, foot=lambda _x: row - 0.02, behind_water=True)
        setting.later(water.paint_wave, band=band, horizon=horizon, swell=swell, pace=pace_of(setting))
        if light.weather is Weather.FOG and number in (1, 3):
            add_mist(setting, y=horizon + 0.02 * number, thick=0.12, depth=9.0 / number, strength=0.55)
    if light.weather not in (Weather.STORM, Weather.RAIN, Weather.FOG):
        setting.later(water.sparkle, waterline=horizon, height=height, pace=pace_of(setting))


def paint_beach(setting: Setting) -> None:
    stage, light, rng = setting.stage, setting.light, setting.rng
    setting.horizon = horizon = stage.tall * float(rng.uniform(0.44, 0.54))
    paint_heavens(setting)
    height = stage.tall - horizon
    shore = horizon + height * float(rng.uniform(0.4, 0.52))
    if rng.random() < 0.5:
        setting.later(paint_mountains, base=horizon + 0.005, height=0.1, depth=24.0, waves=1.2, snow=1.0)
    swell = 0.6 * water.swell_of(light.weather, setting.energy)
    setting.later(water.paint_sea_plain, horizon=horizon)
    for band in water.sea_bands(stage, horizon=horizon, height=height, end=shore):
        setting.later(water.paint_wave, band=band, horizon=horizon, swell=swell, pace=pace_of(setting))
    setting.slot(Realm.WATER, depth=4.2, foot=lambda _x: horizon + height * 0.22)
    setting.later(water.paint_surf, shore=shore, sand=SAND, pace=pace_of(setting))
    setting.slot(Realm.GROUND, depth=2.0, foot=lambda _x: shore + (stage.tall - shore) * 0.42)
    side = rng.random() < 0.5
    line = hill_outline(rng, base=stage.tall + 0.03, height=0.03, waves=1.2)
    gap = (stage.wide * 0.3, 9.0) if side else (-9.0, stage.wide * 0.7)
    add_trees(
        setting,
        line,
        depth=1.35,
        height=0.78,
        spacing=0.34,
        species=(Species.PALM,),
        gap=gap,
        rim=0.5,
        moves=True,
    )
    setting.later(
        undergrowth,
        y=stage.tall + 0.005,
        depth=1.2,
        size=0.045,
        season=Season.SUMMER,
        soil=light.shade(SAND, 1.2, lit=0.5),
        thick=0.4,
    )


def paint_lake(setting: Setting) -> None:
    stage, light, rng = setting.stage, setting.light, setting.rng
    setting.horizon = horizon = stage.tall * float(rng.uniform(0.5, 0.6))
    paint_heavens(setting)
    season = season_of(setting)
    snow = 0.15 if season is Season.WINTER else float(rng.uniform(0.35, 0.7))
    setting.later(
        paint_mountains,
        base=horizon,
        height=float(rng.uniform(0.3, 0.46)),
        depth=22.0,
        waves=float(rng.uniform(1.4, 2.4)),
        snow=snow,
    )
    material = mix(WOODS, grass_of(season), 0.75 if season is Season.WINTER else 0.2)
    for depth, rise in ((14.0, 0.06), (9.0, 0.02)):
        outline = hill_outline(rng, base=horizon - rise, height=rise * 0.9, waves=1.3)
        add_trees(
            setting,
            outline,
            depth=depth,
            height=0.62 / depth,
            spacing=0.17 / depth,
            species=forest_species(setting),
            mist=0.3,
        )
        setting.later(paint_ridge, outline, depth=depth, material=material, mist=0.5)
    shore = hill_outline(rng, base=horizon - 0.012, height=0.01, waves=1.6)
    add_houses(setting, shore, depth=8.5)
    mirror = water.mirror_of(
        stage,
        light,
        [element for part in setting.painted() for element in part],
        waterline=horizon,
        rough=0.35 + 0.8 * setting.energy,
        pace=pace_of(setting),
    )
    setting.add(mirror)
    if hazy(setting):
        add_mist(setting, y=horizon + 0.01, thick=0.045, depth=7.0, strength=0.5)
    if light.weather not in (Weather.STORM, Weather.RAIN, Weather.FOG):
        setting.later(water.sparkle, waterline=horizon, height=stage.tall - horizon, pace=pace_of(setting))
    span = stage.tall - horizon
    setting.slot(Realm.WATER, depth=2.6, foot=lambda _x: horizon + span * 0.42)
    bank = add_ridge(
        setting,
        base=stage.tall - 0.07,
        height=0.035,
        waves=0.9,
        depth=1.7,
        material=mix(grass_of(season), (0.12, 0.2, 0.14), 0.4),
        mist=0.0,
        texture=0.2,
    )
    setting.slot(Realm.GROUND, depth=1.7, foot=lambda x: height_at(bank, x) + 0.03, shade=0.8)
    side = rng.random() < 0.5
    add_trees(
        setting,
        bank,
        depth=1.6,
        height=0.66,
        spacing=0.3,
        species=(Species.PINE, Species.BIRCH),
        rim=0.5,
        moves=True,
        gap=(stage.wide * 0.2, 9.0) if side else (-9.0, stage.wide * 0.8),
    )
    setting.later(
        undergrowth,
        y=stage.tall - 0.02,
        depth=1.2,
        size=0.07,
        season=season,
        soil=near_soil(setting),
        ferns=0.2,
    )


def paint_river(setting: Setting) -> None:
    """A lake's water between two banks, with a wood close by."""
    stage, light, rng = setting.stage, setting.light, setting.rng
    setting.horizon = horizon = stage.tall * float(rng.uniform(0.52, 0.6))
    paint_heavens(setting)
    season = season_of(setting)
    if rng.random() < 0.6:
        setting.later(paint_mountains, base=horizon - 0.04, height=0.3, depth=24.0, snow=0.5)
    green = grass_of(season)
    for depth, rise in ((12.0, 0.1), (7.0, 0.055), (5.0, 0.03)):
        outline = hill_outline(rng, base=horizon - rise, height=0.03, waves=1.4)
        add_trees(
            setting,
            outline,
            depth=depth,
            height=1.05 / depth,
            spacing=0.3 / depth,
            species=forest_species(setting),
            mist=0.3,
        )
        setting.later(
            paint_ridge,
            outline,
            depth=depth,
            material=mix(green, WOODS, 0.3),
            mist=0.3,
            texture=0.1,
        )
    if "waterfall" in setting.script.extras:
        setting.later(paint_waterfall, foot=horizon, energy=setting.energy)
    setting.add(
        water.mirror_of(
            stage,
            light,
            [element for part in setting.painted() for element in part],
            waterline=horizon,
            rough=0.8 + setting.energy,
            pace=0.4 + pace_of(setting) if setting.energy > 0.02 else 0.0,
        )
    )
    span = stage.tall - horizon
    setting.slot(Realm.WATER, depth=2.5, foot=lambda _x: horizon + span * 0.34)
    slope = 0.35 if rng.random() < 0.5 else -0.35
    soft = hill_outline(rng, base=horizon + span * 0.68, height=0.03, waves=1.0)
    middle = stage.wide / 2

    def bank(xs: np.ndarray) -> np.ndarray:
        return np.asarray(soft(xs) - slope * (xs - middle) * span * 1.1, dtype=np.float32)

    setting.later(paint_ridge, bank, depth=1.9, material=green, mist=0.1, texture=0.2)
    setting.slot(Realm.GROUND, depth=1.9, foot=lambda x: height_at(bank, x) + 0.03, shade=0.9)
    side = (stage.wide * 0.28, 9.0) if slope < 0 else (-9.0, stage.wide * 0.72)
    add_trees(
        setting,
        bank,
        depth=1.85,
        height=0.5,
        spacing=0.22,
        species=forest_species(setting),
        gap=side,
        rim=0.5,
        moves=True,
    )
    add_foreground(setting)
