"""Recipes: each place of the script as layers in a setting, varied by the setting's random generator."""

from __future__ import annotations

from collections.abc import Callable

from localvid.pipelines.animatic.places.beyond import (
    paint_above_clouds,
    paint_cave_mouth,
    paint_outer_space,
    paint_sea_floor,
    paint_world,
)
from localvid.pipelines.animatic.places.built import paint_city, paint_inside, paint_road_land, paint_village
from localvid.pipelines.animatic.places.forest import paint_forest
from localvid.pipelines.animatic.places.shores import paint_beach, paint_lake, paint_open_sea, paint_river
from localvid.pipelines.animatic.places.wilds import (
    paint_desert,
    paint_fields,
    paint_mountain_land,
    paint_snow_land,
)
from localvid.pipelines.animatic.script import Place
from localvid.pipelines.animatic.staging import Setting

_ROADS_THROUGH = frozenset({Place.DESERT, Place.FOREST, Place.FIELDS, Place.MOUNTAINS})


def paint_place(setting: Setting, place: Place) -> None:
    """Build a place; a road in the words leads through open land."""
    on_road = "street" in setting.script.extras and place in _ROADS_THROUGH
    (paint_road_land if on_road else RECIPES[place])(setting)


RECIPES: dict[Place, Callable[[Setting], None]] = {
    Place.FOREST: paint_forest,
    Place.MOUNTAINS: paint_mountain_land,
    Place.SEA: paint_open_sea,
    Place.BEACH: paint_beach,
    Place.LAKE: paint_lake,
    Place.RIVER: paint_river,
    Place.DESERT: paint_desert,
    Place.CITY: paint_city,
    Place.VILLAGE: paint_village,
    Place.FIELDS: paint_fields,
    Place.ROAD: paint_road_land,
    Place.SNOW: paint_snow_land,
    Place.SKY: paint_above_clouds,
    Place.SPACE: paint_outer_space,
    Place.UNDERWATER: paint_sea_floor,
    Place.CAVE: paint_cave_mouth,
    Place.MOON: lambda setting: paint_world(setting, "moon"),
    Place.MARS: lambda setting: paint_world(setting, "mars"),
    Place.PLANET: lambda setting: paint_world(setting, "strange"),
    Place.ROOM: lambda setting: paint_inside(setting, "living"),
    Place.BEDROOM: lambda setting: paint_inside(setting, "bedroom"),
    Place.KITCHEN: lambda setting: paint_inside(setting, "kitchen"),
    Place.LIBRARY: lambda setting: paint_inside(setting, "library"),
    Place.OFFICE: lambda setting: paint_inside(setting, "office"),
}
