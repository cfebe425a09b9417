"""A storyboard as a new file, in JSON or as YAML that is pleasant to read and to change."""

from __future__ import annotations

import json
import shlex

from localvid.schemas import Shot, Storyboard, Transition
from localvid.schemas.text import clean_prompt
from localvid.storyboard_file.reading import SCHEMA_KEY, Form
from localvid.storyboard_file.scalars import WIDTH, columns, folded, literal, number, on_one_line

FILM_KEYS = ("version", "title", "prompt", "style", "characters", "setting", "written_by")
SHOT_KEYS = tuple(Shot.model_fields)
_SELDOM = ("camera_speed", "continue_from_previous")

Said = str | float | bool | Transition | None


def written(storyboard: Storyboard, form: Form, *, name: str = "", schema: str | None = None) -> str:
    """The text of a new file that reads back as this storyboard.

    `name` is the file's, for the comment that says what to do with it; `schema` is where an editor finds
    the schema, as a URI or as a path from the file.
    """
    if form is Form.JSON:
        document = json.loads(storyboard.model_dump_json(exclude_none=True))
        named = {SCHEMA_KEY: schema} if schema else {}
        return json.dumps(named | document, ensure_ascii=False, indent=2) + "\n"
    lines = [*_head(name, schema), *_film(storyboard), "", "shots:"]
    shots = ("\n".join(shot_lines(shot, dash=2, keys=4)) for shot in storyboard.shots)
    return "\n".join(lines) + "\n" + "\n\n".join(shots) + "\n"


def said(value: object) -> Said:
    """A field's value as a file says it: words for enums, a path as text, None for what is left out."""
    if value is None or isinstance(value, (bool, int, float, Transition)):
        return value
    return str(value)


def shot_lines(shot: Shot, *, dash: int, keys: int) -> list[str]:
    """A shot as an item of a block sequence: the columns of its dash and of its keys are given."""
    lines: list[str] = []
    for key in SHOT_KEYS:
        if not left_out(shot, key):
            value = said(getattr(shot, key))
            lines += f"{key}: {value_text(value, indent=keys, column=keys + len(key) + 2)}".split("\n")
    first, *others = lines
    return [
        f"{' ' * dash}-{' ' * (keys - dash - 1)}{first}",
        *(" " * keys + line if line and not line.startswith(" ") else line for line in others),
    ]


def left_out(shot: Shot, key: str) -> bool:
    """What is not given, and of what is as usual that which few shots say otherwise."""
    value = getattr(shot, key)
    return value is None or (key in _SELDOM and value == Shot.model_fields[key].default)


def value_text(value: Said, *, indent: int, column: int) -> str:
    """A value in a block mapping whose keys stand at `indent`; its first line begins at `column`."""
    if isinstance(value, str):
        line = on_one_line(value)
        escapes = line.startswith('"') and "\\" in line
        if column + columns(line) <= WIDTH and not escapes:
            return line
        return folded(value, indent=indent + 2) or literal(value, indent=indent + 2) or line
    return word(value)


def word(value: Said, *, flow: bool = False) -> str:
    """A value on one line."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return number(value)
    return on_one_line(transition_text(value) if isinstance(value, Transition) else value, flow=flow)


def transition_text(transition: Transition) -> str:
    """`cut`, `crossfade`, `crossfade:0.8`."""
    usual = transition.duration_seconds == Transition.model_fields["duration_seconds"].default
    return (
        transition.kind.value if usual else f"{transition.kind.value}:{number(transition.duration_seconds)}"
    )


def _head(name: str, schema: str | None) -> list[str]:
    shown = shlex.quote(clean_prompt(name)) if name else "FILE"
    lines = [f"# yaml-language-server: $schema={schema}"] if schema else []
    return [
        *lines,
        "# A storyboard of localvid. Change what you like, and look at it or make the film of it:",
        f"#   localvid storyboard --show {shown}",
        f"#   localvid render {shown}",
        "",
    ]


def _film(storyboard: Storyboard) -> list[str]:
    lines: list[str] = []
    for key in FILM_KEYS:
        value = said(getattr(storyboard, key))
        if value not in (None, ""):
            lines += f"{key}: {value_text(value, indent=0, column=len(key) + 2)}".split("\n")
    return lines
