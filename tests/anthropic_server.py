"""Anthropic's protocol, messages, with its rules: a limit in each request, turns that begin and end with the
user's, thoughts in blocks of their own."""

from __future__ import annotations

from typing import Any

import jsonschema
from chat_server import Asked

_ERRORS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
    529: "overloaded_error",
}


class AnthropicSpeech:
    path = "/v1/messages"

    def __init__(self, *, refused: tuple[str, ...] = ()) -> None:
        self.refused = refused
        """Parameters that it answers with an error."""

    def read(self, body: dict[str, Any]) -> Asked:
        unknown = set(body) - {"model", "messages", "system", "max_tokens", "output_config"} | {
            name for name in self.refused if name in body
        }
        if unknown:
            raise ValueError(f"{min(unknown)}: Extra inputs are not permitted")
        turns = [(message["role"], message["content"]) for message in body["messages"]]
        if turns[0][0] != "user" or turns[-1][0] != "user":
            raise ValueError("This model does not support assistant message prefill.")
        if {role for role, _ in turns} > {"user", "assistant"}:
            raise ValueError("messages: Unexpected role")
        schema = None
        if "output_config" in body:
            schema = body["output_config"]["format"]["schema"]
            jsonschema.Draft202012Validator.check_schema(schema)
        return Asked(turns, schema, body["max_tokens"])

    def write(self, text: str, *, is_cut: bool, thought: str) -> dict[str, Any]:
        thinking = {"type": "thinking", "thinking": thought, "signature": "EqMDCkYIARgCIkAx"}
        content: list[dict[str, Any]] = [thinking] if thought else []
        content += [{"type": "text", "text": text, "citations": None}] if text else []
        return {
            "id": "msg_01XFDUDYJgAACzvnptvVoYEL",
            "type": "message",
            "role": "assistant",
            "model": "under-test",
            "content": content,
            "stop_reason": "max_tokens" if is_cut else "end_turn",
            "stop_sequence": None,
            "usage": {"input_tokens": 10, "output_tokens": 10},
        }

    def error(self, status: int, message: str) -> dict[str, Any]:
        return {
            "type": "error",
            "error": {"type": _ERRORS.get(status, "api_error"), "message": message},
            "request_id": "req_011CSHoEeqs5C35K2UUqR7Fy",
        }
