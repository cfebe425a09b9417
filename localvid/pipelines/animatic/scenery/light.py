"""The light of an hour and a weather: the sky's colours, the haze, and what they make of a material."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from localvid.pipelines.animatic.brush import Rgb, grey, mix, rgb, times

WHITE: Rgb = (1.0, 1.0, 1.0)


class Hour(StrEnum):
    DAWN = "dawn"
    MORNING = "morning"
    DAY = "day"
    SUNSET = "sunset"
    DUSK = "dusk"
    NIGHT = "night"


class Weather(StrEnum):
    CLEAR = "clear"
    CLOUDY = "cloudy"
    FOG = "fog"
    RAIN = "rain"
    STORM = "storm"
    SNOW = "snow"
    WIND = "wind"


@dataclass(frozen=True)
class Light:
    """Colours and places that all of a scene is painted by."""

    hour: Hour
    weather: Weather
    sky: tuple[Rgb, Rgb, Rgb, Rgb]
    """From the zenith down to the horizon, at 0, 0.45, 0.8 and 1 of the way."""
    glow: Rgb
    """Around the sun or the moon, and on the edges that face it."""
    haze: Rgb
    """What distance fades to."""
    ambient: Rgb
    """What a white surface in the open looks like."""
    shadow: Rgb
    """What the darkest nearby shapes tend to."""
    sun: tuple[float, float]
    """Place in fractions of the frame's width and of the height of the sky."""
    sun_size: float
    """Radius in units; 0 hides it."""
    stars: float
    """How many of the stars are seen, 0 to 1."""
    haze_depth: float = 14.0
    """Depth by which two thirds of a colour is lost to the haze."""

    @property
    def dark(self) -> bool:
        return grey(self.ambient) < 0.5

    def shade(self, material: Rgb, depth: float, *, lit: float = 1.0) -> Rgb:
        """The look of a material at a depth; `lit` 0 is its side in shadow."""
        if self.dark:  # little colour is seen by little light
            level = grey(material)
            material = mix(material, (level, level, level), 0.45)
        colour = times(material, mix(self.shadow, self.ambient, 0.25 + 0.75 * lit))
        return mix(colour, self.haze, self.fade(depth))

    def silhouette(self, depth: float, material: Rgb = (0.16, 0.17, 0.2)) -> Rgb:
        """A shape against the light."""
        return mix(times(material, mix(self.ambient, self.shadow, 0.35)), self.haze, self.fade(depth) * 0.9)

    def fade(self, depth: float) -> float:
        """The share of haze at a depth."""
        return float(1.0 - np.exp(-max(0.0, depth - 1.0) / self.haze_depth))


_HOURS: dict[Hour, tuple[tuple[str, ...], ...]] = {
    # zenith, upper, lower, horizon, glow, haze, ambient, shadow
    Hour.DAWN: (
        ("#3d4c86", "#8f7fae", "#f2ab9c", "#ffdfb0", "#ffe9c4", "#eeb9a6", "#b79bb0", "#3a3a66"),
        ("#2f5582", "#7ea2b8", "#f5c79a", "#ffe6ae", "#fff0c9", "#e9c7a8", "#b3a6a8", "#30456a"),
        ("#564a83", "#b98aae", "#ffb7a5", "#ffe1c0", "#ffefd6", "#f2bfb4", "#bfa0b2", "#443a66"),
    ),
    Hour.MORNING: (
        ("#4793c9", "#8cc5e2", "#d9ecdf", "#fdf1cf", "#fffbe6", "#dfe9da", "#ece6d8", "#3c5878"),
        ("#3f8fb8", "#93cfdb", "#e5efd6", "#fff2c4", "#fffbe0", "#dcebd8", "#eee8d4", "#355c70"),
    ),
    Hour.DAY: (
        ("#2673ba", "#5aa6dc", "#a8d6ee", "#dff1f4", "#fffdf0", "#c3e0ea", "#ffffff", "#38597f"),
        ("#1f6fae", "#58aed6", "#b1dfe8", "#eaf6ee", "#fffdf0", "#cbe6e6", "#fffdf6", "#34607a"),
        ("#3b7fc4", "#7cb5e4", "#bddcf0", "#e8f1f2", "#fffdf0", "#cde0ec", "#fdfdff", "#40598a"),
    ),
    Hour.SUNSET: (
        ("#2c2a5e", "#8c3f74", "#ee6c4d", "#ffc86b", "#ffe29a", "#e0765a", "#b0747a", "#2e1f4a"),
        ("#3a2450", "#a83f5b", "#f7814a", "#ffd27a", "#ffe8a8", "#ea8456", "#b87868", "#351d40"),
        ("#27426e", "#8a6a92", "#f0936a", "#ffd68f", "#ffedbd", "#e59a7c", "#b28a86", "#2b2f58"),
    ),
    Hour.DUSK: (
        ("#141a40", "#3a3b78", "#8f5f94", "#f09d8a", "#ffc9a4", "#87618f", "#7a6a92", "#181a3c"),
        ("#10213f", "#2c4f78", "#7d7a9c", "#eab08c", "#ffd7a8", "#6f7595", "#68728f", "#14203c"),
    ),
    Hour.NIGHT: (
        ("#050a1e", "#0b1a3c", "#173764", "#2f5f8c", "#dfe9ff", "#21456e", "#3a5480", "#060c22"),
        ("#070820", "#14143e", "#2a2a66", "#4c4a8c", "#e6e4ff", "#343468", "#454a80", "#0a0a26"),
        ("#04121f", "#0a2a3c", "#155060", "#2f7f86", "#dcfff4", "#1d5560", "#3a666e", "#061820"),
    ),
}


def light_of(hour: Hour, weather: Weather, rng: np.random.Generator, *, palette: int) -> Light:
    """The light of an hour and a weather: any number chooses a palette, `rng` the sun's place."""
    palettes = _HOURS[hour]
    names = palettes[palette % len(palettes)]
    zenith, upper, lower, horizon, glow, haze, ambient, shadow = (rgb(name) for name in names)
    side = float(rng.choice((-1.0, 1.0)))
    across = 0.5 + side * float(rng.uniform(0.1, 0.3))
    height = {
        Hour.DAWN: rng.uniform(0.86, 0.97),
        Hour.MORNING: rng.uniform(0.45, 0.6),
        Hour.DAY: rng.uniform(0.18, 0.3),
        Hour.SUNSET: rng.uniform(0.78, 0.92),
        Hour.DUSK: rng.uniform(1.02, 1.1),
        Hour.NIGHT: rng.uniform(0.2, 0.4),
    }[hour]
    size = {Hour.DAWN: 0.062, Hour.MORNING: 0.05, Hour.DAY: 0.048, Hour.SUNSET: 0.085, Hour.DUSK: 0.06}
    light = Light(
        hour=hour,
        weather=weather,
        sky=(zenith, upper, lower, horizon),
        glow=glow,
        haze=haze,
        ambient=ambient,
        shadow=shadow,
        sun=(across, float(height)),
        sun_size=size.get(hour, 0.055),
        stars={Hour.NIGHT: 1.0, Hour.DUSK: 0.35, Hour.DAWN: 0.15}.get(hour, 0.0),
    )
    return _weathered(light)


def _weathered(light: Light) -> Light:
    """Cloud takes the sun and the colour away, fog brings the haze near."""
    match light.weather:
        case Weather.STORM:
            return _overcast(light, rgb("#2c3440"), 0.84, 0.5, haze_depth=10.0)
        case Weather.RAIN:
            return _overcast(light, rgb("#6b7885"), 0.66, 0.76, haze_depth=7.0)
        case Weather.SNOW:
            return replace(_overcast(light, rgb("#aebccb"), 0.5, 0.98, haze_depth=8.0), stars=0.0)
        case Weather.FOG:
            pale = mix(light.haze, light.sky[3], 0.5)
            level = grey(pale)
            pale = mix(pale, (level, level, level), 0.4)
            sky = tuple(mix(colour, pale, 0.66 + 0.09 * i) for i, colour in enumerate(light.sky))
            return replace(
                light,
                sky=(sky[0], sky[1], sky[2], sky[3]),
                haze=pale,
                haze_depth=2.8,
                glow=mix(light.glow, pale, 0.4),
                sun_size=light.sun_size * 0.8,
                stars=0.0,
            )
        case Weather.CLOUDY:
            return _overcast(light, rgb("#8fa0ae"), 0.35, 0.9, haze_depth=11.0, sun=True)
        case Weather.CLEAR | Weather.WIND:
            return light


def _overcast(
    light: Light, cloud: Rgb, cover: float, dim: float, *, haze_depth: float, sun: bool = False
) -> Light:
    """The sky drawn towards the cloud's grey, as bright as the hour allows."""
    level = 0.16 + 0.84 * grey(light.ambient)
    grey_sky = times(cloud, (level, level, level * 1.05))
    # Under the edge of the cloud the horizon stays bright.
    pale = (0.0, 0.05, 0.13, 0.34)
    sky = tuple(
        mix(colour, mix(grey_sky, WHITE, share * level), cover)
        for colour, share in zip(light.sky, pale, strict=True)
    )
    even = grey(light.ambient) * dim
    return replace(
        light,
        sky=(sky[0], sky[1], sky[2], sky[3]),
        haze=mix(light.haze, mix(grey_sky, WHITE, 0.12 * dim), cover),
        ambient=mix(times(light.ambient, (dim, dim, dim)), (even, even, even * 1.04), cover * 0.7),
        glow=mix(light.glow, grey_sky, cover * 0.8),
        sun_size=light.sun_size if sun else 0.0,
        stars=light.stars * (0.6 if sun else 0.1),
        haze_depth=haze_depth,
    )
