"""What the places in the open have in common: heavens, ridges, trees, mist, the foreground."""

from __future__ import annotations

import numpy as np

from localvid.pipelines.animatic.brush import Rgb, mix, rgb
from localvid.pipelines.animatic.figures.cast import Realm
from localvid.pipelines.animatic.scenery import town
from localvid.pipelines.animatic.scenery.air import paint_aurora, paint_rainbow
from localvid.pipelines.animatic.scenery.groves import (
    meadow,
    picture_of,
    sway,
    tree_line,
    undergrowth,
)
from localvid.pipelines.animatic.scenery.houses import draw_house
from localvid.pipelines.animatic.scenery.light import Hour, Weather
from localvid.pipelines.animatic.scenery.plants import Season, Species
from localvid.pipelines.animatic.scenery.sky import paint_clouds, paint_overcast, paint_sky
from localvid.pipelines.animatic.scenery.terrain import (
    GRASS,
    SNOW,
    Outline,
    hill_outline,
    paint_mist,
    paint_ridge,
)
from localvid.pipelines.animatic.staging import Setting, background_birds

_DRY, _BLOSSOM = rgb("#b59a52"), rgb("#8fb35c")


def season_of(setting: Setting) -> Season:
    """The season that the script names, else summer, or winter where snow falls."""
    if setting.script.season is not None:
        return setting.script.season
    return Season.WINTER if setting.light.weather is Weather.SNOW else Season.SUMMER


def grass_of(season: Season) -> Rgb:
    return {Season.AUTUMN: _DRY, Season.WINTER: SNOW, Season.SPRING: _BLOSSOM}.get(season, GRASS)


def paint_heavens(setting: Setting, *, clouds: int | None = None) -> None:
    """Sky, clouds and far birds as the hour and weather have them."""
    stage, light, rng, horizon = setting.stage, setting.light, setting.rng, setting.horizon
    drift = 0.004 + 0.03 * setting.energy + (0.03 if light.weather is Weather.WIND else 0.0)
    drift = 0.0 if setting.energy <= 0.02 else drift
    setting.later(paint_sky, horizon=horizon, twinkle=twinkle_of(setting))
    if "aurora" in setting.script.extras:
        setting.later(paint_aurora, horizon=horizon, energy=setting.energy)
    if light.weather in (Weather.STORM, Weather.RAIN, Weather.SNOW):
        heavy = {Weather.STORM: 1.0, Weather.RAIN: 0.55}.get(light.weather, 0.1)
        setting.later(paint_overcast, horizon=horizon, drift=drift, heavy=heavy)
    else:
        usual = {Weather.CLOUDY: 11, Weather.FOG: 0, Weather.WIND: 7}.get(
            light.weather, int(rng.integers(3, 7))
        )
        usual = min(usual, 3) if light.hour is Hour.NIGHT and light.weather is Weather.CLEAR else usual
        setting.later(
            paint_clouds,
            horizon=horizon,
            count=usual if clouds is None else clouds,
            drift=drift,
        )
    setting.slot(Realm.AIR, depth=3.4, foot=lambda _x: stage.tall * 0.3)
    if light.weather in (Weather.CLEAR, Weather.CLOUDY) and not light.dark and rng.random() < 0.6:
        setting.add(
            *background_birds(
                setting, count=int(rng.integers(3, 7)), y=horizon * float(rng.uniform(0.25, 0.55)), depth=18.0
            )
        )
    if "rainbow" in setting.script.extras:
        setting.add(paint_rainbow(stage, light, horizon=horizon))


def add_ridge(
    setting: Setting,
    *,
    base: float,
    height: float,
    waves: float,
    depth: float,
    material: Rgb,
    mist: float = 0.35,
    texture: float = 0.12,
) -> Outline:
    outline = hill_outline(setting.rng, base=base, height=height, waves=waves)
    setting.later(
        paint_ridge,
        outline,
        depth=depth,
        material=material,
        mist=mist,
        texture=texture,
    )
    return outline


def add_trees(
    setting: Setting,
    outline: Outline,
    *,
    depth: float,
    height: float,
    spacing: float,
    species: tuple[Species, ...],
    gap: tuple[float, float] | None = None,
    rim: float = 0.3,
    mist: float = 0.0,
    moves: bool = False,
    open_: float = 0.0,
) -> None:
    lean = sway(wind_of(setting), setting.rng, reach=0.012) if moves else None
    setting.later(
        tree_line,
        ground=outline,
        depth=depth,
        height=height,
        spacing=spacing,
        species=species,
        season=season_of(setting),
        lean=lean,
        gap=gap,
        rim=rim,
        mist=mist,
        open_=open_,
    )


def wind_of(setting: Setting) -> float:
    extra = 0.4 if setting.light.weather in (Weather.STORM, Weather.WIND) else 0.0
    return 0.0 if setting.energy <= 0.02 else min(1.0, setting.energy * 0.8 + extra)


def add_mist(setting: Setting, *, y: float, thick: float, depth: float, strength: float) -> None:
    if setting.light.weather is Weather.FOG:
        strength = min(0.9, strength * 1.5)
    drift = 0.006 + 0.03 * setting.energy if setting.energy > 0.02 else 0.0
    setting.later(
        paint_mist,
        y=y,
        thick=thick,
        depth=depth,
        drift=drift,
        strength=strength,
    )


def gap_of(setting: Setting, width: float) -> tuple[float, float]:
    """An opening to look through, where the subject stands."""
    middle = setting.stage.wide * float(setting.rng.uniform(0.42, 0.58))
    return (middle - width / 2, middle + width / 2)


def hazy(setting: Setting) -> bool:
    return setting.light.hour in (Hour.DAWN, Hour.MORNING, Hour.DUSK) or setting.light.weather in (
        Weather.FOG,
        Weather.RAIN,
    )


def near_soil(setting: Setting) -> Rgb:
    """The ground right before the camera: in shade, or under snow."""
    light = setting.light
    if season_of(setting) is Season.WINTER:
        return light.shade(SNOW, 1.2, lit=0.5)
    return mix(
        light.silhouette(1.2, rgb("#26352c")), light.shade(grass_of(season_of(setting)), 1.2, lit=0.3), 0.35
    )


def add_foreground(setting: Setting) -> None:
    """Grass, flowers and bushes before everything."""
    stage, rng = setting.stage, setting.rng
    season = season_of(setting)
    lean = sway(wind_of(setting), rng, reach=0.012)
    if "flowers" in setting.script.extras or (season is Season.SPRING and rng.random() < 0.7):
        outline = hill_outline(rng, base=stage.tall - 0.02, height=0.015, waves=1.5)
        setting.later(
            paint_ridge,
            outline,
            depth=1.3,
            material=mix(grass_of(season), (0.1, 0.2, 0.1), 0.35),
            mist=0.0,
            texture=0.2,
        )
        setting.later(meadow, ground=outline, depth=1.2, size=0.075, season=season, flowers=2.4, lean=lean)
    else:
        setting.later(
            undergrowth,
            y=stage.tall - 0.03,
            depth=1.2,
            size=0.065,
            season=season,
            soil=near_soil(setting),
            ferns=0.3,
        )


def twinkle_of(setting: Setting) -> float:
    """How often a second stars flicker."""
    return 0.12 + 0.3 * setting.energy if setting.energy > 0.02 else 0.0


def pace_of(setting: Setting) -> float:
    return 0.0 if setting.energy <= 0.02 else setting.energy


def add_houses(setting: Setting, outline: Outline, *, depth: float) -> None:
    """Houses that the words put into a landscape."""
    if not setting.script.houses:
        return
    stage, rng = setting.stage, setting.rng
    snowy = season_of(setting) is Season.WINTER
    size = 0.62 / depth * min(1.0, 0.5 + 0.5 * stage.wide)
    picture = picture_of(stage, stage.top, stage.bottom)
    middle = stage.wide * float(rng.uniform(0.28, 0.72))
    for number in range(setting.script.houses):
        x = middle + ((number + 1) // 2) * (1 if number % 2 else -1) * size * 1.25
        cabin = bool(rng.random() < 0.6)
        draw_house(
            picture,
            (x, height_at(outline, x) + 0.02),
            size,
            setting.light,
            depth,
            rng,
            snow=snowy,
            cabin=cabin,
        )
        if setting.light.dark:
            setting.add(
                town.glow_plate(
                    stage,
                    (x, height_at(outline, x) - size * 0.2),
                    radius=size * 0.9,
                    colour=rgb("#ffc46b"),
                    depth=depth,
                    strength=0.5,
                )
            )
    setting.develop(picture, depth=depth, rim=0.45)


def height_at(outline: Outline, x: float) -> float:
    """The outline's height at one place."""
    return float(outline(np.asarray([x], dtype=np.float32))[0])
