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


_SPACED, _UNSPACED = ".!?;", "。！？；।؟؛…"
"""Marks that end a sentence before white space, and those that need none."""
SENTENCE_MARKS = _SPACED + _UNSPACED
"""What a sentence, or half of one, may end with."""

_SENTENCE_END = re.compile(rf"(?<=[{_SPACED}])\s+|(?<=[{_UNSPACED}])\s*")
_BEFORE = r"(?:^|[\s(\"“'‘«])"
_TITLE = re.compile(
    rf"(?:^\d{{1,3}}|{_BEFORE}(?:mrs?|ms|dr|mt|prof|capt|col|gen|gov|lt|sen|sgt|rev|vs|approx|ext|int|fig|e\.g|i\.e))\.$",
    re.IGNORECASE,
)
"""A word before another: its full stop never ends a sentence. Nor does a number's that begins the text."""
_ENDING = re.compile(rf"{_BEFORE}(?:[ap]\.m|etc)\.$", re.IGNORECASE)
"""One whose full stop ends a sentence before a capital letter: "at 5 p.m. The sea …"."""
_INITIAL = re.compile(rf"{_BEFORE}(?:(?:[a-z]{{1,2}}\.)*[a-z]|st|jr|sr|ft|ave)\.$", re.IGNORECASE)
"""An initial or a word that may stand before a name ("J. Verne", "St. Mark"): its full stop ends a sentence
where no name follows ("vitamin C. The end", "Main St. A dog")."""
_NUMBERED = re.compile(rf"{_BEFORE}(?:no|nr)\.$", re.IGNORECASE)
_NO_NAME = re.compile(
    r"(?:A|An|And|As|At|Behind|But|Each|He|Her|His|I|In|It|Its|Now|On|She|Soon|Suddenly|Th(?:e|eir|en|ere|ese|ey|"
    r"is|ose)|Two|We|When|While|You)\b"
)
"""What begins a sentence, and no name."""


def sentence_ends(text: str) -> Iterator[re.Match[str]]:
    """Where a sentence ends within a text of any script: the white space after it, which may be none.

    The full stop of a common abbreviation ("Dr. Smith", "a U.S. flag", "No. 5") ends none.
    """
    for found in _SENTENCE_END.finditer(text):
        if found.end() < len(text) and not _is_of_a_word(text, found):
            yield found


def _is_of_a_word(text: str, found: re.Match[str]) -> bool:
    """Whether the full stop before what was found belongs to the word before it."""
    said, start = text[max(0, found.start() - 12) : found.start()], found.end()
    if _ENDING.search(said):
        return not text[start].isupper()
    return bool(
        _TITLE.search(said)
        or (_NUMBERED.search(said) and text[start].isdigit())
        or (_INITIAL.search(said) and not _NO_NAME.match(text, start))
    )


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
