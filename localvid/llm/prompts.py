"""What a language model is asked: instructions, worked examples written for localvid, and answer shapes.

Turns that questions share stand first in their dialogues, so that a prompt cache serves them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from localvid.llm.chat import Choice, Shape, Text, Turn
from localvid.llm.plan import BoardPlan, ShotPlan
from localvid.schemas import Camera, TransitionKind

# --- small models: one shot at a time ----------------------------------------------------------------

_DETAIL_SYSTEM = (
    "You describe the shots of a film. You say what is seen: shapes, light, colours and movement."
)

_DETAIL_EXAMPLES = (
    (
        "Wide shot: A wheat field on a windy morning.",
        "In the distance, the shadows of small clouds glide over golden hills.",
    ),
    (
        "Close-up: An old violin in a quiet attic.",
        "Soft light falls on the cracked brown wood and the dust between the strings.",
    ),
)

DETAIL_CHARACTERS = 100
"""A small model goes astray in longer sentences."""
DETAIL_SHAPE = Shape(lines=((Text(min_characters=14, max_characters=DETAIL_CHARACTERS, plain=True),),))
"""The rest of an English sentence of plain words: no digits, quotes, brackets, addresses or markup."""


def detail_examples() -> tuple[str, ...]:
    """The worked answers, which a weak model tends to repeat."""
    return tuple(answer for _, answer in _DETAIL_EXAMPLES)


def detail_dialogue(shot: ShotPlan, start: str) -> tuple[Turn, ...]:
    """One shot by itself; the answer begins with the shot's own words, so that it stays with them, and with
    the first words of the sentence that is wanted.

    For small models: they see no earlier shot, because they would write it again.
    """
    dialogue: list[Turn] = [("system", _DETAIL_SYSTEM)]
    for question, answer in _DETAIL_EXAMPLES:
        dialogue += [("user", question), ("assistant", f"{question} {answer}")]
    shown = f"{shot.size}: {shot.view}."
    return (*dialogue, ("user", shown), ("assistant", f"{shown} {start}"))


# --- large models: the film in steps -----------------------------------------------------------------

ENERGY_WORDS: dict[str, float] = {"still": 0.1, "calm": 0.3, "lively": 0.6, "wild": 0.9}
PACE_WORDS: dict[str, float] = {"brief": 0.75, "steady": 1.0, "long": 1.25}
"""How long a shot is looked at, as a factor of the length that its size and energy give it."""
TRANSITION_WORDS: dict[str, TransitionKind] = {
    "cut": TransitionKind.CUT,
    "crossfade": TransitionKind.CROSSFADE,
    "fade to black": TransitionKind.FADE_BLACK,
}


class _Film(NamedTuple):
    """A film as the steps build it up: the worked example, and the one that is being written."""

    idea: str
    num_shots: int
    bible: Sequence[str] = ()
    beats: Sequence[str] = ()
    shots: Sequence[str] = ()
    moves: Sequence[str] = ()


_FILM_SYSTEM = """You are a film director who plans short silent films for a storyboard artist.
Write only what a picture can show. Use the language of the idea for words of your own.
Keep characters, place, time of day and look the same through the film unless the idea changes them.
Answer with exactly the lines that are asked for and nothing else."""

_BIBLE_TASK = (
    "Who or what is the film about, where and when does it play, and how does it look? Three lines: the "
    "characters as one would recognise them, the setting with its light, the style."
)
_BEATS_TASK = "What happens in each of the {num_shots} shots? One short line a shot, in order, all different."
_SHOTS_TASK = (
    "Describe each shot for the artist in one line of 15 to 35 words: subject, action, place, light. Each is "
    "painted by itself, so name the subject and the place every time, never only he, she or it. No two shots "
    "show the same view."
)
_MOVES_TASK = (
    "How does the camera move in each of the {num_shots} shots, and how much moves in the picture (still, "
    "calm, lively, wild)? One line a shot."
)
_CUTS_TASK = (
    "How does each of the {num_shots} shots give way to the next (cut, crossfade, fade to black), and how "
    "long is it looked at (brief, steady, long)? One line a shot."
)

_EXAMPLE = _Film(
    idea="A red fox crosses a snowy forest at night and finds its den.",
    num_shots=3,
    bible=(
        "A small red fox with frosted whiskers and amber eyes.",
        "A forest of tall dark pines in deep snow, at night, under a full moon.",
        "Photographed, cold blue light, long shadows.",
    ),
    beats=(
        "The fox comes out between the pines.",
        "It pushes through the deep snow.",
        "It looks back from the mouth of its den.",
    ),
    shots=(
        "1. Wide shot: A snowy forest at night under a full moon, a small red fox trotting between the tall "
        "dark pines.",
        "2. Medium shot: The red fox pushes through deep snow at the foot of the pines, its breath white in "
        "the cold moonlight.",
        "3. Close-up: The fox's amber eyes and frosted whiskers at the dark mouth of its den, snowflakes "
        "melting on its fur.",
    ),
    moves=("pan right | calm", "truck left | lively", "dolly in | still"),
)
_EXAMPLE_CUTS = ("cut | steady", "crossfade | brief", "fade to black | long")


def _asked(idea: str, num_shots: int) -> str:
    return f"Idea: {idea}\nShots: {num_shots}"


def _turns(film: _Film) -> list[Turn]:
    """What was asked and answered so far."""
    steps = (
        (f"{_asked(film.idea, film.num_shots)}\n\n{_BIBLE_TASK}", film.bible),
        (_BEATS_TASK.format(num_shots=film.num_shots), film.beats),
        (_SHOTS_TASK, film.shots),
        (_MOVES_TASK.format(num_shots=film.num_shots), film.moves),
    )
    turns: list[Turn] = []
    for task, answer in steps:
        turns.append(("user", task))
        if not answer:
            break
        turns.append(("assistant", "\n".join(answer)))
    else:
        turns.append(("user", _CUTS_TASK.format(num_shots=film.num_shots)))
    return turns


def _dialogue(film: _Film) -> tuple[Turn, ...]:
    """Instructions, the whole worked example, and the film up to its next question."""
    return (
        ("system", _FILM_SYSTEM),
        *_turns(_EXAMPLE),
        ("assistant", "\n".join(_EXAMPLE_CUTS)),
        *_turns(film),
    )


def example_texts() -> tuple[str, ...]:
    """Sentences of the worked example, which no film may repeat."""
    return (*_EXAMPLE.bible, *_EXAMPLE.beats, *(shot.partition(": ")[2] for shot in _EXAMPLE.shots))


def bible_dialogue(idea: str, num_shots: int) -> tuple[Turn, ...]:
    return _dialogue(_Film(idea, num_shots))


BIBLE_SHAPE = Shape(lines=((Text(min_characters=4, max_characters=220),),) * 3)


def beats_dialogue(idea: str, num_shots: int, bible: Sequence[str]) -> tuple[Turn, ...]:
    return _dialogue(_Film(idea, num_shots, bible))


def beats_shape(num_shots: int) -> Shape:
    return Shape(lines=((Text(min_characters=4, max_characters=160),),) * num_shots)


def shot_dialogue(
    plan: BoardPlan,
    idea: str,
    bible: Sequence[str],
    beats: Sequence[str],
    index: int,
    written: Mapping[int, str],
) -> tuple[Turn, ...]:
    """The film so far and those shots before this one that are written; the answer stands open after the
    shot's label."""
    lines = [f"{shot_label(plan, place)} {written[place]}" for place in range(index) if place in written]
    dialogue = _dialogue(_Film(idea, len(plan.shots), bible, beats))
    return (*dialogue, ("assistant", "\n".join([*lines, shot_label(plan, index)])))


def shot_label(plan: BoardPlan, index: int) -> str:
    return f"{index + 1}. {plan.shots[index].size}:"


SHOT_SHAPE = Shape(lines=((Text(min_characters=11, max_characters=300),),))


def moves_dialogue(
    idea: str, bible: Sequence[str], beats: Sequence[str], shots: Sequence[str]
) -> tuple[Turn, ...]:
    return _dialogue(_Film(idea, len(shots), bible, beats, shots))


def moves_shape(cameras: Sequence[Sequence[Camera]]) -> Shape:
    """For each shot one of the camera moves that suit it, and how much moves."""
    energies = Choice(options=tuple(ENERGY_WORDS))
    return Shape(
        lines=tuple(
            (Choice(options=tuple(camera.replace("_", " ") for camera in fitting)), energies)
            for fitting in cameras
        )
    )


def cuts_dialogue(
    idea: str, bible: Sequence[str], beats: Sequence[str], shots: Sequence[str], moves: Sequence[str]
) -> tuple[Turn, ...]:
    return _dialogue(_Film(idea, len(shots), bible, beats, shots, moves))


def cuts_shape(num_shots: int) -> Shape:
    line = (Choice(options=tuple(TRANSITION_WORDS)), Choice(options=tuple(PACE_WORDS)))
    return Shape(lines=(line,) * num_shots)
