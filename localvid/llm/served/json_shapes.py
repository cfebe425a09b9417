"""The shape of an answer as a JSON schema, for servers that hold a model to one, and lines out of the JSON.

The schema keeps to what every provider takes: objects whose keys are all required, texts, words to choose
from. The lengths of texts stand in descriptions: OpenAI and Anthropic refuse them as keywords.
"""

from __future__ import annotations

import json
import re
from typing import Any

from localvid.llm.chat import FIELD_SEPARATOR, Choice, Shape, Text

_LINE = re.compile(r'"line_(\d{1,3})"\s*:\s*')


def schema_of(shape: Shape) -> dict[str, Any]:
    """An object with a key for each line; a line of several fields is an object with a key for each field."""
    return _object({f"line_{number}": _line(row) for number, row in enumerate(shape.lines, start=1)})


def lines_of(text: str) -> str | None:
    """The lines of an answer that was held to a schema, as far as they are whole; None for another text.

    JSON that a limit has cut off, or that stands between other words, is read as far as it goes.
    """
    lines: dict[int, str] = {}
    for match in _LINE.finditer(text):
        try:
            value, _ = json.JSONDecoder().raw_decode(text, match.end())
        except (ValueError, RecursionError):
            continue
        fields = list(value.values()) if isinstance(value, dict) else [value]
        if all(isinstance(field, str) for field in fields):
            lines[int(match.group(1))] = " ".join(FIELD_SEPARATOR.join(fields).split())
    return "\n".join(lines[number] for number in sorted(lines)) if lines else None


def _line(row: tuple[Text | Choice, ...]) -> dict[str, Any]:
    fields = [_field(field) for field in row]
    if len(fields) == 1:
        return fields[0]
    return _object({f"field_{number}": field for number, field in enumerate(fields, start=1)})


def _field(field: Text | Choice) -> dict[str, Any]:
    if isinstance(field, Choice):
        return {"type": "string", "enum": list(field.options)}
    return {"type": "string", "description": f"One line of at most {field.max_characters} characters."}


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
