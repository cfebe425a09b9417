"""What is settled before a word is written: how many shots, of which size, of which part of the prompt.

Both writers share it: the language model fills in what is seen, the outline writer fills it by rule. It
knows no language model. The same prompt, number and seed give the same plan.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from localvid.errors import InvalidRequestError
from localvid.llm.lexicon import CALM, LIGHT, LIVELY, TOWERING, TRAVELLING, WILD, time_of_day, words_of
from localvid.llm.scenes import (
    Size,
    asked_camera,
    asked_size,
    emoji_in_words,
    split_scenes,
    split_style,
    time_phrase,
    title_of,
    without_list,
    without_markup,
    without_request,
)
from localvid.llm.views import characters_of, setting_of, views_of
from localvid.schemas import (
    MAX_PROMPT_CHARACTERS,
    MAX_WRITTEN_SHOTS,
    Camera,
    Frozen,
    Shot,
    Storyboard,
    Transition,
    TransitionKind,
    clean_prompt,
    says_something,
)


class ShotPlan(Frozen):
    """One shot before its words: `scene` is the part of the prompt that it shows, as a sentence."""

    size: Size
    scene: str
    view: str
    """What the shot's description begins with: the scene where it is shown first, else one side of it."""
    camera: Camera | None
    """The move that the prompt asks for; None: chosen from the words."""


class Cut(Frozen):
    """How a shot gives way to the next, and how long it is looked at, as a factor of its usual length."""

    kind: TransitionKind
    pace: float


class Bible(Frozen):
    """What stays the same through a film."""

    characters: str
    setting: str
    style: str


class BoardPlan(Frozen):
    prompt: str
    title: str
    style: str
    style_is_asked: bool
    """Whether the prompt names the style; else it is the rules' choice."""
    seed: int
    characters: str
    """Who or what the film is about, in the prompt's words; empty where the rules do not see it."""
    setting: str
    """Where and when it plays, in the prompt's words; empty where the rules do not see it."""
    shortened: bool
    """Parts of the prompt are longer than `MAX_SCENE_CHARACTERS`, and shots show their beginnings."""
    shots: tuple[ShotPlan, ...]


def plan_board(prompt: str, *, num_shots: int, seed: int) -> BoardPlan:
    """Lay out a storyboard: one scene, size and asked-for camera move for each shot.

    A prompt of several sentences or steps is told in its own order; one of a single scene is shown from
    wide to close. Raises InvalidRequestError for a prompt without content or a number outside 1 to 7.
    """
    if not 1 <= num_shots <= MAX_WRITTEN_SHOTS:
        raise InvalidRequestError(
            f"{num_shots} shots were asked for; a writer makes 1 to {MAX_WRITTEN_SHOTS}",
            hint="write a longer storyboard by hand and use `localvid render`",
        )
    cleaned = clean_prompt(prompt)
    if not says_something(cleaned):
        raise InvalidRequestError(
            f"the prompt {'says nothing that can be seen' if cleaned else 'is empty'}",
            hint='say what is to be seen: "A peaceful forest at dawn"',
        )
    if len(cleaned) > MAX_PROMPT_CHARACTERS:
        raise InvalidRequestError(
            f"the prompt has {len(cleaned):,} characters, the most is {MAX_PROMPT_CHARACTERS:,}",
            hint="shorten it, or write a storyboard file",
        )
    words, style = split_style(without_request(without_markup(without_list(emoji_in_words(cleaned)))))
    camera, words = asked_camera(words)
    size, words = asked_size(words)
    scenes, shortened = split_scenes(words, num_shots)
    sizes = _sizes(scenes, first=size)
    views = views_of(scenes, sizes, time=time_phrase(words))
    return BoardPlan(
        prompt=cleaned,
        title=title_of(words),
        style=style or _style_for(words),
        style_is_asked=bool(style),
        characters=characters_of(scenes),
        setting=setting_of(scenes[0], time=time_phrase(words)),
        seed=seed,
        shortened=shortened,
        shots=tuple(
            ShotPlan(size=size, scene=scene, view=view, camera=camera)
            for size, scene, view in zip(sizes, scenes, views, strict=True)
        ),
    )


def make_storyboard(
    plan: BoardPlan,
    descriptions: Sequence[str],
    *,
    written_by: str,
    cameras: Sequence[Camera | None] | None = None,
    energies: Sequence[float | None] | None = None,
    cuts: Sequence[Cut | None] | None = None,
    bible: Bible | None = None,
) -> Storyboard:
    """Turn a plan and the words of its shots into a storyboard.

    A camera move that is None is chosen from the words: travelling subjects are trucked along with,
    towering ones tilted up, and no move is repeated while another fits. So is the energy; one that is
    given counts half, because a model's senseless choice must not turn a storm into a still life.
    """
    chosen_cameras = list(cameras or [None] * len(plan.shots))
    chosen_energies = list(energies or [None] * len(plan.shots))
    chosen_cuts = list(cuts or [None] * len(plan.shots))
    rng = random.Random(f"{plan.seed} {plan.prompt}")
    film_energy = energy_of(plan.prompt)
    shots: list[Shot] = []
    for shot, description, camera, energy, cut in zip(
        plan.shots, descriptions, chosen_cameras, chosen_energies, chosen_cuts, strict=True
    ):
        by_words = _shot_energy(film_energy, description, shot.size)
        energy = by_words if energy is None else round((by_words + energy) / 2, 2)
        used = [done.camera for done in shots]
        chosen = camera or rng.choice(fitting_cameras(shot, energy, used=used))
        shots.append(
            Shot(
                description=description,
                camera=chosen,
                energy=energy,
                duration_seconds=round(_duration(shot.size, energy) * (cut.pace if cut else 1.0), 2),
                transition=Transition(kind=cut.kind) if cut else _transition(energy),
            )
        )
    bible = bible or Bible(characters=plan.characters, setting=plan.setting, style=plan.style)
    return Storyboard(
        title=plan.title,
        prompt=plan.prompt,
        style=bible.style,
        characters=bible.characters,
        setting=bible.setting,
        shots=tuple(shots),
        written_by=written_by,
    )


def energy_of(text: str) -> float:
    """How much moves in a scene of these words: 0.2 calm, 0.45 where they say nothing, 0.85 wild."""
    words = set(words_of(text))
    if words & WILD:
        return 0.85
    if words & LIVELY:
        return 0.35 if words & CALM else 0.6
    return 0.2 if words & CALM else 0.45


# --- sizes, cameras, times --------------------------------------------------------------------------


def _style_for(words: str) -> str:
    time = time_of_day(words)
    return f"cinematic, {LIGHT[time]}" if time else "cinematic, natural light"


_SEQUENCES: dict[int, tuple[Size, ...]] = {
    1: (Size.WIDE,),
    2: (Size.WIDE, Size.CLOSE),
    3: (Size.WIDE, Size.MEDIUM, Size.CLOSE),
    4: (Size.WIDE, Size.MEDIUM, Size.CLOSE, Size.HIGH),
    5: (Size.WIDE, Size.MEDIUM, Size.CLOSE, Size.LOW, Size.HIGH),
    6: (Size.WIDE, Size.MEDIUM, Size.CLOSE, Size.LOW, Size.DETAIL, Size.HIGH),
    7: (Size.WIDE, Size.MEDIUM, Size.CLOSE, Size.LOW, Size.FULL, Size.DETAIL, Size.HIGH),
}


def _sizes(scenes: Sequence[str], *, first: Size | None) -> list[Size]:
    sizes = list(_SEQUENCES[len(scenes)])
    if first is not None:
        where = sizes.index(first) if first in sizes else 0
        sizes[where] = sizes[0]
        sizes[0] = first
    return sizes


_CAMERAS: dict[Size, tuple[Camera, ...]] = {
    Size.WIDE: (Camera.PAN_LEFT, Camera.PAN_RIGHT, Camera.DOLLY_IN),
    Size.FULL: (Camera.ORBIT_LEFT, Camera.ORBIT_RIGHT, Camera.PAN_LEFT, Camera.PAN_RIGHT),
    Size.MEDIUM: (Camera.TRUCK_LEFT, Camera.TRUCK_RIGHT, Camera.ORBIT_LEFT, Camera.ORBIT_RIGHT),
    Size.CLOSE: (Camera.ZOOM_IN, Camera.DOLLY_IN, Camera.STATIC),
    Size.LOW: (Camera.TILT_UP, Camera.PEDESTAL_UP),
    Size.HIGH: (Camera.DOLLY_OUT, Camera.ZOOM_OUT, Camera.TILT_DOWN, Camera.PEDESTAL_UP),
    Size.DETAIL: (Camera.STATIC, Camera.ZOOM_IN, Camera.TILT_DOWN),
}


def fitting_cameras(shot: ShotPlan, energy: float, *, used: Sequence[Camera]) -> list[Camera]:
    """The move that the prompt asks for, else those that suit the shot, unused ones where any are left."""
    if shot.camera is not None:
        return [shot.camera]
    words = set(words_of(shot.scene))
    fitting = list(_CAMERAS[shot.size])
    if shot.size in (Size.FULL, Size.MEDIUM) and words & TRAVELLING:
        fitting = [Camera.TRUCK_LEFT, Camera.TRUCK_RIGHT]
    elif shot.size is Size.WIDE and words & TOWERING:
        fitting.append(Camera.PEDESTAL_UP)
    if energy > 0.7 and Camera.STATIC in fitting:
        fitting.remove(Camera.STATIC)
    return [camera for camera in fitting if camera not in used] or fitting


def _shot_energy(film: float, description: str, size: Size) -> float:
    """Of one shot: the film's, drawn towards what its own words say; close shots are calmer."""
    energy = 0.6 * film + 0.4 * energy_of(description)
    if size in (Size.CLOSE, Size.DETAIL):
        energy -= 0.1
    return round(min(1.0, max(0.05, energy)), 2)


def _duration(size: Size, energy: float) -> float:
    """Wide shots are looked at longer, wild ones are cut faster: 3 to 4.5 seconds."""
    seconds = {Size.WIDE: 4.5, Size.HIGH: 4.5}.get(size, 4.0)
    if size in (Size.CLOSE, Size.DETAIL):
        seconds = 3.5
    return seconds - 0.5 if energy > 0.7 else seconds


def _transition(energy: float) -> Transition:
    """Calm shots melt into the next, others are cut."""
    if energy < 0.35:
        return Transition(kind=TransitionKind.CROSSFADE, duration_seconds=0.5)
    return Transition(kind=TransitionKind.CUT)
