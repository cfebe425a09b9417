"""Storyboards by a local language model: any GGUF file, run by llama.cpp in a child process.

The model writes one line a shot, held by a grammar; each line is judged, asked for again with another
seed where it repeats, strays or contradicts the prompt, and in the end replaced by the outline writer's
rule, which `written_by` then says.

Two ways of asking, by what a model can do. A large one (from about a billion parameters) reads the whole
prompt and its own earlier lines, and chooses camera and energy among what suits the shot. A small one is
asked for one English sentence about one shot at a time, after the prompt's own words; given more, it
copies. Its camera and energy come from the words by rule: asked for them it answered "still" every time.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from localvid.config import Settings
from localvid.errors import NotAvailableError
from localvid.host import ChildHost
from localvid.llm.asking import Conversation, DetailWay, FilmWay, best_line
from localvid.llm.gguf import GgufHead, read_head
from localvid.llm.lexicon import is_english
from localvid.llm.outline import outline_description
from localvid.llm.plan import BoardPlan, make_storyboard, plan_board
from localvid.llm.prompts import ChatFormat, chat_format_of
from localvid.llm.repair import Line, says_scene
from localvid.schemas import ModelInfo, OnProgress, Progress, Storyboard, ignore_progress

_SMALL_BYTES = 600_000_000
"""Below this, a model is asked for one sentence at a time. A billion parameters take about as much in
4 bits; `whole_film = true` or `false` in a manifest's settings decides otherwise."""

_FILM_CONTEXT_TOKENS = 1024
"""With less, the instructions, the prompt and the lines do not fit together."""

_CRASH_HINT = (
    "rebuild llama.cpp for this processor: CMAKE_ARGS=-DGGML_NATIVE=OFF pip install --force-reinstall "
    "--no-cache-dir --no-binary llama-cpp-python llama-cpp-python; if only this model crashes, its file is "
    "damaged; --llm outline needs no model"
)
_ENVIRONMENT = {"GOMP_SPINCOUNT": "1000"}
"""llama.cpp's threads wait for each other several times a layer, and spin a moment before they fall asleep.
Asleep at once, a token of the embedded model took 46 to 51 ms on 2 idle cores, spinning so 11 to 19 ms; with
two other programs on them 25 to 34 and 28 to 29 ms. Spinning longer is no faster on an idle machine and
collapses on a busy one (10,000: 263 ms a token)."""


class LlamaWriter:
    """The StoryboardWriter of GGUF models.

    `info.source` is the file. A manifest's settings may give `context_tokens`, `chat_format`
    ("chatml", "gemma", "llama3", "mistral", "phi", "zephyr", "plain"), `temperature` and `whole_film`.
    The process is started by the first `write`, kept for the next, and gone after `close`.
    """

    def __init__(self, info: ModelInfo, settings: Settings) -> None:
        self._info = info
        self._settings = settings
        self._head: GgufHead | None = None
        self._host: ChildHost | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the model's process, which returns its memory; idempotent."""
        if self._host is not None:
            self._host.close()
            self._host = None

    def write(
        self, prompt: str, *, num_shots: int, seed: int, on_progress: OnProgress = ignore_progress
    ) -> Storyboard:
        """Write a storyboard.

        Raises InvalidRequestError for an empty prompt, a number of shots outside 1 to 7 or a file that is
        no GGUF; NotAvailableError for a model that is not here or cannot be loaded; ModelProcessError
        where its process crashes or exceeds `llm_timeout_seconds`; and whatever `on_progress` raises.
        """
        plan = plan_board(prompt, num_shots=num_shots, seed=seed)
        head = self._read_head()
        context_tokens = self._context_tokens(head)
        whole_film = bool(self._option("whole_film", head.bytes >= _SMALL_BYTES)) and (
            context_tokens >= _FILM_CONTEXT_TOKENS
        )
        if not whole_film and not any(is_english(shot.scene) for shot in plan.shots):
            return self._finish(plan, [None] * num_shots, "the model reads English alone", on_progress)
        deadline = time.monotonic() + self._settings.llm_timeout_seconds
        ask = Conversation(
            self._open_host(head), self._format(head), self._temperature(), deadline, on_progress
        )
        ask.start()
        way = FilmWay(ask, plan, context_tokens) if whole_film else DetailWay(ask, plan)
        lines: list[Line | None] = []
        for index in range(num_shots):
            ask.at(Progress(step=index, num_steps=num_shots, message=f"writing shot {index + 1}"))
            lines.append(best_line(way, index, seed))
        return self._finish(plan, lines, way.note, on_progress)

    def _finish(
        self, plan: BoardPlan, lines: Sequence[Line | None], note: str, on_progress: OnProgress
    ) -> Storyboard:
        """Put the lines together, outline the missing ones, and say who wrote what."""
        missing = sum(line is None for line in lines)
        written_by = self._info.manifest.id
        if missing:
            written_by += f", outline ({missing} of {len(lines)} shots)"
        if note:
            written_by += f"; {note}"
        on_progress(Progress(step=len(lines), num_steps=len(lines), message=f"written by {written_by}"))
        return make_storyboard(
            plan,
            [_description(plan, index, line) for index, line in enumerate(lines)],
            written_by=written_by[:200],
            cameras=[line.camera if line else None for line in lines],
            energies=[line.energy if line else None for line in lines],
        )

    def _read_head(self) -> GgufHead:
        if self._head is None:
            self._head = read_head(self._source())
        return self._head

    def _source(self) -> Path:
        if self._info.source is None:
            raise NotAvailableError(
                f"{self._info.manifest.id} is not here: {self._info.reason or 'no file'}",
                hint=self._info.remedy or f"localvid pull {self._info.manifest.id}, or --llm outline",
            )
        return self._info.source

    def _open_host(self, head: GgufHead) -> ChildHost:
        if self._host is None:
            if find_spec("llama_cpp") is None:
                raise NotAvailableError(
                    "the package llama-cpp-python is not installed",
                    hint="pip install 'localvid[llm]', or use --llm outline",
                )
            self._host = ChildHost(
                "localvid.llm.llama_child:LlamaEngine",
                {
                    "path": str(self._source().resolve()),
                    "context_tokens": self._context_tokens(head),
                    "gpu_layers": 0 if self._settings.device == "cpu" else self._settings.llm_gpu_layers,
                    "threads": self._settings.threads or len(os.sched_getaffinity(0)),
                },
                name=f"the language model {self._info.manifest.id}",
                crash_hint=_CRASH_HINT,
                environment=_ENVIRONMENT,
            )
        return self._host

    def _context_tokens(self, head: GgufHead) -> int:
        wanted = int(self._option("context_tokens", self._settings.llm_context_tokens))
        return min(wanted, self._settings.llm_context_tokens, head.context_tokens or wanted)

    def _format(self, head: GgufHead) -> ChatFormat:
        named = self._option("chat_format", "")
        return ChatFormat(str(named)) if named in set(ChatFormat) else chat_format_of(head)

    def _temperature(self) -> float:
        return float(self._option("temperature", 0.6))

    def _option(self, name: str, default: int | float | str | bool) -> Any:
        return self._info.manifest.settings.get(name, default)


def _description(plan: BoardPlan, index: int, line: Line | None) -> str:
    """The words of a shot, which always name its scene."""
    shot = plan.shots[index]
    if line is None:
        return outline_description(plan, index)
    if line.camera is None or not says_scene(line.text, shot.scene):
        return f"{shot.size}: {shot.scene}. {line.text}"
    return f"{shot.size}: {line.text}"
