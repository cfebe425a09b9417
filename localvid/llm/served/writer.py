"""Storyboards by a chat model on a server: what all protocols share, which is everything but the messages.

Time, repeated requests, room for thoughts, shapes, keys kept out of texts. What is asked and what becomes of
the answers is the director's. What leaves the machine are its questions, which hold the prompt and what has
been written of the storyboard.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import ClassVar, Protocol, Self

from localvid.config import Settings
from localvid.errors import ModelProcessError, NotAvailableError
from localvid.llm.chat import OnWait, Question, Turn, without_thoughts
from localvid.llm.director import direct
from localvid.llm.revision.revise import revise
from localvid.llm.served.endpoint import Endpoint, endpoint_of, obstacle_to, provider_of
from localvid.llm.served.failures import ServerFailure, error_of, without_key
from localvid.llm.served.json_shapes import lines_of
from localvid.llm.served.loop_thread import LoopThread, OutOfTimeError
from localvid.schemas import (
    IN_THIS_PROCESS,
    Frozen,
    ModelInfo,
    OnProgress,
    PeakMemory,
    Revision,
    Storyboard,
    ignore_progress,
)

_AT_ONCE = 4
"""Requests under way together."""
_PAUSES_SECONDS = (0.5, 1.0, 2.0)
"""Between tries, where the server does not say how long."""
_CLOSE_SECONDS = 2.0
_LINE_TOKENS = 16
"""For what JSON puts around a line."""
_THOUGHT_TOKENS = 4096
"""Room for a reasoning model's thoughts, which count towards the limit of an answer."""
_LARGE_CONTEXT_TOKENS = 100_000
"""All that the providers serve themselves hold more; what others serve holds `llm_context_tokens`."""
_MAX_CHARACTERS = 20_000
"""Of an answer that are read: seven lines of 300 are asked for."""
_GO_ON = "The answer begins as follows. Write only what comes next in its last line.\n\n"


class Reply(Frozen):
    """One answer as the server gave it."""

    text: str
    is_cut: bool
    """The limit of tokens ended it."""
    is_shaped: bool
    """It was held to the schema of the question's shape."""


class ChatProtocol(Protocol):
    """How one provider's requests and answers are written. Its methods run in an event loop."""

    def __init__(self, endpoint: Endpoint, model: str) -> None:
        """Ready to ask; no request is made yet. Raises NotAvailableError for a proxy that cannot be one."""
        ...

    async def ask(self, question: Question) -> Reply:
        """One answer to a dialogue that ends with the user's turn. Raises ServerFailure.

        What the server refuses of a request, and can be done without, is left out from then on.
        """
        ...

    async def close(self) -> None: ...


class ServedWriter:
    """The StoryboardWriter of one provider's protocol; nothing is held between two storyboards."""

    protocol: ClassVar[type[ChatProtocol]]

    def __init__(self, info: ModelInfo, settings: Settings) -> None:
        self._id = info.manifest.id
        self._settings = settings

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Connections end with the storyboard that they were made for."""

    def write(
        self, prompt: str, *, num_shots: int, seed: int, on_progress: OnProgress = ignore_progress
    ) -> Storyboard:
        """Write a storyboard.

        Raises InvalidRequestError for an empty prompt or a number of shots outside 1 to 7;
        InvalidSettingsError for an address or a key that cannot be one; NotAvailableError where the server
        cannot be reached or refuses; ModelProcessError where it fails, answers nonsense, or takes longer
        than `llm_timeout_seconds` over the storyboard; and whatever `on_progress` raises.
        """
        with self._opened() as chat:
            return direct(chat, prompt, num_shots=num_shots, seed=seed, on_progress=on_progress)

    def revise(
        self,
        storyboard: Storyboard,
        instruction: str,
        *,
        seed: int,
        on_progress: OnProgress = ignore_progress,
    ) -> Revision:
        """Change a storyboard as an instruction says; raises as `write` and `revise.revise` do. The server is
        not asked where rules do."""
        with self._opened() as chat:
            return revise(chat, storyboard, instruction, seed=seed, on_progress=on_progress)

    def peak_memory(self) -> PeakMemory:
        return IN_THIS_PROCESS

    @contextmanager
    def _opened(self) -> Iterator[ServedChat]:
        """The chat of one storyboard; its time begins now."""
        endpoint = endpoint_of(provider_of(self._id), self._settings)
        obstacle = obstacle_to(endpoint, self._settings)
        if obstacle is not None:
            raise NotAvailableError(f"{self._id} cannot be asked: {obstacle.reason}", hint=obstacle.remedy)
        protocol = self.protocol(endpoint, self._id.partition(":")[2])
        with (
            LoopThread() as loop,
            ServedChat(protocol, loop, endpoint=endpoint, name=self._id, settings=self._settings) as chat,
        ):
            yield chat


class ServedChat:
    """The ChatModel of one storyboard; its time begins when it is made."""

    is_small = False

    def __init__(
        self, protocol: ChatProtocol, loop: LoopThread, *, endpoint: Endpoint, name: str, settings: Settings
    ) -> None:
        self.name = name
        self.first_message = f"asking {name}"
        self.context_tokens = (
            _LARGE_CONTEXT_TOKENS if endpoint.is_providers_own else settings.llm_context_tokens
        )
        self._protocol = protocol
        self._loop = loop
        self._endpoint = endpoint
        self._limit_seconds = settings.llm_timeout_seconds
        self._deadline = time.monotonic() + settings.llm_timeout_seconds
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._room: int | None = None
        """Tokens for thoughts; None until an answer was cut off, when it turns out whether they help."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OutOfTimeError):  # what does not close now is cancelled with the loop
            deadline = time.monotonic() + _CLOSE_SECONDS
            self._loop.run(self._protocol.close(), lambda: None, deadline=deadline)

    def fit(self, text: str, max_tokens: int, on_wait: OnWait) -> str:
        """By a rough count that is rather too high: only the server knows its tokens."""
        on_wait()
        left = float(max_tokens)
        for at, char in enumerate(text):
            left -= 1 / 3 if char.isascii() else 1.5
            if left < 0:
                return text[:at].strip()
        return text

    def answer(self, questions: Sequence[Question], on_wait: OnWait) -> list[str]:
        try:
            return self._loop.run(self._answers(questions), on_wait, deadline=self._deadline)
        except OutOfTimeError:
            raise ModelProcessError(
                f"{self.name} at {self._endpoint.host} did not answer within {self._limit_seconds:g} s",
                hint="raise llm_timeout_seconds, or choose a smaller or faster model",
            ) from None

    async def _answers(self, questions: Sequence[Question]) -> list[str]:
        tasks = [asyncio.ensure_future(self._answer(question)) for question in questions]
        try:
            return await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()

    async def _answer(self, question: Question) -> str:
        dialogue, start = _closed(question.dialogue)
        async with self._slots:
            reply = await self._reply(question.model_copy(update={"dialogue": dialogue}))
        text = without_thoughts(reply.text)[:_MAX_CHARACTERS]
        lines = lines_of(text) if reply.is_shaped else None
        if lines is None:
            # Of a text that was cut off nothing tells whether it is an answer or a thought.
            lines = "" if reply.is_cut else text
        # Out of the lines, because JSON can spell a key in other characters.
        return _without_start(without_key(lines, self._endpoint), start)

    async def _reply(self, question: Question) -> Reply:
        """The reply; one that was cut off is asked for again with room for thoughts, and a model that then
        ends by itself keeps that room."""
        limit = question.max_tokens + _LINE_TOKENS * len(question.shape.lines)
        reply = await self._patiently(question, limit + (self._room or 0))
        if reply.is_cut and self._room is None:
            self._room = 0
            roomy = await self._patiently(question, limit + _THOUGHT_TOKENS)
            if roomy.text and not roomy.is_cut:
                self._room, reply = _THOUGHT_TOKENS, roomy
        return reply

    async def _patiently(self, question: Question, max_tokens: int) -> Reply:
        """Ask until there is an answer, or a failure that does not pass; no text where there is no room."""
        question = question.model_copy(update={"max_tokens": max_tokens})
        for pause in (*_PAUSES_SECONDS, None):
            try:
                return await self._protocol.ask(question)
            except ServerFailure as failure:
                if failure.is_for_lack_of_room:
                    break
                if pause is None or not failure.is_passing or not await self._pauses(failure, pause):
                    raise error_of(failure, self._endpoint, self.name) from None
        return Reply(text="", is_cut=False, is_shaped=False)

    async def _pauses(self, failure: ServerFailure, seconds: float) -> bool:
        """Wait as long as the server asks, if there is so much time left."""
        seconds = seconds if failure.retry_after is None else failure.retry_after
        if time.monotonic() + seconds >= self._deadline:
            return False
        await asyncio.sleep(seconds)
        return True


def _closed(dialogue: Sequence[Turn]) -> tuple[tuple[Turn, ...], str]:
    """The dialogue up to a turn of the user's that says how the answer begins, and that beginning."""
    role, start = dialogue[-1]
    if role != "assistant":
        return tuple(dialogue), ""
    *before, (_, question) = dialogue[:-1]
    return (*before, ("user", f"{question}\n\n{_GO_ON}{start}")), start


def _without_start(text: str, start: str) -> str:
    """The answer without the beginning that was given to it, or the end of that, where it is said again."""
    last = start.rpartition("\n")[2].strip()
    if last and last in text:
        return text.partition(last)[2]
    words = last.split(" ")
    for at in range(len(words)):
        end = " ".join(words[at:])
        if end and text.startswith(end) and not text[len(end) : len(end) + 1].isalnum():
            return text[len(end) :]
    return text
