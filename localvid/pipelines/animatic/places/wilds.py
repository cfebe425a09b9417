"""Forest, mountains, fields, desert, snow."""

from __future__ import annotations

from localvid.pipelines.animatic.brush import Rgb, mix, rgb
from localvid.pipelines.animatic.figures.cast import Realm
from localvid.pipelines.animatic.places.landscape import (
    add_foreground,
    add_houses,
    add_mist,
    add_ridge,
    add_trees,
    gap_of,
    grass_of,
    height_at,
    paint_heavens,
    season_of,
)
from localvid.pipelines.animatic.plate import Element
from localvid.pipelines.animatic.scenery.groves import (
    meadow,
    picture_of,
    plate_of,
)
from localvid.pipelines.animatic.scenery.light import Weather
from localvid.pipelines.animatic.scenery.plants import Season, Species
from localvid.pipelines.animatic.scenery.terrain import (
    DUNES,
    SAND,
    SNOW,
    WOODS,
    hill_outline,
    paint_dune,
    paint_mountains,
    paint_ridge,
)
from localvid.pipelines.animatic.staging import Setting


def paint_mountain_land(setting: Setting) -> None:
    stage, rng, horizon = setting.stage, setting.rng, setting.horizon
    paint_heavens(setting)
    season = season_of(setting)
    snow = 0.12 if season is Season.WINTER else float(rng.uniform(0.35, 0.6))
    tall = float(rng.uniform(0.42, 0.56))
    setting.later(
        paint_mountains,
        base=horizon + 0.02,
        height=tall * 0.72,
        depth=30.0,
        waves=2.8,
        snow=snow * 0.8,
    )
    add_mist(setting, y=horizon - 0.02, thick=0.08, depth=26.0, strength=0.45)
    setting.later(
        paint_mountains,
        base=horizon + 0.07,
        height=tall,
        depth=16.0,
        waves=float(rng.uniform(1.5, 2.2)),
        snow=snow,
    )
    add_mist(setting, y=horizon + 0.02, thick=0.07, depth=12.0, strength=0.5)
    span = stage.tall - horizon
    material = mix(WOODS, SNOW, 0.8) if season is Season.WINTER else WOODS
    for depth, down, size in ((9.0, 0.16, 0.05), (5.5, 0.34, 0.1), (3.4, 0.54, 0.17)):
        outline = hill_outline(rng, base=horizon + down * span, height=0.05, waves=1.3)
        add_trees(
            setting, outline, depth=depth, height=size, spacing=size * 0.34, species=(Species.PINE,), mist=0.3
        )
        setting.later(paint_ridge, outline, depth=depth, material=material, mist=0.6, texture=0.1)
    outline = add_ridge(
        setting,
        base=horizon + span * 0.74,
        height=0.04,
        waves=0.9,
        depth=2.2,
        material=grass_of(season),
        texture=0.2,
    )
    add_trees(
        setting,
        outline,
        depth=2.25,
        height=0.34,
        spacing=0.24,
        species=(Species.PINE,),
        gap=gap_of(setting, stage.wide * 0.62),
        rim=0.5,
        moves=True,
    )
    setting.slot(Realm.GROUND, depth=2.2, foot=lambda x: height_at(outline, x) + 0.015)
    add_houses(setting, outline, depth=2.3)
    add_foreground(setting)


def paint_fields(setting: Setting) -> None:
    stage, rng, horizon = setting.stage, setting.rng, setting.horizon
    paint_heavens(setting)
    season = season_of(setting)
    green = grass_of(season)
    span = stage.tall - horizon
    if rng.random() < 0.4:
        setting.later(paint_mountains, base=horizon + 0.01, height=0.14, depth=28.0, waves=2.0, snow=0.8)
    crops = [green, mix(green, rgb("#e0c35a"), 0.55), mix(green, WOODS, 0.4), mix(green, rgb("#9bbf5a"), 0.5)]
    for index, (depth, down, height) in enumerate(
        ((13.0, 0.0, 0.045), (8.0, 0.14, 0.05), (5.0, 0.3, 0.05), (3.2, 0.48, 0.045))
    ):
        outline = hill_outline(
            rng, base=horizon + down * span, height=height, waves=float(rng.uniform(0.7, 1.3))
        )
        kind = (Species.BROADLEAF, Species.CYPRESS if index % 2 else Species.BROADLEAF)
        add_trees(
            setting,
            outline,
            depth=depth,
            height=0.44 / depth**0.85,
            spacing=0.14 / depth**0.4,
            species=kind,
            rim=0.4,
            open_=0.72,
        )
        material = crops[int(rng.integers(len(crops)))] if season is not Season.WINTER else SNOW
        setting.later(paint_ridge, outline, depth=depth, material=material, mist=0.3, texture=0.14)
    outline = add_ridge(
        setting, base=horizon + span * 0.68, height=0.035, waves=0.8, depth=2.2, material=green, texture=0.2
    )
    add_houses(setting, outline, depth=2.3)
    if rng.random() < 0.7:
        side = 0.1 if rng.random() < 0.5 else 0.82
        tree = hill_outline(rng, base=horizon + span * 0.72, height=0.0, waves=1.0)
        add_trees(
            setting,
            tree,
            depth=2.1,
            height=0.46,
            spacing=9.0,
            species=(Species.BROADLEAF,),
            rim=0.55,
            moves=True,
            gap=(stage.wide * (side + 0.1), 9.0) if side < 0.5 else (-9.0, stage.wide * side),
        )
    setting.slot(Realm.GROUND, depth=2.2, foot=lambda x: height_at(outline, x) + 0.02)
    setting.later(
        meadow,
        ground=hill_outline(rng, base=horizon + span * 0.86, height=0.01, waves=1.0),
        depth=1.7,
        size=0.035,
        season=season,
        flowers=0.8 if "flowers" in setting.script.extras else 0.2,
    )
    add_foreground(setting)


def paint_desert(setting: Setting) -> None:
    stage, light, rng, horizon = setting.stage, setting.light, setting.rng, setting.horizon
    paint_heavens(setting, clouds=int(rng.integers(0, 3)) if light.weather is Weather.CLEAR else None)
    rocky = rng.random() < 0.35
    span = stage.tall - horizon
    if rocky:
        red = rgb("#c4754f")
        setting.add(_mesas(setting, depth=20.0, base=horizon + 0.02, height=0.24, rock=red))
        setting.add(_mesas(setting, depth=9.0, base=horizon + 0.06, height=0.17, rock=red))
        for depth, down in ((6.0, 0.12), (3.6, 0.34)):
            add_ridge(
                setting,
                base=horizon + down * span,
                height=0.025,
                waves=1.0,
                depth=depth,
                material=rgb("#d08a5c"),
                mist=0.3,
                texture=0.2,
            )
        outline = add_ridge(
            setting,
            base=horizon + span * 0.62,
            height=0.03,
            waves=0.9,
            depth=2.2,
            material=rgb("#c47a4e"),
            texture=0.25,
        )
        add_trees(
            setting,
            outline,
            depth=2.25,
            height=0.2,
            spacing=0.3,
            species=(Species.CACTUS,),
            gap=gap_of(setting, 0.6),
            rim=0.5,
        )
        setting.slot(Realm.GROUND, depth=2.2, foot=lambda x: height_at(outline, x) + 0.02)
        near = hill_outline(rng, base=stage.tall + 0.02, height=0.02, waves=1.0)
        add_trees(
            setting,
            near,
            depth=1.3,
            height=0.42,
            spacing=0.9,
            species=(Species.CACTUS,),
            gap=gap_of(setting, 1.0),
            rim=0.5,
        )
        return
    sand = mix(SAND, rgb("#d98f5a"), float(rng.random()) * 0.7)
    for depth, down, height in DUNES:
        if depth == DUNES[-1][0]:
            setting.slot(Realm.GROUND, depth=1.9, foot=lambda _x: horizon + span * 0.56, shade=0.82)
        tall = height * float(rng.uniform(0.75, 1.2))
        setting.later(paint_dune, base=horizon + down * span, height=tall, depth=depth, sand=sand)


def _mesas(setting: Setting, *, depth: float, base: float, height: float, rock: Rgb) -> Element:
    """Table mountains with bands of stone."""
    stage, light, rng = setting.stage, setting.light, setting.rng
    picture = picture_of(stage, base - height * 1.3, base + 0.2)
    side = 1.0 if light.sun[0] > 0.5 else -1.0
    x = -0.7
    while x < stage.wide + 0.7:
        wide, tall = height * float(rng.uniform(0.5, 2.0)), height * float(rng.uniform(0.4, 1.1))
        lit, dark = light.shade(rock, depth), light.shade(rock, depth, lit=0.15)
        skirt = tall * 0.5
        picture.shape(
            [
                (x - skirt, base + 0.2),
                (x - skirt, base),
                (x, base - tall * 0.45),
                (x + wide, base - tall * 0.45),
                (x + wide + skirt, base),
                (x + wide + skirt, base + 0.2),
            ],
            mix(lit, dark, 0.45),
        )
        picture.shape(
            [
                (x, base - tall * 0.42),
                (x + wide * 0.04, base - tall),
                (x + wide * 0.96, base - tall),
                (x + wide, base - tall * 0.42),
            ],
            lit,
        )
        edge = x + wide * (0.3 if side > 0 else 0.7)
        far = x if side > 0 else x + wide
        picture.shape(
            [
                (far, base - tall * 0.42),
                (far + side * wide * 0.04, base - tall),
                (edge, base - tall),
                (edge - side * wide * 0.05, base - tall * 0.42),
            ],
            dark,
        )
        for share in (0.6, 0.75, 0.88):
            picture.stroke(
                [(x + wide * 0.03, base - tall * share), (x + wide * 0.97, base - tall * share)],
                tall * 0.025,
                mix(lit, dark, 0.4),
            )
        x += wide + height * float(rng.uniform(0.5, 2.6))
    return plate_of(stage, picture, depth=depth, light=light, mist=(base - height * 0.5, base + height * 0.6))


def paint_snow_land(setting: Setting) -> None:
    stage, rng, horizon = setting.stage, setting.rng, setting.horizon
    paint_heavens(setting)
    setting.later(
        paint_mountains,
        base=horizon + 0.02,
        height=float(rng.uniform(0.25, 0.42)),
        depth=20.0,
        snow=0.05,
    )
    span = stage.tall - horizon
    for depth, down, size in ((9.0, 0.08, 0.08), (5.0, 0.26, 0.15), (3.2, 0.46, 0.25)):
        outline = hill_outline(rng, base=horizon + down * span, height=0.05, waves=1.0)
        add_trees(
            setting,
            outline,
            depth=depth,
            height=size,
            spacing=size * float(rng.uniform(0.7, 1.6)),
            species=(Species.PINE, Species.PINE, Species.BARE),
        )
        setting.later(paint_ridge, outline, depth=depth, material=SNOW, mist=0.3, texture=0.06)
    outline = add_ridge(
        setting, base=horizon + span * 0.66, height=0.035, waves=0.8, depth=2.2, material=SNOW, texture=0.07
    )
    add_houses(setting, outline, depth=2.3)
    add_trees(
        setting,
        outline,
        depth=2.25,
        height=0.4,
        spacing=0.3,
        species=(Species.PINE,),
        gap=gap_of(setting, stage.wide * 0.62),
        rim=0.5,
    )
    setting.slot(Realm.GROUND, depth=2.2, foot=lambda x: height_at(outline, x) + 0.02)
    add_ridge(
        setting,
        base=stage.tall - 0.05,
        height=0.03,
        waves=0.9,
        depth=1.3,
        material=SNOW,
        mist=0.0,
        texture=0.05,
    )
