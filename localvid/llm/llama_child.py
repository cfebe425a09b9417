"""llama.cpp in the child process: tokenise, complete. Only this module and `sampling` import llama_cpp."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import llama_cpp
from llama_cpp import llama_chat_format

from localvid.errors import NotAvailableError
from localvid.llm.sampling import HeldSampler
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
        self._prefix: list[int] = []
        self._prompt: list[int] = []

    def fit(self, text: str, max_tokens: int) -> str:
        """The beginning of a text that takes at most `max_tokens` tokens."""
        while (size := len(self._llama.tokenize(text.encode(), add_bos=False, special=False))) > max_tokens:
            text = text[: min(len(text) - 1, len(text) * max_tokens // size)].strip()
        return text

    def begin(self, pieces: Sequence[dict[str, Any]]) -> int:
        """Evaluate what the prompts to come begin with, once; return its tokens.

        `complete` goes on from here each time. What was evaluated for another storyboard is used again
        only up to the end of an earlier `begin`: a cache that depended on more would change the size of
        the batches, and with it the last bits of the numbers and at times a word.
        """
        tokens = self._tokens(pieces)
        if self._prefix[: len(tokens)] != tokens:
            if not self._prefix or tokens[: len(self._prefix)] != self._prefix:
                self._llama.reset()
                self._prefix = []
            self._llama.n_tokens = len(self._prefix)
            self._llama.eval(tokens[len(self._prefix) :])
        self._prefix = tokens
        self._prompt = []
        return len(tokens)

    def complete(
        self,
        pieces: Sequence[dict[str, Any]],
        *,
        grammar: str,
        max_tokens: int,
        temperature: float,
        seed: int,
    ) -> str:
        """One line after the pieces, held by a GBNF grammar; "" if there is no room for it."""
        tokens = self._tokens(pieces)
        if len(tokens) + max_tokens > self._llama.n_ctx():
            return ""
        self._rewind(tokens)
        text = b""
        with HeldSampler(self._llama, grammar=grammar, temperature=temperature, seed=seed) as sampler:
            for _ in range(max_tokens):
                token = sampler.draw()
                if token is None:
                    break
                text += sampler.bytes_of(token)
                if b"\n" in text:
                    break
                self._llama.eval([token])
        return text.partition(b"\n")[0].decode("utf-8", errors="ignore")

    def _rewind(self, tokens: list[int]) -> None:
        """Make `tokens` what the model has just evaluated, keeping what all prompts begin with; and, where
        the same prompt is asked again, all of it but the last token, whose logits are needed."""
        keep = len(tokens) - 1 if tokens == self._prompt else len(self._prefix)
        self._llama.n_tokens = min(self._llama.n_tokens, keep)
        self._llama.eval(tokens[self._llama.n_tokens :])
        self._prompt = tokens

    def _tokens(self, pieces: Sequence[dict[str, Any]]) -> list[int]:
        tokens: list[int] = []
        for piece in pieces:
            tokens += self._llama.tokenize(
                piece["text"].encode(), add_bos=not tokens, special=bool(piece["control"])
            )
        return tokens


class _NoTemplate:
    """Stands in the place of the formatter that compiles a file's chat template."""

    def __init__(self, *_arguments: object, **_options: object) -> None:
        pass

    def to_chat_handler(self) -> None:
        return None
