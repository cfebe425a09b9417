"""Asking a language model for the shots of one storyboard, line by line, until each line can stand."""

from __future__ import annotations

import time
from typing import Any, Protocol

from localvid.host import ChildHost
from localvid.llm.lexicon import is_english
from localvid.llm.outline import SHORTENED, outline_detail
from localvid.llm.plan import BoardPlan, fitting_cameras
from localvid.llm.prompts import (
    DETAIL_GRAMMAR,
    ChatFormat,
    Dialogue,
    detail_dialogue,
    detail_examples,
    detail_preamble,
    film_dialogue,
    film_grammar,
    film_opening,
    film_preamble,
    render,
)
from localvid.llm.repair import UNUSABLE, Line, fault_of, is_duplicate, read_line, write_line
from localvid.schemas import Camera, OnProgress, Progress

_GOOD_ENOUGH = 0.5
_DETAIL_TOKENS = 40
_LINE_TOKENS = 120
_SHORT_CHARACTERS = 6


class Conversation:
    """Calls of the engine for one storyboard: one deadline, one format, one place to report to."""

    def __init__(
        self,
        host: ChildHost,
        form: ChatFormat,
        temperature: float,
        deadline: float,
        on_progress: OnProgress,
    ) -> None:
        self._host = host
        self._form = form
        self._temperature = temperature
        self._deadline = deadline
        self._on_progress = on_progress
        self._progress = Progress(step=0, num_steps=0, message="loading the language model")

    def start(self) -> None:
        self._on_progress(self._progress)
        self._host.start(lambda _: self._on_progress(self._progress), timeout_seconds=self._left())

    def at(self, progress: Progress) -> None:
        """Report, and go on reporting this while the model works."""
        self._progress = progress
        self._on_progress(progress)

    def begin(self, preamble: Dialogue) -> int:
        return int(self._call("begin", {"pieces": self._pieces(preamble)}))

    def fit(self, text: str, max_tokens: int) -> str:
        return str(self._call("fit", {"text": text, "max_tokens": max_tokens}))

    def complete(self, dialogue: Dialogue, grammar: str, *, max_tokens: int, seed: int) -> str:
        arguments = {
            "pieces": self._pieces(dialogue),
            "grammar": grammar,
            "max_tokens": max_tokens,
            "temperature": self._temperature,
            "seed": seed % 2**32,
        }
        return str(self._call("complete", arguments))

    def _pieces(self, dialogue: Dialogue) -> list[dict[str, Any]]:
        return [piece.model_dump() for piece in render(dialogue, self._form)]

    def _call(self, method: str, arguments: dict[str, Any]) -> Any:
        return self._host.call(
            method,
            arguments,
            on_progress=lambda _: self._on_progress(self._progress),
            timeout_seconds=self._left(),
        )

    def _left(self) -> float:
        return max(0.01, self._deadline - time.monotonic())


class Way(Protocol):
    """How a model is asked for the shots of one storyboard, in order."""

    attempts: int
    note: str

    def ask(self, index: int, seed: int) -> str: ...

    def fault(self, index: int, line: Line) -> float: ...

    def accept(self, index: int, line: Line | None) -> None: ...


class DetailWay:
    """One English sentence about one shot at a time."""

    attempts = 2  # a third made the default film wait longer than it made it better

    def __init__(self, conversation: Conversation, plan: BoardPlan) -> None:
        self.note = SHORTENED if plan.shortened else ""
        self._conversation = conversation
        self._plan = plan
        self._written: list[str] = []
        conversation.begin(detail_preamble())

    def ask(self, index: int, seed: int) -> str:
        shot = self._plan.shots[index]
        if not is_english(shot.scene):
            return ""
        return self._conversation.complete(
            detail_dialogue(shot), DETAIL_GRAMMAR, max_tokens=_DETAIL_TOKENS, seed=seed
        )

    def fault(self, index: int, line: Line) -> float:
        others = [*self._written, *detail_examples()]
        return fault_of(line.text, scene=self._plan.shots[index].scene, others=others)

    def accept(self, index: int, line: Line | None) -> None:
        self._written.append(line.text if line else outline_detail(self._plan, index))


class FilmWay:
    """The whole prompt and all earlier lines; camera and energy are the model's own choice."""

    attempts = 3

    def __init__(self, conversation: Conversation, plan: BoardPlan, context_tokens: int) -> None:
        self._conversation = conversation
        self._plan = plan
        self._texts: list[str] = []
        self._lines: list[str] = []
        self._cameras: list[Camera] = []
        room = context_tokens - conversation.begin(film_preamble()) - (len(plan.shots) + 1) * _LINE_TOKENS
        self._idea = conversation.fit(plan.prompt, max(64, room))
        conversation.begin(film_opening(self._idea, len(plan.shots)))
        cut = len(self._idea) < len(plan.prompt)
        self.note = (
            f"the model read the first {len(self._idea)} of {len(plan.prompt)} characters" if cut else ""
        )

    def ask(self, index: int, seed: int) -> str:
        cameras = fitting_cameras(self._plan.shots[index], 0.5, used=self._cameras)
        dialogue = film_dialogue(self._idea, self._plan, self._lines)
        return self._conversation.complete(
            dialogue, film_grammar(cameras), max_tokens=_LINE_TOKENS, seed=seed
        )

    def fault(self, index: int, line: Line) -> float:
        del index
        short = len(line.text) < _SHORT_CHARACTERS
        return UNUSABLE if short or is_duplicate(line.text, self._texts) else 0.0

    def accept(self, index: int, line: Line | None) -> None:
        label = f"{index + 1}. {self._plan.shots[index].size}:"
        if line is None:
            line = Line(text=outline_detail(self._plan, index))
        if line.camera is not None:
            self._cameras.append(line.camera)
        self._texts.append(line.text)
        self._lines.append(f"{label} {write_line(line)}")


def best_line(way: Way, index: int, seed: int) -> Line | None:
    """Ask as often as the way allows, each time with another seed, and take the line with the least fault.

    None: no line was usable.
    """
    best: Line | None = None
    least = UNUSABLE
    for attempt in range(way.attempts):
        line = read_line(way.ask(index, seed + 101 * index + attempt))
        fault = UNUSABLE if line is None else way.fault(index, line)
        if fault < least:
            best, least = line, fault
        if least <= _GOOD_ENOUGH:
            break
    way.accept(index, best)
    return best
