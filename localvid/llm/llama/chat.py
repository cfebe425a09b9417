"""The ChatModel of GGUF files: questions go to llama.cpp in a child process, which answers those of one call
together."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from localvid.errors import ModelProcessError
from localvid.host import ChildHost
from localvid.llm.chat import OnWait, Question
from localvid.llm.llama.formats import ChatFormat, render
from localvid.llm.llama.grammars import grammar_of


class LlamaChat:
    """One storyboard's questions to a child process that others may have asked before; see ChatModel.

    The child is started by the first call. All answers must come within `limit_seconds` from now.
    """

    first_message = "loading the language model"

    def __init__(
        self,
        host: ChildHost,
        *,
        name: str,
        is_small: bool,
        context_tokens: int,
        form: ChatFormat,
        no_thoughts: bool,
        temperature: float,
        limit_seconds: float,
    ) -> None:
        self.name = name
        self.is_small = is_small
        self.context_tokens = context_tokens
        self._host = host
        self._form = form
        self._no_thoughts = no_thoughts
        self._temperature = temperature
        self._limit_seconds = limit_seconds
        self._deadline = time.monotonic() + limit_seconds
        self._fresh = True

    def fit(self, text: str, max_tokens: int, on_wait: OnWait) -> str:
        return str(self._call("fit", {"text": text, "max_tokens": max_tokens}, on_wait))

    def answer(self, questions: Sequence[Question], on_wait: OnWait) -> list[str]:
        asked = [self._arguments(question) for question in questions]
        arguments = {"questions": asked, "fresh": self._fresh}
        self._fresh = False
        return [str(text) for text in self._call("answer", arguments, on_wait)]

    def _arguments(self, question: Question) -> dict[str, Any]:
        role, start = question.dialogue[-1]
        continues = role == "assistant" and bool(start) and not start[-1].isspace()
        turns = render(question.dialogue, self._form, no_thoughts=self._no_thoughts)
        return {
            "turns": [[piece.model_dump() for piece in turn] for turn in turns],
            "grammar": grammar_of(question.shape, leading_space=continues),
            "num_lines": len(question.shape.lines),
            "max_tokens": question.max_tokens,
            "temperature": self._temperature,
            "seed": question.seed,
        }

    def _call(self, method: str, arguments: dict[str, Any], on_wait: OnWait) -> Any:
        try:
            self._host.start(lambda _: on_wait(), timeout_seconds=self._left())
            return self._host.call(
                method, arguments, on_progress=lambda _: on_wait(), timeout_seconds=self._left()
            )
        except ModelProcessError as error:
            if time.monotonic() < self._deadline:
                raise
            # The host knows the time of one call alone.
            raise ModelProcessError(
                f"the language model {self.name} did not answer within {self._limit_seconds:g} s",
                hint="raise llm_timeout_seconds, or choose a smaller or faster model",
            ) from error

    def _left(self) -> float:
        return max(0.01, self._deadline - time.monotonic())
