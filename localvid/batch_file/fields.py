"""The fields of a row: called as the options of `localvid generate`, and checked as these are."""

from __future__ import annotations

import difflib
import functools
import json
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from pydantic import TypeAdapter, ValidationError

from localvid.batch_file.found import MOST_OF_A_ROW, RawRow
from localvid.batch_file.names import why_no_word
from localvid.files import expanded
from localvid.schemas import FilmOptions, Place, Seed, reasons, seconds_of

WORDS = ("prompt", "storyboard")
"""What a film is made from: one of them."""

OPTIONS = {
    name.removesuffix("_seconds").removesuffix("_usd"): name
    for name in FilmOptions.model_fields
    if name != "output"
}
"""Field of a row → of FilmOptions; on the command line the units do not stand in the name."""

FIELDS = (*WORDS, "output", "seed", *OPTIONS)

OF_THE_BATCH = ("workspace", "device", "dry_run", "json", "quiet")
"""Options of `generate` that no row can have for itself."""

_SEED: TypeAdapter[int] = TypeAdapter(Seed)
_TOO_DEEP = "it is nested too deep"


class Given(NamedTuple):
    """What a row says beside its words."""

    options: dict[str, object]
    """Field of FilmOptions → value, valid; paths absolute."""
    seed: int | None
    problems: list[tuple[Place, str]]
    """Where in the row, as its author named it, and why."""


def unknown(name: str) -> str:
    """Why a field is not read, with the one that may have been meant."""
    if name in OF_THE_BATCH:
        return f"it holds for the whole batch: give --{name.replace('_', '-')} on the command line"
    close = _close_to(name[:60])
    return f"unknown field; did you mean {close}?" if close else "unknown field"


@functools.lru_cache(maxsize=256)
def _close_to(name: str) -> str | None:
    wanted = name.strip().lower().lstrip("-").replace("-", "_").replace(" ", "_")
    if close := difflib.get_close_matches(wanted, FIELDS, n=1):
        return close[0]
    parts = {part for part in wanted.split("_") if len(part) > 2}
    return next((field for field in FIELDS if parts & set(field.split("_"))), None)


def checked(row: RawRow, *, folder: Path, without: Iterable[str] = ()) -> Given:
    """The options and the seed of a row; `without` names fields that have no place in it.

    JSON and YAML are held to their types, cells of a table are read as the command line reads its words.
    null and an empty cell mean: not given. Relative paths are taken from `folder`.
    """
    problems: list[tuple[Place, str]] = []
    values: dict[str, object] = {}
    for name, value in row.values.items():
        if name in without:
            problems.append(((name,), "it is a row's own, and has no place among the defaults"))
        elif name not in FIELDS:
            if not (row.is_text and name):  # an unknown column is said once, of its name
                # What is like it is looked for only where it will be shown.
                why = unknown(name) if len(problems) < MOST_OF_A_ROW else "unknown field"
                problems.append(((name,), why if name else "it has no column name above it"))
        elif isinstance(value, str) and name in OPTIONS and (why := why_no_word(value)):
            problems.append(((name,), why))
        elif value is not None and name not in (*WORDS, "output"):
            values[name] = value.strip() if isinstance(value, str) else value
    seed = _checked_seed(values.pop("seed", None), row, problems)
    return Given(_checked_options(values, row, folder, problems), seed, problems)


def _checked_seed(value: object, row: RawRow, problems: list[tuple[Place, str]]) -> int | None:
    if value is None:
        return None
    try:
        return _SEED.validate_python(value, strict=not row.is_text)
    except ValidationError as error:
        problems.append((("seed",), reasons(error)[0][1]))
        return None


def _checked_options(
    values: dict[str, object], row: RawRow, folder: Path, problems: list[tuple[Place, str]]
) -> dict[str, object]:
    if isinstance(length := values.get("duration"), str):
        values["duration"] = seconds_of(length)
        if values["duration"] is None:
            del values["duration"]
            problems.append((("duration",), f"{length[:40]!r} is no length; write it as 20s, 1m30s or 90"))
    asked = {OPTIONS[name]: value for name, value in values.items()}
    if not asked:
        return {}
    try:
        # By way of JSON: there a word is a path, also where types are held to strictly.
        options = FilmOptions.model_validate_json(json.dumps(asked), strict=not row.is_text)
    except ValidationError as error:
        named = {field: name for name, field in OPTIONS.items()}
        for place, why in reasons(error):
            if place:
                problems.append(((named.get(str(place[0]), place[0]), *place[1:]), why))
            else:
                problems.append(((), _TOO_DEEP))
        return {}
    except RecursionError:
        problems.append(((), _TOO_DEEP))
        return {}
    found = {name: getattr(options, name) for name in asked}
    if isinstance(image := found.get("reference_image"), Path):
        found["reference_image"] = (folder / expanded(image)).absolute()
    return found


def overlaid(defaults: FilmOptions, given: dict[str, object]) -> FilmOptions:
    """The defaults with what is given in their place. A length of the film and a number of frames are two
    ways to say the same: one that is given puts the other default out of force."""
    changes = dict(given)
    for name, other in (("duration_seconds", "num_frames"), ("num_frames", "duration_seconds")):
        if name in given and other not in given:
            changes[other] = None
    return defaults.model_copy(update=changes)
