"""The interface between the director and whatever answers it: one call, from questions to texts.

The director (steps, prompts, checks, repair) knows `ChatModel` alone. An implementation knows nothing of
storyboards: llama.cpp in a child process (`llama/`) is one, a model on a server (`served/`) another.

A `Question` is a dialogue, the shape of the answer, the most tokens it may take, and a seed.

- **Dialogue**: turns of role and text. The text is never control text: an implementation that renders the
  turns by a template tokenises them as plain text. Where the last turn is the assistant's, the answer has
  begun with it and goes on from there. What is returned is what follows. An implementation that cannot go on
  with an open turn leaves the turn out and says in its last user turn how the answer begins; the director
  takes a repeated beginning away.
- **Shape**: the lines of the answer, each made of fields between " | ". A `Text` has a least and a most
  number of characters, a `Choice` is one of a few words. llama.cpp holds the answer to it by a grammar
  (`llama/grammars.py`); a server that takes a JSON schema may hold it by one and put the lines together; one
  that takes neither may ignore it: the director checks every line that it reads, and asks again.
- **Thoughts** of a reasoning model (`<think>…</think>`) are not part of the answer. Implementations whose
  protocol tells them apart leave them out; `without_thoughts` takes them out of a text.

The questions of one call do not depend on each other, so they may be answered in any order or at once. They
tend to begin with the same turns: an implementation with a prompt cache profits from that by itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Literal, Protocol

from pydantic import Field

from localvid.schemas import Frozen

Role = Literal["system", "user", "assistant"]
Turn = tuple[Role, str]

FIELD_SEPARATOR = " | "


OnWait = Callable[[], None]


class Text(Frozen):
    """A field of free words on one line."""

    min_characters: int = Field(ge=1)
    max_characters: int = Field(ge=1)
    plain: bool = False
    """English letters, spaces, commas, hyphens and apostrophes, from a letter to a full stop: for models that
    derail on anything else."""


class Choice(Frozen):
    """A field that is one of these words."""

    options: tuple[str, ...] = Field(min_length=1)


class Shape(Frozen):
    """The lines of an answer, each a row of fields."""

    lines: tuple[tuple[Text | Choice, ...], ...] = Field(min_length=1)


class Question(Frozen):
    """One answer that is wanted."""

    dialogue: tuple[Turn, ...] = Field(min_length=1)
    shape: Shape
    max_tokens: int = Field(ge=1)
    seed: int = Field(ge=0, lt=2**32)


class ChatModel(Protocol):
    """A language model that answers questions; opened, and to be closed, by whoever hands it over."""

    @property
    def name(self) -> str:
        """What `written_by` calls it: "llm:smollm2-135m", "openai:gpt-4.1-mini"."""
        ...

    @property
    def first_message(self) -> str:
        """What progress says until the director does: "loading the language model"."""
        ...

    @property
    def is_small(self) -> bool:
        """Whether it is too small to keep a whole film in mind (under about a billion parameters)."""
        ...

    @property
    def context_tokens(self) -> int:
        """Tokens that a dialogue and its answer may take together."""
        ...

    def fit(self, text: str, max_tokens: int, on_wait: OnWait) -> str:
        """The beginning of a text that takes at most `max_tokens` tokens; the text itself is right where a
        context holds MAX_PROMPT_CHARACTERS many times over. Else as `answer`."""
        ...

    def answer(self, questions: Sequence[Question], on_wait: OnWait) -> list[str]:
        """One text for each question, in their order; "" where there is no room for it in the context.

        A line that `max_tokens` cuts off is left out. The same questions in the same order give the same
        texts, as far as the model allows it.

        `on_wait` is called at least once a second while the model works; what it raises ends the work and
        passes through. Raises NotAvailableError where the model cannot be had, ModelProcessError where it
        breaks, or does not answer within the time it was given.
        """
        ...


_THOUGHTS = re.compile(r"<(think|thinking|reasoning)>.*?(?:</\1>|\Z)", re.DOTALL | re.IGNORECASE)
_THOUGHTS_ENDED = re.compile(r"\A.*</(?:think|thinking|reasoning)>", re.DOTALL | re.IGNORECASE)


def without_thoughts(text: str) -> str:
    """An answer without a reasoning model's thoughts: also those whose opening mark the template wrote, and
    those that the end of the answer cut off."""
    return _THOUGHTS_ENDED.sub("", _THOUGHTS.sub("", text)).strip()
