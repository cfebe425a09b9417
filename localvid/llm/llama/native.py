"""What localvid uses of llama.cpp: a file loaded, texts as tokens, sequences of tokens evaluated together.

Runs in the child process; only this module and `sampling` call llama.cpp.
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
import os
import re
import sys
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from localvid.errors import NotAvailableError, StoryboardFailedError

SEQUENCES = 8
"""What a model evaluates together: a beginning that is shared, and an answer for each of 7 shots."""

_PHYSICAL_BATCH = 512
_PIECE_BYTES = 512
_LOG_ERROR = 4
_KEPT_COMPLAINTS = 10


def _bindings() -> Any:
    """llama.cpp's functions without what their package imports beside them.

    That is all that a chat server needs, and takes four times as long. It includes the template engine that
    would run the chat template of a GGUF file: here there is none.
    """
    spec = importlib.util.find_spec("llama_cpp")
    if spec is None:
        raise NotAvailableError("the package llama-cpp-python is not installed")
    sys.modules.setdefault("llama_cpp", importlib.util.module_from_spec(spec))
    return importlib.import_module("llama_cpp.llama_cpp")


llama = _bindings()


class Entry(NamedTuple):
    """A token at its position in a sequence; where `drawn_from`, the next one will be drawn after it."""

    token: int
    position: int
    sequence: int
    drawn_from: bool


class NativeModel:
    """A loaded GGUF model with `SEQUENCES` sequences of tokens, which share its context.

    Sequence 0 is what the others begin with. Nothing is freed before the process ends.
    """

    def __init__(self, path: str, *, context_tokens: int, gpu_layers: int, threads: int) -> None:
        """Load the file; raises NotAvailableError where llama.cpp refuses it."""
        llama.llama_log_set(_hear, None)
        llama.llama_backend_init()
        parameters = llama.llama_model_default_params()
        parameters.n_gpu_layers = gpu_layers
        self._model = llama.llama_model_load_from_file(os.fsencode(path), parameters)
        if not self._model:
            raise _refusal(path, _complaints)
        self.vocabulary = llama.llama_model_get_vocab(self._model)
        self.context = llama.llama_init_from_model(self._model, _context_parameters(context_tokens, threads))
        self._memory = llama.llama_get_memory(self.context) if self.context else None
        if not self.context:
            raise _refusal(path, _complaints)
        if not self._memory or llama.llama_model_has_encoder(self._model):
            raise _refusal(path, ["it is no model that goes on with a text"])
        self.every_token = array("i", range(llama.llama_vocab_n_tokens(self.vocabulary)))
        if llama.llama_vocab_type(self.vocabulary) == llama.LLAMA_VOCAB_TYPE_NONE or not self.every_token:
            raise _refusal(path, ["it has no vocabulary"])
        self.context_tokens = min(context_tokens, llama.llama_n_ctx(self.context))
        self._batch = llama.llama_batch_init(self.context_tokens, 0, 1)
        self._piece = ctypes.create_string_buffer(_PIECE_BYTES)

    def tokens_of(self, text: str, *, first: bool = False, control: bool = False) -> list[int]:
        """The tokens of a text; `first`: with the model's own mark of a beginning; `control`: what looks like
        a control token is one."""
        data = text.encode()
        room = len(data) + 2
        tokens = (llama.llama_token * room)()
        count = llama.llama_tokenize(self.vocabulary, data, len(data), tokens, room, first, control)
        if count < 0:
            raise StoryboardFailedError("llama.cpp cannot tokenise the prompt", hint="use another model")
        return list(tokens[:count])

    def bytes_of(self, token: int) -> bytes:
        """The bytes of a token, which may be a part of a character."""
        length = llama.llama_token_to_piece(self.vocabulary, token, self._piece, _PIECE_BYTES, 0, False)
        return self._piece.raw[: max(0, length)]

    def evaluate(self, entries: Sequence[Entry]) -> None:
        """Evaluate tokens in one batch, of no more than `context_tokens`."""
        batch = self._batch
        batch.n_tokens = len(entries)
        for index, entry in enumerate(entries):
            batch.token[index] = entry.token
            batch.pos[index] = entry.position
            batch.n_seq_id[index] = 1
            batch.seq_id[index][0] = entry.sequence
            batch.logits[index] = entry.drawn_from
        if code := llama.llama_decode(self.context, batch):
            raise StoryboardFailedError(
                f"llama.cpp could not evaluate the prompt (code {code})",
                hint="try again; if it happens again, its memory does not suffice: choose a smaller model",
            )

    def begin_with_shared(self, sequence: int) -> None:
        """Let a sequence begin with all of sequence 0; its memory is shared, not copied."""
        llama.llama_memory_seq_cp(self._memory, 0, sequence, -1, -1)

    def cut(self, sequence: int, length: int) -> bool:
        """Forget a sequence but for its first `length` tokens; False where a model cannot forget a part."""
        return bool(llama.llama_memory_seq_rm(self._memory, sequence, length, -1))


def _context_parameters(context_tokens: int, threads: int) -> Any:
    parameters = llama.llama_context_default_params()
    parameters.n_ctx = context_tokens
    parameters.n_batch = context_tokens
    parameters.n_ubatch = min(context_tokens, _PHYSICAL_BATCH)
    parameters.n_seq_max = SEQUENCES
    parameters.n_outputs_max = SEQUENCES
    parameters.kv_unified = True
    parameters.n_threads = parameters.n_threads_batch = threads
    parameters.flash_attn_type = llama.LLAMA_FLASH_ATTN_TYPE_DISABLED
    return parameters


_complaints: list[str] = []


@llama.llama_log_callback  # type: ignore[untyped-decorator]  # the bindings are not typed
def _hear(level: int, text: bytes, _: object) -> None:
    """Keep llama.cpp's first complaints; the rest of what it says is for its developers."""
    if level == _LOG_ERROR and len(_complaints) < _KEPT_COMPLAINTS:
        _complaints.append(text.decode(errors="replace").strip())


def _refusal(path: str, reasons: Sequence[str]) -> NotAvailableError:
    """The first reason may quote a hostile file: one line of it is shown, of characters that can be."""
    reason = re.sub(r"^(?:(?:\w+|error loading model): )+", "", reasons[0]) if reasons else "no reason given"
    reason = "".join(char if char.isprintable() else " " for char in reason)[:200]
    return NotAvailableError(
        f"llama.cpp cannot load {Path(path).name}: {reason}",
        hint="the file is damaged or not whole, its architecture is newer than the installed "
        "llama-cpp-python, or there is too little memory for it",
    )
