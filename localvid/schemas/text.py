"""Words from outside: prompts cleaned, mistakes explained."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Any

_DROPPED_CATEGORIES = frozenset({"Cc", "Cs", "Co", "Cn"})
_DROPPED = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff\ufffd")
"""Controls of the direction of writing, the byte order mark, and what stands for bytes that are no text."""

_MOST_OF_A_KEY = 60
"""Characters of a key that an error names: keys that are unknown may be anything."""

_LENGTH = re.compile(r"(?:(\d+)\s*m(?:in)?)?\s*(?:(\d+(?:\.\d+)?)\s*s?)?")

Place = tuple[int | str, ...]
"""Keys and indices on the way to a value."""

_TERMINAL_CODE = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")


def clean_prompt(text: str) -> str:
    """The prompt with control characters and a terminal's colours removed and white space folded, in any
    script.

    Joiners (U+200C, U+200D) stay: Persian, the scripts of India and emoji are spelled with them.
    """
    kept = (
        " " if char.isspace() else char
        for char in _TERMINAL_CODE.sub("", text)
        if char.isspace() or (unicodedata.category(char) not in _DROPPED_CATEGORIES and char not in _DROPPED)
    )
    return re.sub(r" +", " ", "".join(kept)).strip()


_SENTENCE_END = re.compile(r"(?<=[.!?;])\s+|(?<=[。！？；।؟؛…])\s*")
_SHORTENED = re.compile(
    r"(?:^\d{1,3}|(?:^|[\s(])(?:mrs?|ms|dr|st|mt|prof|sr|jr|vs|ext|int|capt|gen|lt|sgt|rev|e\.g|i\.e|[a-z]))\.$",
    re.IGNORECASE,
)
"""A word, or an initial, whose full stop ends no sentence."""
_MAY_END = re.compile(r"(?:^|[\s(])(?:etc|(?:[a-z]\.)+[a-z])\.$", re.IGNORECASE)
"""One whose full stop ends a sentence before a capital letter: "at 5 p.m. The sea …"."""


def sentence_ends(text: str) -> Iterator[re.Match[str]]:
    """Where a sentence ends within a text of any script: the white space after it, which may be none. The
    full stop of an abbreviation, or before a number ("No. 5"), ends none."""
    for found in _SENTENCE_END.finditer(text):
        said, follows = text[max(0, found.start() - 12) : found.start()], text[found.end() : found.end() + 1]
        if (
            not follows
            or _SHORTENED.search(said)
            or (_MAY_END.search(said) and not follows.isupper())
            or (said.lower().endswith(("no.", "nr.")) and follows.isdigit())
        ):
            continue
        yield found


def sentences(text: str) -> list[str]:
    """The sentences of a text, each with what ends it."""
    parts, start = [], 0
    for end in sentence_ends(text):
        parts.append(text[start : end.start()])
        start = end.end()
    return [*parts, text[start:]]


def says_something(prompt: str) -> bool:
    """Whether there is a letter, a digit or a picture in it, in any script."""
    return any(char.isalnum() or unicodedata.category(char) == "So" for char in prompt)


def explain(error: Any) -> str:
    """A pydantic ValidationError as one line: `shots.0.energy: Input should be ≤ 1; …`, three at most."""
    found = reasons(error)
    parts = [
        f"{place}: {message}" if place else message
        for place, message in ((dotted(at), why) for at, why in found[:3])
    ]
    more = f" (and {len(found) - 3} more)" if len(found) > 3 else ""
    return "; ".join(parts) + more


def reasons(error: Any) -> list[tuple[Place, str]]:
    """All that a pydantic ValidationError says: where, as keys and indices, and why."""
    errors = error.errors(include_url=False)
    within = {item["loc"][:depth] for item in errors for depth in range(len(item["loc"]))}
    # A list of which no item is valid is not too short.
    errors = [item for item in errors if item["type"] != "too_short" or item["loc"] not in within]
    return [(item["loc"], _plain(item)) for item in errors]


def _plain(item: Any) -> str:
    """Why, without pydantic's words where they are Python's."""
    match item["type"]:
        case "extra_forbidden":
            return "unknown key"
        case "too_short":
            return f"needs at least {_items(item['ctx']['min_length'])}, not {item['ctx']['actual_length']}"
        case "too_long":
            return f"takes at most {_items(item['ctx']['max_length'])}"
        case "less_than" | "less_than_equal" | "greater_than" | "greater_than_equal" if _is_nan(
            item["input"]
        ):
            return "nan is no number"
    return str(item["msg"]).removeprefix("Value error, ")


def _items(number: int) -> str:
    return f"{number} item" if number == 1 else f"{number} items"


def _is_nan(value: object) -> bool:
    """Of a number, or of text that stands for one in a variable."""
    return str(value).strip().lower().lstrip("+-") == "nan"


def dotted(place: Place) -> str:
    """A place as one word: `shots.0.energy`."""
    return ".".join(clean_prompt(str(part))[:_MOST_OF_A_KEY] for part in place)


def seconds_of(length: str) -> float | None:
    """`20s`, `1m30s`, `90` → seconds; None for what is no length."""
    match = _LENGTH.fullmatch(length.strip().lower())
    if not match or not any(match.groups()):
        return None
    minutes, seconds = match.groups()
    return 60 * float(minutes or 0) + float(seconds or 0)
