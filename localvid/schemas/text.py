"""Words from outside: prompts cleaned, mistakes explained."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

_DROPPED_CATEGORIES = frozenset({"Cc", "Cs", "Co", "Cn"})
_DROPPED = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff\ufffd")
"""Controls of the direction of writing, the byte order mark, and what stands for bytes that are no text."""

_MOST_OF_A_KEY = 60
"""Characters of a key that an error names: keys that are unknown may be anything."""


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


def says_something(prompt: str) -> bool:
    """Whether there is a letter, a digit or a picture in it, in any script."""
    return any(char.isalnum() or unicodedata.category(char) == "So" for char in prompt)


def explain(error: Any) -> str:
    """A pydantic ValidationError as one line: `shots.0.energy: Input should be ≤ 1; …`, three at most."""
    errors = error.errors(include_url=False, include_input=False)
    within = {item["loc"][:depth] for item in errors for depth in range(len(item["loc"]))}
    # A list of which no item is valid is not too short.
    errors = [item for item in errors if item["type"] != "too_short" or item["loc"] not in within]
    parts = []
    for item in errors[:3]:
        place = ".".join(clean_prompt(str(part))[:_MOST_OF_A_KEY] for part in item["loc"])
        message = item["msg"].removeprefix("Value error, ")
        if item["type"] == "extra_forbidden":
            message = "unknown key"
        parts.append(f"{place}: {message}" if place else message)
    more = f" (and {len(errors) - 3} more)" if len(errors) > 3 else ""
    return "; ".join(parts) + more
