"""Forest, from inside and from afar."""

from __future__ import annotations

from localvid.pipelines.animatic.brush import mix
from localvid.pipelines.animatic.figures.cast import Realm
from localvid.pipelines.animatic.places.landscape import (
    add_foreground,
    add_houses,
    add_mist,
    add_ridge,
    add_trees,
    gap_of,
    grass_of,
    hazy,
    height_at,
    near_soil,
    paint_heavens,
    season_of,
    wind_of,
)
from localvid.pipelines.animatic.scenery.groves import (
    canopy,
    light_shafts,
    sway,
    tree_line,
    trunks,
    undergrowth,
)
from localvid.pipelines.animatic.scenery.light import Hour
from localvid.pipelines.animatic.scenery.plants import Season, Species
from localvid.pipelines.animatic.scenery.terrain import (
    WOODS,
    hill_outline,
    paint_mountains,
    paint_ridge,
)
from localvid.pipelines.animatic.staging import Setting


def paint_forest(setting: Setting) -> None:
    extras = setting.script.extras
    inside = "inside" in extras or ("wide" not in extras and setting.rng.random() < 0.55)
    if inside:
        _inside_forest(setting)
    else:
        _forest_valley(setting)


def forest_species(setting: Setting) -> tuple[Species, ...]:
    extras = setting.script.extras
    if "pines" in extras:
        return (Species.PINE,)
    if "birches" in extras:
        return (Species.BIRCH,)
    if "jungle" in extras:
        return (Species.PALM, Species.BROADLEAF, Species.BROADLEAF)
    choices = (
        (Species.PINE,),
        (Species.PINE, Species.PINE, Species.BIRCH),
        (Species.BROADLEAF, Species.BIRCH, Species.PINE),
        (Species.BROADLEAF,),
    )
    return choices[int(setting.rng.integers(len(choices)))]


def _inside_forest(setting: Setting) -> None:
    stage, light, rng, horizon = setting.stage, setting.light, setting.rng, setting.horizon
    season = season_of(setting)
    paint_heavens(setting, clouds=0)
    span = stage.tall - horizon
    gap = gap_of(setting, float(rng.uniform(0.3, 0.5)))
    floor = mix(WOODS, grass_of(season), 0.8 if season is Season.WINTER else 0.35)
    far = hill_outline(rng, base=horizon + 0.02, height=0.03, waves=2.0)
    setting.later(
        tree_line,
        ground=far,
        depth=13.0,
        height=0.34,
        spacing=0.045,
        species=forest_species(setting),
        season=season,
        mist=0.5,
    )
    setting.later(paint_ridge, far, depth=12.0, material=floor, mist=0.7)
    add_mist(setting, y=horizon + 0.02, thick=0.12, depth=11.0, strength=0.7)
    dense = float(rng.uniform(0.8, 1.25))
    for depth, count, width in ((7.5, 20, 0.036), (4.6, 12, 0.055), (3.1, 8, 0.078)):
        foot = horizon + span * 0.95 / depth
        setting.later(
            trunks,
            depth=depth,
            count=round(count * dense),
            width=width,
            foot=foot,
            gap=gap if depth < 7 else None,
        )
        add_ridge(
            setting, base=foot, height=0.012, waves=1.8, depth=depth, material=floor, mist=0.4, texture=0.2
        )
        add_mist(
            setting, y=foot - 0.03, thick=0.09, depth=depth - 0.2, strength=0.55 if hazy(setting) else 0.3
        )
    if light.sun_size:
        strength = 0.16 if light.hour is Hour.NIGHT else 0.42
        setting.later(light_shafts, foot=horizon + span * 0.7, strength=strength)
    outline = add_ridge(
        setting,
        base=horizon + span * 0.46,
        height=0.012,
        waves=1.6,
        depth=2.2,
        material=floor,
        mist=0.15,
        texture=0.25,
    )
    setting.slot(Realm.GROUND, depth=2.2, foot=lambda x: height_at(outline, x) + 0.03)
    middle = light.shade(mix(floor, (0.1, 0.14, 0.1), 0.15), 1.9, lit=0.75)
    setting.later(
        undergrowth,
        y=horizon + span * 0.64,
        depth=1.9,
        size=0.04,
        season=season,
        soil=middle,
        thick=0.8,
        dim=0.2,
    )
    setting.later(
        trunks,
        depth=1.5,
        count=4,
        width=0.15,
        foot=horizon + span * 0.88,
        gap=(gap[0] - 0.25, gap[1] + 0.25),
    )
    setting.later(
        canopy,
        depth=1.4,
        reach=0.17,
        season=season,
        lean=sway(wind_of(setting), rng, reach=0.008),
    )
    setting.later(
        undergrowth,
        y=stage.tall - 0.04,
        depth=1.15,
        size=0.08,
        season=season,
        soil=near_soil(setting),
    )


def _forest_valley(setting: Setting) -> None:
    stage, rng, horizon = setting.stage, setting.rng, setting.horizon
    paint_heavens(setting)
    if rng.random() < 0.7:
        setting.later(
            paint_mountains,
            base=horizon + 0.02,
            height=float(rng.uniform(0.22, 0.4)),
            depth=24.0,
            waves=float(rng.uniform(1.6, 2.6)),
            snow=0.55,
        )
    species = forest_species(setting)
    season = season_of(setting)
    material = mix(WOODS, grass_of(season), 0.75 if season is Season.WINTER else 0.25)
    span = stage.tall - horizon
    for depth, down, size in ((15.0, 0.0, 0.075), (9.0, 0.14, 0.11), (5.5, 0.32, 0.17), (3.6, 0.5, 0.24)):
        outline = hill_outline(
            rng,
            base=horizon + down * span,
            height=0.06 if depth > 5 else 0.035,
            waves=float(rng.uniform(1.0, 1.8)),
        )
        add_trees(setting, outline, depth=depth, height=size, spacing=size * 0.26, species=species, mist=0.4)
        setting.later(paint_ridge, outline, depth=depth, material=material, mist=0.65, texture=0.1)
        if hazy(setting) or rng.random() < 0.3:
            add_mist(setting, y=horizon + down * span + 0.04, thick=0.06, depth=depth - 0.3, strength=0.5)
    outline = add_ridge(
        setting,
        base=horizon + span * 0.66,
        height=0.03,
        waves=1.2,
        depth=2.3,
        material=grass_of(season),
        texture=0.15,
    )
    gap = gap_of(setting, stage.wide * 0.5)
    add_trees(
        setting, outline, depth=2.3, height=0.42, spacing=0.19, species=species, gap=gap, rim=0.5, moves=True
    )
    setting.slot(Realm.GROUND, depth=2.3, foot=lambda x: height_at(outline, x) + 0.02)
    add_houses(setting, outline, depth=2.35)
    add_foreground(setting)
