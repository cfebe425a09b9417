"""llama.cpp in the child process: tokenise, complete. Only this module and `sampling` import llama_cpp."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import llama_cpp
from llama_cpp import llama_chat_format

from localvid.errors import NotAvailableError
from localvid.llm.sampling import HeldSampler, last_logits
from localvid.schemas import OnProgress, Progress


class LlamaEngine:
    """One loaded GGUF model. The same calls in the same order give the same text on the CPU."""

    def __init__(
        self, report: OnProgress, *, path: str, context_tokens: int, gpu_layers: int, threads: int
    ) -> None:
        """Load the model; raises NotAvailableError if llama.cpp refuses the file."""
        report(Progress(step=0, num_steps=0, message="loading the language model"))
        # The constructor compiles the chat template that the file carries. Ours are used in its place, so
        # a hostile one, or one in a dialect that jinja2 does not know, is not even parsed.
        llama_chat_format.Jinja2ChatFormatter = _NoTemplate
        try:
            self._llama = llama_cpp.Llama(
                path,
                n_ctx=context_tokens,
                n_gpu_layers=gpu_layers,
                n_threads=threads,
                n_threads_batch=threads,
                verbose=False,
            )
        except (ValueError, RuntimeError) as error:
            raise NotAvailableError(
                f"llama.cpp cannot load {Path(path).name}",
                hint="the file is damaged or not whole, its architecture is newer than the installed "
                "llama-cpp-python, or there is too little memory for it",
            ) from error
        self._turns: list[list[int]] = []
        self._logits: Any = None

    def fit(self, text: str, max_tokens: int) -> str:
        """The beginning of a text that takes at most `max_tokens` tokens."""
        while (size := len(self._llama.tokenize(text.encode(), add_bos=False, special=False))) > max_tokens:
            text = text[: min(len(text) - 1, len(text) * max_tokens // size)].strip()
        return text

    def complete(
        self,
        turns: Sequence[Sequence[dict[str, Any]]],
        *,
        grammar: str,
        max_tokens: int,
        temperature: float,
        seed: int,
    ) -> str:
        """What follows the pieces of the turns, held by a GBNF grammar; "" if there is no room for it.

        Whole lines: one that `max_tokens` cuts off is left out.
        """
        tokens = self._tokens(turns)
        if sum(map(len, tokens)) + max_tokens > self._llama.n_ctx():
            return ""
        self._evaluate(tokens)
        text = b""
        with HeldSampler(self._llama, grammar=grammar, temperature=temperature, seed=seed) as sampler:
            token = sampler.draw(self._logits)
            for _ in range(max_tokens):
                if token is None:
                    break
                text += sampler.bytes_of(token)
                self._llama.eval([token])
                token = sampler.draw()
        return text.rpartition(b"\n")[0].decode("utf-8", errors="ignore")

    def _evaluate(self, turns: list[list[int]]) -> None:
        """Make the turns what the model has just evaluated, keeping those that the last prompt began with.

        Each turn is evaluated by itself: in what batches it was is then the same whether it was kept or not,
        and with it the last bits of the numbers, which at times decide on a word.
        """
        kept = 0
        while kept < min(len(turns), len(self._turns)) and turns[kept] == self._turns[kept]:
            kept += 1
        if kept == len(turns) < len(self._turns):
            kept -= 1  # the logits are those of a longer prompt
        self._llama.n_tokens = sum(map(len, turns[:kept]))
        self._turns = turns[:kept]
        for turn in turns[kept:]:
            self._llama.eval(turn)
            self._turns.append(turn)
        if kept < len(turns) or self._logits is None:
            self._logits = last_logits(self._llama)

    def _tokens(self, turns: Sequence[Sequence[dict[str, Any]]]) -> list[list[int]]:
        """The tokens of each turn; the first begins with the model's own mark of a beginning."""
        return [
            [
                token
                for place, piece in enumerate(pieces)
                for token in self._llama.tokenize(
                    piece["text"].encode(), add_bos=index == place == 0, special=bool(piece["control"])
                )
            ]
            for index, pieces in enumerate(turns)
        ]


class _NoTemplate:
    """Stands in the place of the formatter that compiles a file's chat template."""

    def __init__(self, *_arguments: object, **_options: object) -> None:
        pass

    def to_chat_handler(self) -> None:
        return None
