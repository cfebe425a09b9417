"""Drawing tokens that a grammar allows, without paying for the grammar on every token of the vocabulary.

A token is drawn first and checked against the grammar after; only where it fails is the whole vocabulary
checked and drawn from again. Held the other way, as `Llama.create_completion` does it, the grammar took as
much processor time as the embedded model itself: 37 to 48 ms a token against 19 to 25 ms without it. The
order is that of llama.cpp's own common_sampler. Runs in the child process.
"""

from __future__ import annotations

import ctypes
import math
from types import TracebackType
from typing import Any, Self

import llama_cpp
import numpy as np
from numpy.typing import NDArray

from localvid.errors import StoryboardFailedError

_TOKEN = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])
_TOP_K = 40
_MIN_P = 0.05
_PIECE_BYTES = 512


def last_logits(llama: Any) -> NDArray[np.float32]:
    """A copy of the logits after the last token that the model has evaluated, `(vocabulary,)`."""
    logits = llama_cpp.llama_get_logits_ith(llama.ctx, -1)
    return np.array(np.ctypeslib.as_array(logits, shape=(llama.n_vocab(),)), dtype=np.float32)


class HeldSampler:
    """Draws the tokens of one completion; a context manager that frees its native samplers.

    The same seed and logits give the same tokens.
    """

    def __init__(self, llama: Any, *, grammar: str, temperature: float, seed: int) -> None:
        """Raises StoryboardFailedError for a grammar that llama.cpp cannot read."""
        self._llama = llama
        self._vocab = llama_cpp.llama_model_get_vocab(llama.model)
        self._buffer = np.zeros(llama.n_vocab(), dtype=_TOKEN)
        self._grammar = llama_cpp.llama_sampler_init_grammar(self._vocab, grammar.encode(), b"root")
        if not self._grammar:
            raise StoryboardFailedError(
                "llama.cpp cannot read the storyboard grammar", hint="update llama-cpp-python"
            )
        self._chain = llama_cpp.llama_sampler_chain_init(llama_cpp.llama_sampler_chain_default_params())
        for sampler in (
            llama_cpp.llama_sampler_init_top_k(_TOP_K),
            llama_cpp.llama_sampler_init_min_p(_MIN_P, 1),
            llama_cpp.llama_sampler_init_temp(temperature),
            llama_cpp.llama_sampler_init_dist(seed),
        ):
            llama_cpp.llama_sampler_chain_add(self._chain, sampler)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        llama_cpp.llama_sampler_free(self._chain)
        llama_cpp.llama_sampler_free(self._grammar)

    def draw(self, logits: NDArray[np.float32] | None = None) -> int | None:
        """The next token after what the model has just evaluated, or where it gave these logits; None at the
        end of its answer."""
        logits = last_logits(self._llama) if logits is None else logits
        token = self._draw_from(self._candidates(logits))
        if not self._allows(token):
            candidates = self._candidates(logits)
            llama_cpp.llama_sampler_apply(self._grammar, ctypes.byref(candidates))
            token = self._draw_from(candidates)
        if llama_cpp.llama_vocab_is_eog(self._vocab, token):
            return None
        llama_cpp.llama_sampler_accept(self._grammar, token)
        llama_cpp.llama_sampler_accept(self._chain, token)
        return token

    def bytes_of(self, token: int) -> bytes:
        """The bytes of a token, which may be a part of a character."""
        buffer = ctypes.create_string_buffer(_PIECE_BYTES)
        length = llama_cpp.llama_token_to_piece(self._vocab, token, buffer, _PIECE_BYTES, 0, False)
        return buffer.raw[: max(0, length)]

    def _candidates(self, logits: NDArray[np.float32]) -> Any:
        """Every token with its logit, in the structure that samplers work on."""
        size = len(self._buffer)
        self._buffer["id"] = np.arange(size, dtype=np.int32)
        self._buffer["logit"] = logits
        data = self._buffer.ctypes.data_as(llama_cpp.llama_token_data_p)
        return llama_cpp.llama_token_data_array(data=data, size=size, selected=-1, sorted=False)

    def _draw_from(self, candidates: Any) -> int:
        llama_cpp.llama_sampler_apply(self._chain, ctypes.byref(candidates))
        return int(candidates.data[candidates.selected].id)

    def _allows(self, token: int) -> bool:
        one = (llama_cpp.llama_token_data * 1)(llama_cpp.llama_token_data(token, 1.0, 0.0))
        array = llama_cpp.llama_token_data_array(data=one, size=1, selected=-1, sorted=False)
        llama_cpp.llama_sampler_apply(self._grammar, ctypes.byref(array))
        return not math.isinf(one[0].logit)
