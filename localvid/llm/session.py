"""One storyboard's questions to a language model."""

from __future__ import annotations

from collections.abc import Sequence

from localvid.llm.chat import ChatModel, Question, Shape, Turn
from localvid.schemas import OnProgress, Progress


class Session:
    """The questions of one storyboard: their seeds, and one place to report to."""

    def __init__(self, chat: ChatModel, seed: int, on_progress: OnProgress) -> None:
        self.chat = chat
        self._seed = seed
        self._on_progress = on_progress
        self._progress = Progress(step=0, num_steps=0, message=chat.first_message)

    def at(self, progress: Progress) -> None:
        """Report, and go on reporting this while the model works."""
        self._progress = progress
        self._on_progress(progress)

    def wait(self) -> None:
        self._on_progress(self._progress)

    def ask(self, dialogue: Sequence[Turn], shape: Shape, *, max_tokens: int, salt: int) -> str:
        """The answer; `salt` sets apart the seeds of one storyboard's questions."""
        return self.ask_all([dialogue], shape, max_tokens=max_tokens, salts=[salt])[0]

    def ask_all(
        self, dialogues: Sequence[Sequence[Turn]], shape: Shape, *, max_tokens: int, salts: Sequence[int]
    ) -> list[str]:
        """The answers to questions of one shape that do not depend on each other."""
        questions = [
            Question(
                dialogue=tuple(dialogue),
                shape=shape,
                max_tokens=max_tokens,
                seed=(self._seed + salt) % 2**32,
            )
            for dialogue, salt in zip(dialogues, salts, strict=True)
        ]
        return self.chat.answer(questions, self.wait)

    def fit(self, text: str, max_tokens: int) -> str:
        return self.chat.fit(text, max_tokens, self.wait)
