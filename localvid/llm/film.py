"""Large models: a film in steps, each small and held by a shape.

1. The bible: characters, setting and style, once for the film.
2. The beats: what happens in each shot.
3. Each shot's description, in its size.
4. For each shot the camera's move, among those that suit it, and how much moves.
5. For each shot how it gives way to the next, and how long it is looked at.

A step that fails is done by rule, as for a film without a model.

All shots are described at once: a server answers them side by side, and a local model's weights are read once
for a token of each. What is lost: a shot does not see the words of those before it. Each is painted by
itself, knows all beats, and has characters, setting and style in the same words; where two still say the
same, the later one is asked for again and then sees those before it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from localvid.llm import prompts
from localvid.llm.draft import Draft
from localvid.llm.languages import language_of
from localvid.llm.outline_words import outline_detail
from localvid.llm.plan import Bible, BoardPlan, Cut, fitting_cameras
from localvid.llm.repair import is_duplicate, read_fields, read_line, read_lines, same_script, says_scene
from localvid.llm.session import Session
from localvid.schemas import Camera, Progress

FILM_CONTEXT_TOKENS = 2048
"""With less, the instructions, the worked example, the prompt and the answers do not fit together."""

_ATTEMPTS = 3
_LINE_TOKENS = 120
_BEAT_TOKENS = 60
_FIELD_TOKENS = 16
_FRAME_TOKENS = 1000
"""Instructions and worked example; SmolLM2's tokeniser, which knows English best, takes 833."""
_SALTS = {"bible": 11, "beats": 23, "moves": 37, "cuts": 41}
_SHORT_CHARACTERS = 6


class _Move(NamedTuple):
    """How a shot moves; None where the model said nothing that suits it."""

    camera: Camera | None
    energy: float | None
    words: str
    """As the model is told of it in its next step."""

    @staticmethod
    def read(row: Sequence[str], fitting: Sequence[Camera]) -> _Move:
        camera, energy = row if len(row) == 2 else ("", "")
        chosen = next((each for each in fitting if each == camera.replace(" ", "_")), None)
        level = prompts.ENERGY_WORDS.get(energy)
        words = (camera if chosen else fitting[0].replace("_", " "), "calm" if level is None else energy)
        return _Move(chosen, level, " | ".join(words))


def write_film(session: Session, plan: BoardPlan) -> Draft:
    """All steps, in their order."""
    count = len(plan.shots)
    idea, note = _fitted(session, plan)
    session.at(Progress(step=0, num_steps=count, message="planning the film"))
    bible = _write_bible(session, plan, idea)
    words = (bible.characters, bible.setting, bible.style)
    beats = _write_beats(session, plan, idea, words)
    texts = _write_shots(session, plan, idea, words, beats, bible)
    lines = [
        f"{prompts.shot_label(plan, index)} {text or outline_detail(plan, index)}"
        for index, text in enumerate(texts)
    ]
    moves = _write_moves(session, plan, idea, words, beats, lines)
    cuts = _write_cuts(session, idea, words, beats, lines, [move.words for move in moves])
    return Draft(
        descriptions=tuple(
            f"{shot.size}: {text}" if text else None for shot, text in zip(plan.shots, texts, strict=True)
        ),
        cameras=tuple(move.camera for move in moves) or None,
        energies=tuple(move.energy for move in moves) or None,
        cuts=cuts,
        bible=bible,
        note=note,
    )


def _fitted(session: Session, plan: BoardPlan) -> tuple[str, str]:
    """As much of the prompt as the context has room for beside what will be asked, and a word about it."""
    answers = 4 * _LINE_TOKENS + len(plan.shots) * (_LINE_TOKENS + _BEAT_TOKENS + 2 * _FIELD_TOKENS)
    idea = session.fit(plan.prompt, max(64, session.chat.context_tokens - _FRAME_TOKENS - answers))
    cut = len(idea) < len(plan.prompt)
    return idea, f"the model read the first {len(idea)} of {len(plan.prompt)} characters" if cut else ""


def _write_bible(session: Session, plan: BoardPlan, idea: str) -> Bible:
    """Three lines; those that are unusable, and the style that the prompt names, are the rules' own."""
    raw = session.ask(
        prompts.bible_dialogue(idea, len(plan.shots)),
        prompts.BIBLE_SHAPE,
        max_tokens=3 * _LINE_TOKENS,
        salt=_SALTS["bible"],
    )
    lines = [_own(line, idea) for line in read_lines(raw, 3) or ("", "", "")]
    return Bible(
        characters=lines[0] or plan.characters,
        setting=lines[1] or plan.setting,
        style=plan.style if plan.style_is_asked or not lines[2] else lines[2],
    )


def _own(line: str, idea: str) -> str:
    """A line of the bible, if it is the model's own and in the idea's script; without its full stop."""
    usable = same_script(line, idea) and not is_duplicate(line, prompts.example_texts())
    return line.rstrip(".。")[:300] if usable else ""


def _write_beats(session: Session, plan: BoardPlan, idea: str, words: Sequence[str]) -> list[str]:
    """One line a shot, all different; else the parts of the prompt."""
    count = len(plan.shots)
    for attempt in range(_ATTEMPTS):
        raw = session.ask(
            prompts.beats_dialogue(idea, count, words),
            prompts.beats_shape(count),
            max_tokens=count * _BEAT_TOKENS,
            salt=_SALTS["beats"] + attempt,
        )
        beats = read_lines(raw, count) or []
        others = prompts.example_texts()
        if beats and not any(
            is_duplicate(beat, [*others, *beats[:index]]) for index, beat in enumerate(beats)
        ):
            return beats
    return [f"{shot.view}." for shot in plan.shots]


def _write_shots(
    session: Session, plan: BoardPlan, idea: str, words: Sequence[str], beats: Sequence[str], bible: Bible
) -> list[str]:
    """The description of each shot without its size; "" where the model gave none that can stand.

    All shots are asked for at once, then again those that cannot stand or say what another says, each after
    the shots before it that stand.
    """
    texts: dict[int, str] = {}
    missing = list(range(len(plan.shots)))
    for attempt in range(_ATTEMPTS):
        session.at(_progress(plan, texts, "writing the shots"))
        answers = session.ask_all(
            [prompts.shot_dialogue(plan, idea, words, beats, index, texts) for index in missing],
            prompts.SHOT_SHAPE,
            max_tokens=_LINE_TOKENS,
            salts=[101 * (index + 1) + attempt for index in missing],
        )
        for index, answer in zip(missing, answers, strict=True):
            text = read_line(answer, limit=300)
            if stands(text, idea, list(texts.values())):
                texts[index] = _with_subject(text, plan, index, bible)
                session.at(_progress(plan, texts, f"wrote shot {index + 1}"))
        missing = [index for index in missing if index not in texts]
        if not missing:
            break
    return [texts.get(index, "") for index in range(len(plan.shots))]


def _progress(plan: BoardPlan, texts: Mapping[int, str], message: str) -> Progress:
    return Progress(step=len(texts), num_steps=len(plan.shots), message=message)


def stands(text: str, idea: str, texts: Sequence[str]) -> bool:
    """Whether a shot's words are long enough, in the idea's language as far as that can be told, and new
    beside `texts`."""
    if len(text) < _SHORT_CHARACTERS or not same_script(text, idea):
        return False
    spoken, wanted = language_of(text), language_of(idea)
    if spoken and wanted and spoken != wanted and len(text) > 40:
        return False
    return not is_duplicate(text, [*texts, *prompts.example_texts()])


def _with_subject(text: str, plan: BoardPlan, index: int, bible: Bible) -> str:
    """The description; one that names neither its scene nor the film's characters is led by the scene."""
    if says_scene(text, f"{plan.shots[index].scene} {bible.characters}"):
        return text
    return f"{plan.shots[index].view}. {text}"


def _write_moves(
    session: Session,
    plan: BoardPlan,
    idea: str,
    words: Sequence[str],
    beats: Sequence[str],
    lines: Sequence[str],
) -> list[_Move]:
    """Camera and energy of each shot; [] where the model gave too few lines."""
    fitting = [fitting_cameras(shot, 0.5, used=()) for shot in plan.shots]
    raw = session.ask(
        prompts.moves_dialogue(idea, words, beats, lines),
        prompts.moves_shape(fitting),
        max_tokens=len(lines) * _FIELD_TOKENS,
        salt=_SALTS["moves"],
    )
    rows = read_fields(raw, len(lines)) or []
    return [_Move.read(row, cameras) for row, cameras in zip(rows, fitting, strict=False)]


def _write_cuts(
    session: Session,
    idea: str,
    words: Sequence[str],
    beats: Sequence[str],
    lines: Sequence[str],
    moves: Sequence[str],
) -> tuple[Cut | None, ...] | None:
    """Transition and pace of each shot; None where the model gave something else."""
    if not moves:
        return None
    raw = session.ask(
        prompts.cuts_dialogue(idea, words, beats, lines, moves),
        prompts.cuts_shape(len(lines)),
        max_tokens=len(lines) * _FIELD_TOKENS,
        salt=_SALTS["cuts"],
    )
    return tuple(map(_cut, read_fields(raw, len(lines)) or [])) or None


def _cut(row: Sequence[str]) -> Cut | None:
    if len(row) != 2 or row[0] not in prompts.TRANSITION_WORDS or row[1] not in prompts.PACE_WORDS:
        return None
    return Cut(kind=prompts.TRANSITION_WORDS[row[0]], pace=prompts.PACE_WORDS[row[1]])
