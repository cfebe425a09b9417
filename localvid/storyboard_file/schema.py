"""The JSON Schema of storyboard files: what editors complete and check by.

`storyboard.schema.json` in this package is the published one, made of the models by
`python -m localvid.storyboard_file.schema`; a test holds it to them. It asks for what localvid itself writes:
`Pan Left` for `pan_left` is read, and marked by an editor.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
import textwrap
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from localvid.schemas import Shot, Storyboard, Transition, TransitionKind
from localvid.storyboard_file.reading import SCHEMA_KEY

FILE = Path(__file__).with_name("storyboard.schema.json")

_DIALECT = "http://json-schema.org/draft-07/schema#"
"""The newest that the editors in use read whole."""

_SECONDS = r"([0-4]?\.[0-9]*[1-9][0-9]*|[1-4](\.0*)?|5(\.0*)?|[0-9.]+[eE]-[0-9]+)"
"""More than 0 and at most 5."""


def text() -> str:
    """The published schema."""
    return FILE.read_text(encoding="utf-8")


def reference(file: Path) -> str:
    """How a storyboard file names its schema: one of that name that lies beside it, else the installed one,
    as a URI that needs no network."""
    return f"./{FILE.name}" if file.with_name(FILE.name).is_file() else FILE.as_uri()


def generated() -> dict[str, Any]:
    """The schema as the models have it: each key with the words of its docstring, nothing referred to."""
    shot = _of(Shot)
    shot["properties"]["description"]["pattern"] = r"\S"
    shot["properties"]["transition"] = _transition(shot["properties"]["transition"])
    shot["properties"]["reference_image"] |= {"minLength": 1}
    shot["not"] = {
        "required": ["reference_image", "continue_from_previous"],
        "properties": {"reference_image": {"type": "string"}, "continue_from_previous": {"const": True}},
    }
    board = _of(Storyboard)
    shots = board["properties"]["shots"]
    shots["items"] = shot
    # The first shot continues nothing. In this dialect a list of schemas is for the first items alone.
    shots["allOf"] = [{"items": [{"properties": {"continue_from_previous": {"const": False}}}]}]
    named = {
        "type": "string",
        "description": "Where an editor finds this schema; it says nothing of the film.",
    }
    board["properties"] = {SCHEMA_KEY: named, **board["properties"]}
    return {SCHEMA_KEY: _DIALECT, "title": "Storyboard of localvid", **board}


def _of(model: type[BaseModel]) -> dict[str, Any]:
    """A model as an object whose keys have their docstrings as descriptions."""
    made = model.model_json_schema()
    said = _docstrings(model)
    properties: dict[str, Any] = {}
    for key, found in made["properties"].items():
        plain = _inlined(found, made.get("$defs", {}))
        properties[key] = {"description": said[key], **plain}
    return {
        "description": (model.__doc__ or "").partition("\n")[0],
        "type": "object",
        "properties": properties,
        "required": made.get("required", []),
        "additionalProperties": False,
    }


def _inlined(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """Without references, titles that repeat the key, and defaults that mean "not given"."""
    if "$ref" in schema:
        schema = {**definitions[schema["$ref"].rpartition("/")[2]], **schema}
    if "anyOf" in schema:  # a type, or null
        given, _null = schema["anyOf"]
        schema = {**given, **schema, "type": [given["type"], "null"]}
    dropped = {"$ref", "anyOf", "title", "description", "format"}
    if schema.get("default") is None:
        dropped.add("default")
    return {key: value for key, value in schema.items() if key not in dropped}


def _transition(found: dict[str, Any]) -> dict[str, Any]:
    """Its two forms: a word, with seconds if wanted, or an object."""
    kinds = "|".join(TransitionKind)
    return {
        "description": found["description"],
        "default": TransitionKind.CUT.value,
        "anyOf": [
            {"enum": list(TransitionKind)},
            {
                "type": "string",
                "pattern": rf"^({kinds}):{_SECONDS}$",
                "description": "With its seconds, more than 0 and at most 5, such as crossfade:0.8.",
            },
            _of(Transition),
        ],
    }


def _docstrings(model: type[BaseModel]) -> dict[str, str]:
    """Field → the string below it in the source, as one line."""
    (body,) = ast.parse(textwrap.dedent(inspect.getsource(model))).body
    assert isinstance(body, ast.ClassDef)
    found = {}
    for field, below in zip(body.body, body.body[1:], strict=False):
        match field, below:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(words))),
            ):
                found[name] = re.sub(r"\s+", " ", words).strip()
    return found


if __name__ == "__main__":
    FILE.write_text(json.dumps(generated(), ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
