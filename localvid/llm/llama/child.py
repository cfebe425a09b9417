"""Answering questions with llama.cpp, several at once; runs in the child process.

Questions become sequences of one batch. What all of them begin with is evaluated once and kept for the next
call; the rest of each, and then one token of each in turn, are evaluated together. In the layers of a model
a batch costs the machine less than its parts: weights are read once for it, and threads wait for each other
once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Any, NamedTuple

from localvid.llm.llama.native import SEQUENCES, Entry, NativeModel
from localvid.llm.llama.sampling import HeldSampler


class LlamaEngine:
    """One loaded GGUF model. From a `fresh` call on the same calls give the same texts on the CPU, whatever
    was asked before: what is kept then lies where it would lie in a new process, and was evaluated in the
    same batches, on which the last bits of the numbers depend, and with them at times a word."""

    def __init__(
        self, _report: object, *, path: str, context_tokens: int, gpu_layers: int, threads: int
    ) -> None:
        """Load the model; raises NotAvailableError if llama.cpp refuses the file."""
        self._model = NativeModel(path, context_tokens=context_tokens, gpu_layers=gpu_layers, threads=threads)
        self._shared: list[list[int]] = []
        """The turns that sequence 0 holds."""
        self._own: dict[int, list[list[int]]] = {}
        """Sequence → the turns that it holds after the shared ones, but for its last."""

    def fit(self, text: str, max_tokens: int) -> str:
        """The beginning of a text that takes at most `max_tokens` tokens."""
        while (size := len(self._model.tokens_of(text))) > max_tokens:
            text = text[: min(len(text) - 1, len(text) * max_tokens // size)].strip()
        return text

    def answer(self, questions: Sequence[dict[str, Any]], *, fresh: bool) -> list[str]:
        """What follows the turns of each question, held by its grammar; "" where there is no room for it,
        and where the vocabulary has nothing for its words.

        A question has `turns` (lists of pieces), `grammar`, `num_lines`, `max_tokens`, `temperature` and
        `seed`. Whole lines: one that `max_tokens` cuts off is left out. A call that is not `fresh` may go on
        from the turns of the call before.
        """
        if fresh:
            self._own.clear()
        asked = [_Asked(self._tokens(question["turns"]), question) for question in questions]
        num_shared = self._num_shared([question.turns for question in asked])
        texts = [""] * len(asked)
        for places in self._rounds(asked, num_shared):
            self._share(asked[places[0]].turns[:num_shared])
            for place, text in zip(places, self._answer_round([asked[i] for i in places]), strict=True):
                texts[place] = text
        return texts

    def _rounds(self, asked: Sequence[_Asked], num_shared: int) -> Iterator[list[int]]:
        """The places of the questions that are answered together: as many as there is room for."""
        room = self._model.context_tokens - sum(map(len, asked[0].turns[:num_shared])) if asked else 0
        places: list[int] = []
        left = room
        for place, question in enumerate(asked):
            rest = sum(map(len, question.turns[num_shared:]))
            wanted = rest + question.options["max_tokens"]
            if not rest or wanted > room:
                continue
            if places and (wanted > left or len(places) == SEQUENCES - 1):
                yield places
                places, left = [], room
            places.append(place)
            left -= wanted
        if places:
            yield places

    def _share(self, turns: list[list[int]]) -> None:
        """Make the turns what sequence 0 holds, keeping those that it begins with."""
        if turns != self._shared:
            self._own.clear()
            for sequence in range(1, SEQUENCES):
                self._model.cut(sequence, 0)
        kept = _num_equal(turns, self._shared)
        if not self._model.cut(0, sum(map(len, turns[:kept]))):
            kept = 0
            self._model.cut(0, 0)
        self._shared = turns[:kept]
        for turn in turns[kept:]:
            start = sum(map(len, self._shared))
            self._model.evaluate(
                [Entry(token, start + place, 0, drawn_from=False) for place, token in enumerate(turn)]
            )
            self._shared.append(turn)

    def _answer_round(self, asked: Sequence[_Asked]) -> list[str]:
        """The texts of questions that there is room for, after the turns that they share."""
        entries: list[Entry] = []
        places = self._places(asked)
        with ExitStack() as samplers:
            answers = []
            for question, (sequence, held) in zip(asked, places, strict=True):
                start = sum(map(len, question.turns[:held]))
                rest = [token for turn in question.turns[held:] for token in turn]
                entries += [Entry(token, start + place, sequence, False) for place, token in enumerate(rest)]
                entries[-1] = entries[-1]._replace(drawn_from=True)
                options = question.options
                sampler = samplers.enter_context(
                    HeldSampler(
                        self._model,
                        grammar=options["grammar"],
                        temperature=options["temperature"],
                        seed=options["seed"],
                    )
                )
                answers.append(_Answer(sampler, options, index=len(entries) - 1, last=entries[-1]))
            while entries:
                self._model.evaluate(entries)
                entries = []
                for answer in answers:
                    entry = answer.grow(self._model, len(entries))
                    if entry is not None:
                        entries.append(entry)
        num_shared = len(self._shared)
        self._own = {
            sequence: question.turns[num_shared:-1]
            for question, (sequence, _) in zip(asked, places, strict=True)
        }
        return [answer.lines() for answer in answers]

    def _places(self, asked: Sequence[_Asked]) -> list[tuple[int, int]]:
        """For each question its sequence and how many of its turns that holds: all but the last where it was
        asked before with another ending, else the shared ones. All other sequences are cleared."""
        num_shared = len(self._shared)
        left, self._own = self._own, {}
        kept: list[int | None] = []
        for question in asked:
            own = question.turns[num_shared:-1]
            sequence = next((sequence for sequence, held in left.items() if held == own), None)
            if sequence is not None:
                del left[sequence]
                if not self._model.cut(sequence, sum(map(len, question.turns[:-1]))):
                    sequence = None
            kept.append(sequence)
        others = [sequence for sequence in range(1, SEQUENCES) if sequence not in kept]
        for sequence in others:
            self._model.cut(sequence, 0)
        places = []
        for question, sequence in zip(asked, kept, strict=True):
            if sequence is None:
                places.append((others.pop(0), num_shared))
                self._model.begin_with_shared(places[-1][0])
            else:
                places.append((sequence, len(question.turns) - 1))
        return places

    def _num_shared(self, asked: Sequence[list[list[int]]]) -> int:
        """How many turns are evaluated once for all questions: those that all begin with, or those that are
        held, where every question was asked before with another ending. The last turn of each is its own:
        something must be evaluated to draw from."""
        held = len(self._shared)
        if all(turns[:held] == self._shared and turns[held:-1] in self._own.values() for turns in asked):
            return held
        first, *others = asked
        return min((_num_equal(first[:-1], turns[:-1]) for turns in others), default=len(first) - 1)

    def _tokens(self, turns: Sequence[Sequence[dict[str, Any]]]) -> list[list[int]]:
        """The tokens of each turn that has any; the first begins with the model's own mark of a beginning."""
        tokens = [
            [
                token
                for place, piece in enumerate(pieces)
                for token in self._model.tokens_of(
                    piece["text"], first=index == place == 0, control=bool(piece["control"])
                )
            ]
            for index, pieces in enumerate(turns)
        ]
        return [turn for turn in tokens if turn]


class _Asked(NamedTuple):
    turns: list[list[int]]
    options: dict[str, Any]


class _Answer:
    """An answer while it is written."""

    def __init__(self, sampler: HeldSampler, options: dict[str, Any], *, index: int, last: Entry) -> None:
        self._sampler = sampler
        self._num_lines: int = options["num_lines"]
        self._left: int = options["max_tokens"]
        self._index: int | None = index
        self._last = last
        self._text = b""

    def grow(self, model: NativeModel, index: int) -> Entry | None:
        """Draw a token, and give the entry that is to be evaluated as the batch's `index`; None if the answer
        has ended."""
        if self._index is None:
            return None
        token = self._sampler.draw(self._index)
        self._index = None
        if token is None:
            return None
        self._text += model.bytes_of(token)
        self._left -= 1
        if not self._left or self._text.count(b"\n") >= self._num_lines:
            return None
        self._index = index
        self._last = Entry(token, self._last.position + 1, self._last.sequence, drawn_from=True)
        return self._last

    def lines(self) -> str:
        return self._text.rpartition(b"\n")[0].decode("utf-8", errors="ignore")


def _num_equal(turns: Sequence[list[int]], others: Sequence[list[int]]) -> int:
    """How many turns two dialogues begin with."""
    pairs = zip(turns, others, strict=False)
    return next(
        (place for place, (one, other) in enumerate(pairs) if one != other), min(len(turns), len(others))
    )
