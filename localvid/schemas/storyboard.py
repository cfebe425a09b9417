"""What a person or a language model says of a film: shots, camera moves, transitions."""

from __future__ import annotations

import re
from collections import Counter
from enum import StrEnum
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from localvid.schemas.base import MAX_PROMPT_CHARACTERS, MAX_STORYBOARD_SHOTS, Frozen, Seed

_SMALL = frozenset({"the", "and", "with", "two", "old", "young", "its", "her", "his"})
"""Words that name nobody."""
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
"""Thai, Lao, Burmese, Khmer, kana and Han, which put no spaces between words, and Hangul, which joins
particles to them."""


class Camera(StrEnum):
    """A camera move, in the terms of film: pans and tilts turn, trucks and pedestals travel, zooms change
    the lens, dollies travel along the line of sight, orbits travel around the subject."""

    STATIC = "static"
    PAN_LEFT = "pan_left"
    PAN_RIGHT = "pan_right"
    TILT_UP = "tilt_up"
    TILT_DOWN = "tilt_down"
    ZOOM_IN = "zoom_in"
    ZOOM_OUT = "zoom_out"
    DOLLY_IN = "dolly_in"
    DOLLY_OUT = "dolly_out"
    TRUCK_LEFT = "truck_left"
    TRUCK_RIGHT = "truck_right"
    PEDESTAL_UP = "pedestal_up"
    PEDESTAL_DOWN = "pedestal_down"
    ORBIT_LEFT = "orbit_left"
    ORBIT_RIGHT = "orbit_right"


class CameraSpeed(StrEnum):
    """How far a camera move goes in its time: half of the usual way, the usual way, one and a half of it."""

    SLOW = "slow"
    NORMAL = "normal"
    FAST = "fast"

    @property
    def factor(self) -> float:
        """Times the usual travel; for a zoom, the power of the usual enlargement."""
        return {CameraSpeed.SLOW: 0.5, CameraSpeed.NORMAL: 1.0, CameraSpeed.FAST: 1.5}[self]


class TransitionKind(StrEnum):
    CUT = "cut"
    CROSSFADE = "crossfade"
    FADE_BLACK = "fade_black"


def _number(text: str) -> float | str:
    """A number also where types are held to strictly; what is none stays, to be refused by name."""
    try:
        return float(text)
    except ValueError:
        return text


class Transition(Frozen):
    """How a shot gives way to the next.

    A crossfade overlaps the two shots for `duration_seconds` and shortens the film by as much; a fade
    through black darkens the end of one and lights the start of the next, half of the time each, and
    keeps the film's length; a cut takes no time.
    """

    kind: TransitionKind = TransitionKind.CUT
    """A cut, a crossfade, or a fade through black."""
    duration_seconds: float = Field(default=0.5, gt=0, le=5, allow_inf_nan=False)
    """How long it takes; a cut takes none."""

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: object) -> object:
        """Accept `"crossfade"` and `"crossfade:0.8"` wherever a transition stands."""
        if not isinstance(value, str):
            return value
        kind, separator, seconds = value.partition(":")
        fields: dict[str, object] = {"kind": kind.strip().lower().replace("-", "_")}
        if separator:
            fields["duration_seconds"] = _number(seconds)
        return fields

    @property
    def in_words(self) -> str:
        """`cut`, `crossfade 0.8 s`, `fade black 1 s`."""
        words = self.kind.value.replace("_", " ")
        return words if self.kind is TransitionKind.CUT else f"{words} {self.duration_seconds:g} s"

    def side_frames(self, fps: float | Fraction) -> int:
        """Frames that it touches at the end of one shot, and as many at the start of the next."""
        if self.kind is TransitionKind.CUT:
            return 0
        sides = 1 if self.kind is TransitionKind.CROSSFADE else 2
        return max(1, round(Fraction(self.duration_seconds) * Fraction(fps) / sides))

    def overlap_frames(self, fps: float | Fraction) -> int:
        """Frames by which it shortens the film."""
        return self.side_frames(fps) if self.kind is TransitionKind.CROSSFADE else 0


class Shot(Frozen):
    """One shot: what is seen, how the camera and the scene move, how long, and how it ends."""

    description: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1_000)]
    """What is seen: subject, action, place, light. Each shot is painted by itself, so name them in each."""
    camera: Camera = Camera.STATIC
    """How the camera moves: pans and tilts turn it, trucks and pedestals carry it along or up and down, zooms
    change the lens, dollies carry it towards the subject or away, orbits around the subject."""
    camera_speed: CameraSpeed = CameraSpeed.NORMAL
    """Of the camera's move: half of the usual way in the same time, the usual way, one and a half of it."""
    energy: float = Field(default=0.5, ge=0, le=1)
    """How much moves within the scene: 0 is a still life, 1 a storm."""
    duration_seconds: float = Field(default=4.0, ge=0.25, le=60)
    """How long it lasts; a model with a number of frames of its own may keep to that."""
    transition: Transition = Transition()
    """To the next shot; the last shot's is not used."""
    reference_image: Path | None = None
    """A PNG, JPEG or WebP that is the shot's first frame, fitted without distortion; looked for beside the
    file that names it."""
    seed: Seed | None = None
    """Drawn when the job is planned if it is not given."""
    continue_from_previous: bool = False
    """The shot goes on from the picture on which the one before ends."""

    @property
    def move_in_words(self) -> str:
        """`static`, `pan left`, `slow pan left`."""
        move = self.camera.value.replace("_", " ")
        usual = self.camera is Camera.STATIC or self.camera_speed is CameraSpeed.NORMAL
        return move if usual else f"{self.camera_speed.value} {move}"

    @field_validator("camera", "camera_speed", mode="before")
    @classmethod
    def _word_from_text(cls, value: object) -> object:
        if isinstance(value, str):
            return value.strip().lower().replace("-", "_").replace(" ", "_")
        return value


class Storyboard(Frozen):
    """The words and motion of a film; as JSON or YAML, a file that a person can edit and render."""

    version: Literal[1] = 1
    """Of the form of this file."""
    title: Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)] = ""
    """What the film is called."""
    prompt: Annotated[str, StringConstraints(max_length=MAX_PROMPT_CHARACTERS)] = ""
    """What it was written from; kept for the record."""
    style: Annotated[str, StringConstraints(strip_whitespace=True, max_length=300)] = ""
    """Shared by all shots: "watercolour", "1970s documentary, grainy"."""
    characters: Annotated[str, StringConstraints(strip_whitespace=True, max_length=300)] = ""
    """Who or what the film is about, as one would recognise them: "a small red fox with frosted whiskers"."""
    setting: Annotated[str, StringConstraints(strip_whitespace=True, max_length=300)] = ""
    """Where and when the film plays: "a forest of tall dark pines in deep snow, at night"."""
    shots: Annotated[tuple[Shot, ...], Field(min_length=1, max_length=MAX_STORYBOARD_SHOTS)]
    """What the film shows, one after the other."""
    written_by: Annotated[str, StringConstraints(max_length=200)] = ""
    """The model that wrote it ("llama:SmolLM2-135M-Instruct"), "outline", or empty for a person."""

    @model_validator(mode="after")
    def _first_shot_continues_nothing(self) -> Self:
        if self.shots[0].continue_from_previous:
            raise ValueError("shots.0.continue_from_previous: the first shot has no shot before it")
        for index, shot in enumerate(self.shots):
            if shot.continue_from_previous and shot.reference_image is not None:
                raise ValueError(
                    f"shots.{index}: continue_from_previous and reference_image both name the first frame"
                )
        return self

    def look_of(self, index: int) -> str:
        """What the painter of shot `index` (from 0) is told beside its description: those characters that the
        description names by a word which no other has (semicolons part them), the setting unless it stands in
        the description, and the style."""
        said = self.shots[index].description.lower()
        words = _words_of(said)
        characters = [character.strip() for character in self.characters.split(";")]
        counted = Counter(word for character in characters for word in _words_of(character))
        named = [
            character
            for character in characters
            if character.lower() not in said
            and any(counted[word] == 1 for word in words & _words_of(character) - _SMALL)
        ]
        setting = "" if self.setting.lower() in said else self.setting
        return ", ".join(filter(None, [*named, setting, self.style]))

    def with_shot(self, index: int, **changes: object) -> Storyboard:
        """The same storyboard with fields of shot `index` (from 0) replaced and validated anew."""
        shots = list(self.shots)
        shots[index] = Shot.model_validate({**shots[index].model_dump(), **changes})
        return self.model_copy(update={"shots": tuple(shots)})


def _words_of(text: str) -> set[str]:
    """The words of three letters and more; of scripts that put no spaces between words, pairs of letters."""
    found: set[str] = set()
    for run in re.findall(r"\w+", text.lower()):
        if _UNSPACED.search(run):
            found.update(run[at : at + 2] for at in range(max(1, len(run) - 1)))
        elif len(run) >= 3:
            found.add(run)
    return found


class Revision(Frozen):
    """A storyboard as an instruction has changed it.

    Shots that the instruction did not touch are the same as before in every field.
    """

    storyboard: Storyboard
    origins: tuple[int | None, ...]
    """For each shot, which of the storyboard before it was (from 0); None: it is new."""
    film_seconds: float | None = None
    """How long the film is to be, if the instruction says so; planning, which knows the model, meets it."""
    notes: tuple[str, ...] = ()
    """What was decided besides, and what could not be done, one line each."""

    @model_validator(mode="after")
    def _one_origin_a_shot(self) -> Self:
        if len(self.origins) != len(self.storyboard.shots):
            raise ValueError("there must be one origin for each shot")
        return self
