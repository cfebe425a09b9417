"""Storyboards by a local language model: any GGUF file, run by llama.cpp in a child process.

It opens and closes the model; what is asked of it and what becomes of the answers is the director's.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Self

from pydantic import Field, ValidationError

from localvid import memory
from localvid.config import Settings
from localvid.errors import InvalidSettingsError, NotAvailableError
from localvid.host import ChildHost
from localvid.llm.director import direct
from localvid.llm.llama.chat import LlamaChat
from localvid.llm.llama.formats import ChatFormat, chat_format_of, skips_thoughts
from localvid.llm.llama.gguf import GgufHead, read_head
from localvid.llm.revision.revise import revise
from localvid.schemas import (
    IN_THIS_PROCESS,
    Frozen,
    ModelInfo,
    OnProgress,
    PeakMemory,
    Revision,
    Storyboard,
    explain,
    ignore_progress,
)

_SMALL_BYTES = 600_000_000
"""Below this, a model is asked for one sentence at a time (`details.py`). A billion parameters take about as
much in 4 bits; `whole_film = true` or `false` in a manifest's settings decides otherwise."""

_CRASH_HINT = (
    "if only this model crashes, its file is damaged: download it again; if all do, rebuild llama.cpp for "
    "this processor: CMAKE_ARGS=-DGGML_NATIVE=OFF pip install --force-reinstall --no-cache-dir --no-binary "
    "llama-cpp-python llama-cpp-python; --llm outline needs no model"
)
_ENVIRONMENT = {"GOMP_SPINCOUNT": "1000"}
"""llama.cpp's threads wait for each other several times a layer, and spin a moment before they fall asleep.
Asleep at once, a token of the embedded model took 46 to 51 ms on 2 idle cores, spinning so 11 to 19 ms; with
two other programs on them 25 to 34 and 28 to 29 ms. Spinning longer is no faster on an idle machine and
collapses on a busy one (10,000: 263 ms a token)."""


class WriterSettings(Frozen):
    """`[settings]` in the manifest of a GGUF model."""

    context_tokens: int | None = Field(default=None, ge=512, le=131_072)
    """At most `llm_context_tokens`; None: those."""
    chat_format: ChatFormat | None = None
    """None: known by the file's own template."""
    temperature: float = Field(default=0.6, ge=0, le=5)
    whole_film: bool | None = None
    """Whether it takes the steps of a large model; None: by the file's size."""


class LlamaWriter:
    """The StoryboardWriter of GGUF models.

    `info.source` is the file; the manifest's settings are `WriterSettings`.
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
        where its process crashes or exceeds `llm_timeout_seconds`; InvalidSettingsError for settings of its
        manifest that cannot be used; and whatever `on_progress` raises.
        """
        return direct(
            self.open_chat(),
            prompt,
            num_shots=num_shots,
            seed=seed,
            on_progress=on_progress,
        )

    def revise(
        self,
        storyboard: Storyboard,
        instruction: str,
        *,
        seed: int,
        on_progress: OnProgress = ignore_progress,
    ) -> Revision:
        """Change a storyboard as an instruction says; raises as `write` and `revise.revise` do. The model is
        not loaded where rules do."""
        return revise(self.open_chat(), storyboard, instruction, seed=seed, on_progress=on_progress)

    def peak_memory(self) -> PeakMemory:
        """Of the model's process. What llama.cpp has on a GPU is not known."""
        if self._host is None:
            return IN_THIS_PROCESS
        pid = self._host.pid
        return PeakMemory(host_bytes=None if pid is None else memory.take_peak_bytes(pid))

    def open_chat(self) -> LlamaChat:
        """The model for one storyboard's questions, to be answered within `llm_timeout_seconds` from now."""
        own = _writer_settings(self._info)
        head = self._read_head()
        wanted = own.context_tokens or self._settings.llm_context_tokens
        context_tokens = min(wanted, self._settings.llm_context_tokens, head.context_tokens or wanted)
        is_large = head.bytes >= _SMALL_BYTES if own.whole_film is None else own.whole_film
        return LlamaChat(
            self._open_host(context_tokens),
            name=self._info.manifest.id,
            is_small=not is_large,
            context_tokens=context_tokens,
            form=own.chat_format or chat_format_of(head),
            no_thoughts=skips_thoughts(head),
            temperature=own.temperature,
            limit_seconds=self._settings.llm_timeout_seconds,
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

    def _open_host(self, context_tokens: int) -> ChildHost:
        if self._host is None:
            if find_spec("llama_cpp") is None:
                raise NotAvailableError(
                    "the package llama-cpp-python is not installed",
                    hint="pip install 'localvid[llm]', or use --llm outline",
                )
            self._host = ChildHost(
                "localvid.llm.llama.child:LlamaEngine",
                {
                    "path": str(self._source().resolve()),
                    "context_tokens": context_tokens,
                    "gpu_layers": 0 if self._settings.device == "cpu" else self._settings.llm_gpu_layers,
                    "threads": self._settings.threads or len(os.sched_getaffinity(0)),
                },
                name=f"the language model {self._info.manifest.id}",
                crash_hint=_CRASH_HINT,
                environment=_ENVIRONMENT,
            )
        return self._host


def _writer_settings(info: ModelInfo) -> WriterSettings:
    try:
        return WriterSettings.model_validate(info.manifest.settings)
    except ValidationError as error:
        raise InvalidSettingsError(
            f"manifest of {info.manifest.id}, settings: {explain(error)}", hint="docs/models.md lists them"
        ) from error
