"""Chat formats: how the turns of a dialogue become the text that a model was trained on.

A turn is a list of pieces, each either control text of the chat format or content. The child tokenises
content as plain text, so nothing that a user writes can end a turn or open another. The formats are our own;
the template inside a GGUF file only tells which one to take and is never run.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from localvid.llm.chat import Role, Turn
from localvid.llm.llama.gguf import GgufHead
from localvid.schemas import Frozen


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


_NO_THOUGHTS = "<think>\n\n</think>\n\n"
"""What the templates of models that can think or not (Qwen3 and those after its example) open the answer with
where it is to be without thoughts."""


def skips_thoughts(head: GgufHead) -> bool:
    """Whether the model's answers begin with thoughts unless its template is told otherwise."""
    return "enable_thinking" in head.chat_template


def render(dialogue: Sequence[Turn], form: ChatFormat, *, no_thoughts: bool = False) -> list[list[Piece]]:
    """The pieces of each turn. An assistant turn at the end is left open, for the model to go on with; where
    the last turn is another's, an empty one is opened. `no_thoughts` opens it with empty thoughts."""
    turns = _TURNS[form]
    if dialogue[-1][0] != "assistant":
        dialogue = [*dialogue, ("assistant", "")]
    rendered: list[list[Piece]] = []
    pending = ""
    for index, (role, content) in enumerate(dialogue):
        if role not in turns:
            pending = f"{content}\n\n"
            continue
        opening, ending = turns[role]
        if index == len(dialogue) - 1:
            opening, ending = opening + (_NO_THOUGHTS if no_thoughts else ""), ""
        pieces = [
            Piece(text=opening, control=True),
            Piece(text=pending + content, control=False),
            Piece(text=ending, control=True),
        ]
        if shown := [piece for piece in pieces if piece.text]:
            rendered.append(shown)
        pending = ""
    return rendered
