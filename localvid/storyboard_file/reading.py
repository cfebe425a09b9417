"""Text → storyboard, or one line that says what is wrong, where, and what to do."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Any, NoReturn

from pydantic import ValidationError

from localvid.errors import InvalidStoryboardError
from localvid.schemas import Storyboard, clean_prompt, explain
from localvid.storyboard_file import nodes

SCHEMA_KEY = "$schema"
"""Where a JSON file names its schema, for editors; it says nothing of the film."""

HINT = "docs/storyboard.md says what a storyboard file holds"

_YAML_SUFFIXES = (".yaml", ".yml")


class Form(StrEnum):
    """How a storyboard is written."""

    JSON = "json"
    YAML = "yaml"


def form_of(suffix: str, text: str | None = None) -> Form:
    """By the file's suffix; by how the text begins where that says nothing; JSON where there is no text."""
    if suffix.lower() in _YAML_SUFFIXES:
        return Form.YAML
    if suffix.lower() == ".json" or text is None or text.lstrip("\ufeff \t\r\n")[:1] in ("", "{", "["):
        return Form.JSON
    return Form.YAML


def parse(text: str, form: Form, *, name: str) -> Storyboard:
    """The storyboard in the text; `name` is what errors call it.

    Types are held to strictly: `"0.5"` is no number and `1984` no title. A byte order mark is skipped.
    Raises InvalidStoryboardError, with a line number wherever there is one.
    """
    text = text.removeprefix("\ufeff")
    return _of_json(text, name) if form is Form.JSON else _of_yaml(text, name)


def _of_json(text: str, name: str) -> Storyboard:
    data = json_data(text, name)
    return _validated(data, name, where=lambda _: "", hint=lambda _: HINT)


def json_data(text: str, name: str) -> Any:
    """JSON as it says, no key twice and no number that is none. Raises InvalidStoryboardError."""

    def refused(constant: str) -> NoReturn:
        raise InvalidStoryboardError(f"{name} is not JSON: {constant} is no number", hint=HINT)

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) < len(pairs):
            keys = [key for key, _ in pairs]
            twice = next(key for key in keys if keys.count(key) > 1)
            raise InvalidStoryboardError(
                f"{name}: the key {clean_prompt(twice)[:40]} stands there twice", hint=HINT
            )
        return made

    try:
        return json.loads(text, parse_constant=refused, object_pairs_hook=unique)
    except json.JSONDecodeError as error:
        hint = HINT if text.lstrip()[:1] in ("", "{", "[") else "YAML is read from files named .yaml or .yml"
        raise InvalidStoryboardError(
            f"{name} is not JSON: {error.msg} (line {error.lineno}, column {error.colno})", hint=hint
        ) from error
    except RecursionError as error:
        raise InvalidStoryboardError(
            f"{name} is not JSON that is read: it is nested too deep", hint=HINT
        ) from error
    except ValueError as error:
        raise InvalidStoryboardError(
            f"{name} is not JSON that is read: a number in it has thousands of digits", hint=HINT
        ) from error


def _of_yaml(text: str, name: str) -> Storyboard:
    root, data = yaml_data(text, name)

    def where(place: Sequence[int | str]) -> str:
        return f", line {nodes.node_at(root, tuple(place)).line}"

    def hint(error: Any) -> str:
        node = nodes.node_at(root, error["loc"])
        if error["type"] == "string_type" and isinstance(node, nodes.Scalar) and node.text:
            return f'text that looks like something else is put in quotes: "{node.text[:60]}"'
        return HINT

    return _validated(data, name, where=where, hint=hint)


def yaml_data(text: str, name: str) -> tuple[nodes.Mapping, Any]:
    """The mapping that the text holds, with its places and as JSON. Raises InvalidStoryboardError."""
    try:
        root = nodes.compose(text)
        if not isinstance(root, nodes.Mapping):
            what = (
                "is empty" if root is None else "is no storyboard: it should begin with a key, such as shots:"
            )
            raise InvalidStoryboardError(f"{name} {what}", hint=HINT)
        return root, root.value
    except nodes.YamlTextError as problem:
        raise InvalidStoryboardError(
            f"{name}, line {problem.line}: {problem.message}", hint=_syntax_hint(text)
        ) from problem


def _syntax_hint(text: str) -> str:
    if any(line[: len(line) - len(line.lstrip())].count("\t") for line in text.splitlines()):
        return "YAML is indented by spaces, never by tabs"
    return "text with a colon, a # or quotes in it is put in quotes; " + HINT


def _validated(
    data: Any, name: str, *, where: Callable[[Sequence[int | str]], str], hint: Callable[[Any], str]
) -> Storyboard:
    if isinstance(data, dict):
        data = {key: value for key, value in data.items() if key != SCHEMA_KEY}
    try:
        # By way of JSON: there a list is a tuple and a word an enum's, also where types are held to strictly.
        return Storyboard.model_validate_json(json.dumps(data), strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        if first["type"] == "json_invalid":  # the one thing that json.dumps writes and nothing reads
            raise InvalidStoryboardError(
                f"{name} holds half of a character", hint="save it as UTF-8"
            ) from error
        raise InvalidStoryboardError(
            f"{name}{where(first['loc'])}: {explain(error)}", hint=hint(first)
        ) from error
