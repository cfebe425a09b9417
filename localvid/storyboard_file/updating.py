"""A storyboard changed within its own text: what does not change stays as a person wrote it.

In YAML the values that change are replaced where they stand, and shots are moved with their lines, comments
and all; everything else is copied. JSON has no comments: its keys keep their order, and it is written with
its own indentation.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from localvid.errors import InvalidStoryboardError
from localvid.schemas import Shot, Storyboard, Transition
from localvid.storyboard_file.blocks import arrange_blocks, arrange_flow
from localvid.storyboard_file.edits import Edits, set_values, unkept_layout
from localvid.storyboard_file.images import with_images_as_named
from localvid.storyboard_file.nodes import Mapping as MappingNode
from localvid.storyboard_file.nodes import Sequence as SequenceNode
from localvid.storyboard_file.reading import Form, json_data, parse, yaml_data
from localvid.storyboard_file.writing import FILM_KEYS, SHOT_KEYS, said, transition_text

_NAME = "the storyboard"


def updated(
    text: str,
    form: Form,
    before: Storyboard,
    after: Storyboard,
    *,
    origins: Sequence[int | None],
) -> str:
    """`text`, which says `before`, changed so that it says `after`.

    `origins` says for each shot of `after` which of `before` it is, None for a new one. Shots keep their
    comments when they are changed or moved; one that goes takes its comments with it. An image that a shot
    keeps stays as the text names it, wherever `before` has it. Line ends, a byte order mark and a missing
    last line end stay.

    Raises InvalidStoryboardError for a text that is no storyboard, and for one so laid out that it cannot be
    changed in place.
    """
    body = text.removeprefix("\ufeff")
    own = parse(body, form, name=_NAME)
    if len(own.shots) != len(before.shots):
        raise InvalidStoryboardError(
            "the file has changed since it was read", hint="start again from what it says now"
        )
    after = with_images_as_named(own, before, after, origins)
    changed = (_json if form is Form.JSON else _yaml)(body, own, after, origins)
    if not _says(changed, form, after):
        raise unkept_layout()
    return text[: len(text) - len(body)] + changed


def _says(text: str, form: Form, storyboard: Storyboard) -> bool:
    """Whether it reads back as this storyboard: no file is spoiled by a layout that nobody thought of."""
    try:
        return parse(text, form, name=_NAME) == storyboard
    except InvalidStoryboardError:
        return False


def _changes(own: Storyboard | Shot, after: Storyboard | Shot, keys: Sequence[str]) -> dict[str, Any]:
    """Key → new value of what differs; None for what is no longer said."""
    return {key: said(getattr(after, key)) for key in keys if getattr(own, key) != getattr(after, key)}


# --- YAML ----------------------------------------------------------------------------------------


def _yaml(text: str, own: Storyboard, after: Storyboard, origins: Sequence[int | None]) -> str:
    root, _ = yaml_data(text, _NAME)
    entry = root.entry("shots")
    assert entry is not None and isinstance(entry.value, SequenceNode)  # parse() has read it
    items = [item for item in entry.value.items if isinstance(item, MappingNode)]
    edits = Edits(text)
    set_values(edits, root, _changes(own, after, FILM_KEYS), order=FILM_KEYS)
    for shot, origin in zip(after.shots, origins, strict=True):
        if origin is not None:
            set_values(edits, items[origin], _changes(own.shots[origin], shot, SHOT_KEYS), order=SHOT_KEYS)
    if list(origins) != list(range(len(items))):
        if entry.value.flow:
            arrange_flow(edits, entry.value, after.shots, origins)
        else:
            arrange_blocks(edits, entry.key, entry.value, after.shots, origins)
    return edits.applied()


# --- JSON ----------------------------------------------------------------------------------------


def _json(text: str, own: Storyboard, after: Storyboard, origins: Sequence[int | None]) -> str:
    document: dict[str, Any] = json_data(text, _NAME)
    old = document["shots"]
    _put(document, _changes(own, after, FILM_KEYS))
    shots = []
    for shot, origin in zip(after.shots, origins, strict=True):
        if origin is None:
            shots.append(json.loads(shot.model_dump_json(exclude_none=True)))
        else:
            _put(old[origin], _changes(own.shots[origin], shot, SHOT_KEYS))
            shots.append(old[origin])
    document["shots"] = shots
    indent = re.search(r"\n([ \t]+)\S", text)
    made = json.dumps(
        document, ensure_ascii=text.isascii() and "\\u" in text, indent=indent[1] if indent else None
    )
    tail = text[len(text.rstrip()) :]
    newline = "\r\n" if "\r\n" in text else "\n"
    return made.replace("\n", newline) + tail


def _put(target: dict[str, Any], changes: Mapping[str, Any]) -> None:
    for key, value in changes.items():
        if value is None:
            target.pop(key, None)
        elif not isinstance(value, Transition):
            target[key] = value
        elif isinstance(target.get(key), dict):
            target[key].update(value.model_dump(mode="json"))
        else:
            target[key] = transition_text(value)
