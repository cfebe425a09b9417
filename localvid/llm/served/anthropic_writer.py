"""Storyboards by a model that is served by Anthropic's protocol (messages)."""

from __future__ import annotations

from typing import Any

import anthropic
from pydantic import BaseModel, ValidationError

from localvid.llm.chat import Question
from localvid.llm.served.endpoint import Endpoint
from localvid.llm.served.failures import FailureKind, ServerFailure
from localvid.llm.served.json_shapes import schema_of
from localvid.llm.served.transport import failure_of_connection, failure_of_response, open_client
from localvid.llm.served.writer import Reply, ServedWriter

_NO_KEY = "none"
"""The package wants one; without a key in the settings none is sent."""
_FORMAT_WORDS = ("output_config", "output config", "json_schema", "structured output", "schema")
_CUT = ("max_tokens", "model_context_window_exceeded")


class Messages:
    """The ChatProtocol of `POST /v1/messages`. Whether the model thinks first is left to it."""

    def __init__(self, endpoint: Endpoint, model: str) -> None:
        self._model = model
        self._takes_format = True
        self._client = anthropic.AsyncAnthropic(
            api_key=endpoint.api_key.get_secret_value() if endpoint.api_key else _NO_KEY,
            base_url=endpoint.base_url,
            max_retries=0,
            http_client=open_client(endpoint),
            open_telemetry=False,
        )

    async def ask(self, question: Question) -> Reply:
        while True:
            request = self._request(question)
            try:
                return await self._send(request)
            except ServerFailure as failure:
                if "output_config" not in request or not failure.names(*_FORMAT_WORDS):
                    raise
                self._takes_format = False

    async def close(self) -> None:
        await self._client.close()

    def _request(self, question: Question) -> dict[str, Any]:
        output_format = {"type": "json_schema", "schema": schema_of(question.shape)}
        return {
            "model": self._model,
            "system": "\n\n".join(text for role, text in question.dialogue if role == "system"),
            "messages": [
                {"role": role, "content": text} for role, text in question.dialogue if role != "system"
            ],
            "max_tokens": question.max_tokens,
            **({"output_config": {"format": output_format}} if self._takes_format else {}),
        }

    async def _send(self, request: dict[str, Any]) -> Reply:
        try:
            answer = await self._client.messages.with_raw_response.create(**request)
        except anthropic.APIStatusError as error:
            raise failure_of_response(error.response) from None
        except anthropic.APIConnectionError as error:
            raise failure_of_connection(error.__cause__) from None
        try:
            message = _Message.model_validate_json(answer.http_response.content)
        except ValidationError:
            raise ServerFailure(FailureKind.NONSENSE, "no content") from None
        return Reply(
            # Thoughts are blocks of their own.
            text="".join(block.text for block in message.content if block.type == "text"),
            is_cut=message.stop_reason in _CUT,
            is_shaped="output_config" in request,
        )


class AnthropicWriter(ServedWriter):
    """The StoryboardWriter of models called "anthropic:MODEL".

    The protocol knows no seed, so the same prompt gives another storyboard each time.
    """

    protocol = Messages


class _Block(BaseModel):
    type: str
    text: str = ""


class _Message(BaseModel):
    """What is read of an answer. The package's own type takes anything, and not every JSON."""

    content: list[_Block]
    stop_reason: str | None = None
