"""A setting under construction: layers from back to front, and the places where a subject can stand."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field, replace

import numpy as np

from localvid.pipelines.animatic.brush import Picture, mix, soften
from localvid.pipelines.animatic.figures.birds import draw_far_bird
from localvid.pipelines.animatic.figures.cast import CAST, Actor, Draw, Realm
from localvid.pipelines.animatic.figures.sketch import Look, Sketch
from localvid.pipelines.animatic.painting import paint
from localvid.pipelines.animatic.plate import Element, Flipbook, Motion, Plate
from localvid.pipelines.animatic.scenery.groves import plate_of, rim_lit
from localvid.pipelines.animatic.scenery.light import Light
from localvid.pipelines.animatic.scenery.town import glow_plate
from localvid.pipelines.animatic.script import Framing, Script, Subject
from localvid.pipelines.animatic.stage import Stage

STANDARD_DEPTH = 2.2
"""The depth at which a figure has the size that `CAST` gives it."""

_HEADROOM = 0.12
"""The share of the frame above a figure in a close shot; a zoom takes most of it."""
_BEYOND = 0.1
"""Units that a figure is drawn beyond the canvas: more than it ever bobs."""
_MOST_PIXELS = 48_000_000
"""Of one drawing of a figure before it is made smaller: 200 MB, and less than Pillow's limit."""

Painted = Element | Sequence[Element]
Build = Callable[..., Painted]
Part = Future[Painted] | list[Element]


@dataclass(frozen=True)
class Slot:
    """A place for figures: in front of part `index - 1`, behind the rest."""

    index: int
    depth: float
    foot: Callable[[float], float]
    """The height of the ground (or the water, or mid-air) at each x."""
    shade: float = 1.0
    """Sizes are multiplied by it: below 1 for a wide view."""
    behind_water: bool = False


@dataclass
class Setting:
    """What a place's recipe builds."""

    stage: Stage
    light: Light
    script: Script
    energy: float
    rng: np.random.Generator
    horizon: float
    pool: Executor
    """Paints parts while the recipe goes on: most of the work is numpy's and Pillow's, outside the lock."""
    parts: list[Part] = field(default_factory=list)
    slots: dict[Realm, Slot] = field(default_factory=dict)

    def add(self, *elements: Element) -> None:
        """Put elements in front of what is there."""
        self.parts.append(list(elements))

    def later(self, build: Build, /, *args: object, **named: object) -> None:
        """Put in front what `build(stage, light, *args, rng=…, **named)` will give.

        Its random generator is its own and drawn now, so that it does not matter when it runs.
        """
        own = np.random.default_rng(int(self.rng.integers(2**63)))
        self.parts.append(self.pool.submit(build, self.stage, self.light, *args, rng=own, **named))

    def develop(self, picture: Picture, *, depth: float, rim: float = 0.0) -> None:
        """Put a finished drawing in front."""
        self.parts.append(
            self.pool.submit(plate_of, self.stage, picture, depth=depth, light=self.light, rim=rim)
        )

    def painted(self) -> list[list[Element]]:
        """The elements of each part, once all are painted."""
        return [_finished(part) for part in self.parts]

    def slot(
        self,
        realm: Realm,
        *,
        depth: float,
        foot: Callable[[float], float],
        shade: float = 1.0,
        behind_water: bool = False,
    ) -> None:
        """Figures of `realm` stand here, in front of all that was added so far."""
        self.slots[realm] = Slot(len(self.parts), depth, foot, shade, behind_water or realm is Realm.WATER)

    def slot_for(self, realm: Realm) -> Slot:
        """Where a figure of a realm goes; where the place has no such realm, on the ground or in the air."""
        for other in (realm, *_INSTEAD[realm], *Realm):
            if other in self.slots:
                slot = self.slots[other]
                # What flies passes before the far land, not behind the mountains.
                near = max(found.index for found in self.slots.values())
                return replace(slot, index=near) if other is Realm.AIR else slot
        return Slot(len(self.parts), STANDARD_DEPTH, lambda _x: self.stage.tall * 0.8)

    @property
    def subject_depth(self) -> float:
        """The depth of the first subject, or of where one would stand."""
        subjects = self.script.subjects
        return self.slot_for(CAST[subjects[0].name].realm if subjects else Realm.GROUND).depth


_INSTEAD: dict[Realm, tuple[Realm, ...]] = {
    Realm.GROUND: (Realm.WATER, Realm.SPACE, Realm.DEEP),
    Realm.AIR: (Realm.SPACE, Realm.DEEP),
    Realm.WATER: (Realm.GROUND, Realm.DEEP),
    Realm.DEEP: (Realm.WATER, Realm.AIR),
    Realm.SPACE: (Realm.GROUND, Realm.AIR),
}


def put_subjects(setting: Setting) -> list[Element]:
    """The setting's elements with the script's subjects among them."""
    added: list[tuple[int, float, list[Element]]] = []
    first_x = 0.5 + float(setting.rng.uniform(-0.16, 0.16))
    nearness = _nearness(setting, first_x)
    for order, subject in enumerate(setting.script.subjects):
        actor = CAST[subject.name]
        slot = setting.slot_for(actor.realm)
        dye = (actor.coat, subject.colour) if actor.coat and subject.colour else None
        middle = (first_x + order * 0.29) % 1.0 * 0.8 + 0.1 if order else first_x
        for rank, elements in _figures(setting, subject, actor, slot, middle=middle, near=nearness, dye=dye):
            added.append((slot.index, rank, elements))
    groups = setting.painted()
    for index, _, figure in sorted(added, key=lambda item: (-item[0], item[1])):
        groups[index:index] = [figure]
    return [element for group in groups for element in group]


def _finished(part: Part) -> list[Element]:
    result = part.result() if isinstance(part, Future) else part
    return list(result) if isinstance(result, Sequence) else [result]


def _figures(
    setting: Setting,
    subject: Subject,
    actor: Actor,
    slot: Slot,
    *,
    middle: float,
    near: float,
    dye: tuple[str, str] | None,
) -> list[tuple[float, list[Element]]]:
    """(order, elements) for each figure of a subject: the first in the middle, others around it, smaller.

    Unless it stands aside it is made `near` times as large, or less where it fills the frame before.
    """
    rng, stage = setting.rng, setting.stage
    facing = float(rng.choice((-1.0, 1.0)))
    figures = []
    high = (
        actor.realm in (Realm.AIR, Realm.DEEP, Realm.SPACE)
        and slot.index != setting.slots.get(Realm.GROUND, slot).index
    )
    largest, rise = _usual_size(setting, actor, slot), 0.0
    headroom = _HEADROOM * stage.tall
    if subject.aside or setting.script.framing is Framing.WIDE:
        near = 1.0
    else:
        left, top, right, _ = _extent(setting, actor)
        rise = -top
        near = min(near, _own_nearness(setting, actor, slot, middle))
        largest *= near
        west, east = (-right, -left) if facing < 0 else (left, right)
        leftmost, rightmost = 0.03 - west * largest / stage.wide, 0.97 - east * largest / stage.wide
        if leftmost <= rightmost:
            middle = min(max(middle, leftmost), rightmost)
        else:  # wider than the frame: its front is seen
            middle = rightmost if facing > 0 else leftmost
    for number in range(subject.count):
        aside = 0.0 if number == 0 else ((number + 1) // 2) * (1 if number % 2 else -1)
        spread = max(0.11, actor.size * (actor.box[2] - actor.box[0]) * 0.42) * near
        x = middle * stage.wide + aside * spread * float(rng.uniform(0.75, 1.15))
        back = 1.0 + (0.0 if number == 0 else float(rng.uniform(0.06, 0.3)))
        size = largest / back
        if near > 1.0 and number and not -size * actor.box[2] < x < stage.wide + size * actor.box[2]:
            continue  # of a group that is seen from near, some stand beyond the frame
        lift = float(rng.uniform(-0.09, 0.09)) if high and number else 0.0
        depth = slot.depth * back if high else slot.depth
        foot = slot.foot(x) + lift
        if near > 1.0:  # what is too large for the frame is seen from its head down
            foot = max(foot, headroom + size * rise)
        figures.append(
            (
                -back,
                _figure(
                    setting,
                    actor,
                    slot,
                    at=(x, foot),
                    size=size,
                    depth=depth,
                    facing=facing,
                    dye=dye,
                ),
            )
        )
    return figures


def _nearness(setting: Setting, middle: float) -> float:
    """How many times as large as in a wide shot the subjects are: all alike, as is right for the largest of
    those that are made larger at all."""
    if setting.script.framing is Framing.WIDE:
        return 1.0
    actors = [CAST[subject.name] for subject in setting.script.subjects if not subject.aside]
    own = [_own_nearness(setting, actor, setting.slot_for(actor.realm), middle) for actor in actors]
    return min((near for near in own if near > 1.0), default=1.0)


def _own_nearness(setting: Setting, actor: Actor, slot: Slot, middle: float) -> float:
    """How many times as large a figure is made by itself, so that it takes its share of the frame."""
    stage = setting.stage
    share, most = setting.script.framing.value
    left, top, right, bottom = _extent(setting, actor)
    usual = _usual_size(setting, actor, slot)
    near = share / (usual * max((bottom - top) / stage.tall, (right - left) / stage.wide))
    if slot.behind_water:  # it cannot come lower, for waves would hide it
        near = min(near, (slot.foot(middle * stage.wide) - _HEADROOM * stage.tall) / (-top * usual))
    return float(min(most, max(1.0, near)))


def _usual_size(setting: Setting, actor: Actor, slot: Slot) -> float:
    return actor.size * slot.shade * min(1.0, 0.55 + 0.45 * setting.stage.wide) * STANDARD_DEPTH / slot.depth


def _extent(setting: Setting, actor: Actor) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of what is drawn of a figure, in its own units; of four moments."""
    draw, _ = _pose(actor, setting.script, _moves(setting))
    look = Look(setting.light, STANDARD_DEPTH, setting.light.dark)
    picture = Picture(*actor.box, density=40)
    for quarter in range(4):
        draw(Sketch(picture, (0.0, 0.0), 1.0), look, quarter / 4)
    picture.colours_and_mask()  # cuts it to what is drawn
    right, bottom = picture.left + picture.columns / 40, picture.top + picture.rows / 40
    return picture.left, picture.top, right, bottom


def _figure(
    setting: Setting,
    actor: Actor,
    slot: Slot,
    *,
    at: tuple[float, float],
    size: float,
    depth: float,
    facing: float,
    dye: tuple[str, str] | None = None,
) -> list[Element]:
    stage, light, rng, energy, script = (
        setting.stage,
        setting.light,
        setting.rng,
        setting.energy,
        setting.script,
    )
    draw, travels = _pose(actor, script, _moves(setting))
    grounded = slot is setting.slots.get(Realm.GROUND) and actor.realm in (Realm.GROUND, Realm.SPACE)
    if grounded and actor.realm is Realm.SPACE and actor.rest is not None:
        draw, travels = actor.rest, False
    if actor.realm is Realm.DEEP:  # close to the eye, less of their colour is lost than of the reef's
        light = replace(light, ambient=mix(light.ambient, (1.0, 1.0, 1.0), 0.55))
    look = Look(light, depth, light.dark, dye)
    frames = actor.frames if energy > 0.02 else 1
    start = float(rng.random())
    motion = _motion(actor, rng, energy=energy, travels=travels, facing=facing)
    plates = [
        _drawn(
            stage,
            light,
            draw,
            look,
            actor,
            at=at,
            size=size,
            depth=depth,
            facing=facing,
            phase=(start + i / frames) % 1.0,
            motion=motion,
        )
        for i in range(frames)
    ]
    book: Element = Flipbook(plates, actor.rate * (0.35 + 0.75 * energy)) if frames > 1 else plates[0]
    parts: list[Element] = []
    if grounded and light.sun_size and not actor.speed > 0.2:
        parts.append(_shadow(stage, light, at=at, size=size, actor=actor, depth=depth, motion=motion))
    parts.append(book)
    if actor.lit and light.dark:
        middle = (at[0], at[1] + size * (actor.box[1] * 0.62 if actor.realm is Realm.GROUND else 0.0))
        glow = glow_plate(
            stage, middle, radius=size * 1.2, colour=(1.0, 0.76, 0.42), depth=depth, strength=0.55
        )
        glow.motion = motion
        parts.insert(0, glow)
    return parts


def _moves(setting: Setting) -> bool:
    return setting.energy > 0.05 and not setting.script.still


def _pose(actor: Actor, script: Script, moving: bool) -> tuple[Draw, bool]:
    """(how the figure is drawn, whether it goes anywhere)."""
    if script.sitting and actor.sit is not None:
        return actor.sit, False
    if moving or actor.rest is None:
        return actor.draw, moving and actor.speed > 0
    return actor.rest, False


def _motion(
    actor: Actor,
    rng: np.random.Generator,
    *,
    energy: float,
    travels: bool,
    facing: float,
) -> Motion | None:
    """How the figure moves over time: along its way, and up and down as its realm has it."""
    if energy <= 0.02:
        return None
    speed = actor.speed * (0.4 + 0.8 * energy) * facing if travels else 0.0
    phase, pace = float(rng.uniform(0, 2 * math.pi)), 0.5 + energy
    bob = {Realm.WATER: 0.012, Realm.AIR: 0.014, Realm.DEEP: 0.016, Realm.SPACE: 0.02}.get(
        actor.realm, 0.0
    ) * (0.4 + energy)
    rises = _rises(actor)

    def motion(seconds: float) -> tuple[float, float]:
        # Begin a little before the middle, so that the way leads through it.
        along = speed * (seconds - 1.2)
        up = bob * math.sin(pace * 1.3 * seconds + phase)
        return (0.0, up - abs(along)) if rises else (along, up)

    return motion if speed or bob else None


def _rises(actor: Actor) -> bool:
    return actor.draw is CAST["rocket"].draw


def _drawn(
    stage: Stage,
    light: Light,
    draw: Draw,
    look: Look,
    actor: Actor,
    *,
    at: tuple[float, float],
    size: float,
    depth: float,
    facing: float,
    phase: float,
    motion: Motion | None,
) -> Plate:
    left, top, right, bottom = actor.box
    if facing < 0:
        left, right = -right, -left
    above, below = at[1] + top * size, at[1] + bottom * size
    if not _rises(actor):  # of a close figure much may lie beyond the canvas
        above = max(above, stage.top - _BEYOND)
        below = max(above + _BEYOND, min(below, stage.bottom + _BEYOND))
    picture = _picture_at(stage, at[0] + left * size, above, at[0] + right * size, below)
    draw(Sketch(picture, at, size, facing=facing), look, phase)
    colours, mask = picture.colours_and_mask()
    colours = rim_lit(colours, mask, light, strength=0.55, reach=max(1, round(0.003 * stage.density)))
    west, north = stage.pixel(picture)
    return paint(stage, colours, mask, depth=depth, left=west, top=north, motion=motion)


def _picture_at(stage: Stage, left: float, top: float, right: float, bottom: float) -> Picture:
    """A picture that begins on a whole canvas pixel, so that it falls where its drawing says."""
    west, north = (
        math.floor((left - stage.left) * stage.density),
        math.floor((top - stage.top) * stage.density),
    )
    pixels = (right - left) * (bottom - top) * stage.density**2
    return Picture(
        stage.left + west / stage.density,
        stage.top + north / stage.density,
        right,
        bottom,
        density=stage.density,
        sharpness=min(4 if stage.density < 400 else 3, max(1, int((_MOST_PIXELS / pixels) ** 0.5))),
    )


def _shadow(
    stage: Stage,
    light: Light,
    *,
    at: tuple[float, float],
    size: float,
    actor: Actor,
    depth: float,
    motion: Motion | None,
) -> Plate:
    """A soft pool of shade under the feet, drawn out away from the sun."""
    across = size * min(0.75, (actor.box[2] - actor.box[0]) * 0.26)
    side = -1.0 if light.sun[0] > 0.5 else 1.0
    picture = _picture_at(stage, at[0] - across * 1.7, at[1] - 0.06, at[0] + across * 1.7, at[1] + 0.06)
    picture.oval(
        (at[0] + side * across * 0.3, at[1] + 0.002), across * 1.15, 0.012 + size * 0.02, light.shadow
    )
    _, mask = picture.colours_and_mask(around=0.02)
    west, north = stage.pixel(picture)
    soft = soften(mask, 0.006 * stage.density) * 0.42
    return paint(stage, light.shadow, soft, depth=depth, left=west, top=north, motion=motion)


def background_birds(setting: Setting, *, count: int, y: float, depth: float) -> Sequence[Element]:
    """A few birds far away."""
    actor = Actor(draw_far_bird, Realm.AIR, 0.035, (-0.7, -0.7, 0.7, 0.4), rate=1.6, speed=0.035, frames=8)
    elements: list[Element] = []
    centre = float(setting.rng.uniform(0.2, 0.8)) * setting.stage.wide
    facing = float(setting.rng.choice((-1.0, 1.0)))
    slot = Slot(0, depth, lambda _x: y)
    for _ in range(count):
        at = (centre + float(setting.rng.normal(0, 0.12)), y + float(setting.rng.normal(0, 0.035)))
        size = actor.size * float(setting.rng.uniform(0.6, 1.2))
        elements += _figure(setting, actor, slot, at=at, size=size, depth=depth, facing=facing)
    return elements
