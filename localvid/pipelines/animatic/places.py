"""Recipes: each place of the script as layers in a setting, varied by the setting's random generator."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from localvid.pipelines.animatic import deep, indoors, space, town, water
from localvid.pipelines.animatic.brush import Rgb, mix, rgb
from localvid.pipelines.animatic.cast import Realm
from localvid.pipelines.animatic.groves import (
    canopy, light_shafts, meadow, picture_of, plate_of, sway, tree_line, trunks, undergrowth,
)
from localvid.pipelines.animatic.light import Hour, Weather
from localvid.pipelines.animatic.plants import Season, Species
from localvid.pipelines.animatic.plate import Element
from localvid.pipelines.animatic.script import Place
from localvid.pipelines.animatic.sky import paint_clouds, paint_overcast, paint_sky
from localvid.pipelines.animatic.staging import Setting, background_birds
from localvid.pipelines.animatic.terrain import (
    GRASS, SAND, SNOW, WOODS, Outline, hill_outline, paint_dunes, paint_mist, paint_mountains, paint_ridge,
)
from localvid.pipelines.animatic.weather import cloud_bank, paint_aurora, paint_rainbow, paint_waterfall

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
    setting.add(*paint_sky(stage, light, rng, horizon=horizon))
    if "aurora" in setting.script.extras:
        setting.add(*paint_aurora(stage, rng, horizon=horizon, energy=setting.energy))
    if light.weather in (Weather.STORM, Weather.RAIN, Weather.SNOW):
        heavy = {Weather.STORM: 1.0, Weather.RAIN: 0.55}.get(light.weather, 0.1)
        setting.add(*paint_overcast(stage, light, rng, horizon=horizon, drift=drift, heavy=heavy))
    else:
        usual = {Weather.CLOUDY: 11, Weather.FOG: 2, Weather.WIND: 7}.get(light.weather, int(rng.integers(3, 7)))
        usual = min(usual, 3) if light.hour is Hour.NIGHT and light.weather is Weather.CLEAR else usual
        setting.add(*paint_clouds(stage, light, rng, horizon=horizon, count=usual if clouds is None else clouds, drift=drift))
    setting.slot(Realm.AIR, depth=3.4, foot=lambda _x: stage.tall * 0.3)
    if light.weather in (Weather.CLEAR, Weather.CLOUDY) and not light.dark and rng.random() < 0.6:
        setting.add(*background_birds(setting, count=int(rng.integers(3, 7)), y=horizon * float(rng.uniform(0.25, 0.55)), depth=18.0))
    if "rainbow" in setting.script.extras:
        setting.add(paint_rainbow(stage, light, horizon=horizon))


def _ridge(
    setting: Setting, *, base: float, height: float, waves: float, depth: float, material: Rgb, mist: float = 0.35, texture: float = 0.12
) -> Outline:
    outline = hill_outline(setting.rng, base=base, height=height, waves=waves)
    setting.add(paint_ridge(setting.stage, setting.light, outline, depth=depth, material=material, mist=mist, texture=texture, rng=setting.rng))
    return outline


def _trees(
    setting: Setting, outline: Outline, *, depth: float, height: float, spacing: float, species: tuple[Species, ...],
    gap: tuple[float, float] | None = None, rim: float = 0.3, mist: float = 0.0, moves: bool = False,
) -> None:
    lean = sway(_wind(setting), setting.rng, reach=0.012) if moves else None
    setting.add(
        tree_line(setting.stage, setting.light, setting.rng, outline, depth=depth, height=height, spacing=spacing, species=species,
                  season=season_of(setting), lean=lean, gap=gap, rim=rim, mist=mist)
    )


def _wind(setting: Setting) -> float:
    extra = 0.4 if setting.light.weather in (Weather.STORM, Weather.WIND) else 0.0
    return 0.0 if setting.energy <= 0.02 else min(1.0, setting.energy * 0.8 + extra)


def _mist(setting: Setting, *, y: float, thick: float, depth: float, strength: float) -> None:
    if setting.light.weather is Weather.FOG:
        strength = min(0.9, strength * 1.5)
    drift = 0.006 + 0.03 * setting.energy if setting.energy > 0.02 else 0.0
    setting.add(paint_mist(setting.stage, setting.light, setting.rng, y=y, thick=thick, depth=depth, drift=drift, strength=strength))


def _gap(setting: Setting, width: float) -> tuple[float, float]:
    """An opening to look through, where the subject stands."""
    middle = setting.stage.wide * float(setting.rng.uniform(0.42, 0.58))
    return (middle - width / 2, middle + width / 2)


def _dawnish(setting: Setting) -> bool:
    return setting.light.hour in (Hour.DAWN, Hour.MORNING, Hour.DUSK) or setting.light.weather in (Weather.FOG, Weather.RAIN)


# --- land ----------------------------------------------------------------------------------------


def _forest(setting: Setting) -> None:
    extras = setting.script.extras
    inside = "inside" in extras or ("wide" not in extras and setting.rng.random() < 0.55)
    if inside:
        _inside_forest(setting)
    else:
        _forest_valley(setting)


def _forest_species(setting: Setting) -> tuple[Species, ...]:
    extras = setting.script.extras
    if "pines" in extras:
        return (Species.PINE,)
    if "birches" in extras:
        return (Species.BIRCH,)
    if "jungle" in extras:
        return (Species.PALM, Species.BROADLEAF, Species.BROADLEAF)
    choices = ((Species.PINE,), (Species.PINE, Species.PINE, Species.BIRCH), (Species.BROADLEAF, Species.BIRCH, Species.PINE), (Species.BROADLEAF,))
    return choices[int(setting.rng.integers(len(choices)))]


def _inside_forest(setting: Setting) -> None:
    stage, light, rng, horizon = setting.stage, setting.light, setting.rng, setting.horizon
    season = season_of(setting)
    paint_heavens(setting, clouds=0)
    span = stage.tall - horizon
    gap = _gap(setting, float(rng.uniform(0.3, 0.5)))
    floor = mix(WOODS, grass_of(season), 0.8 if season is Season.WINTER else 0.35)
    far = hill_outline(rng, base=horizon + 0.02, height=0.03, waves=2.0)
    setting.add(tree_line(stage, light, rng, far, depth=13.0, height=0.34, spacing=0.045, species=_forest_species(setting), season=season, mist=0.5))
    setting.add(paint_ridge(stage, light, far, depth=12.0, material=floor, mist=0.7))
    _mist(setting, y=horizon + 0.02, thick=0.12, depth=11.0, strength=0.7)
    dense = float(rng.uniform(0.8, 1.25))
    for depth, count, width in ((7.5, 20, 0.036), (4.6, 12, 0.055), (3.1, 8, 0.078)):
        foot = horizon + span * 0.95 / depth
        setting.add(trunks(stage, light, rng, depth=depth, count=round(count * dense), width=width, foot=foot, gap=gap if depth < 7 else None))
        _ridge(setting, base=foot, height=0.012, waves=1.8, depth=depth, material=floor, mist=0.4, texture=0.2)
        _mist(setting, y=foot - 0.03, thick=0.09, depth=depth - 0.2, strength=0.55 if _dawnish(setting) else 0.3)
    if light.sun_size:
        strength = 0.16 if light.hour is Hour.NIGHT else 0.42
        setting.add(light_shafts(stage, light, rng, depth=3.0, foot=horizon + span * 0.7, strength=strength))
    outline = _ridge(setting, base=horizon + span * 0.46, height=0.012, waves=1.6, depth=2.2, material=floor, mist=0.15, texture=0.25)
    setting.slot(Realm.GROUND, depth=2.2, foot=lambda x: _at(outline, x) + 0.03)
    middle = light.shade(mix(floor, (0.1, 0.14, 0.1), 0.15), 1.9, lit=0.75)
    setting.add(undergrowth(stage, light, rng, y=horizon + span * 0.64, depth=1.9, size=0.04, season=season, soil=middle, thick=0.8, dim=0.2))
    setting.add(trunks(stage, light, rng, depth=1.5, count=4, width=0.15, foot=horizon + span * 0.88, gap=(gap[0] - 0.25, gap[1] + 0.25)))
    setting.add(canopy(stage, light, rng, depth=1.4, reach=0.17, season=season, lean=sway(_wind(setting), rng, reach=0.008)))
    setting.add(undergrowth(stage, light, rng, y=stage.tall - 0.04, depth=1.15, size=0.08, season=season, soil=_near_soil(setting)))


def _forest_valley(setting: Setting) -> None:
    stage, light, rng, horizon = setting.stage, setting.light, setting.rng, setting.horizon
    paint_heavens(setting)
    if rng.random() < 0.7:
        setting.add(paint_mountains(stage, light, rng, base=horizon + 0.02, height=float(rng.uniform(0.22, 0.4)), depth=24.0, waves=float(rng.uniform(1.6, 2.6)), snow=0.55))
    species = _forest_species(setting)
    season = season_of(setting)
    material = mix(WOODS, grass_of(season), 0.75 if season is Season.WINTER else 0.25)
    span = stage.tall - horizon
    for depth, down, size in ((15.0, 0.0, 0.075), (9.0, 0.14, 0.11), (5.5, 0.32, 0.17), (3.6, 0.5, 0.24)):
        outline = hill_outline(rng, base=horizon + down * span, height=0.06 if depth > 5 else 0.035, waves=float(rng.uniform(1.0, 1.8)))
        _trees(setting, outline, depth=depth, height=size, spacing=size * 0.26, species=species, mist=0.4)
        setting.add(paint_ridge(stage, light, outline, depth=depth, material=material, mist=0.65, texture=0.1, rng=rng))
        if _dawnish(setting) or rng.random() < 0.3:
            _mist(setting, y=horizon + down * span + 0.04, thick=0.06, depth=depth - 0.3, strength=0.5)
    outline = _ridge(setting, base=horizon + span * 0.66, height=0.03, waves=1.2, depth=2.3, material=grass_of(season), texture=0.15)
    gap = _gap(setting, stage.wide * 0.5)
    _trees(setting, outline, depth=2.3, height=0.42, spacing=0.19, species=species, gap=gap, rim=0.5, moves=True)
    setting.slot(Realm.GROUND, depth=2.3, foot=lambda x: _at(outline, x) + 0.02)
    _houses(setting, outline, depth=2.35)
    _foreground(setting)


def _near_soil(setting: Setting) -> Rgb:
    """The ground right before the camera: in shade, or under snow."""
    light = setting.light
    if season_of(setting) is Season.WINTER:
        return light.shade(SNOW, 1.2, lit=0.5)
    return mix(light.silhouette(1.2, rgb("#26352c")), light.shade(grass_of(season_of(setting)), 1.2, lit=0.3), 0.35)


def _foreground(setting: Setting) -> None:
    """Grass, flowers and bushes before everything."""
    stage, light, rng = setting.stage, setting.light, setting.rng
    season = season_of(setting)
    lean = sway(_wind(setting), rng, reach=0.012)
    if "flowers" in setting.script.extras or (season is Season.SPRING and rng.random() < 0.7):
        outline = hill_outline(rng, base=stage.tall - 0.02, height=0.015, waves=1.5)
        setting.add(paint_ridge(stage, light, outline, depth=1.3, material=mix(grass_of(season), (0.1, 0.2, 0.1), 0.35), mist=0.0, texture=0.2, rng=rng))
        setting.add(meadow(stage, light, rng, outline, depth=1.2, size=0.075, season=season, flowers=2.4, lean=lean))
    else:
        setting.add(undergrowth(stage, light, rng, y=stage.tall - 0.03, depth=1.2, size=0.065, season=season, soil=_near_soil(setting), ferns=0.3))


def _mountains(setting: Setting) -> None:
    stage, light, rng, horizon = setting.stage, setting.light, setting.rng, setting.horizon
    paint_heavens(setting)
    season = season_of(setting)
    snow = 0.12 if season is Season.WINTER else float(rng.uniform(0.35, 0.6))
    tall = float(rng.uniform(0.42, 0.56))
    setting.add(paint_mountains(stage, light, rng, base=horizon + 0.02, height=tall * 0.72, depth=30.0, waves=2.8, snow=snow * 0.8))
    _mist(setting, y=horizon - 0.02, thick=0.08, depth=26.0, strength=0.45)
    setting.add(paint_mountains(stage, light, rng, base=horizon + 0.07, height=tall, depth=16.0, waves=float(rng.uniform(1.5, 2.2)), snow=snow))
    _mist(setting, y=horizon + 0.02, thick=0.07, depth=12.0, strength=0.5)
    span = stage.tall - horizon
    material = mix(WOODS, SNOW, 0.8) if season is Season.WINTER else WOODS
    for depth, down, size in ((9.0, 0.16, 0.05), (5.5, 0.34, 0.1), (3.4, 0.54, 0.17)):
        outline = hill_outline(rng, base=horizon + down * span, height=0.05, waves=1.3)
        _trees(setting, outline, depth=depth, height=size, spacing=size * 0.34, species=(Species.PINE,), mist=0.3)
        setting.add(paint_ridge(stage, light, outline, depth=depth, material=material, mist=0.6, texture=0.1, rng=rng))
    outline = _ridge(setting, base=horizon + span * 0.74, height=0.04, waves=0.9, depth=2.2, material=grass_of(season), texture=0.2)
    _trees(setting, outline, depth=2.25, height=0.34, spacing=0.24, species=(Species.PINE,), gap=_gap(setting, stage.wide * 0.62), rim=0.5, moves=True)
    setting.slot(Realm.GROUND, depth=2.2, foot=lambda x: _at(outline, x) + 0.015)
    _houses(setting, outline, depth=2.3)
    _foreground(setting)


def _fields(setting: Setting) -> None:
    stage, light, rng, horizon = setting.stage, setting.light, setting.rng, setting.horizon
    paint_heavens(setting)
    season = season_of(setting)
    green = grass_of(season)
    span = stage.tall - horizon
    if rng.random() < 0.4:
        setting.add(paint_mountains(stage, light, rng, base=horizon + 0.01, height=0.14, depth=28.0, waves=2.0, snow=0.8))
    crops = [green, mix(green, rgb("#e0c35a"), 0.55), mix(green, WOODS, 0.4), mix(green, rgb("#9bbf5a"), 0.5)]
    for index, (depth, down, height) in enumerate(((13.0, 0.0, 0.045), (8.0, 0.14, 0.05), (5.0, 0.3, 0.05), (3.2, 0.48, 0.045))):
        outline = hill_outline(rng, base=horizon + down * span, height=height, waves=float(rng.uniform(0.7, 1.3)))
        kind = (Species.BROADLEAF, Species.CYPRESS if index % 2 else Species.BROADLEAF)
        _trees(setting, outline, depth=depth, height=0.5 / depth**0.85, spacing=0.4 / depth**0.4, species=kind, rim=0.4)
        material = crops[int(rng.integers(len(crops)))] if season is not Season.WINTER else SNOW
        setting.add(paint_ridge(stage, light, outline, depth=depth, material=material, mist=0.3, texture=0.14, rng=rng))
    outline = _ridge(setting, base=horizon + span * 0.68, height=0.035, waves=0.8, depth=2.2, material=green, texture=0.2)
    _houses(setting, outline, depth=2.3)
    if rng.random() < 0.7:
        side = 0.1 if rng.random() < 0.5 else 0.82
        tree = hill_outline(rng, base=horizon + span * 0.72, height=0.0, waves=1.0)
        _trees(setting, tree, depth=2.1, height=0.46, spacing=9.0, species=(Species.BROADLEAF,), rim=0.55, moves=True,
               gap=(stage.wide * (side + 0.1), 9.0) if side < 0.5 else (-9.0, stage.wide * side))
    setting.slot(Realm.GROUND, depth=2.2, foot=lambda x: _at(outline, x) + 0.02)
    setting.add(meadow(stage, light, rng, hill_outline(rng, base=horizon + span * 0.86, height=0.01, waves=1.0), depth=1.7, size=0.035, season=season,
                       flowers=0.8 if "flowers" in setting.script.extras else 0.2))
    _foreground(setting)


def _village(setting: Setting) -> None:
    stage, light, rng, horizon = setting.stage, setting.light, setting.rng, setting.horizon
    paint_heavens(setting)
    season = season_of(setting)
    green, snowy = grass_of(season), season is Season.WINTER
    span = stage.tall - horizon
    if rng.random() < 0.65:
        setting.add(paint_mountains(stage, light, rng, base=horizon + 0.01, height=float(rng.uniform(0.2, 0.32)), depth=26.0, snow=0.3 if snowy else 0.6))
    church = float(rng.uniform(0.25, 0.7)) * stage.wide
    for depth, down, size in ((9.0, 0.02, 0.11), (5.2, 0.22, 0.17), (3.1, 0.46, 0.27)):
        outline = hill_outline(rng, base=horizon + down * span, height=0.03, waves=1.1)
        _trees(setting, outline, depth=depth + 0.05, height=size * 0.9, spacing=size * 1.1, species=(Species.BROADLEAF, Species.CYPRESS, Species.PINE))
        picture = picture_of(stage, horizon + down * span - size * 2.4, horizon + down * span + 0.1)
        if depth == 5.2:
            town.draw_church(picture, (church, _at(outline, church) + 0.01), size * 1.05, light, depth)
        x = -0.6 + float(rng.uniform(0, size))
        while x < stage.wide + 0.6:
            own = np.random.default_rng(int(rng.integers(2**32)))
            if own.random() < 0.72 and not (depth == 5.2 and abs(x - church) < size * 1.3):
                town.draw_house(picture, (x, _at(outline, x) + 0.012), size * float(own.uniform(0.8, 1.15)), light, depth, own, snow=snowy)
            x += size * float(own.uniform(1.1, 1.7))
        setting.add(plate_of(stage, picture, depth=depth, light=light, rim=0.35))
        setting.add(paint_ridge(stage, light, outline, depth=depth, material=green, mist=0.3, texture=0.12, rng=rng))
    outline = _ridge(setting, base=horizon + span * 0.7, height=0.02, waves=1.0, depth=2.2, material=green, texture=0.2)
    setting.slot(Realm.GROUND, depth=2.2, foot=lambda x: _at(outline, x) + 0.03)
    _foreground(setting)


def _houses(setting: Setting, outline: Outline, *, depth: float) -> None:
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
        town.draw_house(picture, (x, _at(outline, x) + 0.02), size, setting.light, depth, rng, snow=snowy, cabin=cabin)
        if setting.light.dark:
            setting.add(town.glow_plate(stage, (x, _at(outline, x) - size * 0.2), radius=size * 0.9, colour=rgb("#ffc46b"), depth=depth, strength=0.5))
    setting.add(plate_of(stage, picture, depth=depth, light=setting.light, rim=0.45))


def _desert(setting: Setting) -> None:
    stage, light, rng, horizon = setting.stage, setting.light, setting.rng, setting.horizon
    paint_heavens(setting, clouds=int(rng.integers(0, 3)) if light.weather is Weather.CLEAR else None)
    rocky = rng.random() < 0.35
    span = stage.tall - horizon
    if rocky:
        red = rgb("#c4754f")
        setting.add(_mesas(setting, depth=20.0, base=horizon + 0.02, height=0.24, rock=red))
        setting.add(_mesas(setting, depth=9.0, base=horizon + 0.06, height=0.17, rock=red))
        for depth, down in ((6.0, 0.12), (3.6, 0.34)):
            _ridge(setting, base=horizon + down * span, height=0.025, waves=1.0, depth=depth, material=rgb("#d08a5c"), mist=0.3, texture=0.2)
        outline = _ridge(setting, base=horizon + span * 0.62, height=0.03, waves=0.9, depth=2.2, material=rgb("#c47a4e"), texture=0.25)
        _trees(setting, outline, depth=2.25, height=0.2, spacing=0.3, species=(Species.CACTUS,), gap=_gap(setting, 0.6), rim=0.5)
        setting.slot(Realm.GROUND, depth=2.2, foot=lambda x: _at(outline, x) + 0.02)
        near = hill_outline(rng, base=stage.tall + 0.02, height=0.02, waves=1.0)
        _trees(setting, near, depth=1.3, height=0.42, spacing=0.9, species=(Species.CACTUS,), gap=_gap(setting, 1.0), rim=0.5)
        return
    dunes = paint_dunes(stage, light, rng, horizon=horizon, sand=mix(SAND, rgb("#d98f5a"), float(rng.random()) * 0.7))
    setting.add(*dunes[:4])
    base = horizon + span * 0.62
    setting.slot(Realm.GROUND, depth=1.9, foot=lambda _x: base, shade=0.82)
    setting.add(*dunes[4:])


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
        picture.shape([(x - skirt, base + 0.2), (x - skirt, base), (x, base - tall * 0.45), (x + wide, base - tall * 0.45), (x + wide + skirt, base), (x + wide + skirt, base + 0.2)], mix(lit, dark, 0.45))
        picture.shape([(x, base - tall * 0.42), (x + wide * 0.04, base - tall), (x + wide * 0.96, base - tall), (x + wide, base - tall * 0.42)], lit)
        edge = x + wide * (0.3 if side > 0 else 0.7)
        far = x if side > 0 else x + wide
        picture.shape([(far, base - tall * 0.42), (far + side * wide * 0.04, base - tall), (edge, base - tall), (edge - side * wide * 0.05, base - tall * 0.42)], dark)
        for share in (0.6, 0.75, 0.88):
            picture.stroke([(x + wide * 0.03, base - tall * share), (x + wide * 0.97, base - tall * share)], tall * 0.025, mix(lit, dark, 0.4))
        x += wide + height * float(rng.uniform(0.5, 2.6))
    return plate_of(stage, picture, depth=depth, light=light, mist=(base - height * 0.5, base + height * 0.6))


def _snow(setting: Setting) -> None:
    stage, light, rng, horizon = setting.stage, setting.light, setting.rng, setting.horizon
    paint_heavens(setting)
    setting.add(paint_mountains(stage, light, rng, base=horizon + 0.02, height=float(rng.uniform(0.25, 0.42)), depth=20.0, snow=0.05))
    span = stage.tall - horizon
    for depth, down, size in ((9.0, 0.08, 0.08), (5.0, 0.26, 0.15), (3.2, 0.46, 0.25)):
        outline = hill_outline(rng, base=horizon + down * span, height=0.05, waves=1.0)
        _trees(setting, outline, depth=depth, height=size, spacing=size * float(rng.uniform(0.7, 1.6)), species=(Species.PINE, Species.PINE, Species.BARE))
        setting.add(paint_ridge(stage, light, outline, depth=depth, material=SNOW, mist=0.3, texture=0.06, rng=rng))
    outline = _ridge(setting, base=horizon + span * 0.66, height=0.035, waves=0.8, depth=2.2, material=SNOW, texture=0.07)
    _houses(setting, outline, depth=2.3)
    _trees(setting, outline, depth=2.25, height=0.4, spacing=0.3, species=(Species.PINE,), gap=_gap(setting, stage.wide * 0.62), rim=0.5)
    setting.slot(Realm.GROUND, depth=2.2, foot=lambda x: _at(outline, x) + 0.02)
    _ridge(setting, base=stage.tall - 0.05, height=0.03, waves=0.9, depth=1.3, material=SNOW, mist=0.0, texture=0.05)


def _road(setting: Setting) -> None:
    stage, light, rng = setting.stage, setting.light, setting.rng
    setting.horizon = horizon = stage.tall * 0.5 + 0.03
    paint_heavens(setting)
    desert = setting.script.place is Place.DESERT
    green = SAND if desert else grass_of(season_of(setting))
    setting.add(paint_mountains(stage, light, rng, base=horizon + 0.02, height=float(rng.uniform(0.16, 0.3)), depth=24.0, snow=0.6))
    for depth in (15.0, 10.0):
        outline = hill_outline(rng, base=horizon + 0.012, height=0.035, waves=1.4)
        if not desert:
            _trees(setting, outline, depth=depth, height=0.05, spacing=0.045, species=(Species.BROADLEAF, Species.PINE))
        setting.add(paint_ridge(stage, light, outline, depth=depth, material=green, mist=0.3))
    height = (stage.tall - horizon) * 1.0
    setting.add(town.paint_road(stage, light, rng, horizon=horizon, height=height, verge=green))
    for depth in (7.0, 4.6, 3.1, 2.3):
        _roadside(setting, horizon=horizon, height=height, depth=depth)
    middle = stage.wide / 2
    setting.slot(Realm.GROUND, depth=2.2, foot=lambda _x: horizon + height / 2.2 + 0.012)
    for depth in (1.75, 1.3):
        _roadside(setting, horizon=horizon, height=height, depth=depth, middle=middle)


def _roadside(setting: Setting, *, horizon: float, height: float, depth: float, middle: float | None = None) -> None:
    """Trees and poles beside the road, standing on the ground at their depth."""
    stage, light, rng = setting.stage, setting.light, setting.rng
    centre = stage.wide / 2 if middle is None else middle
    foot = horizon + height / depth
    line = hill_outline(rng, base=foot, height=0.0, waves=1.0)
    half = 0.75 / depth
    if setting.script.place is Place.DESERT:
        _trees(setting, line, depth=depth, height=0.4 / depth, spacing=1.4 / depth, species=(Species.CACTUS,), gap=(centre - half, centre + half), rim=0.45)
    else:
        dense = 0.6 if setting.script.place is Place.FOREST else 0.95
        species = (Species.PINE, Species.BIRCH) if dense < 0.9 else (Species.BROADLEAF, Species.PINE, Species.BIRCH)
        _trees(setting, line, depth=depth, height=0.95 / depth, spacing=dense / depth, species=species, gap=(centre - half, centre + half), rim=0.45)
    picture = picture_of(stage, foot - 0.8 / depth, foot + 0.01)
    wood = light.silhouette(depth, (0.3, 0.24, 0.2))
    x = centre + 0.4 / depth
    picture.stroke([(x, foot), (x, foot - 0.62 / depth)], 0.018 / depth, wood)
    picture.stroke([(x - 0.07 / depth, foot - 0.56 / depth), (x + 0.07 / depth, foot - 0.56 / depth)], 0.014 / depth, wood)
    setting.add(plate_of(stage, picture, depth=depth, light=light, rim=0.3))


# --- water ---------------------------------------------------------------------------------------


def _pace(setting: Setting) -> float:
    return 0.0 if setting.energy <= 0.02 else setting.energy


def _sea(setting: Setting) -> None:
    stage, light, rng = setting.stage, setting.light, setting.rng
    setting.horizon = horizon = stage.tall * float(rng.uniform(0.42, 0.6))
    paint_heavens(setting)
    if rng.random() < 0.4:
        setting.add(paint_mountains(stage, light, rng, base=horizon + 0.005, height=float(rng.uniform(0.06, 0.14)), depth=26.0, waves=1.2, snow=1.0))
    height = stage.tall - horizon
    waves = water.paint_sea(stage, light, rng, horizon=horizon, height=height, swell=water.swell_of(light.weather, setting.energy), pace=_pace(setting))
    setting.add(*waves[:6])
    row = horizon + height * 0.42
    setting.slot(Realm.WATER, depth=2.35, foot=lambda _x: row)
    if any(subject.name == "lighthouse" for subject in setting.script.subjects):
        setting.slot(Realm.GROUND, depth=2.6, foot=lambda _x: row - 0.02)
    setting.add(*waves[6:])
    if light.weather not in (Weather.STORM, Weather.RAIN):
        setting.add(water.sparkle(stage, light, rng, waterline=horizon, height=height, pace=_pace(setting)))


def _beach(setting: Setting) -> None:
    stage, light, rng = setting.stage, setting.light, setting.rng
    setting.horizon = horizon = stage.tall * float(rng.uniform(0.44, 0.54))
    paint_heavens(setting)
    height = stage.tall - horizon
    shore = horizon + height * float(rng.uniform(0.4, 0.52))
    if rng.random() < 0.5:
        setting.add(paint_mountains(stage, light, rng, base=horizon + 0.005, height=0.1, depth=24.0, waves=1.2, snow=1.0))
    swell = 0.6 * water.swell_of(light.weather, setting.energy)
    setting.add(*water.paint_sea(stage, light, rng, horizon=horizon, height=height, swell=swell, pace=_pace(setting), until=shore))
    setting.slot(Realm.WATER, depth=4.2, foot=lambda _x: horizon + height * 0.22)
    setting.add(*water.paint_surf(stage, light, rng, shore=shore, height=height, sand=SAND, pace=_pace(setting)))
    setting.slot(Realm.GROUND, depth=2.0, foot=lambda _x: shore + (stage.tall - shore) * 0.42)
    side = rng.random() < 0.5
    line = hill_outline(rng, base=stage.tall + 0.03, height=0.03, waves=1.2)
    gap = (stage.wide * 0.3, 9.0) if side else (-9.0, stage.wide * 0.7)
    _trees(setting, line, depth=1.35, height=0.78, spacing=0.34, species=(Species.PALM,), gap=gap, rim=0.5, moves=True)
    setting.add(undergrowth(stage, light, rng, y=stage.tall + 0.005, depth=1.2, size=0.045, season=Season.SUMMER, soil=light.shade(SAND, 1.2, lit=0.5), thick=0.4))


def _lake(setting: Setting) -> None:
    stage, light, rng = setting.stage, setting.light, setting.rng
    setting.horizon = horizon = stage.tall * float(rng.uniform(0.5, 0.6))
    paint_heavens(setting)
    season = season_of(setting)
    snow = 0.15 if season is Season.WINTER else float(rng.uniform(0.35, 0.7))
    setting.add(paint_mountains(stage, light, rng, base=horizon, height=float(rng.uniform(0.3, 0.46)), depth=22.0, waves=float(rng.uniform(1.4, 2.4)), snow=snow))
    material = mix(WOODS, grass_of(season), 0.75 if season is Season.WINTER else 0.2)
    for depth, rise in ((14.0, 0.06), (9.0, 0.02)):
        outline = hill_outline(rng, base=horizon - rise, height=rise * 0.9, waves=1.3)
        _trees(setting, outline, depth=depth, height=0.62 / depth, spacing=0.17 / depth, species=_forest_species(setting), mist=0.3)
        setting.add(paint_ridge(stage, light, outline, depth=depth, material=material, mist=0.5))
    shore = hill_outline(rng, base=horizon - 0.012, height=0.01, waves=1.6)
    _houses(setting, shore, depth=8.5)
    mirror = water.mirror_of(stage, light, setting.elements, waterline=horizon, rough=0.35 + 0.8 * setting.energy, pace=_pace(setting))
    setting.add(mirror)
    if _dawnish(setting):
        _mist(setting, y=horizon + 0.01, thick=0.045, depth=7.0, strength=0.5)
    if light.weather not in (Weather.STORM, Weather.RAIN):
        setting.add(water.sparkle(stage, light, rng, waterline=horizon, height=stage.tall - horizon, pace=_pace(setting)))
    span = stage.tall - horizon
    setting.slot(Realm.WATER, depth=2.6, foot=lambda _x: horizon + span * 0.42)
    bank = _ridge(setting, base=stage.tall - 0.07, height=0.035, waves=0.9, depth=1.7, material=mix(grass_of(season), (0.12, 0.2, 0.14), 0.4), mist=0.0, texture=0.2)
    setting.slot(Realm.GROUND, depth=1.7, foot=lambda x: _at(bank, x) + 0.03, shade=0.8)
    side = rng.random() < 0.5
    _trees(setting, bank, depth=1.6, height=0.66, spacing=0.3, species=(Species.PINE, Species.BIRCH), rim=0.5, moves=True,
           gap=(stage.wide * 0.2, 9.0) if side else (-9.0, stage.wide * 0.8))
    setting.add(undergrowth(stage, light, rng, y=stage.tall - 0.02, depth=1.2, size=0.07, season=season, soil=_near_soil(setting), ferns=0.2))


def _river(setting: Setting) -> None:
    """A lake's water between two banks, with a wood close by."""
    stage, light, rng = setting.stage, setting.light, setting.rng
    setting.horizon = horizon = stage.tall * float(rng.uniform(0.52, 0.6))
    paint_heavens(setting)
    season = season_of(setting)
    if rng.random() < 0.6:
        setting.add(paint_mountains(stage, light, rng, base=horizon - 0.04, height=0.3, depth=24.0, snow=0.5))
    green = grass_of(season)
    for depth, rise in ((12.0, 0.1), (7.0, 0.055), (5.0, 0.03)):
        outline = hill_outline(rng, base=horizon - rise, height=0.03, waves=1.4)
        _trees(setting, outline, depth=depth, height=1.05 / depth, spacing=0.3 / depth, species=_forest_species(setting), mist=0.3)
        setting.add(paint_ridge(stage, light, outline, depth=depth, material=mix(green, WOODS, 0.3), mist=0.3, texture=0.1, rng=rng))
    if "waterfall" in setting.script.extras:
        setting.add(*paint_waterfall(stage, light, rng, foot=horizon, energy=setting.energy))
    setting.add(water.mirror_of(stage, light, setting.elements, waterline=horizon, rough=0.8 + setting.energy, pace=0.4 + _pace(setting) if setting.energy > 0.02 else 0.0))
    span = stage.tall - horizon
    setting.slot(Realm.WATER, depth=2.5, foot=lambda _x: horizon + span * 0.34)
    slope = 0.35 if rng.random() < 0.5 else -0.35
    soft = hill_outline(rng, base=horizon + span * 0.78, height=0.03, waves=1.0)
    middle = stage.wide / 2

    def bank(xs: np.ndarray) -> np.ndarray:
        return np.asarray(soft(xs) - slope * (xs - middle) * span * 1.1, dtype=np.float32)

    setting.add(paint_ridge(stage, light, bank, depth=1.9, material=green, mist=0.1, texture=0.2, rng=rng))
    setting.slot(Realm.GROUND, depth=1.9, foot=lambda x: _at(bank, x) + 0.03, shade=0.9)
    side = (stage.wide * 0.28, 9.0) if slope < 0 else (-9.0, stage.wide * 0.72)
    _trees(setting, bank, depth=1.85, height=0.5, spacing=0.22, species=_forest_species(setting), gap=side, rim=0.5, moves=True)
    _foreground(setting)


# --- built ---------------------------------------------------------------------------------------


def _city(setting: Setting) -> None:
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
    setting.add(*town.paint_skyline(stage, light, rng, base=horizon + 0.01, depth=16.0, height=far, width=0.05, lit=lit))
    setting.add(*town.paint_skyline(stage, light, rng, base=horizon + 0.02, depth=9.0, height=far * 0.9, width=0.085, lit=lit, neon=neon))
    _mist(setting, y=horizon, thick=0.07, depth=8.0, strength=0.4)
    height = stage.tall - horizon
    wet = light.weather in (Weather.RAIN, Weather.STORM) or neon
    road, *lamps = town.paint_street(stage, light, rng, horizon=horizon, height=height, wet=wet)
    setting.add(road)
    for depth, lamp in ((5.6, 5.2), (3.9, 3.0), (2.7, 1.9)):
        half = 0.95 / depth
        gap = (stage.wide / 2 - half, stage.wide / 2 + half)
        setting.add(*town.paint_skyline(stage, light, rng, base=horizon + height / depth, depth=depth, height=1.7 / depth, width=0.62 / depth, lit=lit, neon=neon, gap=gap))
        setting.add(*(element for element in lamps if getattr(element, "depth", 0.0) == lamp))
    setting.slot(Realm.GROUND, depth=2.2, foot=lambda _x: horizon + height / 2.2 + 0.01)
    setting.add(*(element for element in lamps if getattr(element, "depth", 0.0) < 1.6))


def _waterfront(setting: Setting) -> None:
    stage, light, rng = setting.stage, setting.light, setting.rng
    setting.horizon = horizon = stage.tall * float(rng.uniform(0.58, 0.66))
    paint_heavens(setting)
    lit, neon = _lit(setting), _neon(setting)
    tall = float(rng.uniform(0.3, 0.42))
    for depth, share, width in ((18.0, 0.8, 0.045), (11.0, 1.0, 0.075), (8.0, 0.6, 0.1)):
        setting.add(*town.paint_skyline(stage, light, rng, base=horizon, depth=depth, height=tall * share, width=width, lit=lit, neon=neon and depth < 18))
    setting.add(water.mirror_of(stage, light, setting.elements, waterline=horizon, rough=0.7 + setting.energy, pace=_pace(setting)))
    span = stage.tall - horizon
    setting.slot(Realm.WATER, depth=2.6, foot=lambda _x: horizon + span * 0.4)
    setting.add(water.sparkle(stage, light, rng, waterline=horizon, height=span, pace=_pace(setting)))
    quay = hill_outline(rng, base=stage.tall - 0.06, height=0.0, waves=1.0)
    setting.add(paint_ridge(stage, light, quay, depth=1.6, material=rgb("#5d5f66"), mist=0.0, texture=0.15, rng=rng))
    setting.slot(Realm.GROUND, depth=1.6, foot=lambda _x: stage.tall - 0.035, shade=0.78)
    picture = picture_of(stage, stage.tall - 0.2, stage.bottom)
    iron = light.silhouette(1.5, (0.16, 0.17, 0.2))
    for y in (0.15, 0.095):
        picture.stroke([(-1.0, stage.tall - y), (stage.wide + 1.0, stage.tall - y)], 0.009, iron)
    for x in np.arange(-0.9, stage.wide + 0.9, 0.11).tolist():
        picture.stroke([(x, stage.tall - 0.04), (x, stage.tall - 0.155)], 0.008, iron)
    setting.add(plate_of(stage, picture, depth=1.5, light=light, rim=0.5))


def _room(setting: Setting, kind: str) -> None:
    stage, light, rng = setting.stage, setting.light, setting.rng
    setting.horizon = stage.tall * 0.5 + 0.04
    setting.add(*paint_sky(stage, light, rng, horizon=stage.tall * 0.6))
    setting.add(*paint_clouds(stage, light, rng, horizon=stage.tall * 0.6, count=4, drift=0.01 * _pace(setting), size=0.2))
    outside = hill_outline(rng, base=stage.tall * 0.5 + 0.05, height=0.03, waves=2.0)
    setting.add(tree_line(stage, light, rng, outside, depth=9.0, height=0.12, spacing=0.08, species=(Species.BROADLEAF, Species.PINE), season=season_of(setting)))
    setting.add(paint_ridge(stage, light, outside, depth=9.0, material=grass_of(season_of(setting))))
    setting.add(*indoors.paint_room(stage, light, rng, kind=kind))
    foot = stage.tall * 0.5 + 0.26 + 0.12
    plant = setting.elements.pop()
    setting.slot(Realm.GROUND, depth=2.0, foot=lambda _x: foot)
    setting.slot(Realm.AIR, depth=2.2, foot=lambda _x: foot - 0.42)
    setting.add(plant)


# --- elsewhere -----------------------------------------------------------------------------------


def _sky(setting: Setting) -> None:
    """Above the clouds: banks of them, near and far, instead of land."""
    stage, light, rng = setting.stage, setting.light, setting.rng
    setting.horizon = horizon = stage.tall * float(rng.uniform(0.7, 0.82))
    paint_heavens(setting, clouds=4)
    pace = _pace(setting)
    for depth, down, size in ((40.0, -0.02, 0.5), (16.0, 0.05, 0.7), (8.0, 0.12, 0.95)):
        setting.add(cloud_bank(stage, light, rng, y=horizon + down, size=size, depth=depth, drift=0.1 * pace / depth))
    setting.slot(Realm.AIR, depth=2.6, foot=lambda _x: stage.tall * 0.42)
    setting.slot(Realm.GROUND, depth=2.6, foot=lambda _x: stage.tall * 0.7)
    for depth, down, size in ((3.6, 0.24, 1.1), (1.7, 0.36, 1.3)):
        setting.add(cloud_bank(stage, light, rng, y=horizon + down, size=size, depth=depth, drift=0.02 * pace))


def _space(setting: Setting) -> None:
    setting.light = space.space_light(setting.rng)
    setting.horizon = setting.stage.tall * 0.5
    extras = setting.script.extras
    galaxy = "galaxy" in extras and "planet" not in extras
    setting.add(*space.paint_space(setting.stage, setting.light, setting.rng, planet=not galaxy, galaxy=galaxy))
    tall = setting.stage.tall
    setting.slot(Realm.SPACE, depth=2.4, foot=lambda _x: tall * 0.64)


def _world(setting: Setting, kind: str) -> None:
    stage = setting.stage
    setting.light = space.space_light(setting.rng)
    setting.horizon = stage.tall * 0.6
    elements = space.paint_other_world(stage, setting.light, setting.rng, kind=kind)
    setting.add(*elements[:-1])
    setting.slot(Realm.GROUND, depth=2.4, foot=lambda _x: stage.tall * 0.87)
    setting.slot(Realm.AIR, depth=3.0, foot=lambda _x: stage.tall * 0.35)
    setting.add(elements[-1])


def _underwater(setting: Setting) -> None:
    stage = setting.stage
    setting.light = deep.under_water_light(setting.light)
    setting.horizon = stage.tall * 0.5
    elements = deep.paint_under_water(stage, setting.light, setting.rng, energy=setting.energy)
    setting.add(*elements[:-4])
    setting.slot(Realm.DEEP, depth=2.4, foot=lambda _x: stage.tall * 0.46)
    setting.slot(Realm.WATER, depth=2.4, foot=lambda _x: stage.tall * 0.3)
    setting.add(elements[-4])
    setting.slot(Realm.GROUND, depth=2.2, foot=lambda _x: stage.tall * 0.93)
    setting.add(*elements[-3:])


def _cave(setting: Setting) -> None:
    stage, rng = setting.stage, setting.rng
    setting.horizon = stage.tall * 0.56
    setting.add(*paint_sky(stage, setting.light, rng, horizon=setting.horizon))
    _ridge(setting, base=setting.horizon + 0.03, height=0.04, waves=1.5, depth=16.0, material=WOODS)
    setting.add(*deep.paint_cave(stage, setting.light, rng, crystals="crystals" in setting.script.extras or rng.random() < 0.4))
    last = setting.elements.pop()
    setting.slot(Realm.GROUND, depth=1.9, foot=lambda _x: stage.tall * 0.86, shade=0.9)
    setting.slot(Realm.AIR, depth=2.4, foot=lambda _x: stage.tall * 0.45)
    setting.add(last)


def _at(outline: Outline, x: float) -> float:
    """The outline's height at one place."""
    return float(outline(np.asarray([x], dtype=np.float32))[0])


_ROADS_THROUGH = frozenset({Place.DESERT, Place.FOREST, Place.FIELDS, Place.MOUNTAINS})


def paint_place(setting: Setting, place: Place) -> None:
    """Build a place; a road in the words leads through open land."""
    on_road = "street" in setting.script.extras and place in _ROADS_THROUGH
    (_road if on_road else RECIPES[place])(setting)


RECIPES: dict[Place, Callable[[Setting], None]] = {
    Place.FOREST: _forest, Place.MOUNTAINS: _mountains, Place.SEA: _sea, Place.BEACH: _beach, Place.LAKE: _lake, Place.RIVER: _river,
    Place.DESERT: _desert, Place.CITY: _city, Place.VILLAGE: _village, Place.FIELDS: _fields, Place.ROAD: _road, Place.SNOW: _snow,
    Place.SKY: _sky, Place.SPACE: _space, Place.UNDERWATER: _underwater, Place.CAVE: _cave,
    Place.MOON: lambda setting: _world(setting, "moon"), Place.MARS: lambda setting: _world(setting, "mars"),
    Place.PLANET: lambda setting: _world(setting, "strange"),
    Place.ROOM: lambda setting: _room(setting, "living"), Place.BEDROOM: lambda setting: _room(setting, "bedroom"),
    Place.KITCHEN: lambda setting: _room(setting, "kitchen"), Place.LIBRARY: lambda setting: _room(setting, "library"),
    Place.OFFICE: lambda setting: _room(setting, "office"),
}
