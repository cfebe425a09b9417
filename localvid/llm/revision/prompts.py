"""What a large model is asked when a storyboard is revised: instructions, worked examples, answer shapes.

Each step is asked by itself, with an example of its own, so that a question takes as little of the context
for the hundredth shot as for the first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from localvid.llm.chat import Choice, Shape, Text, Turn
from localvid.llm.prompts import ENERGY_WORDS, TRANSITION_WORDS
from localvid.schemas import Camera

SHARED = ("characters", "setting", "style")
"""What all shots share, in the order in which it is asked for."""
KEEP, CHANGE, DROP = "keep", "change", "drop"
NOTHING, NEW_BEFORE, NEW_AFTER = "nothing", "new before", "new after"
AS_BEFORE = "as before"

_SYSTEM = """You revise the storyboard of a short silent film as its author asks.
Change what the author's words call for and nothing else.
Write only what a picture can show, in the language of the storyboard.
Answer with exactly the lines that are asked for and nothing else."""

_TOUCHED_TASK = (
    "Does this change who the film is about, where and when it plays, how it looks? One line: "
    "characters | setting | style, each keep or change."
)
_SHARED_TASK = "Write anew, one line each: {names}."
_PLAN_TASK = (
    "What becomes of each shot? One line a shot, in order: keep, change or drop; then nothing, or new after "
    "where a new shot is to follow it (new before: at the beginning of the film)."
)
_SHOT_TASK = (
    "Write this shot for the artist in one line of 15 to 35 words: subject, action, place, light. It is "
    "painted by itself, so name the subject and the place, never only he, she or it."
)
_MOVES_TASK = (
    "How does the camera move in each of these shots, how much moves in the picture (still, calm, lively, "
    "wild), and how does it give way to the next (cut, crossfade, fade to black)? One line a shot: "
    "camera | movement | way."
)


class Film(NamedTuple):
    """What all shots share, as it is now, and what the author asks for."""

    characters: str
    setting: str
    style: str
    change: str


def _about(film: Film) -> str:
    lines = [f"{name.capitalize()}: {getattr(film, name) or '-'}" for name in SHARED]
    return "\n".join([*lines, f"The author: {film.change}"])


_EXAMPLE = Film(
    characters="a small red fox with frosted whiskers",
    setting="a forest of tall dark pines in deep snow, at night",
    style="photographed, cold blue light",
    change="draw it in ink, let the fox meet a hare instead of digging, and show the empty den afterwards",
)
_EXAMPLE_STYLE = "Ink drawing, fine black lines on white paper."
_EXAMPLE_SHOTS = (
    "1. Wide shot: A small red fox trots between tall dark pines in deep snow under a full moon.",
    "2. Medium shot: The red fox digs in the snow at the foot of a pine.",
)
_EXAMPLE_PLAN = (f"{KEEP} | {NOTHING}", f"{CHANGE} | {NEW_AFTER}")
_EXAMPLE_LINE = (
    "The red fox and a white hare stand nose to nose in the snow at the foot of a dark pine, in moonlight."
)


def example_lines() -> tuple[str, ...]:
    """Sentences of the worked examples, which no film may repeat."""
    return (_EXAMPLE_STYLE, _EXAMPLE_LINE, *(shot.partition(": ")[2] for shot in _EXAMPLE_SHOTS))


def _dialogue(task: str, example: tuple[str, str], question: str) -> tuple[Turn, ...]:
    asked, answer = example
    return (
        ("system", _SYSTEM),
        ("user", f"{asked}\n\n{task}"),
        ("assistant", answer),
        ("user", f"{question}\n\n{task}"),
    )


# --- the steps ---------------------------------------------------------------------------------------


def touched_dialogue(film: Film) -> tuple[Turn, ...]:
    example = (_about(_EXAMPLE), f"{KEEP} | {KEEP} | {CHANGE}")
    return _dialogue(_TOUCHED_TASK, example, _about(film))


TOUCHED_SHAPE = Shape(lines=((Choice(options=(KEEP, CHANGE)),) * len(SHARED),))


def shared_dialogue(film: Film, names: Sequence[str]) -> tuple[Turn, ...]:
    asked = f"{_about(_EXAMPLE)}\n\n{_SHARED_TASK.format(names='style')}"
    wanted = f"{_about(film)}\n\n{_SHARED_TASK.format(names=', '.join(names))}"
    return (("system", _SYSTEM), ("user", asked), ("assistant", _EXAMPLE_STYLE), ("user", wanted))


def shared_shape(count: int) -> Shape:
    return Shape(lines=((Text(min_characters=4, max_characters=220),),) * count)


def plan_dialogue(film: Film, shots: Sequence[str], *, of: int) -> tuple[Turn, ...]:
    """`shots` are numbered lines, some of the film's `of`."""
    example = (f"{_about(_EXAMPLE)}\n2 of 2 shots:\n" + "\n".join(_EXAMPLE_SHOTS), "\n".join(_EXAMPLE_PLAN))
    return _dialogue(_PLAN_TASK, example, f"{_about(film)}\n{len(shots)} of {of} shots:\n" + "\n".join(shots))


def plan_shape(count: int, *, from_the_first: bool) -> Shape:
    what = Choice(options=(KEEP, CHANGE, DROP))
    after = (what, Choice(options=(NOTHING, NEW_AFTER)))
    first = (what, Choice(options=(NOTHING, NEW_AFTER, NEW_BEFORE)))
    return Shape(lines=((first if from_the_first else after), *(after,) * (count - 1)))


def shot_dialogue(film: Film, *, before: str, now: str, after: str, label: str) -> tuple[Turn, ...]:
    """One shot, between its neighbours; the answer stands open after its label, where it has one."""
    asked = _shot_question(
        _EXAMPLE, _EXAMPLE_SHOTS[0].partition(" ")[2], _EXAMPLE_SHOTS[1].partition(" ")[2], ""
    )
    dialogue = _dialogue(
        _SHOT_TASK, (asked, f"Medium shot: {_EXAMPLE_LINE}"), _shot_question(film, before, now, after)
    )
    return (*dialogue, ("assistant", label)) if label else dialogue


def _shot_question(film: Film, before: str, now: str, after: str) -> str:
    return (
        f"{_about(film)}\nThe shot before: {before or '-'}\nThe shot as it was: {now or '- (it is new)'}\n"
        f"The shot after: {after or '-'}"
    )


SHOT_SHAPE = Shape(lines=((Text(min_characters=11, max_characters=300),),))


def moves_dialogue(film: Film, shots: Sequence[str]) -> tuple[Turn, ...]:
    example = (
        f"{_about(_EXAMPLE)}\n1. (pan right, calm, cut) {_EXAMPLE_LINE}\n2. (new) The dark mouth of the den.",
        f"{AS_BEFORE} | still | {AS_BEFORE}\nzoom in | still | fade to black",
    )
    return _dialogue(_MOVES_TASK, example, f"{_about(film)}\n" + "\n".join(shots))


def moves_shape(shots: Sequence[tuple[Sequence[Camera], bool]]) -> Shape:
    """For each shot the moves that suit it, and whether it was there before."""
    return Shape(
        lines=tuple(
            tuple(
                Choice(options=((AS_BEFORE,) if was_there else ()) + options)
                for options in (
                    tuple(camera.replace("_", " ") for camera in cameras),
                    tuple(ENERGY_WORDS),
                    tuple(TRANSITION_WORDS),
                )
            )
            for cameras, was_there in shots
        )
    )
