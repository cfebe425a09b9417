"""Storyboards by a model that is served by OpenAI's protocol (chat completions): OpenAI, Ollama, LM Studio,
vLLM, llama-server and others.

They differ in what they take. Each is sent what most take, and what it refuses is left out from then on.
"""

from __future__ import annotations

from typing import Any

import openai
from pydantic import BaseModel, Field, ValidationError

from localvid.llm.chat import Question
from localvid.llm.served.endpoint import Endpoint
from localvid.llm.served.failures import FailureKind, ServerFailure
from localvid.llm.served.json_shapes import schema_of
from localvid.llm.served.transport import failure_of_connection, failure_of_response, open_client
from localvid.llm.served.writer import Reply, ServedWriter

_TEMPERATURE = 0.6
_NO_KEY = "none"
"""The package wants one; without a key in the settings none is sent."""
_REFUSALS = {
    "response_format": ("response_format", "response format", "json_schema", "structured output"),
    "temperature": ("temperature",),
    "seed": ("seed",),
}
"""What a request may do without → the words that a refusal of it holds."""


class ChatCompletions:
    """The ChatProtocol of `POST /chat/completions`."""

    def __init__(self, endpoint: Endpoint, model: str) -> None:
        self._model = model
        self._taken = set(_REFUSALS)
        # OpenAI's reasoning models refuse the older name; many other servers ignore the newer one, and with
        # it the limit.
        names = ["max_tokens", "max_completion_tokens"]
        self._limits = names[::-1] if endpoint.is_providers_own else names
        self._client = openai.AsyncOpenAI(
            api_key=endpoint.api_key.get_secret_value() if endpoint.api_key else _NO_KEY,
            base_url=endpoint.base_url,
            max_retries=0,
            http_client=open_client(endpoint),
        )

    async def ask(self, question: Question) -> Reply:
        while True:
            request = self._request(question)
            try:
                return await self._send(request)
            except ServerFailure as failure:
                if not self._adapts(failure, request):
                    raise

    async def close(self) -> None:
        await self._client.close()

    def _request(self, question: Question) -> dict[str, Any]:
        optional = {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "lines", "strict": True, "schema": schema_of(question.shape)},
            },
            "temperature": _TEMPERATURE,
            "seed": question.seed,
        }
        return {
            "model": self._model,
            "messages": [{"role": role, "content": text} for role, text in question.dialogue],
            self._limits[0]: question.max_tokens,
            **{name: value for name, value in optional.items() if name in self._taken},
        }

    async def _send(self, request: dict[str, Any]) -> Reply:
        try:
            answer = await self._client.chat.completions.with_raw_response.create(**request)
        except openai.APIStatusError as error:
            raise failure_of_response(error.response) from None
        except openai.APIConnectionError as error:
            raise failure_of_connection(error.__cause__) from None
        try:
            choice = _Completion.model_validate_json(answer.http_response.content).choices[0]
        except ValidationError:
            raise ServerFailure(FailureKind.NONSENSE, "no choice with a message") from None
        return Reply(
            text=choice.message.content or "",
            is_cut=choice.finish_reason == "length",
            is_shaped="response_format" in request,
        )

    def _adapts(self, failure: ServerFailure, request: dict[str, Any]) -> bool:
        """Leave out of further requests what the server refused in this one; whether it refused anything.

        Requests under way together may be refused for the same, which is then left out already.
        """
        refused = {name for name, words in _REFUSALS.items() if name in request and failure.names(*words)}
        self._taken -= refused
        limit = self._limits[0]
        if limit in request and failure.names(limit) and len(self._limits) > 1:
            self._limits.pop(0)
        return bool(refused) or self._limits[0] not in request


class OpenAIWriter(ServedWriter):
    """The StoryboardWriter of models called "openai:MODEL"."""

    protocol = ChatCompletions


class _Message(BaseModel):
    content: str | None = None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None


class _Completion(BaseModel):
    """What is read of an answer. The package's own type takes anything, and not every JSON."""

    choices: list[_Choice] = Field(min_length=1)
