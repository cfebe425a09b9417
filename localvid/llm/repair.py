"""From whatever a language model wrote to a line that can stand in a storyboard, or to nothing.

Pure functions: they judge and mend text, and know no model.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from difflib import SequenceMatcher
from itertools import pairwise

from localvid.llm.chat import without_thoughts
from localvid.llm.lexicon import (
    CLEAR_SKY,
    CONTRADICTIONS,
    CREATURES,
    FIRST_PERSON,
    META,
    NIGHTLY,
    OVERCAST,
    PAST,
    PEOPLE,
    PERSONS,
    SKY,
    STOPWORDS,
    UNSEEN,
    mentions_somebody,
    time_of_day,
    topics_of,
    words_of,
)
from localvid.schemas import clean_prompt

MAX_TEXT_CHARACTERS = 400
"""The longest line that a shot takes; what is longer is cut at the end of a sentence, a clause or a word."""
SIMILAR = 0.75
"""Two sentences more alike than this are the same shot written twice (1 is equal)."""
UNUSABLE = 3.0
"""A fault from which on a sentence is worse than what the outline writer puts in its place."""

_ADDRESS = re.compile(r"://|www\.|\\|/|\.(?:com|org|net|png|jpe?g|gif|mp4|gguf)\b", re.IGNORECASE)
"""Within a word; searched for word by word, because one pattern for the word around it takes seconds over one
of thousands of characters."""
_POLAR_LIGHTS = re.compile(r"\b(?:northern|southern) lights\b|\baurora", re.IGNORECASE)
_SETS = r"\bsun (?:\w+ly |is |has )*(?:sets|setting|sinks|sinking|goes down|gone down)\b|\bsetting sun\b"
_RISES = r"\bsun (?:\w+ly |is |has )*(?:rises|rising|risen|climbs|climbing|comes up)\b|\brising sun\b"
_SUN_ELSEWHERE = {
    "dawn": re.compile(_SETS),
    "day": re.compile(f"{_SETS}|{_RISES}"),
    "dusk": re.compile(_RISES),
}
"""Time of day → what the sun does not do then."""
_TAG = re.compile(r"</?\w[^>]*>|\[/?[A-Z]+\]")
_MARKUP = re.compile(r"[`*_#|<>{}\[\]()\"“”]")
_NUMBERING = re.compile(r"^\s*(?:\d+\s*[.):]\s*|[-•]\s*)")
_LABEL = re.compile(
    r"^(?:shot\s*\d*\s*[:,-]\s*)?(?:(?:extreme\s+)?close[- ]?up|(?:wide|full|medium|(?:low|high)[- ]angle|"
    r"aerial|establishing)\s+shot)\s*[:,.-]\s*",
    re.IGNORECASE,
)
_BELOW = (["far", "below"], ["on", "the"], ["down", "there"])
_ENDS = "。！？؟।…"


def read_line(raw: str, *, limit: int = MAX_TEXT_CHARACTERS) -> str:
    """Read one description out of any text; "" if no words are left.

    Guarantees: one line, no address or path, no markup, no numbering or shot label, no thoughts, shorter than
    `limit`, ends like a sentence and not within a word.
    """
    return _mended(clean_prompt(_first_line(without_thoughts(raw))).partition("|")[0], limit)


def read_lines(raw: str, count: int) -> list[str] | None:
    """Read `count` lines of words as `read_line` does; None if there are fewer."""
    lines = [read_line(line) for line in without_thoughts(raw).splitlines()]
    lines = [line for line in lines if line]
    return lines[:count] if len(lines) >= count else None


def read_fields(raw: str, count: int) -> list[list[str]] | None:
    """Read `count` lines of fields, in lower case and without numbering; None if there are fewer."""
    rows = [
        [field.strip(" .").lower() for field in _NUMBERING.sub("", line).split("|")]
        for line in without_thoughts(raw).splitlines()
        if line.strip()
    ]
    return rows[:count] if len(rows) >= count else None


def _first_line(raw: str) -> str:
    return next((line for line in raw.splitlines() if line.strip()), "")


def _mended(text: str, limit: int) -> str:
    text = _TAG.sub(" ", _NUMBERING.sub("", text))
    text = " ".join(word for word in text.split() if not _ADDRESS.search(word))
    text = _MARKUP.sub(" ", text)
    text = re.sub(r"\s+([,.;:!?])", r"\1", re.sub(r"\s+", " ", text))
    text = _LABEL.sub("", text.strip()).strip(" ,;:-–—'")
    text = cut_to(text, limit)
    if not any(char.isalnum() for char in text):
        return ""
    text = text[:1].upper() + text[1:]
    text = re.sub(r"[\s,;:.!?-]+[.!?]$", ".", text)
    return text if text[-1] in f".!?{_ENDS}" else f"{text}."


def cut_to(text: str, limit: int) -> str:
    """A text shorter than `limit` as it is; else its whole sentences, else its whole clauses, else its whole
    words. Text of that length counts as cut off already, because a grammar or a limit may have ended it."""
    if len(text) < limit:
        return text.strip()
    text = text[:limit]
    for ends in (".!?" + _ENDS, ",;:，、،；"):
        at = max(text.rfind(end) for end in ends)
        if at > limit // 3:
            return text[: at + 1].rstrip(" ,;:，、،；")
    words = text.split()[:-1] if " " in text else [text]
    while len(words) > 1 and words[-1].lower() in STOPWORDS:
        words.pop()
    return " ".join(words)


def similarity(first: str, second: str) -> float:
    """How alike two sentences are, 0 to 1: by their words, or by their characters where there are none.

    The greater of the shared share of their content words and the ratio of SequenceMatcher.
    """
    one, two = _content(first), _content(second)
    shared = len(one & two) / min(len(one), len(two)) if min(len(one), len(two)) >= 3 else 0.0
    return max(shared, SequenceMatcher(None, first.lower(), second.lower(), autojunk=False).ratio())


def is_duplicate(text: str, others: Sequence[str]) -> bool:
    return any(similarity(text, other) > SIMILAR for other in others)


def fault_of(detail: str, *, scene: str, others: Sequence[str]) -> float:
    """What is wrong with a sentence as the detail of a scene: 0 nothing, `UNUSABLE` and more: do not use.

    `others` are sentences that it must not repeat. Word lists are English; they find nothing to blame in
    other languages.
    """
    if _is_ruled_out(detail, scene, others):
        return UNUSABLE
    words, known = words_of(detail), set(words_of(scene))
    new = _content(detail) - known
    known |= {_stem(word) for word in known}
    content = [_stem(word) for word in words if word not in STOPWORDS]
    here, there = set(topics_of(scene)), set(topics_of(detail))
    somebody = mentions_somebody(scene)
    strangers = set(words) & ((PERSONS if somebody else PEOPLE) - known)
    creatures = [word for word in set(words) & CREATURES if _stem(word) not in known]
    return (
        3.0 * len(set(words) & (UNSEEN - known))
        + (1.0 if somebody else 3.0) * len(strangers)
        + 2.0 * len(creatures)
        + 1.5 * sum(words[:3] == words_of(other)[:3] for other in others)
        + 1.5 * (len(content) - len(set(content)))  # said twice
        + 1.0 * sum(max(0, len(new & _content(other)) - 2) for other in others)  # borrowed
        + 1.0 * len(set(words) & PAST)
        + 1.0 * len(there - here - {"night"})  # elsewhere
        + 1.0 * (_guessed_time(scene) is None and _guessed_time(detail) is not None)
        + 1.0 * (words[:2] in _BELOW and bool(set(words) & SKY))
        + 1.0 * (len(words) < 8)
        + 0.3 * max(0, len(set(content) & set(map(_stem, _content(scene)))) - 1)
    )


def _is_ruled_out(detail: str, scene: str, others: Sequence[str]) -> bool:
    """Whether it is nothing, or said already, cut off, at another time of day or in other weather, about the
    film or the viewer, runs in circles, or names somebody unknown."""
    words, known = words_of(detail), set(words_of(scene))
    return (
        len(words) < 5
        or len(_content(detail) - known) < 2
        or is_duplicate(detail, [*others, scene])
        or bool(set(words) & (META - known))
        or FIRST_PERSON.search(detail) is not None
        or runs_in_circles(detail)
        or words[-1] in STOPWORDS
        or _contradicts(words, scene, others)
        or _names_unknown(detail, scene)
    )


def _names_unknown(detail: str, scene: str) -> bool:
    """Whether it names somebody or some place by a proper name that the scene does not."""
    return any(
        word[:1].isupper() and word not in scene and word.lower() not in scene.lower()
        for word in detail.split()[1:]
    )


def _contradicts(words: Sequence[str], scene: str, others: Sequence[str]) -> bool:
    """Whether it is another time of day than in the scene, or than in the shots written before it, or the sky
    is clear above weather that hides it."""
    known = set(words_of(scene))
    time = _time_in(scene) or next(filter(None, map(_light, others)), None)
    wrong = CONTRADICTIONS[time] if time else frozenset()
    if known & OVERCAST and not known & {"after", "before"}:
        wrong |= CLEAR_SKY
    if time in _SUN_ELSEWHERE and _SUN_ELSEWHERE[time].search(" ".join(words)):
        return True
    return bool({*words, *map(_stem, words)} & (wrong - known))


def _time_in(text: str) -> str | None:
    return time_of_day(text) or ("night" if _POLAR_LIGHTS.search(text) else None)


def _guessed_time(text: str) -> str | None:
    """The time of day that it names, or lets one guess."""
    return _time_in(text) or ("night" if set(words_of(text)) & NIGHTLY else None)


def _light(text: str) -> str | None:
    words = set(words_of(text))
    if words & {"moon", "moonlight", "stars", "night"}:
        return "night"
    return "day" if words & {"sun", "sunlight", "daylight"} else time_of_day(text)


def runs_in_circles(text: str) -> bool:
    """Whether words come again and again, as when a model has lost its way."""
    words = words_of(text)
    content = [word for word in words if word not in STOPWORDS]
    again = len(content) >= 4 and len(set(content)) < 0.75 * len(content)
    return again or any(one == other for one, other in pairwise(words))


def _content(text: str) -> set[str]:
    return {word for word in words_of(text) if word not in STOPWORDS}


def _stem(word: str) -> str:
    """A crude stem: "waves" and "wave", "crashing" and "crashes" meet."""
    for ending in ("ing", "es", "ed", "e", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word


def same_script(text: str, other: str) -> bool:
    """Whether both are written mostly in Latin letters, or both mostly in others; true where either has
    no letters."""
    shares = [
        sum(char.isascii() or "LATIN" in unicodedata.name(char, "") for char in letters) / len(letters)
        for letters in ([char for char in words if char.isalpha()] for words in (text, other))
        if letters
    ]
    return len(shares) < 2 or (shares[0] > 0.5) == (shares[1] > 0.5)


def says_scene(text: str, scene: str) -> bool:
    """Whether a sentence shares a content word with the scene, or, in scripts without spaces, two
    neighbouring characters."""
    wanted = {_stem(word) for word in _content(scene)}
    if wanted & {_stem(word) for word in _content(text)}:
        return True
    pairs = {scene[i : i + 2] for i in range(len(scene) - 1) if not scene[i : i + 2].isascii()}
    return any(text[i : i + 2] in pairs for i in range(len(text) - 1))
