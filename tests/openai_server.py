"""OpenAI's protocol, chat completions, as servers speak it that follow its specification."""

from __future__ import annotations

from typing import Any

import jsonschema
from chat_server import Asked


class OpenAISpeech:
    path = "/v1/chat/completions"

    def __init__(
        self, *, refused: tuple[str, ...] = (), ignored: tuple[str, ...] = (), inline: bool = False
    ) -> None:
        self.refused = refused
        """Parameters that it answers with an error, as OpenAI words it."""
        self.ignored = ignored
        self.inline = inline
        """Thoughts stand in the text, between marks."""

    def read(self, body: dict[str, Any]) -> Asked:
        for name in self.refused:
            if name in body:
                raise ValueError(f"Unsupported parameter: '{name}' is not supported with this model.")
        turns = [(message["role"], message["content"]) for message in body["messages"]]
        if turns[-1][0] != "user":
            raise ValueError("the last message must be the user's")
        schema = None
        if "response_format" in body and "response_format" not in self.ignored:
            held = body["response_format"]["json_schema"]
            assert held["strict"]
            schema = held["schema"]
            jsonschema.Draft202012Validator.check_schema(schema)
        limit = body.get("max_completion_tokens", body.get("max_tokens", 2**20))
        return Asked([turn for turn in turns if turn[0] != "system"], schema, limit)

    def write(self, text: str, *, is_cut: bool, thought: str) -> dict[str, Any]:
        message = {"role": "assistant", "content": text, "refusal": None}
        if thought and self.inline:
            message["content"] = (
                f"<think>\n{thought}" if is_cut else f"<think>\n{thought}\n</think>\n\n{text}"
            )
        elif thought:
            message["reasoning_content"] = thought
        reason = "length" if is_cut else "stop"
        return {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": "under-test",
            "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": reason}],
            "usage": {"prompt_tokens": 10, "completion_tokens": 10, "total_tokens": 20},
        }

    def error(self, status: int, message: str) -> dict[str, Any]:
        kind = "server_error" if status >= 500 else "invalid_request_error"
        return {"error": {"message": message, "type": kind, "param": None, "code": None}}
