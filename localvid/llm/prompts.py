"""What the language model is told: chat formats, instructions, worked examples and grammars.

A prompt is a list of pieces, each either control text of the chat format or content. The child tokenises
content as plain text, so nothing that a user writes can end a turn or open another. Chat formats are our
own; the template inside a GGUF file only tells which one to take and is never run.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Literal

from localvid.llm.gguf import GgufHead
from localvid.llm.plan import BoardPlan, ShotPlan
from localvid.schemas import Camera, Frozen

Role = Literal["system", "user", "assistant"]


class ChatFormat(StrEnum):
    CHATML = "chatml"
    GEMMA = "gemma"
    LLAMA3 = "llama3"
    MISTRAL = "mistral"
    PHI = "phi"
    ZEPHYR = "zephyr"
    PLAIN = "plain"
    """For models without chat training: the turns as labelled paragraphs."""


class Piece(Frozen):
    text: str
    control: bool


Dialogue = Sequence[tuple[Role, str]]

_TURNS: dict[ChatFormat, dict[Role, tuple[str, str]]] = {
    ChatFormat.CHATML: {
        "system": ("<|im_start|>system\n", "<|im_end|>\n"),
        "user": ("<|im_start|>user\n", "<|im_end|>\n"),
        "assistant": ("<|im_start|>assistant\n", "<|im_end|>\n"),
    },
    ChatFormat.GEMMA: {
        "user": ("<start_of_turn>user\n", "<end_of_turn>\n"),
        "assistant": ("<start_of_turn>model\n", "<end_of_turn>\n"),
    },
    ChatFormat.LLAMA3: {
        "system": ("<|start_header_id|>system<|end_header_id|>\n\n", "<|eot_id|>"),
        "user": ("<|start_header_id|>user<|end_header_id|>\n\n", "<|eot_id|>"),
        "assistant": ("<|start_header_id|>assistant<|end_header_id|>\n\n", "<|eot_id|>"),
    },
    ChatFormat.MISTRAL: {"user": ("[INST] ", " [/INST]"), "assistant": ("", "</s>")},
    ChatFormat.PHI: {
        "system": ("<|system|>\n", "<|end|>\n"),
        "user": ("<|user|>\n", "<|end|>\n"),
        "assistant": ("<|assistant|>\n", "<|end|>\n"),
    },
    ChatFormat.ZEPHYR: {
        "system": ("<|system|>\n", "</s>\n"),
        "user": ("<|user|>\n", "</s>\n"),
        "assistant": ("<|assistant|>\n", "</s>\n"),
    },
    ChatFormat.PLAIN: {"system": ("", "\n\n"), "user": ("Task: ", "\n"), "assistant": ("Answer: ", "\n\n")},
}
"""Role → what opens and what ends its turn; a format without a system role says it in the first user turn."""

_MARKS = (
    ("<|im_start|>", ChatFormat.CHATML),
    ("<start_of_turn>", ChatFormat.GEMMA),
    ("<|start_header_id|>", ChatFormat.LLAMA3),
    ("[INST]", ChatFormat.MISTRAL),
    ("<|end|>", ChatFormat.PHI),
    ("<|assistant|>", ChatFormat.ZEPHYR),
)


def chat_format_of(head: GgufHead) -> ChatFormat:
    """The chat format that a model was trained on, known by the marks in its own template."""
    return next((form for mark, form in _MARKS if mark in head.chat_template), ChatFormat.PLAIN)


def render(dialogue: Dialogue, form: ChatFormat) -> list[Piece]:
    """The dialogue as pieces. An assistant turn at the end is left open, for the model to go on with."""
    turns = _TURNS[form]
    pieces: list[Piece] = []
    pending = ""
    for index, (role, content) in enumerate(dialogue):
        if role not in turns:
            pending = f"{content}\n\n"
            continue
        opening, ending = turns[role]
        if index == len(dialogue) - 1:
            ending = ""
        pieces += [
            Piece(text=opening, control=True),
            Piece(text=pending + content, control=False),
            Piece(text=ending, control=True),
        ]
        pending = ""
    return [piece for piece in pieces if piece.text]


# --- models that see one shot at a time ----------------------------------------------------------

_DETAIL_SYSTEM = (
    "You describe the shots of a film. You say what is seen: shapes, light, colours and movement."
)

_DETAIL_EXAMPLES = (
    (
        "Wide shot: A wheat field on a windy morning.",
        "Ripe stalks bend in long waves, and the shadows of small clouds glide over the hills.",
    ),
    (
        "Close-up: An old violin in a quiet attic.",
        "Golden dust glitters in a thin ray of light above the cracked brown wood.",
    ),
)


def detail_examples() -> tuple[str, ...]:
    """The worked answers, which a weak model tends to repeat."""
    return tuple(answer for _, answer in _DETAIL_EXAMPLES)


def detail_preamble() -> list[tuple[Role, str]]:
    """The turns that every shot of every prompt begins with."""
    dialogue: list[tuple[Role, str]] = [("system", _DETAIL_SYSTEM)]
    for question, answer in _DETAIL_EXAMPLES:
        dialogue += [("user", question), ("assistant", f"{question} {answer}")]
    return dialogue


def detail_dialogue(shot: ShotPlan) -> list[tuple[Role, str]]:
    """One shot by itself; the answer begins with the scene's own words, so that it stays with them.

    For small models: they see no earlier shot, because they would write it again.
    """
    scene = f"{shot.size}: {shot.scene}."
    return [*detail_preamble(), ("user", scene), ("assistant", scene)]


DETAIL_GRAMMAR = r"""
root ::= " " [A-Z] rest{20,130} ".\n"
rest ::= [A-Za-z ,'-]
"""
"""One English sentence of plain words: no digits, quotes, brackets, addresses or markup."""


# --- models that see the whole film --------------------------------------------------------------

_FILM_SYSTEM = """You are a storyboard artist. You turn an idea into the shots of a short silent film.
Each shot is one line: what is seen (subject, action, place, light), then the camera, then how much moves.
Say the subject and the place in every shot, because each one is painted by itself.
Keep the time of day and the look the same unless the idea changes them. No two shots show the same.
Write only what a picture can show, in the language of the idea, 15 to 35 words a shot."""

_FILM_EXAMPLE_IDEA = "A red fox crosses a snowy forest at night and finds its den."
_FILM_EXAMPLE_LINES = (
    "1. Wide shot: A snowy forest at night under a full moon, a small red fox trotting between the tall dark "
    "pines. | pan right | calm",
    "2. Medium shot: The red fox pushes through deep snow at the foot of the pines, its breath white in the "
    "cold moonlight. | truck left | lively",
    "3. Close-up: The fox's amber eyes and frosted whiskers at the dark mouth of its den, snowflakes melting "
    "on its fur. | dolly in | still",
)

ENERGY_WORDS: dict[str, float] = {"still": 0.1, "calm": 0.3, "lively": 0.6, "wild": 0.9}


def film_preamble() -> list[tuple[Role, str]]:
    """The turns that every film begins with."""
    return [
        ("system", _FILM_SYSTEM),
        ("user", _film_request(_FILM_EXAMPLE_IDEA, len(_FILM_EXAMPLE_LINES))),
        ("assistant", "\n".join(_FILM_EXAMPLE_LINES)),
    ]


def film_opening(idea: str, num_shots: int) -> list[tuple[Role, str]]:
    """The turns that every shot of one film begins with."""
    return [*film_preamble(), ("user", _film_request(idea, num_shots))]


def film_dialogue(idea: str, plan: BoardPlan, written: Sequence[str]) -> list[tuple[Role, str]]:
    """The whole idea and the lines written so far; the answer stands open after the next shot's label."""
    number = len(written) + 1
    label = f"{number}. {plan.shots[number - 1].size}:"
    lines = "\n".join([*written, label])
    return [*film_opening(idea, len(plan.shots)), ("assistant", lines)]


def _film_request(idea: str, num_shots: int) -> str:
    return f"Idea: {idea}\nShots: {num_shots}"


def film_grammar(cameras: Sequence[Camera]) -> str:
    """One line in any script: what is seen, one of these camera moves, how much moves."""
    moves = " | ".join(f'"{camera.replace("_", " ")}"' for camera in cameras)
    energies = " | ".join(f'"{word}"' for word in ENERGY_WORDS)
    return rf"""
root ::= " " seen " | " move " | " energy "\n"
seen ::= first rest{{10,260}}
first ::= [^\x00-\x20|"<>{{}}\[\]()*#_/\\:;.,!?-]
rest ::= [^\x00-\x1f|"<>{{}}\[\]()*#_/\\:]
move ::= {moves}
energy ::= {energies}
"""
