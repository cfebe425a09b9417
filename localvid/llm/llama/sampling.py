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

from localvid.errors import StoryboardFailedError
from localvid.llm.llama.native import NativeModel, llama

_TOP_K = 40
_MIN_P = 0.05


class HeldSampler:
    """Draws the tokens of one answer; a context manager that frees its native samplers.

    The same seed and logits give the same tokens.
    """

    def __init__(self, model: NativeModel, *, grammar: str, temperature: float, seed: int) -> None:
        """Raises StoryboardFailedError for a grammar that llama.cpp cannot read."""
        self._model = model
        self._grammar = llama.llama_sampler_init_grammar(model.vocabulary, grammar.encode(), b"root")
        if not self._grammar:
            raise StoryboardFailedError(
                "llama.cpp cannot read the storyboard grammar", hint="update llama-cpp-python"
            )
        self._chain = llama.llama_sampler_chain_init(llama.llama_sampler_chain_default_params())
        for sampler in (
            llama.llama_sampler_init_top_k(_TOP_K),
            llama.llama_sampler_init_min_p(_MIN_P, 1),
            llama.llama_sampler_init_temp(temperature),
            llama.llama_sampler_init_dist(seed),
        ):
            llama.llama_sampler_chain_add(self._chain, sampler)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        llama.llama_sampler_free(self._chain)
        llama.llama_sampler_free(self._grammar)

    def draw(self, index: int) -> int | None:
        """The next token after the entry `index` of the batch that was evaluated last; None at the end of the
        answer, and where the vocabulary holds nothing that the grammar allows."""
        token = llama.llama_sampler_sample(self._chain, self._model.context, index)
        if not self._allows(token):
            token = self._draw_held(index)
            if not self._allows(token):
                return None
        if llama.llama_vocab_is_eog(self._model.vocabulary, token):
            return None
        llama.llama_sampler_accept(self._grammar, token)
        return int(token)

    def _draw_held(self, index: int) -> int:
        """Draw from what the grammar allows of the whole vocabulary."""
        candidates = self._candidates(index)
        llama.llama_sampler_apply(self._grammar, ctypes.byref(candidates))
        llama.llama_sampler_apply(self._chain, ctypes.byref(candidates))
        return int(candidates.data[candidates.selected].id)

    def _candidates(self, index: int) -> Any:
        """Every token with its logit, in the structure that samplers work on: rows of id, logit, share."""
        size = len(self._model.every_token)
        data = (llama.llama_token_data * size)()
        rows = memoryview(data).cast("B")
        logits = llama.llama_get_logits_ith(self._model.context, index)
        floats = memoryview(ctypes.cast(logits, ctypes.POINTER(ctypes.c_float * size)).contents).cast("B")
        rows.cast("i")[0::3] = memoryview(self._model.every_token)
        rows.cast("f")[1::3] = floats.cast("f")
        return llama.llama_token_data_array(data=data, size=size, selected=-1, sorted=False)

    def _allows(self, token: int) -> bool:
        one = (llama.llama_token_data * 1)(llama.llama_token_data(token, 1.0, 0.0))
        array_of_one = llama.llama_token_data_array(data=one, size=1, selected=-1, sorted=False)
        llama.llama_sampler_apply(self._grammar, ctypes.byref(array_of_one))
        return not math.isinf(one[0].logit)
