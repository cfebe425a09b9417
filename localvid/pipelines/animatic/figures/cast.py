"""Everything that can act in a scene: how it is drawn, how large it is, where it lives and how it moves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

from localvid.pipelines.animatic.figures import (
    animals,
    birds,
    creatures,
    landmarks,
    people,
    vehicles,
    vessels,
)
from localvid.pipelines.animatic.figures.builds import BUILDS
from localvid.pipelines.animatic.figures.people import Dress
from localvid.pipelines.animatic.figures.sketch import Look, Sketch

Draw = Callable[[Sketch, Look, float], None]
"""Draws one moment: `phase` 0..1 runs through the figure's own cycle."""


class Realm(StrEnum):
    """Where a figure is at home."""

    GROUND = "ground"
    AIR = "air"
    WATER = "water"
    DEEP = "deep"
    SPACE = "space"


@dataclass(frozen=True)
class Actor:
    """One kind of figure. Sizes are in units on screen, at the depth where subjects stand."""

    draw: Draw
    """As it moves along, or lives if it does not."""
    realm: Realm
    size: float
    """Units for 1 of the figure's own space."""
    box: tuple[float, float, float, float] = (-0.8, -1.3, 0.8, 0.1)
    """Left, top, right, bottom in the figure's space: all that it ever covers."""
    rest: Draw | None = None
    """As it stands still; None: as it moves."""
    sit: Draw | None = None
    rate: float = 1.0
    """Cycles a second at full energy."""
    speed: float = 0.0
    """Units a second at full energy."""
    frames: int = 8
    lit: bool = False
    """Throws light around it in the dark."""
    coat: str = ""
    """The colour that a colour in the words stands for."""
    flock: int = 0
    """How many come when the word is in the plural; 0: three."""


_TALL = (-0.6, -1.35, 0.6, 0.1)
_BEAST = (-1.6, -2.2, 1.7, 0.12)
_LONG = (-0.75, -0.75, 0.75, 0.5)
_WIDE = (-0.8, -0.7, 0.8, 0.12)


def _person(dress: Dress, *, size: float = 0.3, head: float = 1.0) -> Actor:
    return Actor(
        partial(people.draw_person, dress=dress, walking=True, head=head),
        Realm.GROUND,
        size,
        _TALL,
        rest=partial(people.draw_person, dress=dress, walking=False, head=head),
        sit=lambda sketch, look, phase: people.draw_sitting(sketch, look, dress),  # noqa: ARG005 - a Draw takes a phase
        rate=0.9,
        speed=0.085 * size / 0.3,
        frames=12,
        coat=dress.coat,
    )


def _beast(name: str, size: float, *, rate: float = 0.8, speed: float = 0.07) -> Actor:
    build = BUILDS[name]
    return Actor(
        partial(animals.draw_quadruped, build=build, walking=True),
        Realm.GROUND,
        size,
        _BEAST,
        rest=partial(animals.draw_quadruped, build=build, walking=False),
        rate=rate,
        speed=speed,
        frames=12,
        coat=build.coat,
    )


def _bird(
    coat: str,
    pale: str,
    *,
    size: float = 0.13,
    beak: str = "#d9962f",
    long_neck: bool = False,
    rate: float = 1.6,
) -> Actor:
    return Actor(
        partial(birds.draw_flying_bird, coat=coat, pale=pale, beak=beak, long_neck=long_neck),
        Realm.AIR,
        size,
        (-0.8, -1.1, 0.9, 0.9),
        sit=partial(birds.draw_perched_bird, coat=coat, pale=pale, beak=beak),
        rate=rate,
        speed=0.13,
        frames=12,
        coat=coat,
        flock=5,
    )


def _fish(coat: str, pale: str, size: float = 0.13) -> Actor:
    return Actor(
        partial(creatures.draw_fish, coat=coat, pale=pale),
        Realm.DEEP,
        size,
        _LONG,
        rate=1.2,
        speed=0.07,
        frames=8,
        coat=coat,
        flock=7,
    )


def _car(coat: str) -> Actor:
    return Actor(
        partial(vehicles.draw_car, coat=coat),
        Realm.GROUND,
        0.44,
        _WIDE,
        rate=1.4,
        speed=0.24,
        frames=6,
        coat=coat,
    )


CAST: dict[str, Actor] = {
    "person": _person(Dress()),
    "man": _person(Dress(coat="#3f5f7a", legs="#3a3632", hair="#2f2520")),
    "woman": _person(
        Dress(coat="#a8434f", legs="#2f2a33", hair="#5a3526", long_hair=True, skirt=True), size=0.29
    ),
    "child": _person(Dress(coat="#e0a93a", legs="#3f5a7a", hair="#6b4426"), size=0.2, head=1.5),
    "girl": _person(
        Dress(coat="#d9586b", legs="#3a3f55", hair="#7a4a2a", long_hair=True, skirt=True), size=0.2, head=1.5
    ),
    "old": _person(Dress(coat="#6a6f5a", legs="#4a443f", hair="#d9d6d0", hat="brim", staff=True), size=0.28),
    "hiker": _person(Dress(coat="#c9652f", legs="#4a4f45", hair="#3f2c22", pack=True, staff=True)),
    "knight": _person(Dress(coat="#98a3b0", legs="#6f7985", hat="helmet", cape="#9c2f35")),
    "wizard": _person(
        Dress(coat="#4a3f86", legs="#3a3168", hat="pointed", skirt=True, staff=True, hair="#d8d8d8")
    ),
    "king": _person(Dress(coat="#8f2f3a", legs="#3a2f3f", hat="crown", cape="#6b1f2f", long_coat=True)),
    "detective": _person(Dress(coat="#8a7a5c", legs="#3a3632", hat="brim", long_coat=True)),
    "astronaut": Actor(
        partial(people.draw_astronaut, walking=False),
        Realm.SPACE,
        0.3,
        _TALL,
        rest=partial(people.draw_astronaut, walking=True),
        rate=0.25,
        speed=0.012,
        frames=12,
    ),
    "robot": Actor(
        partial(people.draw_robot, walking=True),
        Realm.GROUND,
        0.3,
        _TALL,
        rest=partial(people.draw_robot, walking=False),
        rate=0.8,
        speed=0.06,
        frames=12,
    ),
    "dog": _beast("dog", 0.13, rate=1.1, speed=0.1),
    "wolf": _beast("wolf", 0.17),
    "fox": _beast("fox", 0.12, rate=1.1),
    "cat": _beast("cat", 0.105, rate=0.9, speed=0.05),
    "horse": _beast("horse", 0.24, speed=0.11),
    "unicorn": _beast("unicorn", 0.24, speed=0.1),
    "deer": _beast("deer", 0.2, speed=0.07),
    "cow": _beast("cow", 0.19, rate=0.5, speed=0.03),
    "sheep": _beast("sheep", 0.12, rate=0.6, speed=0.025),
    "pig": _beast("pig", 0.11, rate=0.8, speed=0.03),
    "bear": _beast("bear", 0.19, rate=0.6, speed=0.05),
    "lion": _beast("lion", 0.18, rate=0.6, speed=0.055),
    "tiger": _beast("tiger", 0.17, rate=0.6, speed=0.055),
    "elephant": _beast("elephant", 0.32, rate=0.45, speed=0.045),
    "camel": _beast("camel", 0.24, rate=0.55, speed=0.05),
    "giraffe": _beast("giraffe", 0.27, rate=0.5, speed=0.05),
    "rabbit": Actor(
        partial(creatures.draw_rabbit, hopping=True),
        Realm.GROUND,
        0.13,
        _TALL,
        rest=partial(creatures.draw_rabbit, hopping=False),
        rate=1.1,
        speed=0.06,
        frames=12,
    ),
    "mouse": Actor(creatures.draw_mouse, Realm.GROUND, 0.08, (-1.2, -1.0, 0.8, 0.1), rate=1.2, speed=0.05),
    "bird": _bird("#4f7390", "#e8dcc8"),
    "crow": _bird("#24242b", "#3a3a44", beak="#2e2a28", size=0.15),
    "eagle": _bird("#5a4230", "#c9b596", size=0.22, rate=0.7),
    "gull": _bird("#e9edf0", "#ffffff", size=0.14, rate=1.1),
    "goose": _bird("#8a8580", "#e9e4dc", size=0.17, long_neck=True, rate=1.1),
    "swan": Actor(
        birds.draw_swan, Realm.WATER, 0.2, (-0.7, -0.95, 0.75, 0.12), rate=0.3, speed=0.02, frames=12
    ),
    "owl": Actor(birds.draw_owl, Realm.GROUND, 0.15, _TALL, rate=0.22, frames=12),
    "penguin": Actor(
        partial(birds.draw_penguin, walking=True),
        Realm.GROUND,
        0.17,
        _TALL,
        rest=partial(birds.draw_penguin, walking=False),
        rate=1.0,
        speed=0.03,
        flock=5,
    ),
    "fish": _fish("#f0803a", "#ffd9a8"),
    "shark": Actor(creatures.draw_shark, Realm.DEEP, 0.5, _LONG, rate=0.7, speed=0.08),
    "whale": Actor(
        partial(creatures.draw_whale, spout=False),
        Realm.DEEP,
        0.72,
        (-0.8, -0.7, 0.8, 0.5),
        rate=0.35,
        speed=0.035,
        frames=12,
    ),
    "dolphin": Actor(creatures.draw_dolphin, Realm.DEEP, 0.36, _LONG, rate=0.9, speed=0.1),
    "jellyfish": Actor(creatures.draw_jellyfish, Realm.DEEP, 0.2, _TALL, rate=0.5, frames=12, flock=5),
    "turtle": Actor(
        creatures.draw_turtle, Realm.DEEP, 0.26, (-0.75, -0.75, 0.75, 0.7), rate=0.5, speed=0.04, frames=12
    ),
    "dragon": Actor(
        birds.draw_dragon,
        Realm.AIR,
        0.62,
        (-0.8, -0.9, 0.8, 0.8),
        rate=0.7,
        speed=0.07,
        frames=16,
        coat="#8f2f35",
    ),
    "butterfly": Actor(
        birds.draw_butterfly, Realm.AIR, 0.09, (-0.7, -0.6, 0.7, 0.5), rate=2.2, speed=0.04, flock=6
    ),
    "car": _car("#c2453a"),
    "taxi": _car("#e8b13a"),
    "bus": Actor(
        partial(vehicles.draw_bus, coat="#3f7fa8"),
        Realm.GROUND,
        0.56,
        _WIDE,
        rate=1.0,
        speed=0.18,
        frames=6,
        coat="#3f7fa8",
    ),
    "truck": Actor(vehicles.draw_truck, Realm.GROUND, 0.56, _WIDE, rate=1.0, speed=0.16, frames=6),
    "bicycle": Actor(vehicles.draw_bicycle, Realm.GROUND, 0.24, (-0.6, -0.75, 0.6, 0.1), rate=1.0, frames=6),
    "train": Actor(
        vehicles.draw_train, Realm.GROUND, 1.15, (-0.6, -0.42, 0.6, 0.06), rate=1.1, speed=0.14, frames=12
    ),
    "boat": Actor(
        vessels.draw_sailing_boat, Realm.WATER, 0.32, (-0.55, -1.1, 0.6, 0.12), rate=0.3, speed=0.03
    ),
    "rowboat": Actor(
        vessels.draw_rowing_boat, Realm.WATER, 0.34, (-0.7, -0.8, 0.7, 0.15), rate=0.4, speed=0.02, frames=12
    ),
    "ship": Actor(vessels.draw_ship, Realm.WATER, 0.6, (-0.65, -1.0, 0.7, 0.12), rate=0.25, speed=0.025),
    "steamer": Actor(
        vessels.draw_steamer, Realm.WATER, 0.7, (-0.7, -0.6, 0.7, 0.1), rate=0.3, speed=0.03, frames=12
    ),
    "plane": Actor(
        vessels.draw_plane, Realm.AIR, 0.5, (-0.7, -0.4, 0.7, 0.3), rate=0.3, speed=0.12, frames=1
    ),
    "helicopter": Actor(
        vessels.draw_helicopter, Realm.AIR, 0.34, (-0.8, -0.5, 0.8, 0.2), rate=5.0, speed=0.06
    ),
    "balloon": Actor(
        vessels.draw_balloon, Realm.AIR, 0.34, (-0.6, -1.1, 0.6, 0.1), rate=1.4, speed=0.015, flock=6
    ),
    "rocket": Actor(
        vessels.draw_rocket, Realm.SPACE, 0.34, (-0.5, -1.15, 0.5, 0.75), rate=3.0, speed=0.05, lit=True
    ),
    "spaceship": Actor(
        vessels.draw_starship, Realm.SPACE, 0.44, (-0.95, -0.5, 0.75, 0.5), rate=3.0, speed=0.05, lit=True
    ),
    "saucer": Actor(
        vessels.draw_saucer, Realm.AIR, 0.36, (-0.7, -0.45, 0.7, 0.3), rate=0.8, speed=0.04, lit=True
    ),
    "castle": Actor(landmarks.draw_castle, Realm.GROUND, 0.5, (-0.85, -1.2, 0.85, 0.15), rate=0.4),
    "lighthouse": Actor(
        landmarks.draw_lighthouse, Realm.GROUND, 0.5, (-0.5, -1.1, 0.5, 0.1), frames=1, lit=True
    ),
    "windmill": Actor(
        landmarks.draw_windmill, Realm.GROUND, 0.42, (-0.7, -1.15, 0.7, 0.1), rate=0.25, frames=24
    ),
    "tent": Actor(landmarks.draw_tent, Realm.GROUND, 0.16, (-0.9, -1.1, 0.9, 0.1), frames=1, lit=True),
    "campfire": Actor(
        landmarks.draw_campfire, Realm.GROUND, 0.12, (-0.7, -1.3, 0.7, 0.1), rate=1.3, frames=12, lit=True
    ),
    "pyramid": Actor(landmarks.draw_pyramid, Realm.GROUND, 0.36, (-1.0, -1.1, 1.0, 0.1), frames=1),
    "temple": Actor(landmarks.draw_temple, Realm.GROUND, 0.3, (-1.0, -1.1, 1.0, 0.1), frames=1),
    "bridge": Actor(landmarks.draw_bridge, Realm.WATER, 0.3, (-2.0, -1.1, 2.0, 0.15), frames=1),
    "snowman": Actor(landmarks.draw_snowman, Realm.GROUND, 0.22, (-0.6, -1.2, 0.6, 0.1), frames=1),
    "mushroom": Actor(landmarks.draw_mushroom, Realm.GROUND, 0.11, (-0.6, -1.1, 0.6, 0.1), frames=1, flock=5),
}
